// npm run stores [-- --rows N]. How many creates an engine records in a second, and how much room each takes: what an operator
// needs to know to plan a store. A create is the three writes of the ledger: claim, send, end.
import { createHash, randomUUID } from 'node:crypto';
import { rmSync, statSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createClient } from '@redis/client';
import { Client } from 'pg';
import type { Rows } from '../../src/stores/store.ts';
import { temporaryStore } from '../support/client.ts';
import { postgresStore } from '../../src/stores/postgres.ts';
import { redisStore } from '../../src/stores/redis.ts';
import { sqliteStore } from '../../src/stores/sqlite.ts';
import { aligned } from './figures.ts';

const { REDIS_URL = 'redis://127.0.0.1:6379', POSTGRES_URL = 'postgres://postgres@127.0.0.1:5432/test' } = process.env;

const { values } = parseArgs({ options: { rows: { type: 'string', default: '20000' } } });
const count = Number(values.rows);
const IN_FLIGHT = 32;
const PREFIX = `v1/bench/${randomUUID().slice(0, 8)}/`;

/** The record of a create with five fields, as the ledger writes it. */
const dataOf = (n: number, more: object): string => {
  const hash = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 22);
  const fields = Object.fromEntries(
    ['company_name', 'email', 'office_phone', 'address_string', 'notes'].map((field) => [field, hash(field + n)]),
  );
  return JSON.stringify({ op: randomUUID(), externalId: `crm-${n}`, fields, ...more });
};

async function create(rows: Rows, n: number): Promise<void> {
  const key = PREFIX + createHash('sha256').update(`crm-${n}`).digest('hex');
  const base = { key, leaseMs: 15_000, checkInMs: 0, durable: true };
  await rows.insert({ ...base, state: 'PENDING', epoch: 1, data: dataOf(n, {}) });
  const sent = { sentAt: Date.now() };
  await rows.replace({ key, state: 'PENDING', epoch: 1 }, { ...base, state: 'SENT', data: dataOf(n, sent) });
  const done = { ...sent, remoteId: randomUUID() };
  await rows.replace({ key, state: 'SENT', epoch: 2 }, { ...base, state: 'DONE', leaseMs: 0, data: dataOf(n, done) });
}

async function perSecond(rows: Rows): Promise<number> {
  const startedAt = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await create(rows, (next += 1));
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return count / ((performance.now() - startedAt) / 1_000);
}

interface Subject {
  readonly name: string;
  measure(): Promise<{ readonly rate: number; readonly bytes: number }>;
}

const subjects: readonly Subject[] = [
  {
    name: 'SQLite',
    async measure() {
      const { store, remove } = temporaryStore();
      const path = store.slice('sqlite:'.length);
      const opened = sqliteStore(path);
      await opened.rows.read('none');
      const before = statSync(path).size;
      const rate = await perSecond(opened.rows);
      await opened.close();
      const bytes = statSync(path).size - before;
      rmSync(path);
      remove();
      return { rate, bytes };
    },
  },
  {
    name: 'PostgreSQL',
    async measure() {
      const opened = postgresStore(POSTGRES_URL);
      await opened.rows.read('none');
      const client = new Client({ connectionString: POSTGRES_URL });
      await client.connect();
      const name = 'customers_mcp_intents';
      const size = async (): Promise<number> =>
        Number((await client.query(`SELECT pg_total_relation_size($1::regclass) AS size`, [name])).rows[0]?.['size']);
      // Without the room of rows that were there before.
      await client.query(`VACUUM FULL ${name}`);
      const before = await size();
      const rate = await perSecond(opened.rows);
      await client.query(`VACUUM FULL ${name}`);
      const bytes = (await size()) - before;
      await client.query(`DELETE FROM ${name} WHERE key LIKE $1`, [`${PREFIX}%`]);
      await client.end();
      await opened.close();
      return { rate, bytes };
    },
  },
  {
    name: 'Redis',
    async measure() {
      const opened = redisStore(REDIS_URL);
      await opened.rows.read('none');
      const client = createClient({ url: REDIS_URL });
      await client.connect();
      const size = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1]);
      const before = await size();
      const rate = await perSecond(opened.rows);
      const bytes = (await size()) - before;
      for await (const keys of client.scanIterator({ MATCH: `*${PREFIX}*`, COUNT: 1_000 }))
        if (keys.length > 0) await client.del(keys);
      client.destroy();
      await opened.close();
      return { rate, bytes };
    },
  },
];

const table = [['', 'creates a second', 'bytes for each', 'GB for 1,000,000,000']];
for (const { name, measure } of subjects) {
  const { rate, bytes } = await measure();
  const each = bytes / count;
  table.push([name, rate.toFixed(0), each.toFixed(0), each.toFixed(0)]);
}
process.stdout.write(`${aligned(table)}\n`);
process.exit();
