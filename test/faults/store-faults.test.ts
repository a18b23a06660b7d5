import { createClient } from '@redis/client';
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, openSync, rmSync, rmdirSync, writeFileSync, writeSync, closeSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { isRecord } from '../../src/text.ts';
import {
  BUILT,
  connect,
  errorOf,
  standIns,
  temporaryStore,
  type Connection,
  type Environment,
  type ToolResult,
} from '../support/client.ts';
import { startProxy, type Proxy } from '../support/proxy.ts';
import { Report } from '../support/report.ts';
import type { StandIn } from '../support/stand-ins/stand-in.ts';
import { engines, POSTGRES_URL, REDIS_URL } from '../support/stores.ts';

type Fields = Readonly<Record<string, unknown>>;
type EngineName = 'sqlite' | 'redis' | 'postgres';
type ProviderName = 'layer' | 'dayzero' | 'notify';

const BUDGET_MS = 3_000;
const GRACE_MS = 5_000;
const STANDARD_PORTS: Readonly<Record<string, number>> = { 'redis:': 6379, 'postgres:': 5432, 'postgresql:': 5432 };
/** How long a store may take to be found again by itself. */
const PATIENCE_MS = 20_000;

/** A store that is about to go wrong. */
interface Patient {
  readonly address: string;
  /** Makes it go wrong. */
  strike(): Promise<void>;
  mend(): Promise<void>;
  close(): Promise<void>;
}

interface Outage {
  /** Completes "when the store …". */
  readonly when: string;
  /** Whether the server has used the store before. */
  readonly connected: boolean;
  /** A claim that was given up may be carried out when the store is back, and then holds the identity for the length of a lease. */
  readonly late: boolean;
  readonly prepare: () => Promise<Patient>;
}

/** What a proxy does to the connections of a store on the network. */
const NETWORK: readonly {
  readonly when: string;
  readonly connected: boolean;
  readonly late?: boolean;
  strike(proxy: Proxy): Promise<void>;
  mend?(proxy: Proxy): Promise<void>;
}[] = [
  { when: 'refuses from the start', connected: false, strike: (proxy) => proxy.set('refuse') },
  { when: 'resets from the start', connected: false, strike: (proxy) => proxy.set('reset') },
  { when: 'freezes before it is connected', connected: false, strike: (proxy) => proxy.set('freeze') },
  { when: 'freezes after it was connected', connected: true, late: true, strike: (proxy) => proxy.set('freeze') },
  { when: 'is slow from the start', connected: false, late: true, strike: (proxy) => proxy.set({ delayMs: 1_000 }) },
  { when: 'becomes slow', connected: true, late: true, strike: (proxy) => proxy.set({ delayMs: 1_000 }) },
  { when: 'stops', connected: true, strike: stop },
  {
    when: 'is gone without a word, and a new one is at its address',
    connected: true,
    strike: (proxy) => proxy.set('freeze'),
    mend: (proxy) => proxy.setNew('forward'),
  },
];

async function stop(proxy: Proxy): Promise<void> {
  await proxy.set('refuse');
  proxy.cut();
}

/** What can be wrong with a file. */
const FILE: readonly {
  readonly when: string;
  readonly connected: boolean;
  strike(file: string): () => void;
}[] = [
  {
    when: 'is a folder',
    connected: false,
    strike(file) {
      mkdirSync(file);
      return () => rmdirSync(file);
    },
  },
  {
    when: 'lies in a folder that is a file',
    connected: false,
    strike(file) {
      rmdirSync(dirname(file));
      writeFileSync(dirname(file), '');
      return () => rmSync(dirname(file));
    },
  },
  {
    when: 'is no database',
    connected: false,
    strike(file) {
      writeFileSync(file, 'This is not a database. '.repeat(1_000));
      return () => rmSync(file);
    },
  },
  {
    when: 'can only be read',
    connected: false,
    strike(file) {
      const database = new DatabaseSync(file);
      database.exec('CREATE TABLE other (x)');
      database.close();
      // A version for writing that this SQLite does not know: it may read, and must not write.
      setByte(file, 18, 3);
      return () => setByte(file, 18, 1);
    },
  },
  { when: 'is locked by another from the start', connected: false, strike: lock },
  { when: 'is locked by another', connected: true, strike: lock },
];

