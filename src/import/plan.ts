import { basename } from 'node:path';
import { UsageError } from '../errors.ts';
import type { Provider } from '../providers/provider.ts';
import { createInput } from '../tools/create-customer.ts';
import { readColumns, type Column } from './columns.ts';
import { fieldsOfProvider, plainName, type Field } from './fields.ts';
import { fileKind } from './file-kind.ts';
import { guessFromCells } from './content.ts';
import type { Grid } from './grid.ts';
import { makeMapping, type Mapping } from './mapping.ts';
import { readRemembered, type Remembered } from './mapping-file.ts';
import { findField, readOptions, readSource, type ImportOptions, type Question } from './options.ts';
import { readCsv } from './read-csv.ts';
import { readInput } from './own-files.ts';
import { isPhone } from './phones.ts';
import type { RowChecker } from './rows.ts';
import type { Sheet } from './spreadsheet.ts';
import { findHeader, makeTable, type Table } from './table.ts';

export interface FileOptions extends ImportOptions {
  readonly sheet: string | undefined;
  readonly headerRow: number | undefined;
  readonly allowDuplicates: boolean;
}

/** A file with all decisions about it. */
export interface Plan {
  readonly file: string;
  readonly table: Table;
  readonly columns: readonly Column[];
  readonly mapping: Mapping;
  /** Questions that the user must answer before the import. */
  readonly questions: readonly Question[];
  /** All decisions, including remembered ones. */
  readonly options: FileOptions;
  /** Whether decisions of an earlier run were used. */
  readonly remembered: boolean;
  readonly checker: RowChecker;
}

/** A text that every provider with a format for email addresses rejects. */
const NO_EMAIL = 'no address';

/**
 * Reads a file and decides which fields its columns fill.
 * @throws UsageError for a file that cannot be read and for invalid options.
 */
export async function makePlan(file: string, given: FileOptions, provider: Provider): Promise<Plan> {
  const known = await readRemembered(file, provider.name);
  const isId = ({ field }: MapParts): boolean => field === plainName(provider.traits.externalIdField);
  if (given.idFrom !== undefined && given.map.some((map) => isId(partsOf(map))))
    throw new UsageError('--id-from and --map both name the column of the external ID; remove one of them');
  const options = merge(given, known, isId);
  const fields = fieldsOfProvider(provider);
  const isField = (heading: string): boolean => fields.some(({ name }) => plainName(name) === plainName(heading));
  const questions: Question[] = [];
  const grid = await readGrid(file, { wanted: options.sheet, isNew: given.sheet !== undefined, isField, questions });
  const header = options.headerRow ?? headerOf(grid, isField, questions);
  const table = makeTable(grid, header);
  const columns = readColumns(table);
  const usable = dropStale(options, given, { columns, fields });
  const mapping = makeMapping({
    table,
    columns,
    provider,
    decisions: {
      ...readOptions(usable, columns, fields),
      idIsNew: given.idFrom !== undefined,
    },
  });
  const schema = createInput(provider);
  const emailField = fields.find(({ meaning }) => meaning === 'email')?.name;
  const strictEmail = emailField !== undefined && schema.shape[emailField]?.safeParse(NO_EMAIL).success === false;
  return {
    file,
    table,
    columns,
    mapping,
    questions: [...questions, ...mapping.questions],
    options: usable,
    remembered: known !== undefined,
    checker: {
      table,
      columns,
      mapping,
      provider,
      schema,
      strictEmail,
      allowDuplicates: options.allowDuplicates,
      phones: isPhone,
    },
  };
}

/** Merges the decisions; those of this run override those of an earlier run. */
function merge(given: FileOptions, known: Remembered | undefined, isId: (map: MapParts) => boolean): FileOptions {
  if (!known) return given;
  const isReplaced = (old: string): boolean =>
    given.map.some((now) => concernsSame(old, now)) || (given.idFrom !== undefined && isId(partsOf(old)));
  return {
    ...given,
    map: [...known.map.filter((old) => !isReplaced(old)), ...given.map],
    set: [
      ...known.set.filter((old) => !given.set.some((now) => now.split('=')[0] === old.split('=')[0])),
      ...given.set,
    ],
    idFrom: given.idFrom ?? known.idFrom,
    sheet: given.sheet ?? known.sheet,
    headerRow: given.headerRow ?? known.headerRow,
  };
}

