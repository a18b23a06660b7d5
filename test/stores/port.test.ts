import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { createClient } from '@redis/client';
import pg from 'pg';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { RELEASED_MS, RELEASED_STATE, type ListedRow, type NewRow, type Rows } from '../../src/stores/store.ts';
import { engines, POSTGRES_URL, REDIS_URL, sharedEngines } from '../support/stores.ts';

vi.setConfig({ testTimeout: 60_000 });

const row = (key: string, state = 'PENDING', leaseMs = 0): NewRow => ({ key, state, epoch: 1, data: '{}', leaseMs });

async function listAll(rows: Rows, prefix: string, limit = 1_000): Promise<Map<string, ListedRow>> {
  const found = new Map<string, ListedRow>();
  let cursor: string | undefined;
  do {
    const page = await rows.list({ prefix, limit, cursor });
    for (const listed of page.rows) found.set(listed.key, listed);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return found;
}

async function inBatches<T>(all: readonly T[], work: (one: T) => Promise<unknown>): Promise<void> {
  for (let from = 0; from < all.length; from += 50) await Promise.all(all.slice(from, from + 50).map(work));
}

const insertAll = (rows: Rows, all: readonly NewRow[]): Promise<void> => inBatches(all, (one) => rows.insert(one));

describe.each(engines)('the rows on $name', (engine) => {
  const store = engine.open();
  afterAll(() => store.close());

  test('are listed whatever their state, page by page, and those of other accounts are not', async () => {
    // What a pattern of Redis takes for something else.
    const prefix = `port/${randomUUID()}/[a*?]\\/`;
    const keys = Array.from({ length: 25 }, (_, n) => `${prefix}${n}`);
    const states = ['PENDING', 'SENT', 'UNSURE', 'DONE', 'CONFLICT', 'GONE', 'NONSENSE'];
    await insertAll(
      store.rows,
      keys.map((key, n) => row(key, states[n % states.length])),
    );
    await store.rows.insert(row(`${prefix.slice(0, -1)}x`));
    const found = await listAll(store.rows, prefix, 4);
    expect([...found.keys()].sort()).toEqual(keys.sort());
    expect(found.get(`${prefix}6`)).toMatchObject({ state: 'NONSENSE', epoch: 1, data: '{}' });
  });

  test('are listed with the end of their leases, however far ahead', async () => {
    const prefix = `port/${randomUUID()}/`;
    const YEAR = 365 * 24 * 3_600_000;
    await store.rows.insert(row(`${prefix}now`, 'SENT', 30_000));
    await store.rows.insert(row(`${prefix}year`, 'SENT', YEAR));
    const found = await listAll(store.rows, prefix);
    expect(found.get(`${prefix}now`)?.leaseEndsInMs).toBeGreaterThan(0);
    expect(found.get(`${prefix}now`)?.leaseEndsInMs).toBeLessThanOrEqual(30_000);
    expect(found.get(`${prefix}year`)?.leaseEndsInMs).toBeGreaterThan(YEAR - 60_000);
  });

  test('that are due are listed in turns, if the number of each account is limited', async () => {
    const prefix = `port/${randomUUID()}/`;
    for (const key of ['a/1', 'a/2', 'a/3', 'b/1', 'a/b/1']) await store.rows.insert(row(prefix + key));
    const due = async (limit: number, limitEach?: number): Promise<string[]> => {
      const found = await store.rows.due({ prefix, limit, withinMs: 0, ...(limitEach && { limitEach }) });
      return found.map(({ key }) => key.slice(prefix.length));
    };
    const first = await due(3, 2);
    expect(first.toSorted()).toEqual(['a/1', 'a/b/1', 'b/1']);
    const all = await due(10, 2);
    expect(all.slice(0, 3)).toEqual(first);
    expect(all.slice(3)).toEqual(['a/2']);
    expect((await due(10)).toSorted()).toEqual(['a/1', 'a/2', 'a/3', 'a/b/1', 'b/1']);
  });

  test('are listed among ten thousand', async () => {
    const prefix = `port/${randomUUID()}/`;
    await insertAll(
      store.rows,
      Array.from({ length: 10_000 }, (_, n) => row(`${prefix}${n}`, n % 1_000 === 0 ? 'CONFLICT' : 'DONE')),
    );
    const found = await listAll(store.rows, prefix);
    expect(found.size).toBe(10_000);
    expect([...found.values()].filter(({ state }) => state === 'CONFLICT')).toHaveLength(10);
    await inBatches([...found.values()], (listed) => store.rows.remove(listed));
  });
});

/** Moves what rows and cache entries say of the past, behind the store's back. */
interface Past {
  /** Lets rows have been as they are for so many ms. */
  age(keys: readonly string[], ms: number): Promise<void>;
  cached(key: string): Promise<boolean>;
  close(): Promise<void>;
}

const pasts: Readonly<Record<string, (address: string) => Promise<Past>>> = {
  async sqlite(address) {
    const database = new DatabaseSync(address.slice('sqlite:'.length), { timeout: 5_000 });
    return {
      async age(keys, ms) {
        for (const key of keys)
          database.prepare('UPDATE intents SET check_at = check_at - ? WHERE key = ?').run(ms, key);
      },
      cached: async (key) => database.prepare('SELECT 1 FROM cache WHERE key = ?').get(key) !== undefined,
      close: async () => database.close(),
    };
  },
  async redis() {
    const client = await createClient({ url: REDIS_URL }).connect();
    return {
      async age(keys, ms) {
        // Also what was never released, as if a version that does not know the set had taken it up since.
        for (const key of keys) await client.zIncrBy('{customers-mcp}:released', -ms, `{customers-mcp}:${key}`);
      },
      cached: async (key) => (await client.exists(`{customers-mcp}:cache:${key}`)) === 1,
      close: async () => client.destroy(),
    };
  },
  async postgres() {
    const pool = new pg.Pool({ connectionString: POSTGRES_URL, max: 1 });
    return {
      async age(keys, ms) {
        await pool.query(
          "UPDATE customers_mcp_intents SET check_at = check_at - $1 * interval '1 ms' WHERE key = ANY($2)",
          [ms, keys],
        );
      },
      cached: async (key) =>
        (await pool.query('SELECT 1 FROM customers_mcp_cache WHERE key = $1', [key])).rowCount === 1,
      close: () => pool.end(),
    };
  },
};

describe.each(sharedEngines)('what $name need not keep', (engine) => {
  const store = engine.open();
  const other = engine.open();
  afterAll(() => Promise.all([store.close(), other.close()]));

  test('is swept in bounded steps by processes side by side, and nothing else is', async () => {
    const past = await pasts[engine.name]?.(engine.address);
    if (!past) throw new Error('no past');
    const prefix = `port/${randomUUID()}/`;
    const named = (name: string, state: string, leaseMs = 0) => row(`${prefix}${name}`, state, leaseMs);
    const old = Array.from({ length: 40 }, (_, n) => named(`old-${n}`, RELEASED_STATE));
    const kept = [
      named('fresh', RELEASED_STATE),
      named('taken', RELEASED_STATE, 60_000),
      named('again', RELEASED_STATE),
      ...['PENDING', 'SENT', 'UNSURE', 'DONE', 'CONFLICT'].map((state) => named(state, state)),
    ];
    await insertAll(store.rows, [...old, ...kept]);
    const keysOf = (rows: readonly NewRow[]): string[] => rows.map(({ key }) => key);
    await past.age(keysOf(old), RELEASED_MS + 1);
    await past.age(keysOf(kept).slice(1), RELEASED_MS + 60_000);
    // A create takes it up again after all that time.
    const [, , again] = kept;
    await store.rows.replace(again ?? row(''), { state: 'SENT', data: '{}', leaseMs: 0, checkInMs: 0, durable: true });
    await store.cache.set(`${prefix}past`, 'x', Date.now() - 1_000);
    await store.cache.set(`${prefix}future`, 'x', Date.now() + 60_000);
    await store.cache.set(`${prefix}ever`, 'x');

    await store.sweep(10);
    const left = async () => [...(await listAll(store.rows, prefix)).keys()];
    const { length } = await left();
    expect(length).toBeGreaterThanOrEqual(40 + kept.length - 10);
    // Rows and entries that other tests left may be older.
    for (let n = 0; n < 500 && (n < 20 || (await past.cached(`${prefix}past`))); n += 1)
      await Promise.all([store.sweep(10), other.sweep(10)]);
    expect((await left()).sort()).toEqual(keysOf(kept).sort());
    expect(await Promise.all(['past', 'future', 'ever'].map((name) => past.cached(prefix + name)))).toEqual([
      false,
      true,
      true,
    ]);
    await past.close();
  });
});
