import { mkdirSync, openSync, rmSync, rmdirSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { temporaryStore } from '../support/client.ts';
import { startProxy, type Proxy } from '../support/proxy.ts';

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'redis:': 6379, 'postgres:': 5432, 'postgresql:': 5432 };

/** A store that can be made to fail. */
export interface FaultyStore {
  readonly address: string;
  /** Makes it fail. */
  breakStore(): Promise<void>;
  repair(): Promise<void>;
  close(): Promise<void>;
}

export interface Outage {
  /** Completes "when the store …". */
  readonly when: string;
  /** Whether the server has used the store before. */
  readonly connected: boolean;
  /** A claim that timed out may run when the store is back; it then keeps the external id for the length of a lease. */
  readonly late: boolean;
  readonly prepare: () => Promise<FaultyStore>;
}

/** Outages of a store on the network, caused by a proxy. */
export const NETWORK: readonly {
  readonly when: string;
  readonly connected: boolean;
  readonly late?: boolean;
  breakStore(proxy: Proxy): Promise<void>;
  repair?(proxy: Proxy): Promise<void>;
}[] = [
  { when: 'refuses from the start', connected: false, breakStore: (proxy) => proxy.set('refuse') },
  { when: 'resets from the start', connected: false, breakStore: (proxy) => proxy.set('reset') },
  { when: 'freezes before it is connected', connected: false, breakStore: (proxy) => proxy.set('freeze') },
  { when: 'freezes after it was connected', connected: true, late: true, breakStore: (proxy) => proxy.set('freeze') },
  {
    when: 'is slow from the start',
    connected: false,
    late: true,
    breakStore: (proxy) => proxy.set({ delayMs: 1_000 }),
  },
  { when: 'becomes slow', connected: true, late: true, breakStore: (proxy) => proxy.set({ delayMs: 1_000 }) },
  { when: 'stops', connected: true, breakStore: stop },
  {
    when: 'vanishes silently, and a new one is at its address',
    connected: true,
    breakStore: (proxy) => proxy.set('freeze'),
    repair: (proxy) => proxy.setNew('forward'),
  },
];

export async function stop(proxy: Proxy): Promise<void> {
  await proxy.set('refuse');
  proxy.cut();
}

/** Faults of a SQLite file. */
export const FILE: readonly {
  readonly when: string;
  readonly connected: boolean;
  breakStore(file: string): () => void;
}[] = [
  {
    when: 'is a folder',
    connected: false,
    breakStore(file) {
      mkdirSync(file);
      return () => rmdirSync(file);
    },
  },
  {
    when: 'is in a folder that is a file',
    connected: false,
    breakStore(file) {
      rmdirSync(dirname(file));
      writeFileSync(dirname(file), '');
      return () => rmSync(dirname(file));
    },
  },
  {
    when: 'is not a database',
    connected: false,
    breakStore(file) {
      writeFileSync(file, 'This is not a database. '.repeat(1_000));
      return () => rmSync(file);
    },
  },
  {
    when: 'is read-only',
    connected: false,
    breakStore(file) {
      const database = new DatabaseSync(file);
      database.exec('CREATE TABLE other (x)');
      database.close();
      // A write version that this SQLite does not know, so it may read but not write.
      setByte(file, 18, 3);
      return () => setByte(file, 18, 1);
    },
  },
  { when: 'is locked by another from the start', connected: false, breakStore: lock },
  { when: 'is locked by another', connected: true, breakStore: lock },
];

export function lock(file: string): () => void {
  const other = new DatabaseSync(file, { timeout: 5_000 });
  other.exec('BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS other (x)');
  return () => {
    other.exec('ROLLBACK');
    other.close();
  };
}

function setByte(file: string, position: number, value: number): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.of(value), 0, 1, position);
  closeSync(descriptor);
}

export async function behindProxy(
  url: string,
  breakStore: (proxy: Proxy) => Promise<void>,
  repair: (proxy: Proxy) => Promise<void>,
): Promise<FaultyStore> {
  const address = new URL(url);
  const proxy = await startProxy(Number(address.port || DEFAULT_PORTS[address.protocol]), address.hostname);
  address.hostname = '127.0.0.1';
  address.port = String(proxy.port);
  return {
    address: address.href,
    breakStore: () => breakStore(proxy),
    repair: () => repair(proxy),
    close: () => proxy.close(),
  };
}

export function inFile(breakStore: (file: string) => () => void): FaultyStore {
  const { folder, remove } = temporaryStore();
  const file = `${folder}/own/customers.sqlite`;
  mkdirSync(dirname(file));
  let repair = (): void => {};
  return {
    address: `sqlite:${file}`,
    async breakStore() {
      repair = breakStore(file);
    },
    async repair() {
      repair();
    },
    async close() {
      remove();
    },
  };
}
