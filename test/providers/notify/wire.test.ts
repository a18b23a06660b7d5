import { describe, expect, it } from 'vitest';
import { idOf, kindOf, last, messageOf } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { aCode, notifyWith, operations, seed } from './fixture.ts';
import { NOTIFY_API_KEY } from './stand-in.ts';

describe('Notify over the wire', () => {
  const plain = notifyWith();

  it('gets a create as a form, under the names of its parameter table, and no Overwrite', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const fields = {
      CustomerCode,
      Name: 'Müller & Söhne +10% = ☕',
      Address: 'Straße 1;2',
      Postalcode: '1011 AB',
      City: "'s-Hertogenbosch",
      Country: 'NL',
      Contact: 'J. de Vries',
      Phone: '+31 (0)20-123 45 67',
      Mobile: '0612345678',
      Email: 'post+a@mueller.example',
      InvoiceEmail: 'facturen@mueller.example',
      RegistrationNumber: '12345678',
      Language: 'german',
    };
    const result = await plain.create(fields);

    const request = last(provider, 'create');
    expect(request).toMatchObject({ method: 'POST', path: '/v2/customers', body: fields });
    expect(request?.headers).toMatchObject({
      'content-type': expect.stringMatching(/^application\/x-www-form-urlencoded/),
      authorization: `Bearer ${NOTIFY_API_KEY}`,
    });
    expect(request?.query.size).toBe(0);
    const stored = provider.customers.get(idOf(result));
    expect(result.data).toEqual({
      outcome: 'created',
      customer_id: stored?.['id'],
      external_id: CustomerCode,
      customer: stored,
    });
  });

  it('gets a search as a GET with a form, and nothing in its query', async () => {
    const { provider } = plain;
    const code = `${aCode()} & ünïque?`;
    const customer_id = seed(provider, { customerCode: code });
    const result = await plain.call('search_customer', { Customer: code });

    const request = last(provider, 'search');
    expect(request).toMatchObject({ method: 'GET', path: '/v2/customers/search', body: { Customer: code } });
    expect(request?.headers['content-type']).toMatch(/^application\/x-www-form-urlencoded/);
    expect(request?.query.size).toBe(0);
    expect(result.data).toMatchObject({ customers: [{ customer_id, external_id: code }], has_more: false });
  });

  it('gets an update as a PATCH with the named fields only, and an empty value for those to be cleared', async () => {
    const { provider } = plain;
    const customer_id = seed(provider, { phone: '1', mobile: '2', contact: 'Acme' });
    const result = await plain.call('update_customer', {
      customer_id,
      Phone: '3',
      Mobile: null,
      Email: '',
      clear: ['Contact'],
    });

    expect(last(provider, 'update')).toMatchObject({
      method: 'PATCH',
      path: `/v2/customers/${customer_id}`,
      body: { Phone: '3', Contact: '' },
    });
    expect(result.data).toMatchObject({ outcome: 'updated', customer_id });
    expect(result.data['warnings']).toEqual([expect.stringMatching(/^Mobile: passed empty/)]);
    expect(provider.customers.get(customer_id)).toMatchObject({ phone: '3', mobile: '2', contact: '' });
  });

  it('has the parts of the nested address changed one by one', async () => {
    const { provider } = plain;
    const address = { address: 'Dam 1', postalcode: '1012 JS', city: 'Amsterdam', country: 'NL' };
    const customer_id = seed(provider, { address });
    const result = await plain.call('update_customer', { customer_id, Postalcode: '1012 ZZ', clear: ['Address'] });
    expect(result.data['customer']).toMatchObject({ address: { ...address, postalcode: '1012 ZZ', address: '' } });
    expect(result.data).not.toHaveProperty('warnings');
  });

  it('has no field cleared that falls back to a default, nor the code', async () => {
    const { provider } = plain;
    const customer_id = seed(provider);
    for (const field of ['Country', 'Language', 'CustomerCode', 'Name'])
      expect(kindOf(await plain.call('update_customer', { customer_id, clear: [field] }))).toBe('invalid_input');
    expect(provider.count('*')).toBe(0);
  });

  it('does not get an update that names both ids, for the code cannot change', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    for (const code of [CustomerCode, aCode()]) {
      const result = await plain.call('update_customer', { customer_id, CustomerCode: code, Phone: '3' });
      expect(errorOf(result)).toMatchObject({ kind: 'invalid_input', fields: [{ path: 'CustomerCode' }] });
    }
    expect(provider.count('*')).toBe(0);
  });

  it('is not sent the code in an update by the code', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    const result = await plain.call('update_customer', { CustomerCode, Phone: '3' });
    expect(result.data).toMatchObject({
      outcome: 'updated',
      customer_id,
      external_id: CustomerCode,
      changed: { Phone: { to: '3' } },
    });
    expect(last(provider, 'update')?.body).toEqual({ Phone: '3' });
    expect(operations(provider)).toEqual(['search', 'get', 'update']);
  });

  it('has its HTTP status believed and not the status in its body', async () => {
    const { provider } = plain;
    const cases = [
      { status: 400, said: 404, kind: 'invalid_input' },
      { status: 400, said: 500, kind: 'invalid_input' },
      { status: 401, said: 200, kind: 'unauthorized' },
      { status: 403, said: 400, kind: 'forbidden' },
      { status: 409, said: 400, kind: 'conflict' },
    ];
    for (const { status, said, kind } of cases) {
      provider.fault({
        on: 'create',
        act: { status, body: { status: said, title: 'Odd', detail: `Said ${said} of it` } },
      });
      const result = await plain.create({ Name: 'Acme' });
      expect(kindOf(result)).toBe(kind);
      expect(messageOf(result)).toContain(`"Said ${said} of it"`);
    }
    expect(provider.count('create')).toBe(cases.length);

    provider.fault({ on: 'create', act: { status: 201, body: { id: 'n-1', status: 405, name: 'Acme' } } });
    expect((await plain.create({ Name: 'Acme' })).data).toMatchObject({ outcome: 'created', customer_id: 'n-1' });
  });

  it('has its title quoted if it has no detail', async () => {
    plain.provider.fault({ on: 'create', act: { status: 400, body: { status: 400, title: 'Too many customers' } } });
    expect(messageOf(await plain.create({ Name: 'Acme' }))).toContain('"Too many customers"');
  });

  it('is refused by the server if a format is wrong, and the code stays free', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const refused = await plain.create({ CustomerCode, Name: 'A', Email: 'no address' });
    expect(kindOf(refused)).toBe('invalid_input');
    expect(messageOf(refused)).toContain('Email: is not an email address');
    expect(kindOf(await plain.create({ CustomerCode, Name: 'A', Email: 'a@b.example' }))).toBe('created');
    expect(provider.customers.size).toBe(1);
  });
});
