// The tables of docs/clients.md, between their marks.
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Row } from './rows.ts';
import { FAILED, failed, STEPS } from './script.ts';

const PATH = 'docs/clients.md';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const PAGE = fileURLToPath(new URL(`../../${PATH}`, import.meta.url));
const NO = '**no**';

export function writeRows(rows: readonly Row[]): void {
  const [today] = new Date().toISOString().split('T');
  const titles = STEPS.map((step) => step.charAt(0).toUpperCase() + step.slice(1));
  const lines = rows.map(({ name, version, transport, revision, cells }) => [
    name,
    version,
    transport,
    revision,
    ...STEPS.map((step) => shortened(cells[step] ?? '')),
  ]);
  const head = ['Client', 'Version', 'Transport', 'Revision', ...titles];
  replace('clients', `Last run: ${today}.\n\n${table([head, ...lines])}`);
}

export function writeRefusals(refusals: readonly (readonly string[])[]): void {
  replace(
    'tokens',
    table([['Client', 'Without a token', 'With a wrong token'], ...refusals.map((row) => row.map(cell))]),
  );
}

/** What the committed page says to work, and these rows do not. */
export function lost(rows: readonly Row[]): string[] {
  const page = execFileSync('git', ['show', `HEAD:${PATH}`], { cwd: ROOT, encoding: 'utf8' });
  const before = page.split('\n').filter((line) => line.startsWith('| ')).map((line) => line.split(' | ')); // prettier-ignore
  return rows.flatMap(({ name, transport, cells }) => {
    const was = before.find(([client = '', , over]) => client === `| ${name}` && over === transport);
    return STEPS.flatMap((step, at) => {
      const then = (was?.[at + 4] ?? '').replace(/ \|$/, '');
      const now = cells[step] ?? failed('not reached');
      const hasWorked = then !== '' && then !== NO && !then.startsWith('not tried');
      return hasWorked && FAILED.test(now) && !isUntried(cells.connect)
        ? [`${name}, ${transport}: ${step}: was "${then}"`]
        : [];
    });
  });
}

function isUntried(connect = ''): boolean {
  return connect.startsWith('not tried');
}

/** The reason for each failure, in a sentence for the terminal. */
export function reasons({ name, transport, cells }: Row): string[] {
  return STEPS.flatMap((step) =>
    FAILED.test(cells[step] ?? '') ? [`${name}, ${transport}: ${step}: ${cell(cells[step] ?? '')}`] : [],
  );
}

function shortened(text: string): string {
  return FAILED.test(text) ? NO : cell(text);
}

/** One line of text that fits into a cell, and is the same in each run. */
function cell(text: string): string {
  const line = text.replace(/^no: /, '').replace(/\n +at .*/s, '');
  return line
    .replace(/127\.0\.0\.1:\d+/g, '127.0.0.1:3000')
    .replace(/\s+/g, ' ')
    .replace(/[<|]/g, (sign) => (sign === '<' ? '&lt;' : '\\|'))
    .trim();
}

function table([head = [], ...body]: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...body].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function replace(name: string, content: string): void {
  const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
  const [before = '', rest = ''] = readFileSync(PAGE, 'utf8').split(begin);
  writeFileSync(PAGE, `${before}${begin}\n${content}\n${end}${rest.split(end)[1] ?? ''}`);
}
