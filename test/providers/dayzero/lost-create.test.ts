import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { confirmed, idOf, kindOf, messageOf } from '../../support/answers.ts';
import { connect, errorOf, temporaryStore, type Connection, type Environment } from '../../support/client.ts';
import { isRecord, type StandIn } from '../../support/stand-in.ts';
import { anId, dayzeroWith, LONG_AGO, seed, someone } from './fixture.ts';
import { startDayZero } from './stand-in.ts';

describe('A DayZero create whose answer is lost', () => {
  const plain = dayzeroWith();

  it('and which turns up late is found by the next call', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ notes: 'late' });
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create({ ...fields, external_id }))).toBe('outcome_unknown');
    // DayZero's clock may be a little behind ours.
    const customer_id = seed(provider, { ...fields, created_at: new Date(Date.now() - 2_000).toISOString() });

    expect((await plain.create({ ...fields, external_id })).data).toMatchObject({ outcome: 'existing', customer_id });
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id });
    expect(provider.count('create')).toBe(1);
  });

  it('is found by the next call when even the search for it failed', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    provider.fault({ on: 'create', act: { status: 502 }, when: 'after' });
    provider.fault({ on: 'list', act: { status: 500 }, skip: 3 });
    expect(kindOf(await plain.create(fields))).toBe('outcome_unknown');
    const [stored] = provider.customers.values();
    expect((await plain.create(fields)).data).toMatchObject({ outcome: 'existing', customer_id: stored?.['id'] });
    expect(provider.customers.size).toBe(1);
  });

  it.each([
    ['made before it was sent', { created_at: LONG_AGO }],
    ['with another value in a field that was sent', { notes: 'other' }],
    ['without a field that was sent', { notes: null }],
    ['that is deleted', { is_deleted: true }],
  ])('is not taken for a customer %s', async (_, difference) => {
    const { provider } = plain;
    const fields = someone({ notes: 'mine' });
    const external_id = anId();
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create({ ...fields, external_id }))).toBe('outcome_unknown');
    seed(provider, { ...fields, created_at: new Date().toISOString(), ...difference });
    expect(kindOf(await plain.create({ ...fields, external_id }))).toBe('outcome_unknown');
    expect(kindOf(await plain.call('get_customer', { external_id }))).toBe('not_found');
    expect(provider.count('create')).toBe(1);
  });

  it('is not taken for the look-alike that allow_duplicate was about, however new that is', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone();
    const request = { ...fields, external_id, allow_duplicate: true };
    const lookAlike = seed(provider, { ...fields, created_at: new Date().toISOString() });
    provider.fault({ on: 'create', act: 'reset', when: 'after' });
    const result = await plain.create(request);
    const created = [...provider.customers.keys()].find((id) => id !== lookAlike);
    expect(result.data).toMatchObject({ outcome: 'created', customer_id: created });

    const lost = { ...request, external_id: anId() };
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create(lost))).toBe('outcome_unknown');
    expect(kindOf(await plain.create(lost))).toBe('outcome_unknown');
    expect(provider.count('create')).toBe(2);
  });

  it('is a conflict with candidates when several customers look like it, until link_customer decides', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone();
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create({ ...fields, external_id }))).toBe('outcome_unknown');
    const now = new Date().toISOString();
    const [one, other] = [
      seed(provider, { ...fields, created_at: now }),
      seed(provider, { ...fields, created_at: now }),
    ];

    for (const args of [fields, { ...fields, allow_duplicate: true }, { ...fields, notes: 'other' }]) {
      const result = await plain.create({ ...args, external_id });
      expect(kindOf(result)).toBe('conflict');
      const candidates = errorOf(result)?.['candidates'];
      const ids = Array.isArray(candidates) ? candidates.map((row) => (isRecord(row) ? row['customer_id'] : row)) : [];
      expect(ids.toSorted()).toEqual([one, other].toSorted());
      expect(messageOf(result)).toContain('link_customer');
    }
    expect(provider.count('create')).toBe(1);

    expect(kindOf(await plain.call('link_customer', { external_id, customer_id: one }))).toBe('linked');
    expect((await plain.create({ ...fields, external_id })).data).toMatchObject({
      outcome: 'existing',
      customer_id: one,
    });
    expect(provider.count('create')).toBe(1);
  });

  it('is settled by link_customer', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone();
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create({ ...fields, external_id }))).toBe('outcome_unknown');
    const customer_id = seed(provider, fields);
    expect(kindOf(await plain.call('link_customer', { external_id, customer_id }))).toBe('linked');
    expect((await plain.create({ ...fields, external_id })).data).toMatchObject({ outcome: 'existing', customer_id });
    expect(provider.count('create')).toBe(1);
  });

  it('has no second one sent without an external_id either, and advises to search', async () => {
    const { provider } = plain;
    const fields = someone();
    provider.fault({ on: 'create', act: 'reset', when: 'after' });
    const result = await plain.create(fields);
    expect(kindOf(result)).toBe('outcome_unknown');
    expect(messageOf(result)).toContain('search_customer');
    expect(provider.count('create')).toBe(1);
    expect(kindOf(await plain.create(fields))).toBe('possible_duplicate');
  });

  it('is found without an external_id when DayZero accepted it and only its id is missing', async () => {
    const { provider } = plain;
    provider.fault({ on: 'create', act: 'cut', when: 'after' });
    const result = await plain.create(someone());
    const [stored] = provider.customers.values();
    expect(result.data).toMatchObject({ outcome: 'created', customer_id: stored?.['id'], customer: stored });
    expect(provider.count('create')).toBe(1);
  });
});

