import pg from 'pg';
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
  type Rows,
  type Store,
  type StoredRow,
} from './store.ts';
import { STORE_TIMEOUT_MS } from './timeout.ts';

/** An arbitrary number, the same in all processes, that prevents two of them from creating the tables at once. */
const SCHEMA_LOCK = 7_220_451;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS customers_mcp_intents (
    key text PRIMARY KEY,
    state text NOT NULL,
    epoch integer NOT NULL,
    lease_until timestamptz NOT NULL,
    check_at timestamptz NOT NULL,
    data jsonb NOT NULL
  );
  CREATE INDEX IF NOT EXISTS customers_mcp_intents_open ON customers_mcp_intents (check_at) WHERE state IN (${DUE_STATES_SQL});
  CREATE INDEX IF NOT EXISTS customers_mcp_intents_released ON customers_mcp_intents (check_at) WHERE state = '${RELEASED_STATE}';
  CREATE INDEX IF NOT EXISTS customers_mcp_intents_customer ON customers_mcp_intents ((data->>'${CUSTOMER_ID}')) WHERE state = '${RECORDED_STATE}';
  CREATE TABLE IF NOT EXISTS customers_mcp_cache (key text PRIMARY KEY, value text NOT NULL, expires timestamptz);
  CREATE INDEX IF NOT EXISTS customers_mcp_cache_expires ON customers_mcp_cache (expires) WHERE expires IS NOT NULL;
  CREATE UNLOGGED TABLE IF NOT EXISTS customers_mcp_callers (key varchar(255) PRIMARY KEY, points integer NOT NULL DEFAULT 0, expire bigint);
  -- Tables of version 0.1.0 have a column that is not used any longer. It stays, since servers of that version may be running.
  DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'customers_mcp_intents'::regclass AND attname = 'owner' AND attnotnull) THEN
      ALTER TABLE customers_mcp_intents ALTER COLUMN owner DROP NOT NULL;
    END IF;
  END $$;
