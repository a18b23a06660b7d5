import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import {
  connect,
  errorOf,
  standIns,
  temporaryStore,
  type Connection,
  type Environment,
  type ToolResult,
} from './support/client.ts';
import { SANDBOX } from './support/process.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NOBODY = '00000000-0000-4000-8000-000000000000';

let connection: Connection;
const call = (tool: string, args: Record<string, unknown> = {}): Promise<ToolResult> => connection.call(tool, args);
const open = async (provider: string, more: Environment = {}): Promise<void> => {
  connection = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: provider, ...more });
};
afterEach(() => connection.close());

const Page = z.object({
  customers: z.array(z.object({ customer_id: z.string(), customer: z.record(z.string(), z.unknown()) })),
  has_more: z.boolean(),
  next_cursor: z.string().optional(),
  total: z.number().optional(),
});

async function search(args: Record<string, unknown> = {}): Promise<z.infer<typeof Page>> {
  return Page.parse((await call('search_customer', args)).data);
}

/** One field of all customers that a search finds, in order. */
async function found(field: string, args: Record<string, unknown> = {}): Promise<unknown[]> {
  return (await search(args)).customers.map(({ customer }) => customer[field]);
}

/** Every customer, page after page. */
async function allPages(field: string, limit: Record<string, number>, cursor: string): Promise<unknown[][]> {
  const pages: unknown[][] = [];
  for (let next: string | undefined = ''; next !== undefined && pages.length < 10;) {
    const page: z.infer<typeof Page> = await search({ ...limit, ...(next !== '' && { [cursor]: next }) });
    pages.push(page.customers.map(({ customer }) => customer[field]));
    expect(page.has_more).toBe(page.next_cursor !== undefined);
    next = page.next_cursor;
  }
  return pages;
}

async function create(args: Record<string, unknown>): Promise<string> {
  const { data } = await call('create_customer', args);
  expect(data).toMatchObject({ outcome: 'created', customer_id: expect.stringMatching(UUID) });
  return String(data['customer_id']);
}

