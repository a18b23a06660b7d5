// npm run soak:tenants -- --store postgres://… [--minutes 10] [--tenants 1000] [--replicas 3]. Calls of many businesses at several
// servers on one store; prints each minute what the servers hold, how many connections the store has, and its rows.
import { createClient } from '@redis/client';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { toolCall } from '../support/http.ts';
import { at, entries, serveTenants } from '../support/tenants.ts';
import { startUpstream } from './upstream.ts';
import { usageOf } from './usage.ts';

const IN_FLIGHT = 12;
const CREATES = 0.1;

const { values } = parseArgs({
  options: {
    store: { type: 'string' },
    minutes: { type: 'string', default: '10' },
    tenants: { type: 'string', default: '1000' },
    replicas: { type: 'string', default: '3' },
  },
});
const { store } = values;
if (store === undefined) throw new Error('--store must name a Redis or a PostgreSQL');

interface Figures {
  readonly connections: number;
  readonly rows: number;
  readonly entries: number;
}

/** What the store says of itself. Its other users count too. */
async function watch(address: string): Promise<{ figures(): Promise<Figures>; close(): Promise<unknown> }> {
  if (address.startsWith('postgres')) {
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    const query = `SELECT (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS connections,
      (SELECT count(*) FROM customers_mcp_intents) AS rows, (SELECT count(*) FROM customers_mcp_cache) AS entries`;
    const figures = async (): Promise<Figures> => {
      const [row = {}] = (await client.query(query)).rows;
      return { connections: Number(row.connections), rows: Number(row.rows), entries: Number(row.entries) };
    };
    return { figures, close: () => client.end() };
  }
  const client = await createClient({ url: address }).connect();
  const count = async (pattern: string): Promise<number> => {
    let found = 0;
    for await (const keys of client.scanIterator({ MATCH: pattern, COUNT: 1_000 })) found += keys.length;
    return found;
  };
  const figures = async (): Promise<Figures> => {
    const connections = Number(/connected_clients:(\d+)/.exec(await client.info('clients'))?.[1]);
    return { connections, rows: await count('{customers-mcp}:v1/*'), entries: await count('{customers-mcp}:cache:*') };
  };
  return { figures, close: async () => client.destroy() };
}

const names = Array.from({ length: Number(values.tenants) }, (_, n) => `tenant-${n}`);
const upstream = await startUpstream();
const layer = { CUSTOMERS_PROVIDER: 'layer', LAYER_BASE_URL: upstream.origin, LAYER_ACCESS_TOKEN: 'token' };
const file = entries(Object.fromEntries(names.map((name) => [name, { ...layer, LAYER_BUSINESS_ID: name }])));
const settings = { CUSTOMERS_STORE: store, CUSTOMERS_HTTP_RATE: '10000000' };
const servers = await Promise.all(Array.from({ length: Number(values.replicas) }, () => serveTenants(file, settings)));
const watched = await watch(store);
const end = performance.now() + Number(values.minutes) * 60_000;
let calls = 0;
const failures = new Map<number, number>();

const worker = async (index: number): Promise<void> => {
  for (let n = 0; performance.now() < end; n += 1) {
    const name = names[Math.floor(Math.random() * names.length)] ?? '';
    const server = servers[n % servers.length];
    const id = `${process.pid}-${index}-${n}`;
    const create = { external_id: id, company_name: `Firm ${id}`, email: `mail@${id}.example` };
    const call =
      Math.random() < CREATES ? toolCall('create_customer', create) : toolCall('get_customer', { customer_id: id });
    const { status } = server ? await at(server, name, call) : { status: 0 };
    if (status !== 200) failures.set(status, (failures.get(status) ?? 0) + 1);
    calls += 1;
  }
};

const report = async (): Promise<void> => {
  const started = performance.now();
  process.stdout.write(
    'minute     calls  failed  MB of each server  sockets of each  connections of the store     rows  cache entries\n',
  );
  for (;;) {
    const held = servers.map(({ pid }) => usageOf(pid));
    const { connections, rows, entries: cached } = await watched.figures();
    const failed = [...failures.values()].reduce((sum, count) => sum + count, 0);
    const cells = [
      ((performance.now() - started) / 60_000).toFixed(1).padStart(6),
      String(calls).padStart(8),
      String(failed).padStart(6),
      held
        .map(({ rssMb }) => rssMb.toFixed(0))
        .join(' ')
        .padStart(17),
      held
        .map(({ sockets }) => sockets)
        .join(' ')
        .padStart(15),
      String(connections).padStart(24),
      String(rows).padStart(7),
      String(cached).padStart(13),
    ];
    process.stdout.write(`${cells.join('  ')}\n`);
    if (performance.now() >= end) return;
    await pause(Math.min(60_000, Math.max(0, end - performance.now())));
  }
};

try {
  await Promise.all([report(), ...Array.from({ length: IN_FLIGHT }, (_, index) => worker(index))]);
} finally {
  await Promise.all(servers.map((server) => server.end()));
  await watched.close();
  upstream.close();
}
