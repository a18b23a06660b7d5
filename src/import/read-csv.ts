import Papa from 'papaparse';
import { UsageError } from '../errors.ts';
import { decode } from './decode.ts';
import type { Grid } from './grid.ts';
import { findRecords } from './records.ts';

const DELIMITERS = [
  [',', 'commas'],
  [';', 'semicolons'],
  ['\t', 'tabs'],
  ['|', 'pipes'],
] as const;
const GUESS_ROWS = 60;
const GUESS_CHARACTERS = 200_000;
/** From this width on, a line inside a cell that is as wide as a row counts as a row. */
const MIN_WIDTH_FOR_SWALLOWED = 3;

/**
 * Reads a text file of rows. Keeps only the text and the offset of each row, so that a large file needs little more memory than
 * its own size.
 * @throws UsageError that names the line, for quotes that do not match.
 */
export function readCsv(bytes: Uint8Array, shown: string): Grid {
  const decoded = decode(bytes, shown);
  const { text: withoutSep, delimiter: declared } = readSep(decoded.text);
  const { text, newline } = normalizeNewlines(withoutSep);
  const delimiter = declared ?? guessDelimiter(text, newline);
  const { offsets, quoted, multiline, broken } = findRecords(text, delimiter, newline);
  const place = (record: number, at: number): Place => ({
    row: record + 1,
    at,
    skippedLines: declared === undefined ? 0 : 1,
  });
  if (broken) throw quoteError(text, place(broken.record, broken.at));
  const cells = (index: number): readonly string[] => {
    const line = text.slice(offsets[index], offsets[index + 1]).replace(/\r?\n$|\r$/, '');
    if (!quoted.has(index)) return line.split(delimiter);
    return Papa.parse<string[]>(line, { delimiter, newline }).data[0] ?? [];
  };
  const grid: Grid = {
    size: offsets.length - 1,
    cells,
    facts: [
      decoded.encoding,
      `separated by ${DELIMITERS.find(([separator]) => separator === delimiter)?.[1] ?? JSON.stringify(delimiter)}`,
    ],
    delimiter,
  };
  const width = usualWidth(grid);
  const swallowed = multiline.find((index) => swallowsRows(cells(index), width, delimiter));
  if (swallowed !== undefined) throw quoteError(text, place(swallowed, offsets[swallowed] ?? 0));
  return grid;
}

function usualWidth({ size, cells }: Grid): number {
  const widths = new Map<number, number>();
  for (let index = 0; index < Math.min(size, GUESS_ROWS); index += 1) {
    const { length } = cells(index);
    widths.set(length, (widths.get(length) ?? 0) + 1);
  }
  return mostFrequent(widths);
}

/** The first line `sep=;`, which Excel does not show. */
function readSep(text: string): { text: string; delimiter: string | undefined } {
  const [line, delimiter] = /^"?sep=(.)"?(?:\r\n|\r|\n)/i.exec(text) ?? [];
  return { text: line === undefined ? text : text.slice(line.length), delimiter };
}

/** Chooses the most frequent line end; any other then belongs to a cell. */
function normalizeNewlines(text: string): { text: string; newline: '\r\n' | '\n' | '\r' } {
  const pairs = count(text, '\r\n');
  const feeds = count(text, '\n') - pairs;
  const returns = count(text, '\r') - pairs;
  if (returns > pairs && returns > feeds) return { text, newline: '\r' };
  if (feeds === 0 && pairs > 0) return { text, newline: '\r\n' };
  return feeds >= pairs ? { text: text.replaceAll('\r\n', '\n'), newline: '\n' } : { text, newline: '\r\n' };
}

function count(text: string, part: string): number {
  let found = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) found += 1;
  return found;
}

/** The delimiter that splits most rows into the same number of cells. */
function guessDelimiter(text: string, newline: '\r\n' | '\n' | '\r'): string {
  const head = text.slice(0, GUESS_CHARACTERS);
  const scores = DELIMITERS.map(([delimiter]) => {
    const { data, errors } = Papa.parse<string[]>(head, { delimiter, newline, preview: GUESS_ROWS });
    const widths = new Map<number, number>();
    const rows = data.filter((row) => row.some((cell) => cell.trim() !== ''));
    for (const { length } of rows) widths.set(length, (widths.get(length) ?? 0) + 1);
    widths.delete(1);
    const width = mostFrequent(widths);
    const alike = widths.get(width) ?? 0;
    return { delimiter, score: (alike / Math.max(1, rows.length)) * Math.log2(width + 1) - errors.length };
  });
  const [best] = scores.toSorted((a, b) => b.score - a.score);
  return best && best.score > 0 ? best.delimiter : ',';
}

function mostFrequent(counts: ReadonlyMap<number, number>): number {
  const [first] = [...counts].toSorted(([a, x], [b, y]) => y - x || b - a);
  return first?.[0] ?? 0;
}

/** Whether a cell contains rows, because its closing quote is missing. */
function swallowsRows(cells: readonly string[], width: number, delimiter: string): boolean {
  if (width < MIN_WIDTH_FOR_SWALLOWED) return false;
  return cells.some(
    (cell) => cell.includes('\n') && cell.split('\n').some((line) => line.split(delimiter).length >= width),
  );
}

interface Place {
  /** The offset of the row in the text. */
  readonly at: number;
  readonly row: number;
  /** The number of lines of the file before the text. */
  readonly skippedLines: number;
}

function quoteError(text: string, { at, row, skippedLines }: Place): UsageError {
  const line = text.slice(0, at).split(/\r\n|\r|\n/).length + skippedLines;
  return new UsageError(
    `The quotes in row ${row} (line ${line} of the file) do not match: a cell that begins with " must end with " and a " inside it is written "". Nothing was sent. Correct that row, or open the file in a spreadsheet program and save it as .xlsx.`,
  );
}
