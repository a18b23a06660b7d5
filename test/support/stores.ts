import { createConnection } from 'node:net';
import { afterAll } from 'vitest';
import { memoryStore } from '../../src/identity/stores/memory.ts';
import { postgresStore } from '../../src/identity/stores/postgres.ts';
import { redisStore } from '../../src/identity/stores/redis.ts';
import { sqliteStore } from '../../src/identity/stores/sqlite.ts';
import type { Store } from '../../src/identity/stores/store.ts';
import { temporaryStore } from './client.ts';

export const REDIS_URL = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
export const POSTGRES_URL = process.env['POSTGRES_URL'] ?? 'postgres://postgres@127.0.0.1:5432/test';

export interface Engine {
  readonly name: 'memory' | 'sqlite' | 'redis' | 'postgres';
  /** What CUSTOMERS_STORE is set to. */
  readonly address: string;
  /** Whether several processes can share it. */
  readonly shared: boolean;
  open(): Store;
}

const { store, remove } = temporaryStore();

const all: readonly Engine[] = [
  { name: 'memory', address: 'memory:', shared: false, open: () => memoryStore() },
  { name: 'sqlite', address: store, shared: true, open: () => sqliteStore(store.slice('sqlite:'.length)) },
  { name: 'redis', address: REDIS_URL, shared: true, open: () => redisStore(REDIS_URL) },
  { name: 'postgres', address: POSTGRES_URL, shared: true, open: () => postgresStore(POSTGRES_URL) },
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

async function available(): Promise<readonly Engine[]> {
  const checked = await Promise.all(
    all.map(async (engine) => ({ engine, up: !engine.address.includes('://') || (await listens(engine.address)) })),
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

afterAll(remove);
