import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Frame, type Page } from 'playwright-core';
import { build } from 'rolldown';

const CHROMIUM = [
  process.env['CHROMIUM_PATH'] ?? '',
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find((path) => existsSync(path));

const FLAGS = [
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Whether there is a browser. A missing one is said; with CUSTOMERS_TEST_BROWSER=required it is a failure. */
export function hasBrowser(): boolean {
  if (CHROMIUM !== undefined) return true;
  const sentence = 'No Chromium on this machine (CHROMIUM_PATH)';
  if (process.env['CUSTOMERS_TEST_BROWSER'] === 'required') throw new Error(`${sentence}.`);
  process.stdout.write(`${sentence}: the tests of the view are skipped.\n`);
  return false;
}

/** A host in the browser that shows the view as hosts do, with the official parts on its side. */
export interface ViewHost {
  readonly page: Page;
  /** Everything that the page or the view asked of any server, and every warning and error in either. */
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
  /** Embeds the view; resolves with what it says of itself when the handshake is over. */
  open(html: string, context?: object): Promise<unknown>;
  /** Calls a function of the host's page, see view-host/page.ts. */
  tell(what: string, ...args: readonly unknown[]): Promise<unknown>;
  /** The document of the view. */
  view(): Frame;
  close(): Promise<void>;
}

const HOST_STYLE = 'body{margin:0}iframe{display:block;width:100%;border:0}';

/** Launches a browser, with a profile of its own. */
export function launchBrowser(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ ...(CHROMIUM !== undefined && { executablePath: CHROMIUM }), args: [...FLAGS, ...flags] });
}

export async function viewHost(
  browser: Browser,
  { width, scheme = 'light', scale = 1 }: { width: number; scheme?: 'light' | 'dark'; scale?: number },
): Promise<ViewHost> {
  const context = await browser.newContext({
    viewport: { width, height: 1600 },
    colorScheme: scheme,
    deviceScaleFactor: scale,
  });
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  await context.route('**', (route) => {
    requests.push(route.request().url());
    return route.abort();
  });
  page.on('console', (message) => {
    if (['warning', 'error'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', ({ message }) => complaints.push(message));
  await page.setContent(`<!doctype html><html lang="en"><style>${HOST_STYLE}</style><body></body></html>`);
  await page.addScriptTag({ content: await hostScript() });
  const tell = (what: string, ...args: readonly unknown[]): Promise<unknown> =>
    page.evaluate(`viewHost.${what}(...${JSON.stringify(args)})`);
  return {
    page,
    requests,
    complaints,
    open: (html, hostContext = {}) => tell('open', html, hostContext),
    tell,
    view() {
      const [, view] = page.frames();
      if (!view) throw new Error('there is no view');
      return view;
    },
    close: () => context.close(),
  };
}

let built: Promise<string> | undefined;

function hostScript(): Promise<string> {
  built ??= build({
    input: fileURLToPath(new URL('view-host/page.ts', import.meta.url)),
    write: false,
    platform: 'browser',
    logLevel: 'silent',
    output: { format: 'iife' },
  }).then(({ output }) => output[0].code);
  return built;
}
