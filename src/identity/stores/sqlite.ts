import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSettled, readIntent, readIntents, STORE_DEADLINE_MS, type Ledger } from '../ledger.ts';
import { KeyvStorage, type KeyValue } from './keyv-storage.ts';
import type { Store } from './store.ts';

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS intents (
    key TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_until INTEGER NOT NULL,
    check_at INTEGER NOT NULL,
    data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS intents_open ON intents (check_at) WHERE state IN ('PENDING', 'SENT', 'UNSURE');
  CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER) STRICT;
`;

/** https://sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;
/** How long SQLite itself waits for a lock; this process stands still for so long. */
const STANDSTILL_MS = 20;
const PAUSE_MS = 10;

/**
 * The default: one file, shared by all processes of this machine. What must not be forgotten is on disk before it counts. It
 * is opened at the first use, so that a server that only reads starts without it.
 */
export function sqliteStore(file: string): Store {
  let open: Statements | undefined;
  /** Work on the file, tried again while another process has it locked; in between others get their turn. */
  const use = async <T>(work: (statements: Statements) => T): Promise<T> => {
    const giveUpAt = performance.now() + STORE_DEADLINE_MS;
    for (;;) {
      try {
        return work((open ??= prepare(file)));
      } catch (error) {
        if (!isBusy(error) || performance.now() >= giveUpAt) throw error;
        await sleep(PAUSE_MS);
      }
    }
  };
  return {
    ledger: sqliteLedger(use),
    cache: new KeyvStorage(sqliteKeyValue(use)),
    async close() {
      open?.database.close();
      open = undefined;
    },
  };
}

type Use = <T>(work: (statements: Statements) => T) => Promise<T>;
type Statements = ReturnType<typeof prepare>;

function prepare(file: string) {
  makeFolder(dirname(resolve(file)));
  const database = new DatabaseSync(file, { timeout: STANDSTILL_MS });
  try {
    database.exec(SCHEMA);
    return { database, ...prepareAll(database) };
  } catch (error) {
    database.close();
    throw error;
  }
}

function prepareAll(database: DatabaseSync) {
  const sql = (text: string): StatementSync => database.prepare(text);
  return {
    claim: sql(`
      INSERT INTO intents (key, state, epoch, owner, lease_until, check_at, data)
      VALUES (:key, 'PENDING', 1, :owner, :now + :lease, 0, :data)
      ON CONFLICT (key) DO UPDATE SET
        epoch = epoch + 1,
        owner = excluded.owner,
        lease_until = excluded.lease_until,
        data = CASE state WHEN 'GONE' THEN excluded.data ELSE data END,
        state = CASE state WHEN 'GONE' THEN 'PENDING' WHEN 'SENT' THEN 'UNSURE' ELSE state END
      WHERE lease_until <= :now AND (state IN ('PENDING', 'SENT', 'UNSURE', 'GONE') OR (:reopen AND state = 'DONE'))
      RETURNING key, state, epoch, data, lease_until`),
    advance: sql(`
      UPDATE intents SET state = :to, lease_until = :lease_until, check_at = :check_at, data = :data
      WHERE key = :key AND epoch = :epoch AND state = :from`),
    get: sql('SELECT key, state, epoch, data, lease_until FROM intents WHERE key = ?'),
    due: sql(`
      SELECT key, state, epoch, data, lease_until FROM intents
      WHERE state IN ('PENDING', 'SENT', 'UNSURE') AND lease_until <= :now AND check_at <= :now + :within AND substr(key, 1, length(:prefix)) = :prefix
      ORDER BY check_at LIMIT :limit`),
    read: sql('SELECT value FROM cache WHERE key = ? AND (expires IS NULL OR expires > ?)'),
    write: sql(
      'INSERT INTO cache (key, value, expires) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires',
    ),
    remove: sql('DELETE FROM cache WHERE key = ?'),
    clear: sql('DELETE FROM cache'),
    entries: sql('SELECT key, value FROM cache WHERE expires IS NULL OR expires > ?'),
  };
}

/** A folder and those above it. Not `recursive`: below /proc Node then tries without end. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Another process was quicker.
    if (!existsSync(folder)) throw error;
  }
}

/**
 * A write that does not wait for the disk: the next one that does takes it along. It outlives this process, but not a failure
 * of the machine. https://sqlite.org/pragma.html#pragma_synchronous
 */
function withoutSync<T>(database: DatabaseSync, write: () => T): T {
  database.exec('PRAGMA synchronous = NORMAL');
  try {
    return write();
  } finally {
    database.exec('PRAGMA synchronous = FULL');
  }
}

function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    (error.errcode & 0xff) === SQLITE_BUSY
  );
}

function sqliteLedger(use: Use): Ledger {
  return {
    claim: (key, { owner, leaseMs, data, reopen }) =>
      use(({ database, claim, get }) => {
        const now = Date.now();
        const row = { key, owner, now, lease: leaseMs, data: JSON.stringify(data), reopen: reopen ? 1 : 0 };
        // Nothing has been sent yet, and before it is, an `advance` is on the disk.
        const taken = withoutSync(database, () => claim.get(row));
        if (taken) return { kind: 'owned', intent: readIntent(taken) };
        const other = get.get(key);
        // Nothing deletes rows, so the row that kept us out is there.
        if (!other) throw new Error('the ledger lost a row');
        const intent = readIntent(other);
        const retryInMs = Math.max(0, Number(other['lease_until']) - now);
        return isSettled(intent, reopen) ? { kind: 'settled', intent } : { kind: 'busy', retryInMs };
      }),

    advance: ({ key, epoch, state }, to) =>
      use(({ advance }) => {
        const now = Date.now();
        const { changes } = advance.run({
          key,
          epoch,
          from: state,
          to: to.state,
          lease_until: to.leaseMs === 0 ? 0 : now + to.leaseMs,
          check_at: now + (to.checkInMs ?? 0),
          data: JSON.stringify(to.data),
        });
        return Number(changes) === 1;
      }),

    get: (key) =>
      use(({ get }) => {
        const row = get.get(key);
        return row && readIntent(row);
      }),

    due: (prefix, limit, withinMs) =>
      use(({ due }) => readIntents(due.all({ now: Date.now(), within: withinMs, prefix, limit }))),
  };
}

function sqliteKeyValue(use: Use): KeyValue {
  return {
    get: (key) =>
      use(({ read }) => {
        const row = read.get(key, Date.now());
        return row && String(row['value']);
      }),
    // What the cache forgets is looked up again.
    set: (key, value, expires) =>
      use(({ database, write }) => withoutSync(database, () => void write.run(key, value, expires ?? null))),
    delete: (key) => use(({ remove }) => Number(remove.run(key).changes) > 0),
    clear: () => use(({ clear }) => void clear.run()),
    async *entries() {
      const rows = await use(({ entries }) => entries.all(Date.now()));
      for (const row of rows) yield [String(row['key']), String(row['value'])];
    },
  };
}
