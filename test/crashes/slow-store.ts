import { connect, createServer, type Socket } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../support/stores.ts';
import { listen, shut } from '../support/stand-in-loopback.ts';

export interface SlowStore {
  /** What CUSTOMERS_STORE is set to. */
  readonly address: string;
  close(): Promise<void>;
}

/** The same store, slower, so that a process can also die in the middle of a call of the store. */
export function slowStore(engine: Engine, random: () => number): Promise<SlowStore> {
  return engine.name === 'sqlite' ? busyFile(engine, random) : slowLink(engine.address);
}

/** Transactions of this process lock a SQLite file for short moments; the file is created before. */
async function busyFile({ address, open }: Engine, random: () => number): Promise<SlowStore> {
  const first = open();
  await first.rows.read('none');
  await first.close();
  const database = new DatabaseSync(address.slice('sqlite:'.length), { timeout: 50 });
  const ending = new AbortController();
  const ended = (async () => {
    while (!ending.signal.aborted) {
      await sleep(5 + random() * 25);
      try {
        database.exec('BEGIN IMMEDIATE');
      } catch {
        // The server holds the lock.
        continue;
      }
      await sleep(5 + random() * 15);
      database.exec('COMMIT');
    }
    database.close();
  })();
  return {
    address,
    async close() {
      ending.abort();
      await ended;
    },
  };
}

/** A relay that delays both directions by some milliseconds. */
async function slowLink(address: string): Promise<SlowStore> {
  const url = new URL(address);
  const { hostname: host, port } = url;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(Number(port), host);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (chunk) => setTimeout(() => to.destroyed || to.write(chunk), 6));
      from.on('error', () => to.destroy());
      // Data in flight still arrives, as it does when a process dies.
      from.on('close', () => {
        sockets.delete(from);
        setTimeout(() => to.destroy(), 50);
      });
    }
  });
  const origin = new URL(await listen(server));
  url.hostname = origin.hostname;
  url.port = origin.port;
  return { address: url.href, close: () => shut(server, sockets) };
}
