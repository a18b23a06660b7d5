import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { Contender } from './contenders.ts';
import { percentile, type Reading } from './figures.ts';
import { inTime, type Session } from './session.ts';
import type { Upstream } from './upstream.ts';
import { usageOf } from './usage.ts';

/** How much one round asks of each server. */
export interface Effort {
  readonly starts: number;
  readonly warmUp: number;
  readonly single: number;
  readonly crowded: number;
  readonly creates: number;
  readonly farCreates: number;
}

const IN_FLIGHT = 32;
/** The calls of a round are made in so many turns, so that what the machine does meanwhile falls on all servers. */
const TURNS = 10;
/** What a request to a provider takes that is somewhere else. */
const FAR_MS = 60;
const STEP_DEADLINE_MS = 60_000;

/** A server that is running, and what is known of it so far. */
interface Entrant {
  readonly contender: Contender;
  readonly session: Session;
  readonly starts: readonly number[];
  readonly tokens: number;
  readonly rssStart: number;
  readonly single: number[];
  /** Calls a second in each turn, alone and among others. */
  readonly alone: number[];
  readonly crowded: number[];
  readonly farCreates: number[];
  cpuMs: number;
  connections: number;
}

/** Starts every server a few times, keeps the last, and makes the calls of all of them in turns. A server that fails is handed to `drop`. */
export async function measureAll(
  contenders: readonly Contender[],
  upstream: Upstream,
  effort: Effort,
  progress: (what: string) => void,
  drop: (one: Contender, error: unknown) => void,
): Promise<ReadonlyMap<string, Reading>> {
  let entrants: Entrant[] = [];
  const readings = new Map<string, Reading>();
  const without = async (failed: Entrant, error: unknown): Promise<void> => {
    drop(failed.contender, error);
    entrants = entrants.filter((entrant) => entrant !== failed);
    // What it still has to do would fall on the others.
    await failed.session.close();
  };
  const inTurns = async (turns: number, step: (entrant: Entrant) => Promise<void>): Promise<void> => {
    for (let turn = 0; turn < turns; turn += 1)
      for (const entrant of rotated(entrants, turn))
        await inTime(step(entrant), STEP_DEADLINE_MS).catch((error: unknown) => without(entrant, error));
  };
  try {
    for (const contender of contenders) {
      progress(`starting ${nameOf(contender)}`);
      try {
        entrants.push(await enter(contender, effort));
      } catch (error) {
        drop(contender, error);
      }
    }
    await upstream.connections();
    progress('warming up');
    // By then V8 has compiled what is hot; before, the figures say more of V8 than of the server.
    await inTurns(1, async (entrant) => {
      await flood(effort.warmUp, IN_FLIGHT, getOf(entrant));
      await flood(effort.warmUp / 10, 1, getOf(entrant));
      entrant.connections += await upstream.connections();
    });
    progress('get_customer, 1 in flight');
    await inTurns(TURNS, async (entrant) => {
      const { latencies, perSecond } = await flood(effort.single / TURNS, 1, getOf(entrant));
      entrant.single.push(...latencies);
      entrant.alone.push(perSecond);
      entrant.connections += await upstream.connections();
    });
    progress(`get_customer, ${IN_FLIGHT} in flight`);
    await inTurns(TURNS, async (entrant) => {
      const before = usageOf(entrant.session.pid).cpuMs;
      const { perSecond } = await flood(effort.crowded / TURNS, IN_FLIGHT, getOf(entrant));
      entrant.cpuMs += usageOf(entrant.session.pid).cpuMs - before;
      entrant.crowded.push(perSecond);
      entrant.connections += await upstream.connections();
    });
    progress(`create_customer, ${FAR_MS} ms a request`);
    await upstream.delay(FAR_MS);
    await inTurns(1, async (entrant) => {
      const { contender, session } = entrant;
      const { latencies } = await flood(effort.farCreates, 1, (n) => session.call(contender.create(-n)));
      entrant.farCreates.push(...latencies);
    });
    await upstream.delay(0);
    progress('create_customer');
    await inTurns(1, async (entrant) => {
      const { contender, session, starts, tokens, rssStart, single, alone, crowded, cpuMs, connections, farCreates } =
        entrant;
      const rss = usageOf(session.pid).rssMb;
      const creates = await flood(effort.creates, 1, (n) => session.call(contender.create(n)));
      readings.set(contender.key, {
        coldStart: percentile(starts, 0.5),
        p50: percentile(single, 0.5),
        p99: percentile(single, 0.99),
        perSecond1: percentile(alone, 0.5),
        perSecond32: percentile(crowded, 0.5),
        cpu: (cpuMs * 1_000) / effort.crowded,
        createP50: percentile(creates.latencies, 0.5),
        farCreateP50: percentile(farCreates, 0.5),
        rssStart,
        rss,
        connections,
        tokens,
        size: contender.size.mb,
        packages: contender.size.packages,
      });
    });
    return readings;
  } finally {
    await Promise.all(entrants.map(({ session }) => session.close()));
  }
}

async function enter(contender: Contender, effort: Effort): Promise<Entrant> {
  const starts: number[] = [];
  for (let start = 1; start < effort.starts; start += 1) {
    const session = await contender.open();
    starts.push(session.startMs);
    await session.close();
  }
  const session = await contender.open();
  starts.push(session.startMs);
  const tokens = await inTime(tokensOf(session)).catch(async (error: unknown) => {
    await session.close();
    throw error;
  });
  const rssStart = usageOf(session.pid).rssMb;
  return {
    contender,
    session,
    starts,
    tokens,
    rssStart,
    single: [],
    alone: [],
    crowded: [],
    farCreates: [],
    cpuMs: 0,
    connections: 0,
  };
}

function getOf({ contender, session }: Entrant): (n: number) => Promise<unknown> {
  return (n) => session.call(contender.get(n));
}

/** The same, beginning somewhere else: everybody has every place in the order. */
export function rotated<T>(all: readonly T[], by: number): readonly T[] {
  const at = all.length === 0 ? 0 : by % all.length;
  return [...all.slice(at), ...all.slice(0, at)];
}

export function nameOf({ name, transport }: Contender): string {
  return `${name}, ${transport === 'http' ? 'HTTP' : 'stdio'}`;
}

/** What a model reads when it is shown the tools. */
export async function tokensOf(session: Session): Promise<number> {
  const { tools } = await session.request('tools/list');
  return countTokens(JSON.stringify(tools));
}

/** Makes calls, so many of them at a time. */
export async function flood(
  calls: number,
  inFlight: number,
  call: (n: number) => Promise<unknown>,
): Promise<{ readonly latencies: readonly number[]; readonly perSecond: number }> {
  const latencies: number[] = [];
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < calls) {
      begun += 1;
      const startedAt = performance.now();
      await call(begun);
      latencies.push(performance.now() - startedAt);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { latencies, perSecond: (calls * 1_000) / (performance.now() - startedAt) };
}
