import { createClient } from '@redis/client';
import { randomUUID } from 'node:crypto';
import { copyFileSync, readFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { IntentData } from '../../src/identity/intent.ts';
import { decodeIntent, encodeIntent } from '../../src/identity/stored-intent.ts';
import { connect, errorOf, temporaryStore, type Connection } from '../support/client.ts';
import { engines, POSTGRES_URL, REDIS_URL } from '../support/stores.ts';

/** A copy of a store that version 0.1.0 wrote; fixtures/README.md describes how it was made. */
interface Copy {
  readonly address: string;
  /** Adds a row as version 0.1.0 does, because that version may share the store during an upgrade. */
  insertAsBefore(key: string): Promise<void>;
  remove(): Promise<void>;
}

const fixture = (ending: string): string => new URL(`fixtures/store-0.1.0.${ending}`, import.meta.url).pathname;

async function copyFile(): Promise<Copy> {
  const { store, remove } = temporaryStore();
  const file = store.slice('sqlite:'.length);
  copyFileSync(fixture('sqlite'), file);
  return {
    address: store,
    async insertAsBefore(key) {
      const database = new DatabaseSync(file, { timeout: 5_000 });
      database
        .prepare(
          "INSERT INTO intents (key, state, epoch, owner, lease_until, check_at, data) VALUES (?, 'GONE', 1, 'me', 0, 0, '{}')",
        )
        .run(key);
      database.close();
    },
    async remove() {
      remove();
    },
  };
}

/** Loads a separate database, because all users of a sandbox share its customers. */
async function loadRedis(): Promise<Copy> {
  const address = new URL(REDIS_URL);
  address.pathname = String((Number(address.pathname.slice(1)) + 8) % 16);
  const client = await createClient({ url: address.href }).connect();
  const clear = async (): Promise<void> => {
    for await (const keys of client.scanIterator({ MATCH: '{customers-mcp}:*', COUNT: 500 }))
      if (keys.length > 0) await client.del(keys);
  };
  await clear();
  const commands: string[][] = JSON.parse(readFileSync(fixture('redis.json'), 'utf8'));
  for (const command of commands) await client.sendCommand(command);
  return {
    address: address.href,
    async insertAsBefore() {
      // Redis has no columns that could be missing.
    },
    async remove() {
      await clear();
      client.destroy();
    },
  };
}

async function loadPostgres(): Promise<Copy> {
  const schema = `store_${randomUUID().replaceAll('-', '')}`;
  const address = new URL(POSTGRES_URL);
  address.searchParams.set('options', `-c search_path=${schema}`);
  const client = new pg.Client({ connectionString: POSTGRES_URL });
  await client.connect();
  await client.query(`CREATE SCHEMA ${schema}; SET search_path = ${schema};`);
  await client.query(readFileSync(fixture('postgres.sql'), 'utf8'));
  return {
    address: address.href,
    async insertAsBefore(key) {
      const values = "($1, 'GONE', 1, 'me', now(), now(), '{}')";
      await client.query(
        `INSERT INTO customers_mcp_intents (key, state, epoch, owner, lease_until, check_at, data) VALUES ${values}`,
        [key],
      );
    },
    async remove() {
      await client.query(`DROP SCHEMA ${schema} CASCADE`);
      await client.end();
    },
  };
}

/** The engines of that version. One that was added later has no rows of it. */
const copies = { sqlite: copyFile, redis: loadRedis, postgres: loadPostgres };

const fieldsOf = (name: string) => ({ name: `Company ${name}`, email: `${name}@acme.example` });
const createOf = (name: string) => ({ external_id: `crm-${name}`, ...fieldsOf(name) });

for (const name of ['sqlite', 'redis', 'postgres'] as const)
  describe.skipIf(!engines.some((engine) => engine.name === name))(`a store of version 0.1.0 on ${name}`, () => {
    let copy: Copy;
    let server: Connection;

    beforeAll(async () => {
      copy = await copies[name]();
      server = await connect({
        CUSTOMERS_PROVIDER: 'dayzero',
        CUSTOMERS_SANDBOX: 'true',
        CUSTOMERS_STORE: copy.address,
      });
    });

    afterAll(async () => {
      await server.close();
      await copy.remove();
    });

    /** The ids of the customers with an email. */
    async function idsOf(email: string): Promise<unknown[]> {
      const { data } = await server.call('search_customer', { email });
      return Array.isArray(data['customers']) ? data['customers'].map((row) => row.customer_id) : [];
    }

    test('DONE is the created customer, compared with what was sent', async () => {
      const [id] = await idsOf('done@acme.example');
      expect(id).toEqual(expect.any(String));
      expect((await server.call('get_customer', { external_id: 'crm-done' })).data['customer_id']).toBe(id);
      const again = await server.call('create_customer', createOf('done'));
      expect(again.data).toMatchObject({ outcome: 'existing', customer_id: id });
      const other = await server.call('create_customer', { ...createOf('done'), name: 'Another' });
      expect(errorOf(other)).toMatchObject({ kind: 'conflict', customer_id: id, fields: [{ path: 'name' }] });
    });

    test('SENT is looked up and found by the fields that were sent', async () => {
      const [id] = await idsOf('sent@acme.example');
      const again = await server.call('create_customer', createOf('sent'));
      expect(again.data).toMatchObject({ outcome: 'existing', customer_id: id });
    });

    test('UNSURE stays unknown, because the similar customer existed before the send', async () => {
      expect(await idsOf('unsure@acme.example')).toHaveLength(1);
      const again = await server.call('create_customer', createOf('unsure'));
      expect(errorOf(again)).toMatchObject({ kind: 'outcome_unknown', external_id: 'crm-unsure' });
    });

    test('CONFLICT stays a conflict, with both candidates', async () => {
      const again = await server.call('create_customer', createOf('conflict'));
      expect(errorOf(again)).toMatchObject({ kind: 'conflict', candidates: [expect.anything(), expect.anything()] });
    });

    test('GONE is a free external id', async () => {
      expect(errorOf(await server.call('get_customer', { external_id: 'crm-gone' }))).toMatchObject({
        kind: 'not_found',
      });
      const again = await server.call('create_customer', createOf('gone'));
      expect(again.data).toMatchObject({ outcome: 'created' });
    });

    test('PENDING was never sent', async () => {
      const again = await server.call('create_customer', createOf('pending'));
      expect(again.data).toMatchObject({ outcome: 'created' });
    });

    test('accepts new rows of both versions', async () => {
      const created = await server.call('create_customer', createOf(`new-${randomUUID()}`));
      expect(created.data).toMatchObject({ outcome: 'created' });
      await expect(copy.insertAsBefore('test/as-before')).resolves.toBeUndefined();
    });
  });

describe('the stored spelling', () => {
  const data: IntentData = {
    salt: 's',
    externalId: 'crm-1',
    fingerprint: { name: 'hash' },
    sentAt: 1,
    committed: true,
    customerId: 'c-1',
    excludedIds: ['c-0'],
    checks: 2,
  };
  const stored = {
    op: 's',
    externalId: 'crm-1',
    fields: { name: 'hash' },
    sentAt: 1,
    committed: true,
    remoteId: 'c-1',
    before: ['c-0'],
    checks: 2,
  };

  test.each([
    ['PENDING', 'PENDING'],
    ['SENT', 'SENT'],
    ['UNKNOWN', 'UNSURE'],
    ['DONE', 'DONE'],
    ['CONFLICT', 'CONFLICT'],
    ['RELEASED', 'GONE'],
  ] as const)('of %s is %s, as in version 0.1.0', (state, storedState) => {
    const columns = encodeIntent(state, data);
    expect({ ...columns, data: JSON.parse(columns.data) }).toEqual({ state: storedState, data: stored });
    expect(decodeIntent({ key: 'k', epoch: 3, ...columns })).toEqual({ key: 'k', epoch: 3, state, data });
  });
});
