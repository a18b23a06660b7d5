import { cleanCell } from './clean-cell.ts';
import { fits, guessFromCells, isScientific } from './content.ts';
import { recognizeHeading, type Concept, type Recognized } from './concepts.ts';
import { RESULT_COLUMNS, type Table } from './table.ts';
import { readHeading, type Word } from './words.ts';

const SAMPLE_ROWS = 1_000;
const SHOWN_VALUES = 3;

/** A column, and what its heading and its cells reveal about it. */
export interface Column {
  readonly index: number;
  /** Its name in the options, different for each column. */
  readonly heading: string;
  /** Its heading as it is in the file. */
  readonly original: string;
  /** The cells of the sample that are not empty. */
  readonly cells: readonly string[];
  /** The cells of all rows of the sample, including empty ones. */
  readonly values: readonly string[];
  /** A few different values for the preview. */
  readonly samples: readonly string[];
  readonly recognized: Recognized | undefined;
  /** Whether an earlier import added it to its result file. */
  readonly own: boolean;
  /** The concept of its heading, if its cells do not look like it. */
  readonly misfit: Concept | undefined;
  /** The concept that its cells look like, if its heading is unknown. */
  readonly guess: Concept | undefined;
}

/** Classifies all columns of a table by their headings and their cells in up to 1,000 rows. */
export function readColumns(table: Table): readonly Column[] {
  const cells: string[][] = table.headings.map(() => []);
  let rows = 0;
  for (const { cells: row, footer } of table.rows()) {
    if (footer) continue;
    for (const [index, list] of cells.entries()) {
      list.push(row[index]?.trim() ?? '');
    }
    rows += 1;
    if (rows >= SAMPLE_ROWS) break;
  }
  const columns = table.headings.map((_, index) => classify(table, index, cells[index] ?? []));
  return table.headerRow > 0 ? columns.map(asHouseNumber) : withoutHeadings(columns);
}

/** A column that is only called "Number" and follows the street of an address without house numbers contains them. */
function asHouseNumber(column: Column, index: number, columns: readonly Column[]): Column {
  const { recognized, original } = column;
  const before = columns[index - 1]?.recognized;
  if (recognized?.concept !== 'id' || before?.concept !== 'street') return column;
  const isBare = isOnly(original, 'number') && !columns.some((one) => one.recognized?.concept === 'house_number');
  return isBare ? { ...column, recognized: { ...before, concept: 'house_number' } } : column;
}

function isOnly(heading: string, word: Word): boolean {
  const { words, unknown } = readHeading(heading);
  return words.length === 1 && words[0] === word && unknown.length === 0;
}

/** Without headings, the cells decide; the first column that contains only words is the name. */
function withoutHeadings(columns: readonly Column[]): readonly Column[] {
  const name = columns.find(
    ({ guess, cells }) => guess === undefined && cells.length > 0 && cells.every((cell) => /\p{L}{2}/u.test(cell)),
  );
  return columns.map((column) => {
    // Numbers alone can be postal codes, but just as well customer numbers.
    const isNumber = column.guess === 'postcode' && column.cells.every((cell) => /^\d+$/.test(cell));
    const concept = column === name ? 'name' : isNumber ? undefined : column.guess;
    return concept === undefined
      ? column
      : { ...column, recognized: { concept, scope: 'none', rank: 5, ordinal: undefined } };
  });
}

function classify({ headings, originals }: Table, index: number, values: readonly string[]): Column {
  const original = originals[index] ?? '';
  const cells = values.filter((value) => value !== '');
  const own = RESULT_COLUMNS.some((column) => column === original);
  const found = own ? 'foreign' : recognizeHeading(original);
  const named = found === 'foreign' ? undefined : found;
  // Damaged cells and placeholders reveal nothing about the column; the rows with them are rejected one by one.
  const sound = cells.filter((cell) => cleanCell(cell).text !== '' && !isScientific(cell));
  // "Debiteur" is as often the number of the customer as its name.
  const isNumber = named?.concept === 'name' && isOnly(original, 'customer') && !fits('name', sound);
  const recognized = isNumber ? { ...named, concept: 'id' as const } : named;
  const misfit = recognized !== undefined && !fits(recognized.concept, sound);
  return {
    index,
    heading: headings[index] ?? '',
    original,
    cells,
    values,
    samples: [...new Set(cells)].slice(0, SHOWN_VALUES),
    own,
    recognized: misfit ? undefined : recognized,
    misfit: misfit ? recognized.concept : undefined,
    guess: found === undefined ? guessFromCells(sound) : undefined,
  };
}
