import type { Design } from './baselines.ts';
import { scenarios, simulate, type Scenario } from './simulate.ts';
import { kinds, type Kind } from './upstream.ts';

export interface Seeds {
  readonly from: number;
  readonly count: number;
}

interface Line {
  readonly design: Design;
  readonly kind: Kind;
  readonly scenario: Scenario;
  duplicates: number;
  phantoms: number;
  unmapped: number;
  unknown: number;
  histories: number;
  /** Seeds that broke a promise, to be run again. */
  readonly broken: number[];
}

export const designs: readonly Design[] = ['ledger', 'lock, search, retry', 'lock, retry', 'retry'];

/** One line of the survey: these seeds, one scenario, one kind of provider, one design. */
export async function tally(design: Design, kind: Kind, scenario: Scenario, seeds: Iterable<number>): Promise<Line> {
  const line: Line = {
    design,
    kind,
    scenario,
    duplicates: 0,
    phantoms: 0,
    unmapped: 0,
    unknown: 0,
    histories: 0,
    broken: [],
  };
  for (const seed of seeds) {
    const { customers, phantom, unmapped, unknown } = await simulate(seed, scenario, kind, design);
    line.histories += 1;
    if (customers > 1) line.duplicates += 1;
    if (phantom) line.phantoms += 1;
    if (unmapped) line.unmapped += 1;
    if (unknown) line.unknown += 1;
    if (customers > 1 || phantom || unmapped) line.broken.push(seed);
  }
  return line;
}

/**
 * The product's design beside those that are usually written. A line of the product that broke a promise, where the store keeps
 * its writes, is among the failed.
 */
export async function survey(
  { from, count }: Seeds,
  progress: (share: number) => void = () => {},
): Promise<{ table: string; failed: readonly Line[] }> {
  const lines: Line[] = [];
  const all = designs.flatMap((design) =>
    kinds.flatMap((kind) => scenarios.map((scenario) => ({ design, kind, scenario }))),
  );
  for (const { design, kind, scenario } of all) {
    // The others are there to compare with; a tenth of the histories shows their share well enough.
    const own = design === 'ledger' ? count : Math.ceil(count / 10);
    lines.push(
      await tally(
        design,
        kind,
        scenario,
        Array.from({ length: own }, (_, index) => from + index),
      ),
    );
    progress(lines.length / all.length);
  }
  const failed = lines.filter(
    ({ design, scenario, broken }) => design === 'ledger' && scenario.storeForgets === 0 && broken.length > 0,
  );
  return { table: print(lines, { from, count }), failed };
}

export function print(lines: readonly Line[], { from, count }: Seeds): string {
  const share = (part: number, { histories }: Line): string =>
    part === 0 ? '0' : `${((part / histories) * 100).toFixed(2)} %`;
  const rows = lines.map((line) => [
    line.design,
    line.kind,
    line.scenario.name,
    String(line.histories),
    share(line.duplicates, line),
    // Sending again without a record has nothing to map an id with.
    line.design === 'retry' ? '-' : share(line.phantoms, line),
    line.design === 'retry' ? '-' : share(line.unmapped, line),
    line.design === 'ledger' ? share(line.unknown, line) : '-',
    line.design === 'ledger' ? line.broken.slice(0, 5).join(' ') : '',
  ]);
  const head = [
    'design',
    'provider',
    'scenario',
    'histories',
    'duplicates',
    'phantoms',
    'unmapped',
    'unknown',
    'seeds to look at',
  ];
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)));
  const text = [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [`seeds ${from} to ${from + count - 1}`, ...text].join('\n');
}
