import { createClient } from '@redis/client';
import { createHash } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';

/** Changes a store without the server's knowledge. */
export interface Damager {
  /** Changes columns of a row of the ledger. */
  setRecord(key: string, columns: Readonly<Record<string, string>>): Promise<void>;
  /** Replaces a row with a text, where that is possible. */
  replace?(key: string, text: string): Promise<void>;
  /** Sets when the lease of a row ends and, where that is a column, when the row is checked next. */
  setTimes(key: string, time: Date): Promise<void>;
  /** Saves a row; the returned function restores it. */
  save(key: string): Promise<() => Promise<void>>;
  /** `false`: the key does not exist. */
  setEntry(key: string, value: string): Promise<boolean>;
  close(): Promise<void>;
}

/** One way in which a row of the ledger can be damaged. */
export interface Damage {
  /** Completes "a record …". */
  readonly how: string;
  readonly columns?: Readonly<Record<string, string>>;
  /** In place of the row, in an engine that has no columns. */
  readonly text?: string;
}

/** The end of the key of an identity, in every engine. */
export function keyOf(externalId: unknown): string {
  return createHash('sha256').update(String(externalId)).digest('hex');
}

export async function damageSqlite(store: string): Promise<Damager> {
  let opened: DatabaseSync | undefined;
  // Opened when first needed, because the file may not be a database before.
  const database = (): DatabaseSync => (opened ??= new DatabaseSync(store.slice('sqlite:'.length), { timeout: 5_000 }));
  const set = (key: string, columns: Readonly<Record<string, unknown>>): void => {
    for (const [column, value] of Object.entries(columns))
      database().prepare(`UPDATE intents SET ${column} = ? WHERE key LIKE ?`).run(String(value), `%${key}`);
  };
  return {
    async setRecord(key, columns) {
      set(key, columns);
    },
    async setTimes(key, time) {
      set(key, { lease_until: time.getTime(), check_at: time.getTime() });
    },
    async save(key) {
      const row = database().prepare('SELECT state, epoch, data FROM intents WHERE key LIKE ?').get(`%${key}`) ?? {};
      return async () => set(key, row);
    },
    async setEntry(key, value) {
      const { changes } = database().prepare('UPDATE cache SET value = ? WHERE key LIKE ?').run(value, `%${key}`);
      return Number(changes) === 1;
    },
    async close() {
      opened?.close();
    },
  };
}

export async function damageRedis(address: string): Promise<Damager> {
  const client = await createClient({ url: address }).connect();
  const find = async (start: string, key: string): Promise<string> => {
    for await (const keys of client.scanIterator({ MATCH: `${start}*${key}`, COUNT: 1_000 }))
      if (keys[0] !== undefined) return keys[0];
    return '';
  };
  const rowOf = (key: string): Promise<string> => find('{customers-mcp}:v1/', key);
  return {
    async setRecord(key, columns) {
      await client.hSet(await rowOf(key), { ...columns });
    },
    async replace(key, text) {
      const row = await rowOf(key);
      await client.del(row);
      await client.set(row, text);
    },
    async setTimes(key, time) {
      await client.hSet(await rowOf(key), { lease: String(time.getTime()) });
    },
    async save(key) {
      const row = await rowOf(key);
      const columns = await client.hGetAll(row);
      return async () => {
        await client.del(row);
        await client.hSet(row, { ...columns });
      };
    },
    async setEntry(key, value) {
      const entry = await find('{customers-mcp}:cache:', key);
      return entry !== '' && (await client.set(entry, value)) === 'OK';
    },
    async close() {
      client.destroy();
    },
  };
}

export async function damagePostgres(address: string): Promise<Damager> {
  const pool = new pg.Pool({ connectionString: address, max: 2 });
  const set = async (key: string, columns: Readonly<Record<string, unknown>>): Promise<void> => {
    for (const [column, value] of Object.entries(columns))
      await pool.query(`UPDATE customers_mcp_intents SET ${column} = $1 WHERE key LIKE $2`, [value, `%${key}`]);
  };
  return {
    setRecord: set,
    setTimes: (key, time) => set(key, { lease_until: time.toISOString(), check_at: time.toISOString() }),
    async save(key) {
      const { rows } = await pool.query<Record<string, unknown>>(
        'SELECT state, epoch, data::text FROM customers_mcp_intents WHERE key LIKE $1',
        [`%${key}`],
      );
      return () => set(key, rows[0] ?? {});
    },
    async setEntry(key, value) {
      const { rowCount } = await pool.query('UPDATE customers_mcp_cache SET value = $1 WHERE key LIKE $2', [
        value,
        `%${key}`,
      ]);
      return rowCount === 1;
    },
    async close() {
      await pool.end();
    },
  };
}
