import { createConnection } from 'node:net';
import { afterAll } from 'vitest';
import { memoryStore } from '../../src/stores/memory.ts';
import { postgresStore } from '../../src/stores/postgres.ts';
import { redisStore } from '../../src/stores/redis.ts';
import { sqliteStore } from '../../src/stores/sqlite.ts';
import type { Store } from '../../src/stores/store.ts';
import { temporaryStore } from './client.ts';
import { damagePostgres, damageRedis, damageSqlite, type Damage, type Damager } from './damager.ts';

export const REDIS_URL = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
export const POSTGRES_URL = process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test';

export interface Engine {
  readonly name: string;
  /** What CUSTOMERS_STORE is set to. */
  readonly address: string;
  /** Whether several processes can share it. */
  readonly shared: boolean;
  open(): Store;
  /** Changes the store at an address behind the server's back; rejects if another process cannot. */
  damage(address: string): Promise<Damager>;
  /** How a row can be damaged besides the ways that every engine shares. */
  readonly damages: readonly Damage[];
}

const { store, remove } = temporaryStore();

const NOT_JSON: Damage = { how: 'is not JSON', columns: { data: '{"op' } };

const all: readonly Engine[] = [
  {
    name: 'memory',
    address: 'memory:',
    shared: false,
    open: () => memoryStore(),
    damage: () => Promise.reject(new Error('Only its own process reaches it.')),
    damages: [],
  },
  {
    name: 'sqlite',
    address: store,
    shared: true,
    open: () => sqliteStore(store.slice('sqlite:'.length)),
    damage: damageSqlite,
    damages: [NOT_JSON],
  },
  {
    name: 'redis',
    address: REDIS_URL,
    shared: true,
    open: () => redisStore(REDIS_URL),
    // Direct, not through a proxy.
    damage: () => damageRedis(REDIS_URL),
    damages: [
      NOT_JSON,
      { how: 'is of another type', text: 'text' },
      { how: 'has no number for its epoch', columns: { epoch: 'first' } },
    ],
  },
  {
    name: 'postgres',
    address: POSTGRES_URL,
    shared: true,
    open: () => postgresStore(POSTGRES_URL),
    damage: () => damagePostgres(POSTGRES_URL),
    damages: [],
  },
];

async function listens(address: string): Promise<boolean> {
  const { hostname, port } = new URL(address);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = createConnection({ host: hostname, port: Number(port), timeout: 1_000 });
  socket
    .once('connect', () => resolve(true))
    .once('timeout', () => resolve(false))
    .once('error', () => resolve(false));
  const up = await promise;
  socket.destroy();
  return up;
}

function isServer({ address }: Engine): boolean {
  return address.includes('://');
}

async function available(): Promise<readonly Engine[]> {
  const checked = await Promise.all(
    all.map(async (engine) => ({ engine, up: !isServer(engine) || (await listens(engine.address)) })),
  );
  const missing = checked.filter(({ up }) => !up).map(({ engine }) => engine.name);
  if (missing.length > 0) {
    const sentence = `No ${missing.join(' and no ')} on this machine (REDIS_URL, POSTGRES_URL)`;
    if (process.env['CUSTOMERS_TEST_STORES'] === 'required') throw new Error(`${sentence}.`);
    process.stdout.write(`${sentence}: their tests are skipped.\n`);
  }
  return checked.filter(({ up }) => up).map(({ engine }) => engine);
}

/** The engines that can be tested here. A server that is missing is said; with CUSTOMERS_TEST_STORES=required it is a failure. */
export const engines = await available();
export const sharedEngines = engines.filter(({ shared }) => shared);
export const serverEngines = engines.filter(isServer);

afterAll(remove);