describe("Layer's sandbox", () => {
  beforeEach(() => open('layer'));

  const ACME = {
    external_id: 'customer-1',
    individual_name: 'John Doe',
    company_name: 'Acme, Inc.',
    email: 'john@hotmail.com',
    mobile_phone: '555-555-5555',
    office_phone: '555-555-5556',
    address_string: '123 Main St, Phoenix, AZ 85001',
    notes: 'This is a note',
  };

  it('answers a create with the document of the page', async () => {
    const { data } = await call('create_customer', { ...ACME, tags: [{ key: 'department', value: 'sales' }] });
    expect(data).toEqual({
      outcome: 'created',
      customer_id: expect.stringMatching(UUID),
      external_id: 'customer-1',
      sandbox: true,
      customer: {
        type: 'CustomerData',
        id: data['customer_id'],
        ...ACME,
        status: 'ACTIVE',
        transaction_tags: [
          expect.objectContaining({
            id: expect.stringMatching(UUID),
            key: 'department',
            value: 'sales',
            dimension_id: expect.any(String),
            definition_id: expect.any(String),
            created_at: expect.any(String),
            updated_at: expect.any(String),
            deleted_at: null,
            archived_at: null,
          }),
        ],
      },
    });
  });

  it('lives a whole life with a customer', async () => {
    const id = await create(ACME);
    const own = { external_id: 'customer-1' };
    expect((await call('get_customer', own)).data).toMatchObject({ customer_id: id, customer: ACME });
    expect((await call('get_customer', { customer_id: id })).data).toMatchObject({
      customer_id: id,
      external_id: 'customer-1',
    });

    const updated = await call('update_customer', {
      ...own,
      email: 'new@example.com',
      tags: [{ key: 'tier', value: 'gold' }],
    });
    expect(updated.data).toMatchObject({ outcome: 'updated', changed: ['email', 'tags'] });
    expect((await call('get_customer', own)).data['customer']).toMatchObject({
      ...ACME,
      email: 'new@example.com',
      transaction_tags: [{ key: 'tier', value: 'gold' }],
    });

    expect((await call('update_customer', { ...own, email: 'new@example.com' })).data).toMatchObject({
      outcome: 'unchanged',
      changed: [],
    });
    expect((await call('update_customer', { ...own, clear: ['notes', 'tags'] })).data).toMatchObject({
      outcome: 'updated',
    });
    expect((await call('get_customer', own)).data['customer']).toMatchObject({
      ...ACME,
      email: 'new@example.com',
      notes: null,
      transaction_tags: [],
    });

    expect((await call('archive_customer', own)).data).toMatchObject({
      outcome: 'archived',
      customer: { status: 'ARCHIVED' },
    });
    expect((await call('archive_customer', own)).data).toMatchObject({ outcome: 'already_archived' });
    expect(await found('external_id')).toEqual([]);
    expect(await found('external_id', { include_archived: true })).toEqual(['customer-1']);
    expect((await call('get_customer', { customer_id: id })).data['customer']).toMatchObject({ status: 'ARCHIVED' });
    expect((await call('get_customer', own)).data['customer']).toMatchObject({ status: 'ARCHIVED' });

    expect((await call('restore_customer', own)).data).toMatchObject({
      outcome: 'restored',
      customer: { status: 'ACTIVE' },
    });
    expect((await call('restore_customer', own)).data).toMatchObject({ outcome: 'already_active' });
    expect(await found('external_id')).toEqual(['customer-1']);
  });

  it('updates the customer whose external_id is created again', async () => {
    const id = await create(ACME);
    const again = await call('create_customer', { external_id: 'customer-1', email: 'other@example.com' });
    expect(again.data).toMatchObject({ outcome: 'updated', customer_id: id, customer: { email: 'other@example.com' } });
    expect((await search()).customers.length).toBe(1);
  });

  it('makes two customers of two creates without external_id', async () => {
    const first = await create({ company_name: 'Acme' });
    expect(await create({ company_name: 'Acme' })).not.toBe(first);
  });

  it('filters a list as the page says', async () => {
    await create({ external_id: 'erp-17', company_name: 'Acme, Inc.', individual_name: 'John Doe' });
    await create({ external_id: 'ERP-18', company_name: 'Bolt', individual_name: 'Mary Poppins' });
    await create({ external_id: 'crm-1', individual_name: 'Acme' });
    expect(await found('external_id', { external_id: 'erp-17' })).toEqual(['erp-17']);
    expect(await found('external_id', { external_id: 'erp-1' })).toEqual([]);
    expect(await found('external_id', { external_id_contains: 'eRp' })).toEqual(['erp-17', 'ERP-18']);
    expect(await found('external_id', { name: 'Acme' })).toEqual(['crm-1']);
    expect(await found('external_id', { name_contains: 'acME' })).toEqual(['erp-17', 'crm-1']);
    expect(await found('external_id', { name_contains: 'poppins', external_id_contains: 'erp' })).toEqual(['ERP-18']);
  });

  it('sorts and pages through a list without losing or repeating anyone', async () => {
    for (const name of ['b', 'e', 'a', 'd', 'c']) await create({ company_name: name });
    expect(await found('company_name', { sort_by: 'company_name' })).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await found('company_name', { sort_by: 'company_name', sort_order: 'DESC' })).toEqual([
      'e',
      'd',
      'c',
      'b',
      'a',
    ]);
    expect(await allPages('company_name', { limit: 2 }, 'cursor')).toEqual([['b', 'e'], ['a', 'd'], ['c']]);
  });

  it('moves a customer to another external_id, but not to one that is taken', async () => {
    const id = await create(ACME);
    await create({ external_id: 'customer-2', company_name: 'Bolt' });
    const taken = await call('update_customer', { customer_id: id, external_id: 'customer-2' });
    expect(errorOf(taken)).toMatchObject({ kind: 'conflict', message: expect.stringContaining('409') });
    const moved = await call('update_customer', { customer_id: id, external_id: 'customer-3' });
    expect(moved.data).toMatchObject({ outcome: 'updated', changed: ['external_id'], external_id: 'customer-3' });
    expect(errorOf(await call('get_customer', { external_id: 'customer-1' }))).toMatchObject({ kind: 'not_found' });
    expect((await call('get_customer', { external_id: 'customer-3' })).data).toMatchObject({ customer_id: id });
  });

  it('does not know nobody', async () => {
    const cases: [string, Record<string, unknown>][] = [
      ['get_customer', {}],
      ['update_customer', { notes: 'x' }],
      ['archive_customer', {}],
      ['restore_customer', {}],
    ];
    for (const [tool, args] of cases) {
      expect.soft(errorOf(await call(tool, { ...args, customer_id: NOBODY }))).toMatchObject({
        kind: 'not_found',
        message: expect.stringMatching(/Layer answered 404: "Customer not found/),
      });
      expect.soft(errorOf(await call(tool, { ...args, external_id: 'nobody' }))).toMatchObject({ kind: 'not_found' });
    }
  });

  it('refuses a cursor that it never gave out', async () => {
    expect(errorOf(await call('search_customer', { cursor: 'nonsense' }))).toMatchObject({ kind: 'invalid_input' });
  });
});