describe('What is known of DayZero customers, with a SQLite store', () => {
  const disk = temporaryStore();
  const servers: Connection[] = [];
  let provider: StandIn;
  let environment: Environment;
  beforeAll(async () => {
    const started = await startDayZero();
    provider = started.standIn;
    environment = { ...started.environment, CUSTOMERS_STORE: disk.store };
  });
  beforeEach(() => provider.reset());
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    await provider.close();
    disk.remove();
  });
  /** The next server process on the same store; the one before has ended. */
  async function restarted(): Promise<Connection> {
    await servers.at(-1)?.close();
    const server = await connect(environment);
    servers.push(server);
    return server;
  }

  it('survives a restart: a linked customer stays linked, a lost create stays lost, a deleted one is free', async () => {
    const [linked, lost, gone] = [anId(), anId(), anId()];
    const lostFields = someone({ external_id: lost });
    const goneFields = someone({ external_id: gone });
    const customer_id = seed(provider, someone());
    const before = await restarted();
    await before.call('link_customer', { external_id: linked, customer_id });
    const goneId = idOf(await before.call('create_customer', goneFields));
    await confirmed(before.call, 'archive_customer', { external_id: gone });
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await before.call('create_customer', lostFields))).toBe('outcome_unknown');
    provider.requests.length = 0;

    const after = await restarted();
    expect((await after.call('get_customer', { external_id: linked })).data).toMatchObject({ customer_id });
    expect(kindOf(await after.call('create_customer', lostFields))).toBe('outcome_unknown');
    expect(provider.count('create')).toBe(0);
    const again = await after.call('create_customer', goneFields);
    expect(kindOf(again)).toBe('created');
    expect(idOf(again)).not.toBe(goneId);
  });

  it('does not reach another business', async () => {
    const external_id = anId();
    const customer_id = seed(provider, someone());
    await (await restarted()).call('link_customer', { external_id, customer_id });
    environment = { ...environment, DAYZERO_BUSINESS_ID: randomUUID() };
    provider.requests.length = 0;
    const result = await (await restarted()).call('get_customer', { external_id });
    expect(kindOf(result)).toBe('not_found');
    expect(provider.count('*')).toBe(0);
  });
});
