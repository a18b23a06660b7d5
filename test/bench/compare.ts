// npm run compare BEFORE/main.js AFTER/main.js. Two builds of ours in the sandbox, in turns: medians, and the ratio
// of each pair, which a busy machine moves less than the medians.
import { percentile } from './figures.ts';
import type { Session } from './session.ts';
import { openStdio } from './stdio-session.ts';
import { usageOf } from './usage.ts';

const STARTS = 15;
const ROUNDS = 20;
/** Calls of a round: one at a time, and among others. */
const SINGLE = 100;
const CROWDED = 1_000;
const IN_FLIGHT = 32;

const builds = process.argv.slice(2);
if (builds.length !== 2) throw new Error('name two builds: BEFORE/main.js AFTER/main.js');

function open(main: string): Promise<Session> {
  return openStdio({ args: [main], environment: { CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: 'memory:' } });
}

/** Figures of each build, a list entry for each round. */
type Readings = readonly (readonly number[])[];

/** Measures both in each round, the other first in every second one. */
async function inTurns(rounds: number, measure: (build: number) => Promise<number>): Promise<Readings> {
  const readings: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round += 1)
    for (const build of round % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const))
      readings[build].push(await measure(build));
  return readings;
}

function print(what: string, unit: string, [before = [], after = []]: Readings): void {
  const ratio = percentile(
    after.map((figure, round) => figure / (before[round] ?? Number.NaN)),
    0.5,
  );
  const [was, is] = [percentile(before, 0.5), percentile(after, 0.5)].map((figure) => figure.toPrecision(3));
  process.stdout.write(`${what}: ${was} -> ${is} ${unit}, ${ratio.toFixed(3)} x\n`);
}

const sessions = await Promise.all(builds.map(open));
const own = { external_id: 'a-1', company_name: 'Acme' };
for (const session of sessions) await session.call({ name: 'create_customer', arguments: own });

/** @returns µs per call. */
async function flood(session: Session | undefined, calls: number, inFlight: number): Promise<number> {
  const startedAt = performance.now();
  let left = calls;
  const work = async (): Promise<void> => {
    for (left -= 1; left >= 0; left -= 1)
      await session?.call({ name: 'get_customer', arguments: { external_id: 'a-1' } });
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return ((performance.now() - startedAt) * 1_000) / calls;
}

// By then V8 has compiled what is hot.
for (const session of sessions) await flood(session, 3_000, IN_FLIGHT);
print('get_customer, 1 in flight', 'µs', await inTurns(ROUNDS, (build) => flood(sessions[build], SINGLE, 1)));
const cpu: [number[], number[]] = [[], []];
const crowded = await inTurns(ROUNDS, async (build) => {
  const session = sessions[build];
  const before = usageOf(session?.pid ?? 0).cpuMs;
  const us = await flood(session, CROWDED, IN_FLIGHT);
  cpu[build]?.push(((usageOf(session?.pid ?? 0).cpuMs - before) * 1_000) / CROWDED);
  return us;
});
print(`get_customer, ${IN_FLIGHT} in flight`, 'µs', crowded);
print('CPU of each of those', 'µs', cpu);
await Promise.all(sessions.map((session) => session.close()));

// Last, for now Node has kept what it compiled of both, as it has where they are in use.
print(
  'start to the answer to initialize',
  'ms',
  await inTurns(STARTS, async (build) => {
    const session = await open(builds[build] ?? '');
    await session.close();
    return session.startMs;
  }),
);
