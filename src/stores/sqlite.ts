import { resolve } from 'node:path';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyvStorage, type KeyValue } from './keyv-adapter.ts';
import {
  CUSTOMER_ID,
  DUE_STATES_SQL,
  MAX_CHECK_MS,
  MAX_LEASE_MS,
  RELEASED_MS,
  RELEASED_STATE,
  RECORDED_STATE,
  remainingLease,
  rowOf,
  StoreProblem,
  type Rows,
  type Store,
  type StoredRow,
} from './store.ts';
import { isBusy, isExposed, openFile } from './sqlite-file.ts';
import { STORE_TIMEOUT_MS } from './timeout.ts';

/** Damaged data must not keep the index from being built. */
const CUSTOMER = `CASE WHEN json_valid(data) THEN json_extract(data, '$.${CUSTOMER_ID}') END`;

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE IF NOT EXISTS intents (
    key TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    check_at INTEGER NOT NULL,
    data TEXT NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS intents_open ON intents (check_at) WHERE state IN (${DUE_STATES_SQL});
  CREATE INDEX IF NOT EXISTS intents_released ON intents (check_at) WHERE state = '${RELEASED_STATE}';
  CREATE INDEX IF NOT EXISTS intents_customer ON intents (${CUSTOMER}) WHERE state = '${RECORDED_STATE}';
  CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value TEXT NOT NULL, expires INTEGER) STRICT;
  CREATE INDEX IF NOT EXISTS cache_expires ON cache (expires) WHERE expires IS NOT NULL;
