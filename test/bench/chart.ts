import { figures, shown, type Spread } from './figures.ts';
import type { Results } from './results.ts';

const WIDTH = 920;
const GAP = 28;
const PANEL = (WIDTH - GAP) / 2;
const LABELS = 206;
const VALUES = 52;
const ROW = 19;
const HEAD = 36;
const FOOT = 22;

/** What the README shows; the rest is in results.json. */
const PANELS = [
  'coldStart',
  'p50',
  'perSecond32',
  'cpu',
  'rss',
  'size',
  'createP50',
  'farCreateP50',
  'tokens',
  'rssStart',
] as const;

// GitHub shows the picture on white or on black, so the colours follow the reader's.
const STYLE = `
  text { font: 12px -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-size: 13px; font-weight: 600 }
  .quiet { fill: #59636e; font-size: 11px; font-weight: 400 }
  .own { font-weight: 600 }
  .bar { fill: #c3cad2 }
  .bar.own { fill: #1a7f5a }
  .spread { stroke: #59636e; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .quiet { fill: #9198a1 }
    .bar { fill: #3d444d }
    .bar.own { fill: #2ea87a }
    .spread { stroke: #9198a1 }
  }`;

/** The results as a picture: a panel for each figure, a bar for each server, a thin line from its best to its worst round. */
export function chart({ servers, machine, rounds, measured }: Results): string {
  const height = HEAD + servers.length * ROW + GAP;
  const panels = PANELS.map((key, index) => {
    const x = (index % 2) * (PANEL + GAP);
    const y = Math.floor(index / 2) * height;
    return `<g transform="translate(${x} ${y})">${panel(key, servers)}</g>`;
  });
  const whole = Math.ceil(PANELS.length / 2) * height + FOOT;
  const foot = `Medians of ${rounds} rounds, lines from the lowest to the highest. Node ${machine.node}, ${machine.cores} × ${machine.processor}, loopback, ${measured}.`;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="-12 -4 ${WIDTH + 24} ${whole + 8}" width="${WIDTH + 24}" role="img" aria-label="customers-mcp and other MCP servers, measured">`,
    `<style>${STYLE}\n</style>`,
    ...panels,
    `<text class="quiet" x="0" y="${whole - 6}">${escaped(foot)}</text>`,
    '</svg>\n',
  ].join('\n');
}

function panel(key: (typeof PANELS)[number], servers: Results['servers']): string {
  const figure = figures.find((one) => one.key === key);
  if (!figure) return '';
  const { long, unit, digits, less } = figure;
  const largest = Math.max(...servers.map((server) => server.figures[key].max));
  const length = (value: number): number => (value / largest) * (PANEL - LABELS - VALUES);
  const rows = servers.map(({ name, ours, figures: { [key]: spread } }, index) => {
    const y = HEAD + index * ROW;
    const own = ours ? ' own' : '';
    return [
      `<text class="label${own}" x="${LABELS - 8}" y="${y}" text-anchor="end">${escaped(name)}</text>`,
      `<rect class="bar${own}" x="${LABELS}" y="${y - 11}" width="${length(spread.median).toFixed(1)}" height="14" rx="2"/>`,
      whisker(spread, y - 4, length),
      `<text class="value${own}" x="${(LABELS + length(spread.max) + 6).toFixed(1)}" y="${y}">${shown(spread.median, digits)}</text>`,
    ].join('');
  });
  return [
    `<text class="title" x="0" y="12">${escaped(long)}<tspan class="quiet" dx="6">${[unit, less ? 'less is better' : 'more is better'].filter(Boolean).join(', ')}</tspan></text>`,
    ...rows,
  ].join('\n');
}

function whisker({ min, max }: Spread, y: number, length: (value: number) => number): string {
  if (min === max) return '';
  return `<line class="spread" x1="${(LABELS + length(min)).toFixed(1)}" x2="${(LABELS + length(max)).toFixed(1)}" y1="${y}" y2="${y}"/>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
