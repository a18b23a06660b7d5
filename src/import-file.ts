import { readFile, rename, writeFile } from 'node:fs/promises';
import leven from 'leven';
import Papa from 'papaparse';
import { UsageError } from './errors.ts';
import type { Offer } from './setup.ts';
import { quote } from './text.ts';
import { describeFields, type FieldText } from './tools/describe-fields.ts';
import { checkRows, countsOf, importRows, rowSchema, type RowResult } from './tools/import-customers.ts';

/** Columns that the result file has besides the person's own. They are skipped when it is fed back in. */
const RESULT_COLUMNS = ['import_outcome', 'import_customer_id', 'import_message'] as const;

export interface ImportFile {
  /** Each column with the field that it fills, in the file's order. */
  readonly columns: readonly { readonly column: string; readonly field: string }[];
  /** A row each, as for `create_customer`. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** What is wrong with each row, before anything is sent. */
  readonly problems: readonly RowResult[];
  /** Creates what is not there yet, writes the result file, and returns what became of each row. */
  run(signal: AbortSignal, progress: (done: number, total: number) => void): Promise<readonly RowResult[]>;
}

/**
 * Reads a CSV file whose columns are named like the fields, in any case and spelling of the spaces between words; `maps` holds
 * `COLUMN=FIELD` for those that are not, and `COLUMN=` for those to leave out.
 * @throws UsageError for a file or a column that makes no sense.
 */
export async function openImport(file: string, maps: readonly string[], { desk }: Offer): Promise<ImportFile> {
  const { provider } = desk;
  const { headings, records } = parse(await readText(file));
  const fields = describeFields(rowSchema(provider));
  const columns = mapColumns(headings, fields, maps);
  const rows = records.map((record) =>
    Object.fromEntries(
      columns.flatMap(({ column, field }) => {
        const text = record[column]?.trim() ?? '';
        return text === '' ? [] : [[field.field, valueOf(text, field)]];
      }),
    ),
  );
  return {
    columns: columns.map(({ column, field }) => ({ column, field: field.field })),
    rows,
    problems: checkRows(rows, provider).filter((one) => 'outcome' in one),
    async run(signal, progress) {
      const session = {
        ...desk,
        progress,
        ask: async () => 'unavailable' as const,
        call: { signal, deadline: Number.POSITIVE_INFINITY },
      };
      const results = await importRows(rows, session, Number.POSITIVE_INFINITY);
      await writeResults(resultPath(file), headings, records, results);
      return results;
    },
  };
}

/** Where the results go: beside the file, and into itself when it is a result file already. */
export function resultPath(file: string): string {
  return file.replace(/(\.result)?(\.csv)?$/i, '.result.csv');
}

/** One line that says how it went. */
export function summary(results: readonly RowResult[]): string {
  const counts = Object.entries(countsOf(results)).map(([outcome, count]) => `${count} ${outcome.replace('_', ' ')}`);
  return `${results.length} rows: ${counts.join(', ')}`;
}

async function readText(file: string): Promise<string> {
  const bytes = await readFile(file).catch(() => {
    throw new UsageError(`${file} cannot be read`);
  });
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${file} is not UTF-8; save it as "CSV UTF-8"`);
  }
}

function parse(text: string): { headings: readonly string[]; records: readonly Readonly<Record<string, string>>[] } {
  const [headings = [], ...lines] = Papa.parse<string[]>(text, { skipEmptyLines: 'greedy' }).data;
  const names = headings.map((heading) => heading.trim());
  const twice = names.find((name, index) => name !== '' && names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`two columns are named ${JSON.stringify(twice)}`);
  if (lines.length === 0) throw new UsageError('the file holds no rows below its headings');
  const long = lines.findIndex((line) => line.length > names.length);
  if (long >= 0) throw new UsageError(`row ${long + 1} has more cells than there are headings; are its quotes right?`);
  const records = lines.map((line) => Object.fromEntries(names.map((name, index) => [name, line[index] ?? ''])));
  return { headings: names, records };
}

function mapColumns(headings: readonly string[], fields: readonly FieldText[], maps: readonly string[]) {
  const orders = new Map(maps.map((map) => [map.slice(0, map.lastIndexOf('=')), map.slice(map.lastIndexOf('=') + 1)]));
  const stranger = maps.find((map) => !map.includes('=') || !headings.includes(map.slice(0, map.lastIndexOf('='))));
  if (stranger !== undefined)
    throw new UsageError(`--map ${JSON.stringify(stranger)} must be COLUMN=FIELD, with a column of the file`);
  const columns = headings
    .filter((column) => column !== '' && !RESULT_COLUMNS.some((own) => own === column) && orders.get(column) !== '')
    .map((column) => ({ column, field: fieldFor(orders.get(column) ?? column, column, fields) }));
  const twice = columns.find(({ field }, index) => columns.findIndex((one) => one.field === field) !== index);
  if (twice)
    throw new UsageError(`more than one column is for ${twice.field.field}; leave one out with --map "COLUMN="`);
  return columns;
}

function fieldFor(name: string, column: string, fields: readonly FieldText[]): FieldText {
  const plain = (text: string): string => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '');
  const found = fields.find(({ field }) => plain(field) === plain(name));
  if (found) return found;
  const [nearest] = fields.toSorted((a, b) => leven(plain(a.field), plain(name)) - leven(plain(b.field), plain(name)));
  throw new UsageError(
    `no field is named like the column ${JSON.stringify(quote(column))}; use --map ${JSON.stringify(`${column}=${nearest?.field ?? 'FIELD'}`)}, or leave it out with --map ${JSON.stringify(`${column}=`)}. Fields: ${fields.map(({ field }) => field).join(', ')}`,
  );
}

/** A cell as the field's type wants it. What does not fit stays text, for the check of the row to name. */
function valueOf(text: string, { type }: FieldText): unknown {
  if (type === 'integer' || type === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (type === 'boolean')
    return { true: true, yes: true, 1: true, false: false, no: false, 0: false }[text.toLowerCase()] ?? text;
  if (type !== 'array' && type !== 'object') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The person's own columns as they were, and what became of each row. Written whole or not at all. */
async function writeResults(
  path: string,
  headings: readonly string[],
  records: readonly Readonly<Record<string, string>>[],
  results: readonly RowResult[],
): Promise<void> {
  const own = headings.filter((heading) => !RESULT_COLUMNS.some((column) => column === heading));
  const lines = records.map((record, index) => {
    const { outcome = 'not_started', customerId = '', error, warnings = [] } = results[index] ?? {};
    const message = error ? `${error.kind}: ${error.message}` : warnings.join(' ');
    return [...own.map((heading) => record[heading] ?? ''), outcome, customerId, message];
  });
  const text = Papa.unparse([[...own, ...RESULT_COLUMNS], ...lines]);
  await writeFile(`${path}.new`, `${text}\r\n`);
  await rename(`${path}.new`, path);
}
