// Renders the view with real answers of the sandbox: node scripts/view-shots.ts [FOLDER]. Writes the README's two pictures to
// docs/images and, with a FOLDER, every answer in every width and theme.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launchBrowser, viewHost, type ViewHost } from '../test/support/browser.ts';
import { kits } from '../test/support/providers.ts';
import { viewAnswers } from '../test/support/view-answers.ts';

const [folder] = process.argv.slice(2);
const README_PICTURES = 'docs/images';
const styles = { variables: { '--font-sans': 'Inter, system-ui, sans-serif' } };
const FRAME =
  'body{padding:12px;background:#fff}iframe{border:1px solid #d9dee3;border-radius:12px;box-shadow:0 1px 3px #0001}';

/** What a host shows, and in which theme. */
interface Shown {
  readonly html: string;
  readonly answer: unknown;
  readonly theme: 'light' | 'dark';
}

async function show(host: ViewHost, { html, answer, theme }: Shown): Promise<void> {
  await host.open(html, { theme, styles });
  await host.tell('result', answer);
  // The frame adopts the height that the view reports.
  await host.page.waitForTimeout(200);
}

mkdirSync(folder ?? README_PICTURES, { recursive: true });
// Chromium renders a frame in a separate process at one pixel per point, which is blurred in a picture with more.
const browser = await launchBrowser(['--disable-features=IsolateSandboxedIframes']);
for (const kit of kits) {
  const { html, answers } = await viewAnswers(kit);
  for (const width of folder === undefined ? [] : [360, 960])
    for (const theme of ['light', 'dark'] as const) {
      const host = await viewHost(browser, { width });
      for (const [name, answer] of Object.entries(answers)) {
        await show(host, { html, answer, theme });
        const path = join(folder ?? '', `${kit.name}-${name}-${width}-${theme}.png`);
        await host.page.locator('iframe').screenshot({ path });
      }
      await host.close();
    }
  // The README's pictures show the first provider.
  if (kit !== kits[0]) continue;
  for (const [file, answer, width] of [
    ['view-card.png', answers.created, 560],
    ['view-table.png', answers.found, 880],
  ] as const) {
    const host = await viewHost(browser, { width, scale: 2 });
    await host.page.addStyleTag({ content: FRAME });
    await show(host, { html, answer, theme: 'light' });
    await host.page.locator('body').screenshot({ path: join(README_PICTURES, file) });
    await host.close();
  }
}
await browser.close();