describe("DayZero's sandbox", () => {
  beforeEach(() => open('dayzero'));

  const ACME = {
    name: 'Acme Corp',
    email: 'billing@acme.com',
    address: '123 Main St, San Francisco, CA 94105',
    phone: '+1-555-0100',
    tax_id: '12-3456789',
    website: 'https://acme.com',
    notes: 'Pays late',
    credit_limit_cents: 5_000_000,
    default_payment_term_id: 'net-30',
    status: 'inactive',
    category: 'Retail',
    invoice_footer: 'Thank you',
  };

  it('answers a create with the document of the page', async () => {
    const { data } = await call('create_customer', { ...ACME, external_id: 'a-1' });
    expect(data).toEqual({
      outcome: 'created',
      customer_id: expect.stringMatching(UUID),
      external_id: 'a-1',
      sandbox: true,
      customer: {
        id: data['customer_id'],
        business_id: expect.any(String),
        created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        updated_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
        ...ACME,
        is_deleted: false,
        deleted_at: null,
        stripe_customer_id: null,
        contacts: [],
      },
    });
  });

  it('lives a whole life with a customer', async () => {
    const id = await create({ ...ACME, external_id: 'a-1' });
    const own = { external_id: 'a-1' };
    expect((await call('create_customer', { ...ACME, ...own })).data).toMatchObject({
      outcome: 'existing',
      customer_id: id,
    });
    expect(errorOf(await call('create_customer', { ...ACME, ...own, phone: '1' }))).toMatchObject({
      kind: 'conflict',
      fields: [{ path: 'phone' }],
    });

    const updated = await call('update_customer', { ...own, credit_limit_cents: 1, status: 'blocked' });
    expect(updated.data).toMatchObject({ outcome: 'updated', changed: ['credit_limit_cents', 'status'] });
    expect((await call('update_customer', { ...own, clear: ['notes', 'credit_limit_cents'] })).data).toMatchObject({
      outcome: 'updated',
    });
    expect((await call('get_customer', own)).data).toMatchObject({
      customer_id: id,
      external_id: 'a-1',
      customer: { ...ACME, status: 'blocked', notes: null, credit_limit_cents: null },
    });

    expect((await call('link_customer', { customer_id: id, external_id: 'b-1' })).data).toMatchObject({
      outcome: 'linked',
    });
    expect((await call('link_customer', { customer_id: id, external_id: 'b-1' })).data).toMatchObject({
      outcome: 'already_linked',
    });
    expect((await call('get_customer', { external_id: 'b-1' })).data).toMatchObject({ customer_id: id });

    const asked = await call('archive_customer', own);
    expect(errorOf(asked)).toMatchObject({ kind: 'confirmation_required', confirm: 'Acme Corp' });
    expect((await call('archive_customer', { ...own, confirm: 'Acme Corp' })).data).toMatchObject({
      outcome: 'deleted',
      customer_id: id,
    });
    expect(await found('name')).toEqual([]);
    expect((await call('get_customer', { customer_id: id })).data['customer']).toMatchObject({
      ...ACME,
      status: 'blocked',
      notes: null,
      credit_limit_cents: null,
      is_deleted: true,
      deleted_at: expect.any(String),
    });
    expect((await call('archive_customer', { customer_id: id, confirm: 'Acme Corp' })).data).toMatchObject({
      outcome: 'already_archived',
    });
    expect(errorOf(await call('update_customer', { customer_id: id, notes: 'x' }))).toMatchObject({
      kind: 'not_found',
    });
    expect(errorOf(await call('get_customer', own))).toMatchObject({ kind: 'not_found' });
    expect(await create({ ...ACME, ...own })).not.toBe(id);
  });

  it('warns of a customer with the same email', async () => {
    const id = await create({ name: 'Acme', email: 'billing@acme.com' });
    const again = await call('create_customer', { name: 'Acme 2', email: 'billing@acme.com' });
    expect(errorOf(again)).toMatchObject({
      kind: 'possible_duplicate',
      candidates: [{ customer_id: id, customer: { name: 'Acme' } }],
    });
    expect(await create({ name: 'Acme 2', email: 'billing@acme.com', allow_duplicate: true })).not.toBe(id);
  });

  it('filters a list as the page says', async () => {
    const acme = await create({ name: 'Acme Corp', email: 'a@example.com' });
    await create({ name: 'Bolt', email: 'b@example.com', status: 'blocked' });
    expect(await found('name', { id: acme })).toEqual(['Acme Corp']);
    expect(await found('name', { email: 'b@example.com' })).toEqual(['Bolt']);
    expect(await found('name', { email: 'b@example' })).toEqual([]);
    expect(await found('name', { search: 'acme' })).toEqual(['Acme Corp']);
    expect(await found('name', { status: 'blocked' })).toEqual(['Bolt']);
    expect(await found('name', { status: 'active' })).toEqual(['Acme Corp']);
    expect((await search({ include_total_count: true, limit: 1 })).total).toBe(2);
    expect(await search()).not.toHaveProperty('total');
  });

  it('shows the newest first, and sorts and pages without losing or repeating anyone', async () => {
    for (const name of ['b', 'e', 'a', 'd', 'c']) await create({ name, email: `${name}@example.com` });
    expect(await found('name', { sort_by: 'name', descending: false })).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(await found('name', { sort_by: 'name' })).toEqual(['e', 'd', 'c', 'b', 'a']);
    expect(await allPages('name', { limit: 2 }, 'cursor')).toEqual([['c', 'd'], ['a', 'e'], ['b']]);
  });

  it('refuses what the page does not take', async () => {
    const cases: [Record<string, unknown>, string][] = [
      [{ name: 'Acme', email: 'nonsense' }, 'email'],
      [{ name: 'Acme', email: 'a@example.com', status: 'gone' }, 'status'],
      [{ name: 'Acme', email: 'a@example.com', credit_limit_cents: 1.5 }, 'credit_limit_cents'],
      [{ name: 'Acme', email: 'a@example.com', credit_limit_cents: '100' }, 'credit_limit_cents'],
      [{ name: 'Acme' }, 'email'],
      [{ email: 'a@example.com' }, 'name'],
    ];
    for (const [args, path] of cases) {
      const answer = await call('create_customer', args);
      expect.soft(errorOf(answer)).toMatchObject({ kind: 'invalid_input', fields: [{ path }] });
      expect.soft(await found('name')).toEqual([]);
    }
  });

  it('refuses a query that the page does not take', async () => {
    const cases: Record<string, unknown>[] = [
      { limit: 1001 },
      { limit: 0 },
      { search: 'x'.repeat(201) },
      { status: 'gone' },
      { direction: 'sideways' },
      { cursor: 'nonsense' },
    ];
    for (const query of cases) {
      expect.soft(errorOf(await call('search_customer', query))).toMatchObject({ kind: 'invalid_input' });
    }
  });

  it('does not know nobody', async () => {
    const cases: [string, Record<string, unknown>][] = [
      ['get_customer', {}],
      ['update_customer', { notes: 'x' }],
      ['archive_customer', { confirm: 'x' }],
      ['link_customer', { external_id: 'a-1' }],
    ];
    for (const [tool, args] of cases) {
      expect.soft(errorOf(await call(tool, { ...args, customer_id: NOBODY }))).toMatchObject({
        kind: 'not_found',
        message: expect.stringMatching(/DayZero answered 404: "Customer not found/),
      });
    }
  });
});

describe("Notify's sandbox", () => {
  beforeEach(() => open('notify'));

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
    expect(updated.data).toMatchObject({ outcome: 'updated', changed: ['City', 'Phone'] });
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

    expect(errorOf(await call('archive_customer', own))).toMatchObject({
      kind: 'confirmation_required',
      confirm: 'Creditpartners B.V.',
    });
    const deleted = await call('archive_customer', { ...own, confirm: 'Creditpartners B.V.' });
    expect(deleted.data).toEqual({ outcome: 'deleted', customer_id: id, sandbox: true });
    expect(errorOf(await call('get_customer', { customer_id: id }))).toMatchObject({ kind: 'not_found' });
    expect(errorOf(await call('get_customer', own))).toMatchObject({ kind: 'not_found' });
    expect(await found('name')).toEqual([]);
    expect(await create(ACME)).not.toBe(id);
  });

  it('overwrites with Overwrite the customer that has the code', async () => {
    const id = await create(ACME);
    const { data } = await call('create_customer', { CustomerCode: '10001', Name: 'Bolt', Overwrite: true });
    expect(data).toMatchObject({ outcome: 'updated', customer_id: id, customer: { name: 'Bolt' } });
    expect(await found('name')).toEqual(['Bolt']);
  });

  it('finds by code, and pages through the list from the newest on', async () => {
    for (const code of ['1', '2', '3', '4', '5']) await create({ CustomerCode: code, Name: `No ${code}` });
    expect(await found('name', { Customer: '3' })).toEqual(['No 3']);
    expect(await found('name', { Customer: '33' })).toEqual([]);
    expect(await allPages('customerCode', { Limit: 2 }, 'From')).toEqual([['5', '4'], ['3', '2'], ['1']]);
  });

  it.each(['Email', 'InvoiceEmail'])('refuses %s in the words of the page when it is none', async (field) => {
    const refused = {
      kind: 'invalid_input',
      message: expect.stringContaining(`"Field ${field.toLowerCase()} in wrong format"`),
    };
    expect(errorOf(await call('create_customer', { Name: 'Acme', [field]: 'nonsense' }))).toMatchObject(refused);
    const id = await create({ Name: 'Acme' });
    expect(errorOf(await call('update_customer', { customer_id: id, [field]: 'nonsense' }))).toMatchObject(refused);
    expect(await found('email')).toEqual(['']);
  });

  it('refuses a field that is longer than the page says, or none of its choices', async () => {
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

  it('does not know nobody', async () => {
    const cases: [string, Record<string, unknown>][] = [
      ['get_customer', {}],
      ['update_customer', { City: 'x' }],
      ['archive_customer', { confirm: 'x' }],
    ];
    for (const [tool, args] of cases) {
      expect.soft(errorOf(await call(tool, { ...args, customer_id: NOBODY }))).toMatchObject({ kind: 'not_found' });
      expect.soft(errorOf(await call(tool, { ...args, CustomerCode: 'nobody' }))).toMatchObject({ kind: 'not_found' });
    }
  });
});

describe.each([
  ['layer', { external_id: 'a-1', company_name: 'Acme' }, { external_id: 'a-1' }, 'updated'],
  ['dayzero', { external_id: 'a-1', name: 'Acme', email: 'a@example.com' }, { external_id: 'a-1' }, 'existing'],
  ['notify', { CustomerCode: 'a-1', Name: 'Acme' }, { CustomerCode: 'a-1' }, 'existing'],
])('what the sandbox of %s keeps', (provider, customer, own, again) => {
  const store = (): string => {
    const { store: address, remove } = temporaryStore();
    onTestFinished(remove);
    return address;
  };

  it('survives a restart on SQLite, the external id too', async () => {
    const CUSTOMERS_STORE = store();
    await open(provider, { CUSTOMERS_STORE });
    const id = await create(customer);
    await connection.close();
    await open(provider, { CUSTOMERS_STORE });
    expect((await call('get_customer', { customer_id: id })).data).toMatchObject({ customer_id: id });
    expect((await call('get_customer', own)).data).toMatchObject({ customer_id: id });
    expect((await call('create_customer', customer)).data).toMatchObject({ outcome: again, customer_id: id });
    expect((await search()).customers.length).toBe(1);
  });

  it('is not troubled by what others keep in the same store, damaged or not', async () => {
    const CUSTOMERS_STORE = store();
    await open(provider, { CUSTOMERS_STORE });
    await create(customer);
    const database = new DatabaseSync(CUSTOMERS_STORE.slice('sqlite:'.length));
    const insert = database.prepare('INSERT INTO cache (key, value) VALUES (?, ?)');
    for (const [key, value] of [
      ['v1/layer/damaged', '{"value": "cut o'],
      ['test/other', 'not JSON'],
      ['sandbox/other/1', '{"value": 1}'],
    ])
      insert.run(key ?? '', value ?? '');
    database.close();
    expect((await search()).customers.length).toBe(1);
  });

  it('ends with the process in memory', async () => {
    await open(provider);
    await create(customer);
    expect((await search()).customers.length).toBe(1);
    await connection.close();
    await open(provider);
    expect((await search()).customers).toEqual([]);
    await create(customer);
  });

  it('is shared by two servers on one store', async () => {
    const CUSTOMERS_STORE = store();
    const other = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: provider, CUSTOMERS_STORE });
    await open(provider, { CUSTOMERS_STORE });
    const id = await create(customer);
    expect((await other.call('get_customer', own)).data).toMatchObject({ customer_id: id });
    await other.close();
  });

  it('is not mixed up with a real account on the same store', async () => {
    const CUSTOMERS_STORE = store();
    await open(provider, { CUSTOMERS_STORE });
    const simulated = await create(customer);
    await connection.close();
    const { standIn, environment } = await realAccount(provider);
    onTestFinished(() => standIn.close());
    connection = await connect({ ...environment, CUSTOMERS_STORE });
    const { data } = await call('create_customer', customer);
    expect(data).toMatchObject({ outcome: 'created' });
    expect(data['customer_id']).not.toBe(simulated);
    expect((await search()).customers.length).toBe(1);
  });

  it("is not mixed up with another provider's sandbox on the same store", async () => {
    const CUSTOMERS_STORE = store();
    await open(provider, { CUSTOMERS_STORE });
    await create(customer);
    await connection.close();
    await open(provider === 'layer' ? 'dayzero' : 'layer', { CUSTOMERS_STORE });
    expect((await search()).customers).toEqual([]);
    expect(errorOf(await call('get_customer', { external_id: 'a-1' }))).toMatchObject({ kind: 'not_found' });
  });
});

describe('a sandbox whose store is broken', () => {
  it.each([
    ['layer', { company_name: 'Acme' }],
    ['dayzero', { name: 'Acme', email: 'a@example.com' }],
    ['notify', { Name: 'Acme' }],
  ])('of %s does not claim to have created what it could not keep', async (provider, customer) => {
    const { folder, remove } = temporaryStore();
    onTestFinished(remove);
    const file = join(folder, 'customers.sqlite');
    writeFileSync(file, 'This is no database.');
    await open(provider, { CUSTOMERS_STORE: `sqlite:${file}` });
    const { isError, data } = await call('create_customer', customer);
    expect({ isError, data }).toMatchObject({ isError: true, data: { error: { kind: expect.any(String) } } });
  });
});

function realAccount(provider: string): ReturnType<typeof standIns.layer> {
  if (provider === 'dayzero') return standIns.dayzero();
  return provider === 'notify' ? standIns.notify() : standIns.layer();
}
