import type { Contender } from './contenders.ts';
import { percentile, spreadOf, type Spread } from './figures.ts';
import { flood } from './measure.ts';

/** A create of ours with the ledger in one store. */
export interface StoreCreates {
  readonly store: string;
  readonly createMs: Spread;
  /** The same less the time of its requests to the provider, as plain Node makes them: two look-ups and the create. */
  readonly beyondMs: Spread;
}

/** Those that run on this machine; the default, a file of SQLite, comes first. */
const STORES: Readonly<Record<string, string | undefined>> = {
  SQLite: undefined,
  Redis: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
  PostgreSQL: process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test',
};
const ROUNDS = 5;
const CREATES = 100;
/** By external id and by name, see docs/create-once.md. */
const LOOK_UPS = 2;

export async function createsByStore(ours: Contender, floor: Contender): Promise<readonly StoreCreates[]> {
  const results: StoreCreates[] = [];
  for (const [store, address] of Object.entries(STORES)) {
    const own = await ours.open([], address === undefined ? {} : { CUSTOMERS_STORE: address });
    const plain = await floor.open();
    const p50 = async (calls: number, call: (n: number) => Promise<unknown>): Promise<number> =>
      percentile((await flood(calls, 1, call)).latencies, 0.5);
    let made = 0;
    const createOf = (one: Contender, session: typeof own) => () => session.call(one.create((made += 1) + 1_000_000));
    const rounds: { create: number; beyond: number }[] = [];
    try {
      for (let round = 0; round <= ROUNDS; round += 1) {
        const create = await p50(CREATES, createOf(ours, own));
        const requests =
          (await p50(CREATES, createOf(floor, plain))) +
          LOOK_UPS * (await p50(CREATES, (n) => plain.call(floor.get(n))));
        // The first round warms up.
        if (round > 0) rounds.push({ create, beyond: create - requests });
      }
      results.push({
        store,
        createMs: spreadOf(rounds.map(({ create }) => create)),
        beyondMs: spreadOf(rounds.map(({ beyond }) => beyond)),
      });
    } catch {
      // The store is not running, and the row is missing.
    } finally {
      await Promise.all([own.close(), plain.close()]);
    }
  }
  return results;
}