`;

/** How long SQLite itself waits for a lock, during which this process is blocked. */
const BUSY_TIMEOUT_MS = 20;
/** The pause before the next attempt, in which this process does other work. */
const RETRY_MS = 10;

/**
 * The default: one file, shared by all processes of this machine. A row that must survive is on disk before it counts.
 */
export function sqliteStore(path: string): Store {
  // Absolute, so that SQLite does not interpret a name as a URI or as a database in memory.
  const file = resolve(path);
  const { use, close } = connector(file);
  return {
    rows: sqliteRows(use),
    cache: new KeyvStorage(sqliteKeyValue(use)),
    sweep: (limit) =>
      use(({ database, sweepRows, sweepCache }) =>
        withoutSync(database, () => {
          const query = { now: Date.now(), limit };
          sweepRows.run(query);
          sweepCache.run(query);
        }),
      ),
    async warnings() {
      return isExposed(file)
        ? [
            "Other users of this machine may open the store's file, and it belongs to another user or cannot be changed. Set its mode to 0600.",
          ]
        : [];
    },
    close,
  };
}

type Work<T> = (statements: Statements) => T;
type Use = <T>(work: Work<T>, options?: { readonly isWrite?: boolean }) => Promise<T>;
type Statements = ReturnType<typeof prepare>;

/**
 * Opens the file at first use, so that a server that only reads starts without it. A write to a file that the path no longer names
 * does not count, because another process may have created a new file there.
 */
function connector(file: string): { readonly use: Use; close(): Promise<void> } {
  let open: Statements | undefined;
  /** Set until a write has failed with it, because a failed read continues without the store and does not report it. */
  let replaced: StoreProblem | undefined;
  const takeProblem = (): StoreProblem | undefined => {
    const problem = replaced;
    replaced = undefined;
    return problem;
  };

  const tryOnce = <T>(work: Work<T>, isWrite: boolean): T => {
    if (replaced) throw isWrite ? takeProblem() : replaced;
    const mine = (open ??= prepare(file));
    const result = mine.isCurrent() ? attempt(() => work(mine)) : undefined;
    if (result && (!isWrite || mine.isCurrent())) return result();
    open = undefined;
    mine.abandon();
    replaced = fileReplaced();
    throw isWrite ? takeProblem() : replaced;
  };

  return {
    /** Tried again while another process has the file locked; this process does other work in between. */
    async use(work, { isWrite = false } = {}) {
      const giveUpAt = performance.now() + STORE_TIMEOUT_MS;
      for (;;) {
        try {
          return tryOnce(work, isWrite);
        } catch (error) {
          if (!isBusy(error) || performance.now() >= giveUpAt) throw error;
          await sleep(RETRY_MS);
        }
      }
    },
    async close() {
      open?.database.close();
      open = undefined;
    },
  };
}

/** Runs work immediately; the returned function returns its result or throws its error. */
function attempt<T>(work: () => T): () => T {
  try {
    const value = work();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

function fileReplaced(): StoreProblem {
  return new StoreProblem(
    "The store's file was deleted or replaced while the server was running.",
    'Try again to continue with the file that is now at its path. If the file was removed by mistake, ask the operator to restore it first: without its rows, duplicates are possible.',
  );
}

function prepare(path: string) {
  const opened = openFile(path, { schema: SCHEMA, busyTimeoutMs: BUSY_TIMEOUT_MS });
  try {
    return { ...opened, ...prepareAll(opened.database) };
  } catch (error) {
    opened.database.close();
    throw error;
  }
}

function prepareAll(database: DatabaseSync) {
  const sql = (text: string): StatementSync => database.prepare(text);
  const [ownerColumn, ownerValue] = hasOwner(database) ? [', owner', ", ''"] : ['', ''];
  return {
    insert: sql(`
      INSERT INTO intents (key, state, epoch, lease_until, check_at, data${ownerColumn})
      VALUES (:key, :state, :epoch, :lease_until, :check_at, :data${ownerValue})
      ON CONFLICT (key) DO NOTHING`),
    row: sql('SELECT key, state, epoch, data, lease_until FROM intents WHERE key = ?'),
    replace: sql(`
      UPDATE intents SET state = :to, epoch = epoch + 1, lease_until = :lease_until, check_at = :check_at, data = :data
      WHERE key = :key AND epoch = :epoch AND state = :state`),
    removeRow: sql('DELETE FROM intents WHERE key = :key AND epoch = :epoch AND state = :state'),
    due: sql(`
      SELECT key, state, epoch, data FROM (
        SELECT *, row_number() OVER (PARTITION BY rtrim(key, replace(key, '/', '')) ORDER BY check_at) AS turn FROM intents
        WHERE state IN (${DUE_STATES_SQL}) AND substr(key, 1, length(:prefix)) = :prefix
          AND (lease_until <= :now OR lease_until > :now + ${MAX_LEASE_MS})
          AND (check_at <= :now + :within OR check_at > :now + ${MAX_CHECK_MS}))
      WHERE :each = 0 OR turn <= :each ORDER BY iif(:each = 0, 0, turn), check_at LIMIT :limit`),
    list: sql(`
      SELECT key, state, epoch, data, lease_until FROM intents
      WHERE key > :after AND substr(key, 1, length(:prefix)) = :prefix
      ORDER BY key LIMIT :limit`),
    sweepRows: sql(`
      DELETE FROM intents WHERE key IN (
        SELECT key FROM intents
        WHERE state = '${RELEASED_STATE}' AND check_at <= :now - ${RELEASED_MS}
          AND (lease_until <= :now OR lease_until > :now + ${MAX_LEASE_MS})
        ORDER BY check_at LIMIT :limit)`),
    sweepCache: sql('DELETE FROM cache WHERE key IN (SELECT key FROM cache WHERE expires <= :now LIMIT :limit)'),
    ofCustomers: sql(`
      SELECT key, state, epoch, data FROM intents
      WHERE state = '${RECORDED_STATE}' AND ${CUSTOMER} IN (SELECT value FROM json_each(:ids))
        AND substr(key, 1, length(:prefix)) = :prefix
      ORDER BY key`),
    read: sql('SELECT value FROM cache WHERE key = ? AND (expires IS NULL OR expires > ?)'),
    write: sql(
      'INSERT INTO cache (key, value, expires) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires',
    ),
    remove: sql('DELETE FROM cache WHERE key = ?'),
    clear: sql('DELETE FROM cache'),
    entries: sql('SELECT key, value FROM cache WHERE expires IS NULL OR expires > ?'),
  };
}

/**
 * Whether version 0.1.0 created the file, with a column that is no longer used. The column is kept, because servers of that
 * version may share the file and insert into it.
 */
function hasOwner(database: DatabaseSync): boolean {
  return database.prepare("SELECT 1 FROM pragma_table_info('intents') WHERE name = 'owner'").get() !== undefined;
}

/**
 * A write that does not wait for the disk; the next synchronous write includes it. It survives the process, but not a failure
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

const WRITE = { isWrite: true };

function sqliteRows(use: Use): Rows {
  const read = ({ row }: Statements, key: string): StoredRow | undefined => {
    const found = row.get(key);
    return found && { ...rowOf(found), leasedMs: remainingLease(Number(found['lease_until']) - Date.now()) };
  };
  return {
    insert: ({ key, state, epoch, data, leaseMs }) =>
      use((statements) => {
        const { database, insert } = statements;
        const now = Date.now();
        const row = { key, state, epoch, data, lease_until: now + leaseMs, check_at: now };
        for (;;) {
          // No decision depends on a new row before `replace` has written it to the disk.
          const { changes } = withoutSync(database, () => insert.run(row));
          if (Number(changes) === 1) return undefined;
          const present = read(statements, key);
          // Otherwise another process has removed it in between.
          if (present) return present;
        }
      }, WRITE),

    read: (key) => use((statements) => read(statements, key)),

    replace: ({ key, state, epoch }, { state: to, data, leaseMs, checkInMs, durable }) =>
      use(({ database, replace }) => {
        const now = Date.now();
        const times = { lease_until: leaseMs === 0 ? 0 : now + leaseMs, check_at: now + checkInMs };
        const write = () => replace.run({ key, state, epoch, to, data, ...times });
        return Number((durable ? write() : withoutSync(database, write)).changes) === 1;
      }, WRITE),

    remove: ({ key, state, epoch }) =>
      use(({ database, removeRow }) => {
        const { changes } = withoutSync(database, () => removeRow.run({ key, state, epoch }));
        return Number(changes) === 1;
      }),

    due: ({ prefix, limit, withinMs: within, limitEach: each = 0 }) =>
      use(({ due }) => due.all({ now: Date.now(), within, prefix, limit, each }).map(rowOf)),

    list: ({ prefix, limit, cursor = prefix }) =>
      use(({ list }) => {
        const found = list.all({ prefix, limit, after: cursor });
        const rows = found.map((row) => ({ ...rowOf(row), leaseEndsInMs: Number(row['lease_until']) - Date.now() }));
        return { rows, cursor: rows.length < limit ? undefined : rows.at(-1)?.key };
      }),
    findByCustomerId: (prefix, customerIds) =>
      use(({ ofCustomers }) => ofCustomers.all({ prefix, ids: JSON.stringify(customerIds) }).map(rowOf)),
  };
}

function sqliteKeyValue(use: Use): KeyValue {
  return {
    get: (key) =>
      use(({ read }) => {
        const row = read.get(key, Date.now());
        return row && String(row['value']);
      }),
    // A lost cache entry is looked up again.
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