`;

const LEASE_ENDS_IN = 'ceil(extract(epoch FROM lease_until - clock_timestamp()) * 1000)::bigint AS lease_ends_in';
const LEASE_UNTIL = "clock_timestamp() + $5 * interval '1 ms'";

const sql = {
  insert: `
    INSERT INTO customers_mcp_intents (key, state, epoch, data, lease_until, check_at)
    VALUES ($1, $2, $3, $4, ${LEASE_UNTIL}, clock_timestamp())
    ON CONFLICT (key) DO NOTHING`,
  row: `
    SELECT key, state, epoch, data::text, ${LEASE_ENDS_IN}
    FROM customers_mcp_intents WHERE key = $1`,
  replace: `
    UPDATE customers_mcp_intents SET
      state = $4,
      epoch = epoch + 1,
      lease_until = CASE WHEN $5 = 0 THEN 'epoch' ELSE ${LEASE_UNTIL} END,
      check_at = clock_timestamp() + $6 * interval '1 ms',
      data = $7
    WHERE key = $1 AND state = $2 AND epoch = $3`,
  removeRow: 'DELETE FROM customers_mcp_intents WHERE key = $1 AND state = $2 AND epoch = $3',
  due: `
    SELECT key, state, epoch, data::text FROM (
      SELECT *, row_number() OVER (PARTITION BY regexp_replace(key, '[^/]*$', '') ORDER BY check_at) AS turn
      FROM customers_mcp_intents
      WHERE state IN (${DUE_STATES_SQL}) AND starts_with(key, $1)
        AND (lease_until <= clock_timestamp() OR lease_until > clock_timestamp() + ${MAX_LEASE_MS} * interval '1 ms')
        AND (check_at <= clock_timestamp() + $3 * interval '1 ms' OR check_at > clock_timestamp() + ${MAX_CHECK_MS} * interval '1 ms')) AS due
    WHERE $4::int = 0 OR turn <= $4::int ORDER BY CASE WHEN $4::int = 0 THEN 0 ELSE turn END, check_at LIMIT $2`,
  list: `
    SELECT key, state, epoch, data::text, ${LEASE_ENDS_IN} FROM customers_mcp_intents
    WHERE key > $2 AND starts_with(key, $1) ORDER BY key LIMIT $3`,
  // Skips rows that another process is working on.
  sweepRows: `
    DELETE FROM customers_mcp_intents WHERE key IN (
      SELECT key FROM customers_mcp_intents
      WHERE state = '${RELEASED_STATE}' AND check_at <= clock_timestamp() - ${RELEASED_MS} * interval '1 ms'
        AND (lease_until <= clock_timestamp() OR lease_until > clock_timestamp() + ${MAX_LEASE_MS} * interval '1 ms')
      ORDER BY check_at LIMIT $1 FOR UPDATE SKIP LOCKED)`,
  sweepCache: `
    DELETE FROM customers_mcp_cache WHERE key IN (
      SELECT key FROM customers_mcp_cache WHERE expires <= clock_timestamp() LIMIT $1 FOR UPDATE SKIP LOCKED)`,
  ofCustomers: `
    SELECT key, state, epoch, data::text FROM customers_mcp_intents
    WHERE state = '${RECORDED_STATE}' AND data->>'${CUSTOMER_ID}' = ANY($2) AND starts_with(key, $1)
    ORDER BY key`,
  read: 'SELECT value FROM customers_mcp_cache WHERE key = $1 AND (expires IS NULL OR expires > clock_timestamp())',
  write: `INSERT INTO customers_mcp_cache (key, value, expires) VALUES ($1, $2, $3)
    ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires = excluded.expires`,
  remove: 'DELETE FROM customers_mcp_cache WHERE key = $1',
  clear: 'DELETE FROM customers_mcp_cache',
  entries: 'SELECT key, value FROM customers_mcp_cache WHERE expires IS NULL OR expires > clock_timestamp()',
};

/** PostgreSQL. Leases use the server's clock; each step is one statement, prepared once per connection. */
export function postgresStore(url: string): Store {
  const pool = new pg.Pool({
    connectionString: url,
    max: 8,
    connectionTimeoutMillis: STORE_TIMEOUT_MS,
    query_timeout: STORE_TIMEOUT_MS,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: true,
  });
  // Without a listener, a connection that drops while idle would end the process.
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
  const query: Query = (name, values = []) =>
    run({ name: `customers_mcp_${name}`, text: sql[name], values: [...values] });

  return {
    rows: postgresRows(query),
    cache: new KeyvStorage(postgresKeyValue(query)),
    async sweep(limit) {
      await query('sweepRows', [limit]);
      await query('sweepCache', [limit]);
    },
    async warnings() {
      const { rows } = await pool.query<{ synchronous_commit: string }>('SHOW synchronous_commit');
      return rows[0]?.synchronous_commit === 'off'
        ? [
            'PostgreSQL may lose its last commits (synchronous_commit off): a crash can lose the records of creates. Set synchronous_commit on.',
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

type Query = (name: keyof typeof sql, values?: readonly unknown[]) => Promise<pg.QueryResult<Record<string, unknown>>>;

function postgresRows(query: Query): Rows {
  const read = async (key: string): Promise<StoredRow | undefined> => {
    const [row] = (await query('row', [key])).rows;
    return row && { ...rowOf(row), leasedMs: remainingLease(Number(row['lease_ends_in'])) };
  };
  return {
    async insert({ key, state, epoch, data, leaseMs }) {
      for (;;) {
        const { rowCount } = await query('insert', [key, state, epoch, data, leaseMs]);
        if (rowCount === 1) return undefined;
        const present = await read(key);
        // Otherwise another process has removed it in between.
        if (present) return present;
      }
    },

    read,

    async replace({ key, state, epoch }, { state: to, data, leaseMs, checkInMs }) {
      return (await query('replace', [key, state, epoch, to, leaseMs, checkInMs, data])).rowCount === 1;
    },

    async remove({ key, state, epoch }) {
      return (await query('removeRow', [key, state, epoch])).rowCount === 1;
    },

    async due({ prefix, limit, withinMs, limitEach = 0 }) {
      return (await query('due', [prefix, limit, withinMs, limitEach])).rows.map(rowOf);
    },

    async list({ prefix, limit, cursor = '' }) {
      const found = (await query('list', [prefix, cursor, limit])).rows;
      const rows = found.map((row) => ({ ...rowOf(row), leaseEndsInMs: Number(row['lease_ends_in']) }));
      return { rows, cursor: rows.length < limit ? undefined : rows.at(-1)?.key };
    },

    async findByCustomerId(prefix, customerIds) {
      return (await query('ofCustomers', [prefix, customerIds])).rows.map(rowOf);
    },
  };
}

function postgresKeyValue(query: Query): KeyValue {
  return {
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
}

async function createTables(pool: pg.Pool): Promise<void> {
  await pool.query(`BEGIN; SELECT pg_advisory_xact_lock(${SCHEMA_LOCK}); ${SCHEMA} COMMIT;`);
}
