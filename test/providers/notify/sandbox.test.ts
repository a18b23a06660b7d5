import { beforeEach, describe, expect, it } from 'vitest';
import { confirmed } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { sandboxTests, UNKNOWN_ID, UUID } from '../../support/sandbox.ts';

const { open, call, found, allPages, create } = sandboxTests();

describe("Notify's sandbox", () => {
  beforeEach(() => open({ CUSTOMERS_PROVIDER: 'notify' }));

  const ACME = {
    CustomerCode: '10001',
    Name: 'Creditpartners B.V.',
    Address: 'Stationsweg 1',
    Postalcode: '1234 AB',
    City: 'Utrecht',
    Country: 'BE',
    Contact: 'Jan Jansen',
    Phone: '030 123 4567',
    Mobile: '+31 6 12345678',
    Email: 'demo@notify.nl',
    InvoiceEmail: 'invoice@notify.nl',
    RegistrationNumber: '12345678',
    Language: 'english',
  };
  const ANSWER = {
    resource: 'customer',
    customerCode: '10001',
    name: 'Creditpartners B.V.',
    address: { address: 'Stationsweg 1', postalcode: '1234 AB', city: 'Utrecht', country: 'BE' },
    contact: 'Jan Jansen',
    phone: '030 123 4567',
    mobile: '+31 6 12345678',
    email: 'demo@notify.nl',
    invoiceEmail: 'invoice@notify.nl',
    registrationNumber: '12345678',
    language: 'english',
  };

  it('answers a create with the document of the page', async () => {
    const { data } = await call('create_customer', ACME);
    expect(data).toEqual({
      outcome: 'created',
      customer_id: expect.stringMatching(UUID),
      external_id: '10001',
      sandbox: true,
      customer: { ...ANSWER, id: data['customer_id'] },
    });
  });

  it('fills what was not given as the page shows it', async () => {
    const { data } = await call('create_customer', {
      CustomerCode: '10001',
      Name: 'Creditpartners B.V.',
      Email: 'demo@notify.nl',
    });
    expect(data['customer']).toEqual({
      resource: 'customer',
      id: data['customer_id'],
      customerCode: '10001',
      name: 'Creditpartners B.V.',
      address: { address: '', postalcode: '', city: '', country: 'NL' },
      contact: '',
      phone: '',
      mobile: '',
      email: 'demo@notify.nl',
      invoiceEmail: '',
      registrationNumber: '',
      language: 'dutch',
    });
  });

  it('lives a whole life with a customer', async () => {
    const id = await create(ACME);
    const own = { CustomerCode: '10001' };
    expect((await call('create_customer', ACME)).data).toMatchObject({ outcome: 'existing', customer_id: id });
    expect(errorOf(await call('create_customer', { ...ACME, City: 'Leiden' }))).toMatchObject({
      kind: 'conflict',
      fields: [{ path: 'City' }],
    });
    expect((await call('get_customer', own)).data).toMatchObject({
      customer_id: id,
      external_id: '10001',
      customer: ANSWER,
    });
    expect((await call('get_customer', { customer_id: id })).data).toMatchObject({ customer_id: id, customer: ANSWER });

    const updated = await call('update_customer', { ...own, City: 'Leiden', Phone: '1' });
    expect(updated.data).toMatchObject({
      outcome: 'updated',
      changed: { City: { from: ACME.City, to: 'Leiden' }, Phone: { to: '1' } },
    });
    expect((await call('update_customer', { ...own, clear: ['Mobile', 'Postalcode'] })).data).toMatchObject({
      outcome: 'updated',
    });
    const changed = {
      ...ANSWER,
      phone: '1',
      mobile: '',
      address: { ...ANSWER.address, city: 'Leiden', postalcode: '' },
    };
    expect((await call('get_customer', own)).data['customer']).toEqual({ ...changed, id });

    const deleted = await confirmed(call, 'archive_customer', own);
    expect(deleted.data).toEqual({
      outcome: 'deleted',
      customer_id: id,
      external_id: own.CustomerCode,
      customer: { ...changed, id },
      warnings: [expect.stringContaining('cannot restore')],
      sandbox: true,
    });
    expect(errorOf(await call('get_customer', { customer_id: id }))).toMatchObject({ kind: 'not_found' });
    expect(errorOf(await call('get_customer', own))).toMatchObject({ kind: 'not_found' });
    expect(await found('name')).toEqual([]);
    expect(await create(ACME)).not.toBe(id);
  });

  it('overwrites with Overwrite the customer that has the code', async () => {
    const id = await create(ACME);
    const bolt = { CustomerCode: '10001', Name: 'Bolt', Overwrite: true };
    const { data } = await confirmed(call, 'create_customer', bolt);
    expect(data).toMatchObject({ outcome: 'updated', customer_id: id, customer: { name: 'Bolt' } });
    expect(await found('name')).toEqual(['Bolt']);
  });

  it('finds by code, and pages through the list from the newest on', async () => {
    for (const code of ['1', '2', '3', '4', '5']) await create({ CustomerCode: code, Name: `No ${code}` });
    expect(await found('name', { Customer: '3' })).toEqual(['No 3']);
    expect(await found('name', { Customer: '33' })).toEqual([]);
    expect(await allPages('customerCode', { Limit: 2 }, 'From')).toEqual([['5', '4'], ['3', '2'], ['1']]);
    expect(errorOf(await call('search_customer', { From: 'rubbish' }))).toMatchObject({
      kind: 'invalid_input',
      message: expect.stringMatching(/no page that begins at "rubbish".*Pass the next_cursor of the previous page/),
    });
  });

  it.each(['Email', 'InvoiceEmail'])('refuses %s when it is none', async (field) => {
    const refused = { kind: 'invalid_input', message: expect.stringContaining(`${field}: is not an email address`) };
    expect(errorOf(await call('create_customer', { Name: 'Acme', [field]: 'nonsense' }))).toMatchObject(refused);
    const id = await create({ Name: 'Acme' });
    expect(errorOf(await call('update_customer', { customer_id: id, [field]: 'nonsense' }))).toMatchObject(refused);
    expect(await found('email')).toEqual([undefined]);
  });

  it('refuses a field that is longer than documented, or none of its choices', async () => {
    const cases: [string, string][] = [
      ['Name', 'x'.repeat(251)],
      ['Postalcode', 'x'.repeat(11)],
      ['Phone', '1'.repeat(21)],
      ['Mobile', '1'.repeat(21)],
      ['Country', 'NLD'],
      ['Country', 'N'],
      ['RegistrationNumber', '12345678901'],
      ['Language', 'klingon'],
      ['CustomerCode', 'x'.repeat(251)],
    ];
    for (const [field, value] of cases) {
      const answer = await call('create_customer', { Name: 'Acme', [field]: value });
      expect.soft(errorOf(answer)).toMatchObject({ kind: 'invalid_input', fields: [{ path: field }] });
      expect.soft(await found('name')).toEqual([]);
    }
  });

  it('does not know an unknown id', async () => {
    const cases: [string, Record<string, unknown>][] = [
      ['get_customer', {}],
      ['update_customer', { City: 'x' }],
      ['archive_customer', { confirm: 'x' }],
    ];
    for (const [tool, args] of cases) {
      expect.soft(errorOf(await call(tool, { ...args, customer_id: UNKNOWN_ID }))).toMatchObject({ kind: 'not_found' });
      expect.soft(errorOf(await call(tool, { ...args, CustomerCode: 'unknown' }))).toMatchObject({ kind: 'not_found' });
    }
  });
});
