import { describe, expect, it } from 'vitest';
import { confirmed, idOf, kindOf, last } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { aCode, notifyWith, operations, seed } from './fixture.ts';

describe('A code that exists at Notify', () => {
  const plain = notifyWith();

  it('is written over with Overwrite, which goes into the query and not into the form', async () => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.', Phone: '1' };
    const customer_id = idOf(await plain.create(fields));
    const { CustomerCode } = fields;
    const result = await confirmed(plain.call, 'create_customer', {
      CustomerCode,
      Name: 'Rozen B.V.',
      Overwrite: true,
    });

    expect(result.data).toMatchObject({
      outcome: 'updated',
      customer_id,
      external_id: CustomerCode,
      changed: { Name: { from: 'Tulpen B.V.', to: 'Rozen B.V.' }, Phone: { from: '1', to: null } },
      customer: { name: 'Rozen B.V.', phone: '' },
    });
    const request = last(provider, 'create');
    expect(Object.fromEntries(request?.query ?? [])).toEqual({ Overwrite: 'true' });
    expect(request?.body).toEqual({ CustomerCode, Name: 'Rozen B.V.' });
    expect(provider.customers.size).toBe(1);

    expect(kindOf(await plain.create({ CustomerCode, Name: 'Rozen B.V.' }))).toBe('existing');
    expect(errorOf(await plain.create(fields))).toMatchObject({ kind: 'conflict', customer_id });
    expect(provider.count('create')).toBe(2);
  });

  it('is written over with Overwrite when another program made it', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    const result = await confirmed(plain.call, 'create_customer', {
      CustomerCode,
      Name: 'Rozen B.V.',
      Overwrite: true,
    });
    expect(result.data).toMatchObject({ outcome: 'updated', customer_id, customer: { name: 'Rozen B.V.' } });
    expect(provider.customers.size).toBe(1);
  });

  it('is created without Overwrite when it does not exist, so that none that appears meanwhile is written over', async () => {
    const { provider } = plain;
    const result = await plain.create({ CustomerCode: aCode(), Name: 'Rozen B.V.', Overwrite: true });
    expect(result.data).toMatchObject({ outcome: 'created', customer: { name: 'Rozen B.V.' } });
    expect(last(provider, 'create')?.query.size).toBe(0);
  });

  it.each([false, null])('is not written over with Overwrite: %s, which is not sent', async (Overwrite) => {
    const { provider } = plain;
    const CustomerCode = aCode();
    expect(kindOf(await plain.create({ CustomerCode, Name: 'Tulpen B.V.', Overwrite }))).toBe('created');
    expect(last(provider, 'create')?.query.size).toBe(0);
    expect(kindOf(await plain.create({ CustomerCode, Name: 'Rozen B.V.', Overwrite }))).toBe('conflict');
    expect(provider.count('create')).toBe(1);
  });

  it.each([
    ['agrees', 'Bloemen B.V.', 'existing'],
    ['differs', 'Rozen B.V.', 'conflict'],
  ])('is looked up when the search missed it and Notify refuses the create (it %s)', async (_, Name, kind) => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    provider.fault({ on: 'search', act: { status: 404 } });
    const result = await plain.create({ CustomerCode, Name });
    expect(kindOf(result)).toBe(kind);
    expect(errorOf(result)?.['customer_id'] ?? result.data['customer_id']).toBe(customer_id);
    expect(provider.count('create')).toBe(1);
    expect(provider.customers.size).toBe(1);
    expect((await plain.call('get_customer', { CustomerCode })).data).toMatchObject({ customer_id });
  });

  it('is followed to the customer that has it now', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    provider.customers.delete(idOf(await plain.create({ CustomerCode, Name: 'Tulpen B.V.' })));
    const customer_id = seed(provider, { customerCode: CustomerCode });
    expect((await plain.call('update_customer', { CustomerCode, Phone: '2' })).data).toMatchObject({ customer_id });
    expect((await plain.call('get_customer', { CustomerCode })).data).toMatchObject({ customer_id });
  });
});

describe('A Notify that answers a create of a known code with the customer as it was', () => {
  const lenient = notifyWith({ duplicateCode: 'return-existing-200' });

  it.each([
    ['existing, when the fields agree', 'Bloemen B.V.', 'existing'],
    ['a conflict, when they differ', 'Rozen B.V.', 'conflict'],
  ])('makes it %s, although the search missed it', async (_, Name, kind) => {
    const { provider } = lenient;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    const before = provider.customers.get(customer_id);
    provider.fault({ on: 'search', act: { status: 404 } });
    const result = await lenient.create({ CustomerCode, Name });
    expect(kindOf(result)).toBe(kind);
    expect(errorOf(result)?.['customer_id'] ?? result.data['customer_id']).toBe(customer_id);
    expect(provider.customers.get(customer_id)).toBe(before);
    expect(kindOf(await lenient.create({ CustomerCode, Name }))).toBe(kind);
  });
});

describe('A Notify that would make a second customer with the same code', () => {
  const careless = notifyWith({ duplicateCode: 'duplicate' });

  it('is not asked to, for the code is searched for first', async () => {
    const { provider } = careless;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    const result = await careless.create({ CustomerCode, Name: 'Bloemen B.V.' });
    expect(result.data).toMatchObject({ outcome: 'existing', customer_id });
    expect(operations(provider)).toEqual(['search', 'get']);
  });

  it('is not asked to when the search fails', async () => {
    const { provider } = careless;
    const CustomerCode = aCode();
    seed(provider, { customerCode: CustomerCode });
    provider.fault({ on: 'search', act: { status: 500 }, times: Infinity });
    expect(kindOf(await careless.create({ CustomerCode, Name: 'Bloemen B.V.' }))).toBe('unavailable');
    expect(provider.count('create')).toBe(0);
  });
});
