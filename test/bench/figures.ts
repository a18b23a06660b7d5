/** What is measured of every server, in the order of the tables; `long` is how the chart calls it. */
export const figures = [
  { key: 'coldStart', title: 'Cold start', long: 'Cold start', unit: 'ms', digits: 0, less: true },
  { key: 'p50', title: 'get p50', long: 'get_customer, p50', unit: 'ms', digits: 2, less: true },
  { key: 'p99', title: 'get p99', long: 'get_customer, p99', unit: 'ms', digits: 2, less: true },
  {
    key: 'perSecond1',
    title: '1 in flight',
    long: 'get_customer, 1 in flight',
    unit: 'calls/s',
    digits: 0,
    less: false,
  },
  {
    key: 'perSecond32',
    title: '32 in flight',
    long: 'get_customer, 32 in flight',
    unit: 'calls/s',
    digits: 0,
    less: false,
  },
  { key: 'cpu', title: 'CPU per call', long: 'CPU per call, 32 in flight', unit: 'µs', digits: 0, less: true },
  { key: 'createP50', title: 'create p50', long: 'create_customer, p50', unit: 'ms', digits: 2, less: true },
  {
    key: 'farCreateP50',
    title: 'create, far',
    long: 'create_customer, 60 ms a request',
    unit: 'ms',
    digits: 0,
    less: true,
  },
  { key: 'rssStart', title: 'Memory at the start', long: 'Memory at the start', unit: 'MB', digits: 0, less: true },
  { key: 'rss', title: 'Memory after calls', long: 'Memory after calls', unit: 'MB', digits: 0, less: true },
  { key: 'connections', title: 'Upstream connections', long: 'Upstream connections', unit: '', digits: 0, less: true },
  {
    key: 'tokens',
    title: 'tools/list',
    long: 'tools/list, as a model reads it',
    unit: 'tokens',
    digits: 0,
    less: true,
  },
  { key: 'size', title: 'Installed size', long: 'Installed size', unit: 'MB', digits: 1, less: true },
  { key: 'packages', title: 'Packages', long: 'Packages', unit: '', digits: 0, less: true },
] as const;

export type FigureKey = (typeof figures)[number]['key'];

/** What one round gave of one server. */
export type Reading = Readonly<Record<FigureKey, number>>;

/** Several rounds of one figure. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: percentile(values, 0.5), min: Math.min(...values), max: Math.max(...values) };
}

/** The value below which that share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at % 1);
}

/** A number as people read it, or a dash where there is none. */
export function shown(value: number, digits: number): string {
  if (!Number.isFinite(value)) return '-';
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** Rows as aligned text; the first one is the head. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
