// Draws docs/images/demo.svg, the README's picture of a terminal, from the output of the demo on stdin:
// FORCE_COLOR=1 npm run --silent demo | node scripts/demo-picture.ts
import { writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { drawTerminal, runs, wrap, type Run } from './terminal-picture.ts';

/** The steps of the demo that the picture shows, counted from 1. */
const STEPS = new Set([2, 3, 5, 6, 9]);

const output = await text(process.stdin);
writeFileSync(
  new URL('../docs/images/demo.svg', import.meta.url),
  drawTerminal(
    [[{ style: 'plain', text: '$ npm ci && npm run demo' }], [], ...chosen(output).flatMap(wrap)],
    'The demo in a terminal: a customer is created once, changed and protected from mistakes',
  ),
);

/** The lines of the selected steps and the headings above them; a step ends at an empty line. */
function chosen(whole: string): readonly (readonly Run[])[] {
  let step = 0;
  let shown = true;
  let blank = true;
  const lines = runs(whole).filter((line) => {
    const plain = line.map((run) => run.text).join('');
    if (plain.startsWith('> ')) step += 1;
    if (plain.startsWith('> ')) shown = STEPS.has(step);
    else if (/^\S/.test(plain)) shown = line[0]?.style === 'bold';
    const visible = plain === '' ? !blank : shown;
    if (visible) blank = plain === '';
    return visible;
  });
  return lines.slice(0, lines.findLastIndex((line) => line.length > 0) + 1);
}