function lock(file: string): () => void {
  const other = new DatabaseSync(file, { timeout: 5_000 });
  other.exec('BEGIN EXCLUSIVE; CREATE TABLE IF NOT EXISTS other (x)');
  return () => {
    other.exec('ROLLBACK');
    other.close();
  };
}

function setByte(file: string, position: number, value: number): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.of(value), 0, 1, position);
  closeSync(descriptor);
}

/** Servers that are there and do not let anybody in, or do not let anybody write. What mends them is another address. */
const ADDRESSES: readonly {
  readonly engine: EngineName;
  readonly when: string;
  readonly address: string;
}[] = [
  {
    engine: 'redis',
    when: 'does not know the user',
    address: withParts(REDIS_URL, { username: 'nobody', password: 'wrong' }),
  },
  { engine: 'redis', when: 'has no such database', address: withParts(REDIS_URL, { pathname: '/99999' }) },
  {
    engine: 'postgres',
    when: 'only lets itself be read',
    address: withParts(POSTGRES_URL, { search: '?options=-c%20default_transaction_read_only%3Don' }),
  },
  {
    engine: 'postgres',
    when: 'grants no right to write',
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

/** Stored where the server's record of an identity is, as JSON where the engine keeps JSON. Nothing can be decided on it. */
const DAMAGED_RECORDS = ['"text"', '[]', 'null', '5', '{}', '{"remoteId": 5}', '{"op": "x", "fields": null}'];
/** Stored where Keyv keeps what it remembers. */
const DAMAGED_ENTRIES = [
  'not JSON',
  '',
  'null',
  '5',
  '[]',
  '{"value": 5}',
  '{"value": {"id": "x"}}',
  '{"value": ""}',
  '{"value": ".."}',
  '{"value": "nobody"}',
];

const report = new Report('Store faults: how creates end while the store is away; requests are creates that were sent');

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

afterAll(() => console.log(`\n${report}\n`));

const here = (name: EngineName): boolean => engines.some((engine) => engine.name === name);
const networked = [
  { name: 'redis', url: REDIS_URL },
  { name: 'postgres', url: POSTGRES_URL },
] as const;

describe.concurrent('A store on the network', () => {
  for (const { name, url } of networked) {
    for (const { when, connected, late = false, strike, mend = (proxy: Proxy) => proxy.set('forward') } of NETWORK) {
      const outage: Outage = { when, connected, late, prepare: () => behindProxy(url, strike, mend) };
      it.skipIf(!here(name))(`sends no create and reads on when ${name} ${when}, and recovers`, () =>
        passes(name, outage, 'dayzero'),
      );
    }
    for (const provider of ['layer', 'notify'] as const) {
      const outage: Outage = {
        when: 'stops',
        connected: true,
        late: false,
        prepare: () => behindProxy(url, stop, (proxy) => proxy.set('forward')),
      };
      it.skipIf(!here(name))(`sends no create to ${provider} and reads on when ${name} stops, and recovers`, () =>
        passes(name, outage, provider),
      );
    }
    for (const { how, strike } of [
      { how: 'stops', strike: stop },
      { how: 'freezes', strike: (proxy: Proxy) => proxy.set('freeze') },
    ]) {
      const prepare = (): Promise<Patient> => behindProxy(url, strike, (proxy) => proxy.set('forward'));
      it.skipIf(!here(name))(`sends nothing when ${name} ${how} between the claim and the send`, () =>
        interrupted(name, how, 'list', prepare),
      );
      it.skipIf(!here(name))(`finds the customer again when ${name} ${how} after the send`, () =>
        interrupted(name, how, 'create', prepare),
      );
    }
  }
  for (const { engine, when, address } of ADDRESSES)
    it.skipIf(!here(engine))(`sends no create and reads on when ${engine} ${when}`, () =>
      refusesTheAddress(engine, when, address),
    );
});

describe.concurrent('A store in a file', () => {
  for (const { when, connected, strike } of FILE) {
    it(`sends no create and reads on when the file ${when}, and recovers`, () =>
      passes('sqlite', { when, connected, late: false, prepare: async () => inFile(strike) }, 'dayzero'));
  }
  for (const provider of ['layer', 'notify'] as const)
    it(`sends no create to ${provider} and reads on when the file is locked by another, and recovers`, () =>
      passes(
        'sqlite',
        { when: 'is locked by another', connected: true, late: false, prepare: async () => inFile(lock) },
        provider,
      ));
  it('answers reads in time when the file is locked by another and many creates wait for it', async () => {
    const patient = inFile(lock);
    const scene = await startScene('dayzero', patient.address);
    try {
      const { answer } = await scene.timed('create_customer', scene.freshCreate());
      await patient.strike();
      const creating = Array.from({ length: 20 }, () => scene.timed('create_customer', scene.freshCreate()));
      // Nothing about the time but what holds for every call: the others are ahead of it.
      const read = await scene.timed('get_customer', { customer_id: answer.data.customer_id });
      report.add('20 creates at once on a locked file', 'get', {
        subject: 'sqlite',
        outcome: read.ends,
        requests: 1,
        ms: read.ms,
      });
      expect(read.ends, read.answer.text).toBe('ok');
      const ended = await Promise.all(creating);
      for (const create of ended) {
        note('sqlite', '20 creates at once on a locked file', create, 0);
        expect(['store_unavailable', 'in_progress', 'unavailable'], create.answer.text).toContain(create.ends);
      }
      expect(scene.standIn.count('create')).toBe(1);
      await patient.mend();
    } finally {
      await scene.close();
      await patient.close();
    }
  });
  it('sends nothing when the file is locked by another between the claim and the send', () =>
    interrupted('sqlite', 'is locked by another', 'list', async () => inFile(lock)));
  it('finds the customer again when the file is locked by another after the send', () =>
    interrupted('sqlite', 'is locked by another', 'create', async () => inFile(lock)));
});

for (const name of ['sqlite', 'redis', 'postgres'] as const)
  describe.skipIf(!here(name)).concurrent(`What ${name} keeps`, () => {
    const { store, remove } = temporaryStore();
    const address = { sqlite: store, redis: REDIS_URL, postgres: POSTGRES_URL }[name];
    let damager: Damager;
    let scene: Scene;

    beforeAll(async () => {
      damager = await damagers[name](address);
      scene = await startScene('dayzero', address);
    });

    afterAll(async () => {
      await scene.close();
      await damager.close();
      remove();
    });

    const spoilers: readonly { readonly how: string; spoil(key: string): Promise<void> }[] = [
      ...DAMAGED_RECORDS.map((data) => ({
        how: `is a record of ${data}`,
        spoil: (key: string) => damager.setRecord(key, { data }),
      })),
      { how: 'is in a state that nobody knows', spoil: (key) => damager.setRecord(key, { state: 'NONSENSE' }) },
      ...(name === 'postgres'
        ? []
        : [{ how: 'is no JSON', spoil: (key: string) => damager.setRecord(key, { data: '{"op' }) }]),
      ...(name === 'redis'
        ? [
            { how: 'is of another type', spoil: (key: string) => damager.replace(key, 'text') },
            { how: 'has no number for its epoch', spoil: (key: string) => damager.setRecord(key, { epoch: 'first' }) },
          ]
        : []),
    ];

    it.each(spoilers)('decides nothing when a record of the ledger $how', async ({ how, spoil }) => {
      const create = scene.freshCreate();
      const { answer } = await scene.timed('create_customer', create);
      expect(answer.data.outcome, answer.text).toBe('created');
      const key = keyOf(create.external_id);
      const sound = await damager.save(key);
      await spoil(key);
      const again = await scene.timed('create_customer', create);
      note(name, `a record of the ledger ${how}`, again, scene.sent(create) - 1);
      expect(scene.sent(create)).toBe(1);
      expect(again.ends, again.answer.text).toBe('store_unavailable');
      const read = await scene.timed('get_customer', { customer_id: answer.data.customer_id });
      expect(read.ends, read.answer.text).toBe('ok');
      const other = await scene.timed('create_customer', scene.freshCreate());
      expect(other.ends, other.answer.text).toBe('created');
      await sound();
      const last = await scene.timed('create_customer', create);
      expect(last.ends, last.answer.text).toBe('existing');
      expect(scene.sent(create)).toBe(1);
    });

    it.each(DAMAGED_ENTRIES.map((value) => ({ value })))('takes $value in the cache for a miss', async ({ value }) => {
      const create = scene.freshCreate();
      const { answer } = await scene.timed('create_customer', create);
      expect(await damager.setEntry(keyOf(create.external_id), value), 'nothing was cached').toBe(true);
      const read = await scene.timed('get_customer', { external_id: create.external_id });
      note(name, 'an entry of the cache is damaged (get)', read, 0);
      expect(read.ends, read.answer.text).toBe('ok');
      expect(read.answer.data.customer_id).toBe(answer.data.customer_id);
      await damager.setEntry(keyOf(create.external_id), value);
      const again = await scene.timed('create_customer', create);
      expect(again.ends, again.answer.text).toBe('existing');
      expect(scene.sent(create)).toBe(1);
    });
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

interface Timed {
  readonly answer: ToolResult;
  readonly ends: string;
  readonly ms: number;
}

/** A provider, and a server between it and a store. */
interface Scene {
  readonly standIn: StandIn;
  readonly externalIdField: string;
  timed(tool: string, args: Fields): Promise<Timed>;
  /** A create that nobody has sent before, with an external id. */
  freshCreate(): Fields;
  /** How often it has reached the provider. */
  sent(create: Fields): number;
  close(): Promise<void>;
}

const FIELDS = {
  layer: { id: 'external_id', name: 'company_name', email: 'email' },
  dayzero: { id: 'external_id', name: 'name', email: 'email' },
  notify: { id: 'CustomerCode', name: 'Name', email: 'Email' },
} as const;

async function startScene(provider: ProviderName, address: string): Promise<Scene> {
  // A token that wears out would add requests that are none of the store's business.
  const { standIn, environment } = await (provider === 'layer'
    ? standIns.layer({ tokenUses: Infinity })
    : standIns[provider]());
  const { server, ms } = await startServer({ ...environment, CUSTOMERS_STORE: address });
  expect(ms, 'the server started too late').toBeLessThan(BUDGET_MS + GRACE_MS);
  const fields = FIELDS[provider];
  return {
    standIn,
    externalIdField: fields.id,
    timed: (tool, args) => timed(server, tool, args),
    freshCreate() {
      const id = randomUUID();
      return { [fields.id]: id, [fields.name]: `Firm ${id}`, [fields.email]: `${id}@example.com` };
    },
    sent: (create) =>
      standIn.requests.filter(
        ({ operation, body }) =>
          operation === 'create' && isRecord(body) && body[fields.email] === create[fields.email],
      ).length,
    async close() {
      await server.close();
      await standIn.close();
    },
  };
}

async function startServer(environment: Environment): Promise<{ server: Connection; ms: number }> {
  const startedAt = performance.now();
  const server = await connect({ ...environment, CUSTOMERS_TIMEOUT_MS: String(BUDGET_MS) });
  return { server, ms: performance.now() - startedAt };
}

async function timed(server: Connection, tool: string, args: Fields): Promise<Timed> {
  const startedAt = performance.now();
  const answer = await server.call(tool, { ...args });
  const ms = performance.now() - startedAt;
  expect(ms, `${tool} took too long`).toBeLessThan(BUDGET_MS + GRACE_MS);
  const error = errorOf(answer);
  return { answer, ends: error ? String(error.kind) : String(answer.data.outcome ?? 'ok'), ms };
}

function note(engine: string, fault: string, { ends, ms }: Pick<Timed, 'ends' | 'ms'>, requests: number): void {
  report.add(fault, 'create', { subject: engine, outcome: ends, requests, ms });
}

/** A whole outage: creates with an external id fail and send nothing, all else goes on, and afterwards nothing is left of it. */
async function passes(
  engine: EngineName,
  { when, connected, late, prepare }: Outage,
  provider: ProviderName,
): Promise<void> {
  const patient = await prepare();
  if (!connected) await patient.strike();
  const scene = await startScene(provider, patient.address);
  const damager = await damagers[engine](patient.address);
  try {
    const { standIn, externalIdField, freshCreate, sent } = scene;
    const before = freshCreate();
    if (connected) {
      const { ends, answer } = await scene.timed('create_customer', before);
      expect(ends, answer.text).toBe('created');
      await patient.strike();
    }

    const creates = [freshCreate(), freshCreate(), freshCreate()];
    for (const tried of await Promise.all(creates.map((create) => scene.timed('create_customer', create)))) {
      note(engine, when, tried, 0);
      expect(tried.ends, tried.answer.text).toBe('store_unavailable');
    }
    expect(creates.map(sent)).toEqual([0, 0, 0]);

    const { [externalIdField]: _, ...unkeyed } = freshCreate();
    const made = await scene.timed('create_customer', unkeyed);
    expect(made.ends, made.answer.text).toBe('created');
    const ref = { customer_id: made.answer.data.customer_id };
    const read = await scene.timed('get_customer', ref);
    expect(read.ends, read.answer.text).toBe('ok');
    const changed = await scene.timed('update_customer', { ...ref, [FIELDS[provider].name]: 'Another name' });
    expect(changed.ends, changed.answer.text).toBe('updated');
    if (connected) {
      // Only DayZero's ids are nowhere but in the store. A file that is locked can still be read.
      const byOwn = await scene.timed('get_customer', { [externalIdField]: before[externalIdField] });
      expect(byOwn.ends, byOwn.answer.text).toBe(
        provider === 'dayzero' && engine !== 'sqlite' ? 'store_unavailable' : 'ok',
      );
    }

    const mendedAt = performance.now();
    await patient.mend();
    const passing = await Promise.all(creates.map((create) => expectInTheEnd(scene, damager, create, 'created')));
    const waited = passing.flat().includes('in_progress');
    report.add(`${when}: back again`, 'create', {
      subject: engine,
      outcome: waited ? 'in_progress, then created' : 'created',
      requests: Math.max(...creates.map(sent)),
      ms: performance.now() - mendedAt,
    });
    if (!late) expect(waited, 'nothing was in progress').toBe(false);
    for (const create of connected ? [before, ...creates] : creates) {
      const again = await scene.timed('create_customer', create);
      expect(again.ends, again.answer.text).toBe(provider === 'layer' ? 'updated' : 'existing');
      expect(sent(create)).toBe(provider === 'layer' ? 2 : 1);
    }
    expect(standIn.customers.size).toBe(connected ? 5 : 4);
  } finally {
    await scene.close();
    await damager.close();
    await patient.close();
  }
}

/** The store goes while a create is under way: `at` says at which of its requests. */
async function interrupted(
  engine: EngineName,
  how: string,
  at: 'list' | 'create',
  prepare: () => Promise<Patient>,
): Promise<void> {
  const patient = await prepare();
  const scene = await startScene('dayzero', patient.address);
  const damager = await damagers[engine](patient.address);
  try {
    const { standIn, freshCreate, sent } = scene;
    const warm = await scene.timed('create_customer', freshCreate());
    expect(warm.ends, warm.answer.text).toBe('created');
    standIn.requests.length = 0;
    standIn.fault({ on: at, act: { delayMs: 500 } });
    const create = freshCreate();
    const calling = scene.timed('create_customer', create);
    await vi.waitFor(() => expect(standIn.count(at)).toBe(1), { timeout: 5_000, interval: 10 });
    await patient.strike();
    const cut = await calling;
    const where = at === 'list' ? 'between the claim and the send' : 'after the send';
    note(engine, `${how} ${where}`, cut, sent(create));
    if (at === 'list') {
      expect(cut.ends, cut.answer.text).toBe('store_unavailable');
      expect(sent(create)).toBe(0);
    } else {
      expect(cut.ends, cut.answer.text).toBe('created');
      expect(cut.answer.data.warnings).toEqual([expect.stringContaining('store')]);
    }
    const mendedAt = performance.now();
    await patient.mend();
    const end = at === 'list' ? 'created' : 'existing';
    const waited = (await expectInTheEnd(scene, damager, create, end)).includes('in_progress');
    const ms = performance.now() - mendedAt;
    report.add(`${how} ${where}: back again`, 'create', {
      subject: engine,
      outcome: waited ? `in_progress, then ${end}` : end,
      requests: sent(create),
      ms,
    });
    expect(sent(create)).toBe(1);
    expect(standIn.customers.size).toBe(2);
  } finally {
    await scene.close();
    await damager.close();
    await patient.close();
  }
}

async function refusesTheAddress(engine: EngineName, when: string, address: string): Promise<void> {
  const { standIn, environment } = await standIns.dayzero();
  const { server } = await startServer({ ...environment, CUSTOMERS_STORE: address });
  const { server: sound } = await startServer({
    ...environment,
    CUSTOMERS_STORE: withParts(address, soundParts(engine)),
  });
  try {
    const id = randomUUID();
    const create = { external_id: id, name: `Firm ${id}`, email: `${id}@example.com` };
    const tried = await timed(server, 'create_customer', create);
    note(engine, when, tried, standIn.count('create'));
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

function soundParts(engine: EngineName): { username: string; password: string; pathname: string; search: string } {
  const { username, password, pathname, search } = new URL(engine === 'redis' ? REDIS_URL : POSTGRES_URL);
  return { username, password, pathname, search };
}

/**
 * Calls until the store is back. What an interrupted call left leased is given free, as it is in time.
 * @returns how the calls before the last one ended.
 */
async function expectInTheEnd(scene: Scene, damager: Damager, create: Fields, end: string): Promise<readonly string[]> {
  const before: string[] = [];
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    const { answer, ends } = await scene.timed('create_customer', create);
    const passing = ends === 'store_unavailable' || ends === 'in_progress';
    if (!passing || performance.now() > giveUpAt) {
      expect(ends, answer.text).toBe(end);
      return before;
    }
    before.push(ends);
    if (ends === 'in_progress') await damager.endLease(keyOf(create[scene.externalIdField]));
    await pause(250);
  }
}

async function behindProxy(
  url: string,
  strike: (proxy: Proxy) => Promise<void>,
  mend: (proxy: Proxy) => Promise<void>,
): Promise<Patient> {
  const address = new URL(url);
  const proxy = await startProxy(Number(address.port || STANDARD_PORTS[address.protocol]), address.hostname);
  address.hostname = '127.0.0.1';
  address.port = String(proxy.port);
  return {
    address: address.href,
    strike: () => strike(proxy),
    mend: () => mend(proxy),
    close: () => proxy.close(),
  };
}

function inFile(strike: (file: string) => () => void): Patient {
  const { folder, remove } = temporaryStore();
  const file = `${folder}/own/customers.sqlite`;
  mkdirSync(dirname(file));
  let mend = (): void => {};
  return {
    address: `sqlite:${file}`,
    async strike() {
      mend = strike(file);
    },
    async mend() {
      mend();
    },
    async close() {
      remove();
    },
  };
}

/** Reaches into a store behind the server's back. */
interface Damager {
  /** Changes columns of a row of the ledger. */
  setRecord(key: string, columns: Readonly<Record<string, string>>): Promise<void>;
  /** Ends the lease of a row, as time does. */
  endLease(key: string): Promise<void>;
  /** Puts a text where the row was, in an engine without columns. */
  replace(key: string, text: string): Promise<void>;
  /** Keeps a row as it is; the result puts it back. */
  save(key: string): Promise<() => Promise<void>>;
  /** `false`: there was nothing under this key. */
  setEntry(key: string, value: string): Promise<boolean>;
  close(): Promise<void>;
}

const damagers: Readonly<Record<EngineName, (address: string) => Promise<Damager>>> = {
  sqlite: openSqlite,
  redis: openRedis,
  postgres: openPostgres,
};

/** The end of the key of an identity, in every engine. */
function keyOf(externalId: unknown): string {
  return createHash('sha256').update(String(externalId)).digest('hex');
}

async function openSqlite(store: string): Promise<Damager> {
  let opened: DatabaseSync | undefined;
  // Not before it is needed: until then the file may be anything.
  const database = (): DatabaseSync => (opened ??= new DatabaseSync(store.slice('sqlite:'.length), { timeout: 5_000 }));
  const set = (key: string, columns: Readonly<Record<string, unknown>>): void => {
    for (const [column, value] of Object.entries(columns))
      database().prepare(`UPDATE intents SET ${column} = ? WHERE key LIKE ?`).run(String(value), `%${key}`);
  };
  return {
    async setRecord(key, columns) {
      set(key, columns);
    },
    async endLease(key) {
      set(key, { lease_until: 0 });
    },
    async replace() {
      throw new Error('a table has columns');
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

async function openRedis(): Promise<Damager> {
  // Straight, not by way of a proxy.
  const client = await createClient({ url: REDIS_URL }).connect();
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
    async endLease(key) {
      await client.hSet(await rowOf(key), { lease: '0' });
    },
    async replace(key, text) {
      const row = await rowOf(key);
      await client.del(row);
      await client.set(row, text);
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

async function openPostgres(): Promise<Damager> {
  const pool = new pg.Pool({ connectionString: POSTGRES_URL, max: 2 });
  const set = async (key: string, columns: Readonly<Record<string, unknown>>): Promise<void> => {
    for (const [column, value] of Object.entries(columns))
      await pool.query(`UPDATE customers_mcp_intents SET ${column} = $1 WHERE key LIKE $2`, [value, `%${key}`]);
  };
  return {
    setRecord: set,
    endLease: (key) => set(key, { lease_until: 'epoch' }),
    async replace() {
      throw new Error('a table has columns');
    },
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
