import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { kit as dayzero } from '../providers/dayzero/index.ts';
import { BUILT } from '../support/client.ts';
import { Report } from '../support/report.ts';
import { engines, POSTGRES_URL, REDIS_URL } from '../support/stores.ts';
import { note, startServer, timed } from './store-scene.ts';

/** Servers that reject the client or its writes. The remedy is another address. */
const ADDRESSES: readonly {
  readonly engine: string;
  readonly when: string;
  readonly address: string;
}[] = [
  {
    engine: 'redis',
    when: 'does not know the user',
    address: withParts(REDIS_URL, { username: 'unknown', password: 'wrong' }),
  },
  { engine: 'redis', when: 'has no such database', address: withParts(REDIS_URL, { pathname: '/99999' }) },
  {
    engine: 'postgres',
    when: 'is read-only',
    address: withParts(POSTGRES_URL, { search: '?options=-c%20default_transaction_read_only%3Don' }),
  },
  {
    engine: 'postgres',
    when: 'grants no write permission',
    address: withParts(POSTGRES_URL, { search: '?options=-c%20role%3Dpg_read_all_data' }),
  },
  {
    engine: 'postgres',
    when: 'has no such database',
    address: withParts(POSTGRES_URL, { pathname: '/no_such_database' }),
  },
];

function withParts(
  address: string,
  parts: {
    readonly username?: string;
    readonly password?: string;
    readonly pathname?: string;
    readonly search?: string;
  },
): string {
  return Object.assign(new URL(address), parts).href;
}

const report = new Report('Addresses of stores that refuse: how creates end; requests are creates that were sent');

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

afterAll(() => console.log(`\n${report}\n`));

describe.concurrent('A server that refuses', () => {
  for (const { engine, when, address } of ADDRESSES)
    it.skipIf(!engines.some(({ name }) => name === engine))(`sends no create and reads on when ${engine} ${when}`, () =>
      refusesTheAddress(engine, when, address),
    );
});

describe('An address that names no store', () => {
  const addresses = [
    'mysql://localhost/customers',
    'rediss',
    'redis:',
    'redis:localhost:6380',
    'postgres:',
    'postgres:/customers',
    'redis://localhost/customers',
    'sqlite:',
    'sqlite::memory:',
    'sqlite:file:customers.sqlite',
    'sqlite:/var/lib/customers/',
    'sqlite:~',
    'sqlite:~other/customers.sqlite',
    'file.sqlite',
    'http://127.0.0.1/',
    ':memory:',
    'MEMORY',
  ];
  it.each(addresses.map((address) => ({ address })))('is refused at the start ($address)', async ({ address }) => {
    const server = spawn(process.execPath, [BUILT], {
      env: { PATH: process.env['PATH'] ?? '', CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: address },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [written, said] = ['', ''];
    server.stdout.on('data', (chunk) => (written += String(chunk)));
    server.stderr.on('data', (chunk) => (said += String(chunk)));
    const [code] = await once(server, 'close');
    expect(said.slice(0, 2_000)).toContain('CUSTOMERS_STORE');
    expect(code).toBe(2);
    expect(written).toBe('');
  });
});

async function refusesTheAddress(engine: string, when: string, address: string): Promise<void> {
  const { standIn, environment } = await dayzero.start();
  const { server } = await startServer({ ...environment, CUSTOMERS_STORE: address });
  const { server: sound } = await startServer({
    ...environment,
    CUSTOMERS_STORE: withParts(address, soundParts(engine)),
  });
  try {
    const id = randomUUID();
    const create = { external_id: id, name: `Firm ${id}`, email: `${id}@example.com` };
    const tried = await timed(server, 'create_customer', create);
    note(report, [engine, when], { ...tried, requests: standIn.count('create') });
    expect(tried.ends, tried.answer.text).toBe('store_unavailable');
    expect(standIn.requests).toEqual([]);
    const made = await timed(sound, 'create_customer', create);
    expect(made.ends, made.answer.text).toBe('created');
    const read = await timed(server, 'get_customer', { customer_id: made.answer.data.customer_id });
    expect(read.ends, read.answer.text).toBe('ok');
    const again = await timed(server, 'create_customer', create);
    expect(again.ends, again.answer.text).toBe('store_unavailable');
    expect(standIn.count('create')).toBe(1);
  } finally {
    await Promise.all([server.close(), sound.close()]);
    await standIn.close();
  }
}

function soundParts(engine: string): { username: string; password: string; pathname: string; search: string } {
  const { username, password, pathname, search } = new URL(engine === 'redis' ? REDIS_URL : POSTGRES_URL);
  return { username, password, pathname, search };
}
