import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { isSettled, readIntent, STORE_DEADLINE_MS, type Ledger } from '../ledger.ts';
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
const RETRY_MS = 20;

/**
 * The default: one file, shared by all processes of this machine, every commit on disk before it counts. It is opened at the
 * first use, so that a server that only reads starts without it.
 */
export function sqliteStore(file: string): Store {
  let open: Statements | undefined;
  const statements = (): Statements => (open ??= prepare(file));
  return {
    ledger: sqliteLedger(statements),
    cache: new KeyvStorage(sqliteKeyValue(statements)),
    async close() {
      open?.database.close();
      open = undefined;
    },
  };
}

type Statements = ReturnType<typeof prepare>;

function prepare(file: string) {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { timeout: STORE_DEADLINE_MS });
  createTables(database);
  const sql = (text: string): StatementSync => database.prepare(text);
  return {
    database,
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

/** Turning a new file over to WAL does not wait for others who do the same, whatever the timeout says; so it is tried again. */
function createTables(database: DatabaseSync): void {
  for (let waitedMs = 0; ; waitedMs += RETRY_MS) {
    try {
      database.exec(SCHEMA);
      return;
    } catch (error) {
      const locked = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
      if (!locked || waitedMs >= STORE_DEADLINE_MS) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }
}

function sqliteLedger(statements: () => Statements): Ledger {
  return {
    async claim(key, { owner, leaseMs, data, reopen }) {
      const now = Date.now();
      const { claim, get } = statements();
      const taken = claim.get({ key, owner, now, lease: leaseMs, data: JSON.stringify(data), reopen: reopen ? 1 : 0 });
      if (taken) return { kind: 'owned', intent: readIntent(taken) };
      const row = get.get(key);
      // Nothing deletes rows, so the row that kept us out is there.
      if (!row) throw new Error('the ledger lost a row');
      const intent = readIntent(row);
      const leaseUntil = Number(row['lease_until']);
      const settled = isSettled(intent, reopen && leaseUntil > now);
      return settled ? { kind: 'settled', intent } : { kind: 'busy', retryInMs: Math.max(0, leaseUntil - now) };
    },

    async advance({ key, epoch, state }, to) {
      const now = Date.now();
      const { changes } = statements().advance.run({
        key,
        epoch,
        from: state,
        to: to.state,
        lease_until: to.leaseMs === 0 ? 0 : now + to.leaseMs,
        check_at: now + (to.checkInMs ?? 0),
        data: JSON.stringify(to.data),
      });
      return Number(changes) === 1;
    },

    async get(key) {
      const row = statements().get.get(key);
      return row && readIntent(row);
    },

    async due(prefix, limit, withinMs) {
      return statements().due.all({ now: Date.now(), within: withinMs, prefix, limit }).map(readIntent);
    },
  };
}

function sqliteKeyValue(statements: () => Statements): KeyValue {
  return {
    async get(key) {
      const row = statements().read.get(key, Date.now());
      return row && String(row['value']);
    },
    async set(key, value, expires) {
      statements().write.run(key, value, expires ?? null);
    },
    async delete(key) {
      return Number(statements().remove.run(key).changes) > 0;
    },
    async clear() {
      statements().clear.run();
    },
    async *entries() {
      for (const row of statements().entries.all(Date.now())) yield [String(row['key']), String(row['value'])];
    },
  };
}
