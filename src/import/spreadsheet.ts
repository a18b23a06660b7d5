import { UsageError } from '../errors.ts';
import type { Grid } from './grid.ts';

type Value = string | number | boolean | Date | null;

/** A sheet of a workbook; its cells are as a spreadsheet program shows them. */
export interface Sheet extends Grid {
  readonly name: string;
}

/**
 * Reads all visible sheets that are not empty.
 * @throws UsageError if the workbook is damaged.
 */
export async function readSpreadsheet(
  bytes: Uint8Array,
  kind: 'xlsx' | 'ods',
  shown: string,
): Promise<readonly Sheet[]> {
  const { readXlsx, readOds, formatValue } = await import('hucre');
  const workbook = await (kind === 'xlsx' ? readXlsx(bytes, { readStyles: true }) : readOds(bytes)).catch(
    (error: unknown) => {
      throw new UsageError(
        `${shown} is a damaged spreadsheet (${error instanceof Error ? error.message : 'it cannot be read'}). Open it and save it again.`,
      );
    },
  );
  return workbook.sheets
    .filter(
      ({ hidden, veryHidden, rows }) =>
        hidden !== true &&
        veryHidden !== true &&
        rows.some((row) => row.some((value) => value !== null && value !== '')),
    )
    .map(({ name, rows, cells: details }) => {
      const text = (value: Value, row: number, column: number): string =>
        shownText(value, details?.get(`${row},${column}`)?.style?.numFmt, formatValue);
      return {
        name,
        size: rows.length,
        cells: (index) => (rows[index] ?? []).map((value, column) => text(value, index, column)),
        facts: [`sheet ${JSON.stringify(name)}`],
        delimiter: ',',
      };
    });
}

/** A cell as a spreadsheet program shows it, including the zeros of its format, but never with an exponent. */
function shownText(
  value: Value,
  format: string | undefined,
  formatValue: (value: unknown, format: string) => string,
): string {
  if (value === null) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return value ? 'TRUE' : 'FALSE';
  if (value instanceof Date) return shownDate(value, format, formatValue);
  if (!Number.isFinite(value)) return '';
  if (format !== undefined && !/general|@|E\+/i.test(format)) return formatValue(value, format).trim();
  return Number.isInteger(value) && Math.abs(value) < 1e21 ? BigInt(value).toString() : String(value);
}

function shownDate(
  value: Date,
  format: string | undefined,
  formatValue: (value: unknown, format: string) => string,
): string {
  if (Number.isNaN(value.getTime())) return '';
  const iso = value.toISOString();
  return format === undefined || /general/i.test(format)
    ? iso
        .replace(/T00:00:00\.000Z$/, '')
        .replace(/\.000Z$/, '')
        .replace('T', ' ')
    : formatValue(value, format);
}
