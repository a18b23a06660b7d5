import type { Design } from './baselines.ts';
import { similarDesigns, similarScenarios, simulateSimilar } from './similar.ts';
import { scenarios, simulate, type Scenario } from './simulate.ts';
import { simulateUpdates, writes, type UpdateDesign } from './updates.ts';
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
  /** Seeds that violated a guarantee, for a repetition. */
  readonly broken: number[];
}

const designs: readonly Design[] = ['ledger', 'lock, search, retry', 'lock, retry', 'retry'];

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
 * The shipped design and common alternatives. `failed` contains the lines of the shipped design that violated a guarantee
 * although the store keeps its writes.
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
    // The others are for comparison; a tenth of the histories is enough to estimate their rates.
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
    // Sending again without a record keeps no mapping of ids.
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

const UPDATE_DESIGNS: readonly UpdateDesign[] = ['lease', 'none'];

/** Updates of different fields of one customer, with the shipped lease and without one, for both kinds of writes. */
export async function surveyUpdates({ from, count }: Seeds): Promise<{ table: string; broken: readonly number[] }> {
  const lines = ['writes      lease  histories  acknowledged  lost  refused though done  seeds to look at'];
  const broken: number[] = [];
  for (const how of writes)
    for (const design of UPDATE_DESIGNS) {
      const sum = { acknowledged: 0, lost: 0, phantoms: 0 };
      const seeds: number[] = [];
      for (let seed = from; seed < from + count; seed += 1) {
        const verdict = await simulateUpdates(seed, how, design);
        sum.acknowledged += verdict.acknowledged;
        sum.lost += verdict.lost;
        sum.phantoms += verdict.phantoms;
        if (verdict.lost + verdict.phantoms > 0) seeds.push(seed);
      }
      if (design === 'lease') broken.push(...seeds);
      lines.push(
        [
          how.padEnd(10),
          (design === 'lease' ? 'yes' : 'no').padEnd(5),
          String(count).padEnd(9),
          String(sum.acknowledged).padEnd(12),
          String(sum.lost).padEnd(4),
          String(sum.phantoms).padEnd(19),
          design === 'lease' ? seeds.slice(0, 5).join(' ') : '',
        ]
          .join('  ')
          .trimEnd(),
      );
    }
  return { table: lines.join('\n'), broken };
}

/** Creates of one customer under several external ids, with and without a store that the processes share. */
export async function surveySimilar({ from, count }: Seeds): Promise<{ table: string; broken: readonly number[] }> {
  const lines = ['scenario                        provider     one store  histories  doubled  seeds to look at'];
  const broken: number[] = [];
  for (const scenario of similarScenarios)
    for (const kind of kinds)
      for (const design of similarDesigns) {
        const seeds: number[] = [];
        for (let seed = from; seed < from + count; seed += 1)
          if ((await simulateSimilar(seed, scenario, kind, design)) > 1) seeds.push(seed);
        const isShipped = design === 'one store';
        if (isShipped) broken.push(...seeds);
        const cells = [
          scenario.name.padEnd(30),
          kind.padEnd(11),
          (isShipped ? 'yes' : 'no').padEnd(9),
          String(count).padEnd(9),
          String(seeds.length).padEnd(7),
          isShipped ? seeds.slice(0, 5).join(' ') : '',
        ];
        lines.push(cells.join('  ').trimEnd());
      }
  return { table: lines.join('\n'), broken };
}
