import { shown, spreadOf, type FigureKey, type Reading, type Spread } from './figures.ts';
import type { StoreCreates } from './creates.ts';
import type { Holding } from './endurance.ts';
import type { Machine } from './machine.ts';

/** A figure that our server is meant to reach. The bench says whether it does; it fails on none. */
export interface Target {
  readonly what: string;
  readonly unit: '×' | 'ms' | 'tokens' | 'MB';
  /** `undefined` where one of the two could not be measured. */
  readonly value: Spread | undefined;
  readonly limit: number;
  readonly atMost: boolean;
  readonly reached: boolean | undefined;
}

export interface Measured {
  /** By the contender's key, a reading for each round. */
  readonly readings: ReadonlyMap<string, readonly Reading[]>;
  readonly tokens: readonly { readonly provider: string; readonly tokens: number; readonly imports: boolean }[];
  readonly endurance: readonly {
    readonly name: string;
    readonly ours: boolean;
    readonly holdings: readonly Holding[];
  }[];
  readonly creates: readonly StoreCreates[];
}

export function targetsOf({
  readings,
  tokens,
  endurance,
  creates,
  startMs,
}: Measured & Pick<Machine, 'startMs'>): readonly Target[] {
  /** Ours against another server, round by round, so that what the machine did meanwhile falls on both. */
  const against = (
    ours: string,
    other: string,
    figure: FigureKey,
    by: (own: number, others: number) => number,
  ): Spread | undefined => {
    const others = readings.get(other) ?? [];
    const both = (readings.get(ours) ?? []).slice(0, others.length);
    if (both.length === 0) return undefined;
    return spreadOf(both.map((reading, round) => by(reading[figure], others[round]?.[figure] ?? Number.NaN)));
  };
  const ratio = (own: number, others: number): number => own / others;
  const size = readings.get('ours')?.map((reading) => reading.size);

  return [
    atMost(1.8, '×', 'cold start, against Node alone', ratioOf(startMs.handshake, startMs.alone)),
    atMost(1.4, '×', 'the same in the modern era', ratioOf(startMs.modern, startMs.alone)),
    atMost(0.35, '×', 'cold start, against the bare SDK', against('ours', 'sdk', 'coldStart', ratio)),
    atMost(0.4, '×', 'cold start, against @ivotoby/openapi-mcp-server', against('ours', 'ivotoby', 'coldStart', ratio)),
    atMost(0.4, '×', 'cold start, against openapi-mcp-generator', against('ours', 'generator', 'coldStart', ratio)),
    atMost(1.2, '×', 'get_customer over stdio, p50, against plain Node', against('ours', 'floor', 'p50', ratio)),
    atLeast(0.85, '×', '32 in flight over stdio, against plain Node', against('ours', 'floor', 'perSecond32', ratio)),
    atMost(
      1.4,
      '×',
      'get_customer over HTTP, p50, against plain Node',
      against('ours-http', 'floor-http', 'p50', ratio),
    ),
    atLeast(
      0.7,
      '×',
      '32 in flight over HTTP, against plain Node',
      against('ours-http', 'floor-http', 'perSecond32', ratio),
    ),
    atMost(1.1, '×', 'get_customer over stdio, p50, against the bare SDK', against('ours', 'sdk', 'p50', ratio)),
    atLeast(0.95, '×', '32 in flight over stdio, against the bare SDK', against('ours', 'sdk', 'perSecond32', ratio)),
    atMost(
      0.7,
      '×',
      'get_customer over HTTP, p50, against the bare SDK',
      against('ours-http', 'sdk-http', 'p50', ratio),
    ),
    atLeast(
      1.4,
      '×',
      '32 in flight over HTTP, against the bare SDK',
      against('ours-http', 'sdk-http', 'perSecond32', ratio),
    ),
    ...creates.map(({ store, beyondMs }) =>
      atMost(2, 'ms', `create_customer, p50 beyond its requests, ledger in ${store}`, beyondMs),
    ),
    ...tokens.map(({ provider, tokens: count, imports }) =>
      atMost(imports ? 2_100 : 1_800, 'tokens', `tools/list for ${provider}`, spreadOf([count])),
    ),
    ...endurance
      .filter(({ ours }) => ours)
      .flatMap(({ name, holdings }) => [
        atMost(1.1, '×', `heap after 10,000 calls against 1,000: ${name}`, growth(holdings, 'heapMb')),
        atMost(1.1, '×', `RSS after 10,000 calls against 1,000: ${name}`, growth(holdings, 'rssMb')),
      ]),
    ...['stdio', 'HTTP'].map((transport) => {
      const rssOf = (server: string): number | undefined =>
        endurance.find(({ name }) => name === `${server}, ${transport}`)?.holdings.at(-1)?.rssMb;
      const [own, sdk] = [rssOf('customers-mcp'), rssOf('bare SDK')];
      const value = own !== undefined && sdk !== undefined ? spreadOf([own / sdk]) : undefined;
      return atMost(0.9, '×', `RSS after 10,000 calls against the bare SDK, ${transport}`, value);
    }),
    atMost(5, 'MB', 'installed size', size && spreadOf(size)),
  ];
}

/** Undefined without readings. */
function ratioOf(own: Spread, others: Spread): Spread | undefined {
  return Number.isFinite(own.median) ? spreadOf([own.median / others.median]) : undefined;
}

function growth(holdings: readonly Holding[], of: 'heapMb' | 'rssMb'): Spread | undefined {
  const [first] = holdings;
  const last = holdings.at(-1);
  return first && last && spreadOf([last[of] / first[of]]);
}

function atMost(limit: number, unit: Target['unit'], what: string, value: Spread | undefined): Target {
  return { what, unit, value, limit, atMost: true, reached: value && value.median <= limit };
}

function atLeast(limit: number, unit: Target['unit'], what: string, value: Spread | undefined): Target {
  return { what, unit, value, limit, atMost: false, reached: value && value.median >= limit };
}

/** A target as a row of text. */
export function rowOf({ what, unit, value, limit, atMost: most, reached }: Target): readonly string[] {
  const digits = unit === 'tokens' ? 0 : unit === 'MB' ? 1 : 2;
  const spread = value && value.min !== value.max ? ` (${shown(value.min, digits)}-${shown(value.max, digits)})` : '';
  return [
    what,
    value ? `${shown(value.median, digits)} ${unit}${spread}` : 'not measured',
    `${most ? 'at most' : 'at least'} ${shown(limit, unit === 'tokens' || Number.isInteger(limit) ? 0 : 2)} ${unit}`,
    reached === undefined ? '' : reached ? 'reached' : 'MISSED',
  ];
}
