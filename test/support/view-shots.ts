// Pictures of the view, to be looked at: node test/support/view-shots.ts FOLDER. Real answers of the sandbox, in a host that
// gives a font. Two of them, framed as by a host, are those of the README.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { launchBrowser, viewHost, type ViewHost } from './browser.ts';
import { providers, viewAnswers } from './view-answers.ts';

const folder = process.argv[2] ?? 'view-shots';
const styles = { variables: { '--font-sans': 'Inter, system-ui, sans-serif' } };
const FRAME =
  'body{padding:12px;background:#fff}iframe{border:1px solid #d9dee3;border-radius:12px;box-shadow:0 1px 3px #0001}';

async function show(host: ViewHost, html: string, answer: unknown, theme: 'light' | 'dark'): Promise<void> {
  await host.open(html, { theme, styles });
  await host.tell('result', answer);
  // The frame takes the height that the view reports.
  await host.page.waitForTimeout(200);
}

mkdirSync(folder, { recursive: true });
// In a process of its own a frame is drawn at one pixel per point, and blurred where the picture has more.
const browser = await launchBrowser(['--disable-features=IsolateSandboxedIframes']);
for (const provider of providers) {
  const { html, answers } = await viewAnswers(provider);
  for (const width of [360, 960])
    for (const theme of ['light', 'dark'] as const) {
      const host = await viewHost(browser, { width });
      for (const [name, answer] of Object.entries(answers)) {
        await show(host, html, answer, theme);
        const path = join(folder, `${provider}-${name}-${width}-${theme}.png`);
        await host.page.locator('iframe').screenshot({ path });
      }
      await host.close();
    }
  if (provider !== 'layer') continue;
  for (const [file, answer, width] of [
    ['view-card.png', answers.created, 560],
    ['view-table.png', answers.found, 880],
  ] as const) {
    const host = await viewHost(browser, { width, scale: 2 });
    await host.page.addStyleTag({ content: FRAME });
    await show(host, html, answer, 'light');
    await host.page.locator('body').screenshot({ path: join(folder, file) });
    await host.close();
  }
}
await browser.close();
