import type { Holding } from './endurance.ts';
import { aligned, figures, shown, spreadOf, type FigureKey, type Reading, type Spread } from './figures.ts';
import type { Machine } from './machine.ts';
import { rowOf, type Measured, type Target } from './targets.ts';

/** All that one run of the bench found out; results.json is this. */
export interface Results {
  readonly measured: string;
  readonly rounds: number;
  readonly machine: Machine;
  readonly servers: readonly ServerResult[];
  readonly couldNotStart: readonly { readonly name: string; readonly why: string }[];
  readonly targets: readonly Target[];
  readonly tokens: Measured['tokens'];
  readonly endurance: Measured['endurance'];
  readonly creates: Measured['creates'];
}

export interface ServerResult {
  readonly name: string;
  readonly ours: boolean;
  readonly figures: Readonly<Record<FigureKey, Spread>>;
}

export function summary(name: string, ours: boolean, readings: readonly Reading[]): ServerResult {
  const spread = (key: FigureKey): Spread => spreadOf(readings.map((reading) => reading[key]));
  return {
    name,
    ours,
    figures: {
      coldStart: spread('coldStart'),
      p50: spread('p50'),
      p99: spread('p99'),
      perSecond1: spread('perSecond1'),
      perSecond32: spread('perSecond32'),
      cpu: spread('cpu'),
      createP50: spread('createP50'),
      farCreateP50: spread('farCreateP50'),
      rssStart: spread('rssStart'),
      rss: spread('rss'),
      connections: spread('connections'),
      tokens: spread('tokens'),
      size: spread('size'),
      packages: spread('packages'),
    },
  };
}

/** The results for a person at a terminal. */
export function report(results: Results): string {
  const { machine, servers, couldNotStart, targets, endurance, creates } = results;
  const table = (part: readonly (typeof figures)[number][]): string =>
    aligned([
      ['', ...part.map(({ title }) => title)],
      ['median (min-max)', ...part.map(({ unit }) => unit)],
      ...servers.map((server) => [server.name, ...part.map(({ key, digits }) => cell(server.figures[key], digits))]),
    ]);
  return [
    `Node ${machine.node}, ${machine.cores} × ${machine.processor}, ${results.rounds} rounds, load ${shown(machine.load, 1)}`,
    // In parts, to fit a terminal.
    table(figures.slice(0, 5)),
    table(figures.slice(5, 10)),
    table(figures.slice(10)),
    ...(couldNotStart.length > 0
      ? [['Could not take part:', ...couldNotStart.map(({ name, why }) => `  ${name}: ${why}`)].join('\n')]
      : []),
    aligned([['Our server', 'measured', 'target', ''], ...targets.map(rowOf)]),
    ...endurance.map(({ name, holdings }) => `${name}\n${holdingsTable(holdings)}`),
    [
      `Node alone answers after ${shown(machine.startMs.alone.median, 0)} ms, our server to initialize after ${shown(machine.startMs.handshake.median, 0)} ms and to server/discover after ${shown(machine.startMs.modern.median, 0)} ms.`,
      ...creates.map(
        ({ store, createMs }) => `create_customer with the ledger in ${store}, p50: ${shown(createMs.median, 2)} ms.`,
      ),
      ...(machine.firstStartMs === undefined
        ? []
        : [`Our server's first start, its code not compiled yet: ${shown(machine.firstStartMs, 0)} ms.`]),
      `One commit of SQLite on this disk: ${shown(machine.commitMs, 2)} ms.`,
    ].join('\n'),
  ].join('\n\n');
}

/** What a server held as time went by. */
export function holdingsTable(holdings: readonly Holding[]): string {
  return aligned([
    ['calls', 'RSS MB', 'heap after GC MB', 'sockets', 'timers'],
    ...holdings.map(({ calls, rssMb, heapMb, sockets, timers }) => [
      shown(calls, 0),
      shown(rssMb, 1),
      shown(heapMb, 1),
      shown(sockets, 0),
      String(timers),
    ]),
  ]);
}

function cell({ median, min, max }: Spread, digits: number): string {
  return min === max ? shown(median, digits) : `${shown(median, digits)} (${shown(min, digits)}-${shown(max, digits)})`;
}
