import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { confirmed, idOf, kindOf, messageOf } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { aCode, notifyWith, seed } from './fixture.ts';
import { type NotifyOptions } from './stand-in.ts';

const READERS: readonly (readonly [string, NotifyOptions])[] = [
  ['which gives one customer and lists by id', {}],
  [
    'which answers 404 for one customer, misses with nothing and lists by number',
    { getOne: 404, searchMiss: 'empty', listShape: 'number' },
  ],
  ['which answers 405 for one customer', { getOne: 405 }],
  ['which lists by number and gives one customer', { listShape: 'number' }],
];

describe.each(READERS)('A customer at a Notify %s', (_, options) => {
  const reading = notifyWith(options);

  it('is found by its id among others', async () => {
    const { provider } = reading;
    const [, customer_id] = [seed(provider), seed(provider), seed(provider)];
    const { data } = await reading.call('get_customer', { customer_id });
    expect(data).toMatchObject({
      customer_id,
      external_id: provider.customers.get(customer_id)?.['customerCode'],
      customer: { name: 'Bloemen B.V.' },
    });
  });

  it('is found by its code, and searched for', async () => {
    const { provider } = reading;
    const code = aCode();
    const [, customer_id] = [seed(provider), seed(provider, { customerCode: code }), seed(provider)];
    const expected = { customer_id, external_id: code, customer: { name: 'Bloemen B.V.' } };
    expect((await reading.call('get_customer', { CustomerCode: code })).data).toMatchObject(expected);
    const { data } = await reading.call('search_customer', { Customer: code });
    expect(data).toMatchObject({ customers: [expected], has_more: false });
  });

  it('is listed with both its ids', async () => {
    const { provider } = reading;
    const code = aCode();
    const customer_id = seed(provider, { customerCode: code });
    const { data } = await reading.call('search_customer');
    expect(data).toMatchObject({ customers: [{ customer_id, external_id: code }], has_more: false });
  });

  it('that does not exist is not_found, by id and by code, and no row in a search', async () => {
    seed(reading.provider);
    const byId = await reading.call('get_customer', { customer_id: randomUUID() });
    expect(kindOf(byId)).toBe('not_found');
    expect(messageOf(byId)).toContain('search_customer');
    expect(kindOf(await reading.call('get_customer', { CustomerCode: aCode() }))).toBe('not_found');
    const { data } = await reading.call('search_customer', { Customer: aCode() });
    expect(data).toMatchObject({ customers: [], has_more: false, warnings: [expect.stringContaining('find')] });
  });

  it('that does not exist is not changed and not deleted', async () => {
    const { provider } = reading;
    seed(provider);
    for (const ref of [{ customer_id: randomUUID() }, { CustomerCode: aCode() }]) {
      expect(kindOf(await reading.call('update_customer', { ...ref, Phone: '3' }))).toBe('not_found');
      expect(kindOf(await reading.call('archive_customer', { ...ref, confirm: 'Bloemen B.V.' }))).toBe('not_found');
    }
    expect(provider.count('delete')).toBe(0);
  });

  it('is created, found again, changed by its code and deleted', async () => {
    const { provider } = reading;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.', City: 'Lisse' };
    const customer_id = idOf(await reading.create(fields));
    expect((await reading.create(fields)).data).toMatchObject({ outcome: 'existing', customer_id });
    const { CustomerCode } = fields;
    expect((await reading.call('update_customer', { CustomerCode, City: 'Hillegom' })).data).toMatchObject({
      outcome: 'updated',
      customer_id,
      customer: { address: { city: 'Hillegom' } },
    });
    expect(kindOf(await confirmed(reading.call, 'archive_customer', { CustomerCode }))).toBe('deleted');
    expect(provider.customers.size).toBe(0);
    expect(provider.count('create')).toBe(1);
  });

  it('that another program made is existing when the fields agree and a conflict when they do not', async () => {
    const { provider } = reading;
    const CustomerCode = aCode();
    const address = { address: 'Dam 1', postalcode: '', city: 'Amsterdam', country: 'NL' };
    const customer_id = seed(provider, { customerCode: CustomerCode, address });
    const fields = { CustomerCode, Name: 'Bloemen B.V.', City: 'Amsterdam' };
    const other = await reading.create({ ...fields, City: 'Rotterdam', Phone: '1' });
    expect(errorOf(other)).toMatchObject({ kind: 'conflict', customer_id });
    expect(messageOf(other)).toMatch(/City/);
    expect(messageOf(other)).toMatch(/Phone/);
    expect(messageOf(other)).not.toMatch(/Name/);

    expect((await reading.create(fields)).data).toMatchObject({
      outcome: 'existing',
      customer_id,
      external_id: CustomerCode,
      customer: { name: 'Bloemen B.V.', address },
    });
    expect(provider.count('create')).toBe(0);
  });
});

describe('A Notify that gives no single customer and begins its list anywhere', () => {
  const odd = notifyWith({ getOne: 404 });

  it('returns not_found instead of another customer', async () => {
    const { provider } = odd;
    const other = seed(provider);
    const page = { customers: [provider.customers.get(other)], count: 1, links: { previous: null, next: null } };
    provider.fault({ on: 'list', act: { status: 200, body: page }, times: Infinity });
    const ref = { customer_id: randomUUID() };
    expect(kindOf(await odd.call('get_customer', ref))).toBe('not_found');
    expect(kindOf(await odd.call('archive_customer', { ...ref, confirm: 'Bloemen B.V.' }))).toBe('not_found');
    expect(provider.count('delete')).toBe(0);
  });
});
