import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { idOf, kindOf, last, messageOf } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { anId, dayzeroWith, seed, softDelete, someone } from './fixture.ts';

describe('link_customer', () => {
  const plain = dayzeroWith();

  it('links an external_id to a customer, and answers already_linked the second time', async () => {
    const { provider } = plain;
    const external_id = anId();
    const customer_id = seed(provider, someone());
    const customer = provider.customers.get(customer_id);
    const first = await plain.call('link_customer', { external_id, customer_id });
    expect(first.data).toEqual({ outcome: 'linked', customer_id, external_id, customer });
    const second = await plain.call('link_customer', { external_id, customer_id });
    expect(second.data).toEqual({ outcome: 'already_linked', customer_id, external_id, customer });
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id, external_id });
    expect(new Set(provider.requests.map(({ method }) => method))).toEqual(new Set(['GET']));
  });

  it('makes a create of other fields a conflict with the customer it was linked to', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone();
    const customer_id = seed(provider, { ...fields, notes: 'there' });
    await plain.call('link_customer', { external_id, customer_id });
    const result = await plain.create({ ...fields, notes: 'mine', external_id });
    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id, fields: [{ path: 'notes' }] });
    expect(provider.count('create')).toBe(0);
  });

  it('is a conflict when the external_id belongs to another customer, whom it names', async () => {
    const { provider } = plain;
    const external_id = anId();
    const owner = idOf(await plain.create(someone({ external_id })));
    const customer_id = seed(provider, someone());
    const result = await plain.call('link_customer', { external_id, customer_id });
    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id: owner });
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id: owner });
  });

  it('goes through when that other customer is deleted', async () => {
    const { provider } = plain;
    const external_id = anId();
    const owner = idOf(await plain.create(someone({ external_id })));
    softDelete(provider, owner);
    const customer_id = seed(provider, someone());
    const result = await plain.call('link_customer', { external_id, customer_id });
    expect(result.data).toMatchObject({ outcome: 'linked', customer_id });
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id });
  });

  it('does not link an unknown customer', async () => {
    const external_id = anId();
    const result = await plain.call('link_customer', { external_id, customer_id: randomUUID() });
    expect(kindOf(result)).toBe('not_found');
    expect(kindOf(await plain.call('get_customer', { external_id }))).toBe('not_found');
    expect(kindOf(await plain.create(someone({ external_id })))).toBe('created');
  });

  it('does not link a deleted customer', async () => {
    const { provider } = plain;
    const external_id = anId();
    const customer_id = seed(provider, someone());
    softDelete(provider, customer_id);
    const result = await plain.call('link_customer', { external_id, customer_id });
    expect(kindOf(result)).toBe('not_found');
    expect(messageOf(result)).toMatch(/deleted/);
    provider.requests.length = 0;
    expect(kindOf(await plain.call('get_customer', { external_id }))).toBe('not_found');
    expect(provider.count('*')).toBe(0);
  });
});

describe('update_customer with both ids', () => {
  const plain = dayzeroWith();

  it('links the external_id and changes the fields', async () => {
    const { provider } = plain;
    const external_id = anId();
    const customer_id = seed(provider, someone());
    const result = await plain.call('update_customer', { customer_id, external_id, notes: 'x' });
    expect(result.data).toMatchObject({ outcome: 'updated', customer_id, external_id, customer: { notes: 'x' } });
    expect(result.data['changed']).toEqual({
      notes: { from: null, to: 'x' },
      external_id: { from: null, to: external_id },
    });
    expect(last(provider, 'update')?.body).toEqual({ notes: 'x' });
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id });
  });

  it('needs no field to link, and then sends no update', async () => {
    const { provider } = plain;
    const external_id = anId();
    const customer_id = seed(provider, someone());
    const result = await plain.call('update_customer', { customer_id, external_id });
    expect(result.data).toMatchObject({
      outcome: 'updated',
      changed: { external_id: { to: external_id } },
      customer_id,
      external_id,
    });
    expect(provider.count('update')).toBe(0);
    expect((await plain.call('link_customer', { customer_id, external_id })).data['outcome']).toBe('already_linked');
  });

  it('is a conflict when the external_id belongs to another customer, and changes neither', async () => {
    const { provider } = plain;
    const external_id = anId();
    const owner = idOf(await plain.create(someone({ external_id })));
    const customer_id = seed(provider, someone());
    const result = await plain.call('update_customer', { customer_id, external_id, notes: 'x' });
    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id: owner });
    expect(provider.count('update')).toBe(0);
  });

  it('does not link a deleted customer, as link_customer does not', async () => {
    const { provider } = plain;
    const external_id = anId();
    const customer_id = seed(provider, someone());
    softDelete(provider, customer_id);
    const result = await plain.call('update_customer', { customer_id, external_id });
    expect(kindOf(result)).toBe('not_found');
    expect(provider.count('update')).toBe(0);
    provider.requests.length = 0;
    expect(kindOf(await plain.call('get_customer', { external_id }))).toBe('not_found');
    expect(provider.count('*')).toBe(0);
  });
});