/** Whether two values of `--map` name the same field or the same column. */
function concernsSame(a: string, b: string): boolean {
  const [left, right] = [partsOf(a), partsOf(b)];
  return left.column === right.column || (left.field === right.field && left.field !== '');
}

interface MapParts {
  readonly column: string;
  readonly field: string;
}

function partsOf(map: string): MapParts {
  const at = map.lastIndexOf('=');
  return { column: plainName(map.slice(0, at)), field: plainName(map.slice(at + 1)) };
}

/** The options without remembered decisions about columns that the file no longer has. */
function dropStale(
  options: FileOptions,
  given: FileOptions,
  { columns, fields }: { readonly columns: readonly Column[]; readonly fields: readonly Field[] },
): FileOptions {
  const works = (attempt: () => unknown): boolean => {
    try {
      attempt();
      return true;
    } catch (error) {
      if (error instanceof UsageError) return false;
      throw error;
    }
  };
  const { idFrom } = options;
  return {
    ...options,
    map: options.map.filter(
      (map) =>
        given.map.includes(map) ||
        works(() => {
          readSource(map.slice(0, map.lastIndexOf('=')), columns);
          if (!map.endsWith('=')) findField(map.slice(map.lastIndexOf('=') + 1), fields);
        }),
    ),
    idFrom:
      idFrom === undefined ||
      idFrom === given.idFrom ||
      works(() => readOptions({ map: [], set: [], idFrom }, columns, fields))
        ? idFrom
        : undefined,
  };
}

/** The rows of a file. Keeps no reference to its bytes. */
async function readGrid(file: string, choice: SheetChoice): Promise<Grid> {
  const bytes = await readInput(file);
  const shown = basename(file);
  const kind = fileKind(bytes, shown);
  if (kind === 'text') {
    if (choice.isNew) throw new UsageError(`--sheet is for workbooks, and ${shown} is not one; remove --sheet`);
    return readCsv(bytes, shown);
  }
  const { readSpreadsheet } = await import('./spreadsheet.ts');
  return chooseSheet(await readSpreadsheet(bytes, kind, shown), choice);
}

interface SheetChoice {
  readonly wanted: string | undefined;
  /** Whether the user named it in this run. */
  readonly isNew: boolean;
  isField(heading: string): boolean;
  readonly questions: Question[];
}

/** The sheet that the user named, or the one with known headings. If two have known headings, asks which. */
function chooseSheet(sheets: readonly Sheet[], { wanted, isField, questions }: SheetChoice): Sheet {
  const names = sheets.map(({ name }) => name);
  if (wanted !== undefined) {
    const found =
      sheets.find(({ name }) => name === wanted) ??
      sheets.find(({ name }) => plainName(name) === plainName(wanted)) ??
      sheets[Number(wanted) - 1];
    if (!found)
      throw new UsageError(
        `The workbook has no sheet ${JSON.stringify(wanted)}. It has ${names.map((name) => JSON.stringify(name)).join(', ')}.`,
      );
    return found;
  }
  const scored = sheets
    .map((sheet) => ({ sheet, score: findHeader(sheet, isField)?.score ?? 0 }))
    .toSorted((a, b) => b.score - a.score);
  const [best, second] = scored;
  if (!best) throw new UsageError('The workbook contains no sheet with rows.');
  if (second && second.score >= 3 && second.score >= best.score / 2)
    questions.push({
      text: `The workbook has ${sheets.length} sheets: ${names.join(', ')}. Import one at a time:`,
      args: ['--sheet', best.sheet.name],
    });
  return best.sheet;
}

/** The row with the headings. If no row has known headings, uses the widest row, or asks if the first row contains data. */
function headerOf(grid: Grid, isField: (heading: string) => boolean, questions: Question[]): number {
  const found = findHeader(grid, isField);
  if (found) return found.index + 1;
  const first = grid.cells(0);
  const isData = first.some((cell) => guessFromCells([cell.trim()]) !== undefined);
  const widest = Array.from(
    { length: Math.min(grid.size, 30) },
    (_, index) => grid.cells(index).filter((cell) => cell.trim() !== '').length,
  );
  const row = widest.indexOf(Math.max(...widest)) + 1;
  if (!isData) return row;
  questions.push({
    text: 'No row of headings was found. Add one to the file, specify it with --header-row, or name the columns by their letters:',
    args: ['--header-row', '0'],
  });
  return 0;
}
