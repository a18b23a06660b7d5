import pg from 'pg';
import { isSettled, readIntent, readIntents, STORE_DEADLINE_MS, type Ledger } from '../ledger.ts';
import { KeyvStorage, type KeyValue } from './keyv-storage.ts';
import type { Store } from './store.ts';

/** Any number, the same for everybody: keeps two processes from creating the tables at once. */
const SCHEMA_LOCK = 7_220_451;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS customers_mcp_intents (
    key text PRIMARY KEY,
    state text NOT NULL,
    epoch integer NOT NULL,
    owner text NOT NULL,
    lease_until timestamptz NOT NULL,
    check_at timestamptz NOT NULL,
    data jsonb NOT NULL
  );
  CREATE INDEX IF NOT EXISTS customers_mcp_intents_open ON customers_mcp_intents (check_at) WHERE state IN ('PENDING', 'SENT', 'UNSURE');
  CREATE TABLE IF NOT EXISTS customers_mcp_cache (key text PRIMARY KEY, value text NOT NULL, expires timestamptz);
  CREATE UNLOGGED TABLE IF NOT EXISTS customers_mcp_callers (key varchar(255) PRIMARY KEY, points integer NOT NULL DEFAULT 0, expire bigint);
`;

const sql = {
  claim: `
    INSERT INTO customers_mcp_intents AS i (key, state, epoch, owner, lease_until, check_at, data)
    VALUES ($1, 'PENDING', 1, $2, clock_timestamp() + $3 * interval '1 ms', clock_timestamp(), $4)
    ON CONFLICT (key) DO UPDATE SET
      epoch = i.epoch + 1,
      owner = excluded.owner,
      lease_until = excluded.lease_until,
      data = CASE i.state WHEN 'GONE' THEN excluded.data ELSE i.data END,
      state = CASE i.state WHEN 'GONE' THEN 'PENDING' WHEN 'SENT' THEN 'UNSURE' ELSE i.state END
    WHERE i.lease_until <= clock_timestamp() AND (i.state IN ('PENDING', 'SENT', 'UNSURE', 'GONE') OR ($5 AND i.state = 'DONE'))
    RETURNING key, state, epoch, data::text`,
  get: `SELECT key, state, epoch, data::text, ceil(extract(epoch FROM lease_until - clock_timestamp()) * 1000)::bigint AS leased_ms
    FROM customers_mcp_intents WHERE key = $1`,
  advance: `
    UPDATE customers_mcp_intents SET
      state = $4,
      lease_until = CASE WHEN $5 = 0 THEN 'epoch' ELSE clock_timestamp() + $5 * interval '1 ms' END,
      check_at = clock_timestamp() + $6 * interval '1 ms',
      data = $7
    WHERE key = $1 AND epoch = $2 AND state = $3`,
  due: `SELECT key, state, epoch, data::text FROM customers_mcp_intents
    WHERE state IN ('PENDING', 'SENT', 'UNSURE') AND lease_until <= clock_timestamp() AND check_at <= clock_timestamp() + $3 * interval '1 ms' AND starts_with(key, $1)
    ORDER BY check_at LIMIT $2`,
  read: 'SELECT value FROM customers_mcp_cache WHERE key = $1 AND (expires IS NULL OR expires > clock_timestamp())',
  write: `INSERT INTO customers_mcp_cache (key, value, expires) VALUES ($1, $2, $3)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires`,
  remove: 'DELETE FROM customers_mcp_cache WHERE key = $1',
  clear: 'DELETE FROM customers_mcp_cache',
  entries: 'SELECT key, value FROM customers_mcp_cache WHERE expires IS NULL OR expires > clock_timestamp()',
};

/** PostgreSQL. Leases by the server's clock; a statement a step, prepared once per connection. */
export function postgresStore(url: string): Store {
  const pool = new pg.Pool({
    connectionString: url,
    max: 8,
    connectionTimeoutMillis: STORE_DEADLINE_MS,
    query_timeout: STORE_DEADLINE_MS,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
  });
  // Without a listener a connection that drops while idle ends the process.
  pool.on('error', () => {});
  let ready: Promise<void> | undefined;
  const run = async (statement: pg.QueryConfig): Promise<pg.QueryResult<Record<string, unknown>>> => {
    ready ??= createTables(pool).catch((error: unknown) => {
      ready = undefined;
      throw error;
    });
    await ready;
    return pool.query(statement);
  };
  const query = (name: keyof typeof sql, values: readonly unknown[] = []) =>
    run({ name: `customers_mcp_${name}`, text: sql[name], values: [...values] });

  const ledger: Ledger = {
    async claim(key, { owner, leaseMs, data, reopen }) {
      const { rows } = await query('claim', [key, owner, leaseMs, JSON.stringify(data), reopen]);
      if (rows[0]) return { kind: 'owned', intent: readIntent(rows[0]) };
      const [row] = (await query('get', [key])).rows;
      // Nothing deletes rows, so the row that kept us out is there.
      if (!row) throw new Error('the ledger lost a row');
      const intent = readIntent(row);
      const leasedMs = Math.max(0, Number(row['leased_ms']));
      return isSettled(intent, reopen) ? { kind: 'settled', intent } : { kind: 'busy', retryInMs: leasedMs };
    },

    async advance({ key, epoch, state }, to) {
      const { rowCount } = await query('advance', [
        key,
        epoch,
        state,
        to.state,
        to.leaseMs,
        to.checkInMs ?? 0,
        JSON.stringify(to.data),
      ]);
      return rowCount === 1;
    },

    async get(key) {
      const [row] = (await query('get', [key])).rows;
      return row && readIntent(row);
    },

    async due(prefix, limit, withinMs) {
      return readIntents((await query('due', [prefix, limit, withinMs])).rows);
    },
  };

  const cache: KeyValue = {
    async get(key) {
      const [row] = (await query('read', [key])).rows;
      return row && String(row['value']);
    },
    async set(key, value, expires) {
      await query('write', [key, value, expires === undefined ? null : new Date(expires)]);
    },
    async delete(key) {
      return ((await query('remove', [key])).rowCount ?? 0) > 0;
    },
    async clear() {
      await query('clear');
    },
    async *entries() {
      for (const row of (await query('entries')).rows) yield [String(row['key']), String(row['value'])];
    },
  };

  return {
    ledger,
    cache: new KeyvStorage(cache),
    async warnings() {
      const { rows } = await pool.query<{ synchronous_commit: string }>('SHOW synchronous_commit');
      return rows[0]?.synchronous_commit === 'off'
        ? [
            'PostgreSQL may lose its last commits (synchronous_commit off): a crash can forget which customers were being created. Set synchronous_commit on.',
          ]
        : [];
    },
    async rateLimiter(options) {
      const { RateLimiterPostgres } = await import('rate-limiter-flexible');
      const table = { tableName: 'customers_mcp_callers', tableCreated: true };
      return new RateLimiterPostgres({ ...options, ...table, storeClient: { query: run }, storeType: 'pool' });
    },
    async close() {
      await pool.end();
    },
  };
}

async function createTables(pool: pg.Pool): Promise<void> {
  await pool.query(`BEGIN; SELECT pg_advisory_xact_lock(${SCHEMA_LOCK}); ${SCHEMA} COMMIT;`);
}
