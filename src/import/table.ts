import { UsageError } from '../errors.ts';
import { quote } from '../text.ts';
import { recognizeHeading } from './concepts.ts';
import { isEmail } from './content.ts';
import type { Grid } from './grid.ts';

/** The maximum number of title lines and notes above the headings. */
const MAX_TITLE_ROWS = 30;
/** The number of rows at the end among which footers are recognized. */
const MAX_FOOTER_ROWS = 30;
const FOOTER =
  /^(?:grand )?(?:total|totals|totaal|totalen|subtotaal|subtotal|gesamt|gesamtsumme|summe|sum|count|aantal|anzahl|record count|eindtotaal)\b|^(?:copyright|©|confidential|vertrouwelijk|vertraulich|generated|gegenereerd|erstellt|printed|afgedrukt|gedruckt|exported|page|pagina|seite|report|rapport|bericht)\b/i;

/** A sentence rather than an id or a name. */
const NOTE = /\p{L}{2,}.*[ ,].*\p{L}{2,}/u;

/** The columns that an import adds to its result file. They are not data when that file is imported. */
export const RESULT_COLUMNS = ['import_outcome', 'import_customer_id', 'import_message'] as const;

/** The rows below the headings. */
export interface Table {
  readonly grid: Grid;
  /** The row with the headings as a spreadsheet program counts it; 0 if there is none. */
  readonly headerRow: number;
  /** A different name for each column, for the options: a second `Email` is `Email (2)`, one without text is `Column C`. */
  readonly headings: readonly string[];
  /** The headings as they are in the file; empty for a column without one. */
  readonly originals: readonly string[];
  /** The rows that are not empty. */
  rows(): Iterable<TableRow>;
}

export interface TableRow {
  /** As a spreadsheet program shows it. */
  readonly number: number;
  readonly cells: readonly string[];
  /** A total or a note, not a customer. */
  readonly footer: boolean;
}

/** Scores a row by the number of its cells that are known headings. */
function headingScore(cells: readonly string[], isField: (heading: string) => boolean): number {
  const filled = cells.filter((cell) => cell.trim() !== '');
  if (filled.some((cell) => isEmail(cell.trim()) || /^[\d\s.,+-]+$/.test(cell))) return 0;
  const known = filled.filter((cell) => {
    const found = recognizeHeading(cell);
    return isField(cell) || (found !== undefined && found !== 'foreign');
  });
  const foreign = filled.filter((cell) => recognizeHeading(cell) === 'foreign');
  if (known.length === 0) return 0;
  // A title such as "Customers of Acme" has a known word in one cell only.
  return filled.length === 1 ? 0.5 : known.length + foreign.length / 4;
}

/** The row with the headings (0 for the first), or `undefined` if no row has known ones. */
export function findHeader(
  grid: Grid,
  isField: (heading: string) => boolean,
): { index: number; score: number } | undefined {
  let best: { index: number; score: number } | undefined;
  for (let index = 0; index < Math.min(grid.size, MAX_TITLE_ROWS); index += 1) {
    const score = headingScore(grid.cells(index), isField);
    if (score > (best?.score ?? 0)) best = { index, score };
  }
  return best;
}

/**
 * The table below a row of headings; with `headerRow` 0, the file has none.
 * @throws UsageError if there is no such row, or no row below it.
 */
export function makeTable(grid: Grid, headerRow: number): Table {
  if (headerRow > grid.size) throw new UsageError(`--header-row ${headerRow}: the file has ${grid.size} rows.`);
  const top = headerRow === 0 ? [] : grid.cells(headerRow - 1);
  const width = widthOf(grid, headerRow, top.length);
  const originals = Array.from({ length: width }, (_, index) => quote(top[index] ?? ''));
  const lastFull = lastFullRow(grid, headerRow);
  const table: Table = {
    grid,
    headerRow,
    headings: nameColumns(originals),
    originals,
    *rows() {
      let blankBefore = false;
      for (let index = headerRow; index < grid.size; index += 1) {
        const cells = grid.cells(index);
        const filled = cells.filter((cell) => cell.trim() !== '');
        const [only = ''] = filled;
        if (filled.length > 0) {
          const isNote = index > lastFull && filled.length === 1 && blankBefore && NOTE.test(cells[0] ?? '');
          const isTotal = filled.length <= 3 && width > 2 && FOOTER.test(only.trim()) && !isCustomer(filled, width);
          yield { number: index + 1, cells, footer: isNote || isTotal };
        }
        blankBefore = filled.length === 0 || (blankBefore && index > lastFull);
      }
    },
  };
  if (table.rows()[Symbol.iterator]().next().done === true)
    throw new UsageError('The file contains no rows below its headings.');
  return table;
}

/** Whether a row that begins with such a word is one of a customer with that name, such as `Page Ltd` or `Total`. */
function isCustomer(filled: readonly string[], width: number): boolean {
  const [, ...others] = filled.map((cell) => cell.trim());
  return others.some((cell) => isEmail(cell) || (filled.length === width && /\p{L}{2}/u.test(cell)));
}

const WIDTH_ROWS = 50;
const MIN_WIDER_SHARE = 0.8;

/** The width of the headings, or of the rows if most of them are wider; a single wider row is a mistake. */
function widthOf(grid: Grid, from: number, headings: number): number {
  const widths: number[] = [];
  for (let index = from; index < Math.min(grid.size, from + WIDTH_ROWS); index += 1) {
    const width = grid.cells(index).findLastIndex((cell) => cell.trim() !== '') + 1;
    if (width > 0) widths.push(width);
  }
  if (headings === 0) return Math.max(0, ...widths);
  const wider = widths.filter((width) => width > headings);
  return wider.length > 0 && wider.length >= widths.length * MIN_WIDER_SHARE ? Math.max(...wider) : headings;
}

/** The last row with more than one cell; a single cell below it is a note. */
function lastFullRow(grid: Grid, from: number): number {
  for (let index = grid.size - 1; index >= Math.max(from, grid.size - MAX_FOOTER_ROWS); index -= 1)
    if (grid.cells(index).filter((cell) => cell.trim() !== '').length > 1) return index;
  return grid.size;
}

function nameColumns(originals: readonly string[]): readonly string[] {
  const used = new Set<string>();
  return originals.map((original, index) => {
    const name = original === '' ? `Column ${columnLetter(index)}` : original;
    let unique = name;
    for (let number = 2; used.has(unique) || (unique !== original && originals.includes(unique)); number += 1)
      unique = `${name} (${number})`;
    used.add(unique);
    return unique;
  });
}

/** The name of a column in spreadsheet programs: `A` for the first. */
function columnLetter(index: number): string {
  const letter = String.fromCodePoint(65 + (index % 26));
  return index < 26 ? letter : columnLetter(Math.floor(index / 26) - 1) + letter;
}
