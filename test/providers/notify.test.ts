import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  connect,
  errorOf,
  standIns,
  temporaryStore,
  type ConnectOptions,
  type Connection,
  type Environment,
  type ToolResult,
} from '../support/client.ts';
import { providerContract } from '../support/provider-contract.ts';
import { NOTIFY_API_KEY, startNotify, type NotifyOptions } from '../support/stand-ins/notify.ts';
import { isRecord, type Act, type Recorded, type StandIn } from '../support/stand-ins/stand-in.ts';

providerContract({
  title: 'Notify',
  start: () => standIns.notify(),
  secrets: [NOTIFY_API_KEY],
  settings: { credentials: ['NOTIFY_API_KEY'], address: 'NOTIFY_BASE_URL' },
  customersPath: '/v2/customers',
  customer: (n) => ({
    Name: `Contract Works ${n} B.V.`,
    Address: `Gieterijstraat ${n}`,
    Postalcode: `${1_000 + (n % 9_000)} AB`,
    City: `Plaats nummer ${n}`,
    Country: 'BE',
    Contact: `Contact Person ${n}`,
    Phone: `+32 2 ${1_000_000 + n}`,
    Mobile: `+32 4 ${2_000_000 + n}`,
    Email: `contract-${n}@works.example`,
    InvoiceEmail: `invoices-${n}@works.example`,
    RegistrationNumber: String(10_000_000 + n),
    Language: 'french',
  }),
  few: (n) => ({ Name: `Contract Works ${n} B.V.`, Email: `contract-${n}@works.example` }),
  externalIdField: 'CustomerCode',
  sendsExternalId: true,
  lookUp: 'search',
  probe: 'search',
  read: '*',
  again: 'existing',
  updateOperations: ['update'],
  change: {
    field: 'City',
    value: 'Brugge',
    stored: ({ address }) => (isRecord(address) ? address['city'] : undefined),
  },
  clear: { field: 'InvoiceEmail', stored: ({ invoiceEmail }) => invoiceEmail },
  rest: ({ invoiceEmail: _invoiceEmail, address, ...rest }) => ({
    ...rest,
    address: isRecord(address) ? { ...address, city: '' } : address,
  }),
  text: { field: 'Contact', stored: 'contact' },
  archive: { operation: 'delete', outcome: 'deleted', done: (document) => document === undefined },
  limitField: 'Limit',
  cursorField: 'From',
  wrong: [
    { tool: 'create_customer', given: { CustomerCode: 'x'.repeat(251) }, path: 'CustomerCode' },
    { tool: 'create_customer', given: { Postalcode: '12345678901' }, path: 'Postalcode' },
    { tool: 'create_customer', given: { Country: 'NLD' }, path: 'Country' },
    { tool: 'create_customer', given: { Language: 'Dutch' }, path: 'Language' },
    { tool: 'create_customer', given: { Overwrite: 'true' }, path: 'Overwrite' },
    { tool: 'create_customer', given: { Phone: 31201234567 }, path: 'Phone' },
    { tool: 'update_customer', given: { RegistrationNumber: '12345678901' }, path: 'RegistrationNumber' },
    { tool: 'update_customer', given: { Language: 'italian' }, path: 'Language' },
    { tool: 'search_customer', given: { Limit: 251 }, path: 'Limit' },
    { tool: 'search_customer', given: { Limit: 0 }, path: 'Limit' },
  ],
  typo: { given: 'E_mail', meant: 'Email' },
  refusal: (words) => ({ status: 405, title: 'Bad Request', detail: words }),
});

/** A stand-in, emptied before each test, and one server that talks to it. */
function notifyWith(options: NotifyOptions = {}, environment: Environment = {}, client: ConnectOptions = {}) {
  let provider: StandIn;
  let server: Connection;
  beforeAll(async () => {
    const started = await standIns.notify(options);
    provider = started.standIn;
    server = await connect({ ...started.environment, ...environment }, client);
  });
  beforeEach(() => provider.reset());
  afterAll(async () => {
    await server.close();
    await provider.close();
  });
  return {
    get provider() {
      return provider;
    },
    call: (tool: string, args: Record<string, unknown> = {}) => server.call(tool, args),
    create: (args: Record<string, unknown>) => server.call('create_customer', args),
  };
}

/** A server outlives its tests, so each code is used by one test only. */
let used = 0;
function aCode(): string {
  used += 1;
  return `K-${used}`;
}

/** Puts a customer there as if another program had made it. */
function seed(provider: StandIn, fields: Record<string, unknown> = {}): string {
  const id = randomUUID();
  provider.customers.set(id, {
    resource: 'customer',
    id,
    customerCode: aCode(),
    name: 'Bloemen B.V.',
    address: { address: '', postalcode: '', city: '', country: 'NL' },
    contact: '',
    phone: '',
    mobile: '',
    email: '',
    invoiceEmail: '',
    registrationNumber: '',
    language: 'dutch',
    ...fields,
  });
  return id;
}

function last(provider: StandIn, operation: string): Recorded | undefined {
  return provider.requests.findLast((request) => request.operation === operation);
}

function operations(provider: StandIn): string[] {
  return provider.requests.map(({ operation }) => operation);
}

function idOf({ data }: ToolResult): string {
  expect(data['customer_id']).toEqual(expect.any(String));
  return String(data['customer_id']);
}

function kindOf(result: ToolResult): unknown {
  return errorOf(result)?.['kind'] ?? result.data['outcome'];
}

function messageOf(result: ToolResult): string {
  return String(errorOf(result)?.['message']);
}

function idsOf({ data }: ToolResult): unknown[] {
  const rows = Array.isArray(data['customers']) ? data['customers'] : [];
  return rows.map((row) => (isRecord(row) ? row['customer_id'] : undefined));
}

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
    expect(result.data).toEqual({
      customers: [{ customer_id, external_id: code, customer: provider.customers.get(customer_id) }],
      has_more: false,
    });
  });

  it('gets an update as a PATCH with the named fields only, and an empty value for those to be cleared', async () => {
    const { provider } = plain;
    const customer_id = seed(provider, { phone: '1', mobile: '2', contact: 'Somebody' });
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
    expect(result.data).not.toHaveProperty('warnings');
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
      changed: ['Phone'],
    });
    expect(last(provider, 'update')?.body).toEqual({ Phone: '3' });
    expect(operations(provider)).toEqual(['search', 'update']);
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
      const result = await plain.create({ Name: 'Somebody' });
      expect(kindOf(result)).toBe(kind);
      expect(messageOf(result)).toContain(`"Said ${said} of it"`);
    }
    expect(provider.count('create')).toBe(cases.length);

    provider.fault({ on: 'create', act: { status: 201, body: { id: 'n-1', status: 405, name: 'Somebody' } } });
    expect((await plain.create({ Name: 'Somebody' })).data).toMatchObject({ outcome: 'created', customer_id: 'n-1' });
  });

  it('has its title quoted where there is no detail', async () => {
    plain.provider.fault({ on: 'create', act: { status: 400, body: { status: 400, title: 'Too many customers' } } });
    expect(messageOf(await plain.create({ Name: 'Somebody' }))).toContain('"Too many customers"');
  });

  it('says itself what is wrong with a format, and the code stays free', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const refused = await plain.create({ CustomerCode, Name: 'A', Email: 'no address' });
    expect(kindOf(refused)).toBe('invalid_input');
    expect(messageOf(refused)).toContain('"Field email in wrong format"');
    expect(kindOf(await plain.create({ CustomerCode, Name: 'A', Email: 'a@b.example' }))).toBe('created');
    expect(provider.customers.size).toBe(1);
  });

  it('has an update and a deletion sent again when their fate is unclear, because they end the same', async () => {
    const { provider } = plain;
    const customer_id = seed(provider);
    provider.fault({ on: 'update', act: 'reset', when: 'after' });
    expect(kindOf(await plain.call('update_customer', { customer_id, Phone: '3' }))).toBe('updated');
    expect(provider.count('update')).toBe(2);
    provider.fault({ on: 'delete', act: { status: 502 }, when: 'after' });
    const deleted = await plain.call('archive_customer', { customer_id, confirm: 'Bloemen B.V.' });
    expect(deleted.data).toMatchObject({ outcome: 'deleted', customer_id });
    expect(provider.count('delete')).toBe(2);
    expect(provider.customers.size).toBe(0);
  });
});

const LONGEST: readonly (readonly [string, number])[] = [
  ['CustomerCode', 250],
  ['Name', 250],
  ['Address', 250],
  ['Postalcode', 10],
  ['City', 250],
  ['Country', 2],
  ['Contact', 250],
  ['Phone', 20],
  ['Mobile', 20],
  ['Email', 250],
  ['InvoiceEmail', 250],
  ['RegistrationNumber', 10],
];

/** A value of this length that Notify takes. */
function valueOf(field: string, length: number): string {
  return (field.endsWith('Email') ? '@b.example' : '').padStart(length, 'x');
}

describe('The limits of Notify', () => {
  const plain = notifyWith();

  it('are used to the last character', async () => {
    const fields = Object.fromEntries(LONGEST.map(([field, length]) => [field, valueOf(field, length)]));
    const result = await plain.create({ ...fields, Language: 'english' });
    expect(result.data).toMatchObject({ outcome: 'created' });
    expect(last(plain.provider, 'create')?.body).toEqual({ ...fields, Language: 'english' });
  });

  it.each(LONGEST)('are kept before anything is sent: %s has at most %i characters', async (field, length) => {
    const value = valueOf(field, length + 1);
    const created = await plain.create({ Name: 'Somebody', [field]: value });
    expect(errorOf(created)).toMatchObject({ kind: 'invalid_input', fields: [{ path: field }] });
    if (field !== 'CustomerCode') {
      const updated = await plain.call('update_customer', { customer_id: 'n-1', [field]: value });
      expect(errorOf(updated)).toMatchObject({ kind: 'invalid_input', fields: [{ path: field }] });
    }
    expect(plain.provider.count('*')).toBe(0);
  });

  it.each([
    ['create_customer', { Name: 'A', Country: 'N' }, 'Country'],
    ['create_customer', { Name: 'A', Language: 'dutch ' }, 'Language'],
    ['update_customer', { customer_id: 'n-1', Language: 'nl' }, 'Language'],
    ['search_customer', { Customer: 'x'.repeat(251) }, 'Customer'],
  ])('are kept before anything is sent: %s of %o', async (tool, args, path) => {
    expect(errorOf(await plain.call(tool, args))).toMatchObject({ kind: 'invalid_input', fields: [{ path }] });
    expect(plain.provider.count('*')).toBe(0);
  });
});

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

  it('that nobody knows is not_found, by id and by code, and no row in a search', async () => {
    seed(reading.provider);
    const byId = await reading.call('get_customer', { customer_id: randomUUID() });
    expect(kindOf(byId)).toBe('not_found');
    expect(messageOf(byId)).toContain('search_customer');
    expect(kindOf(await reading.call('get_customer', { CustomerCode: aCode() }))).toBe('not_found');
    const { data } = await reading.call('search_customer', { Customer: aCode() });
    expect(data).toEqual({ customers: [], has_more: false });
  });

  it('that nobody knows is not changed and not deleted', async () => {
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
    expect(kindOf(await reading.call('archive_customer', { CustomerCode, confirm: 'Tulpen B.V.' }))).toBe('deleted');
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

  it('has nobody else taken for the customer that is asked for', async () => {
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

describe('Paging through Notify', () => {
  const plain = notifyWith();

  it('follows From, which is the first of the next page, so that nobody comes twice', async () => {
    const { provider } = plain;
    const newestFirst = Array.from({ length: 5 }, () => seed(provider)).toReversed();
    const first = await plain.call('search_customer', { Limit: 2 });
    expect(idsOf(first)).toEqual(newestFirst.slice(0, 2));
    expect(first.data).toMatchObject({ has_more: true, next_cursor: newestFirst[2] });
    const second = await plain.call('search_customer', { Limit: 2, From: first.data['next_cursor'] });
    expect(idsOf(second)).toEqual(newestFirst.slice(2, 4));
    const third = await plain.call('search_customer', { Limit: 2, From: second.data['next_cursor'] });
    expect(idsOf(third)).toEqual(newestFirst.slice(4));
    expect(third.data).not.toHaveProperty('next_cursor');
    expect(third.data['has_more']).toBe(false);
    expect(provider.requests.map(({ query }) => Object.fromEntries(query))).toEqual([
      { Limit: '2' },
      { Limit: '2', From: newestFirst[2] },
      { Limit: '2', From: newestFirst[4] },
    ]);
  });

  it('takes a link without an origin as one to Notify', async () => {
    const { provider } = plain;
    const next = { href: '/v2/customers?limit=25&from=n-26', type: 'application/hal+json' };
    const page = {
      customers: [{ id: 'n-1', customerCode: 'K', name: 'A' }],
      count: 1,
      links: { previous: null, next },
    };
    provider.fault({ on: 'list', act: { status: 200, body: page } });
    const { data } = await plain.call('search_customer');
    expect(data).toMatchObject({ customers: [{ customer_id: 'n-1' }], has_more: true, next_cursor: 'n-26' });
    expect(data).not.toHaveProperty('warnings');
  });

  it('does not go on from a link that leads to where it is', async () => {
    const { provider } = plain;
    const only = seed(provider);
    const next = { href: `${provider.origin}/v2/customers?from=${only}` };
    const page = { customers: [provider.customers.get(only)], count: 1, links: { previous: null, next } };
    provider.fault({ on: 'list', act: { status: 200, body: page } });
    const { data } = await plain.call('search_customer', { From: only });
    expect(data).not.toHaveProperty('next_cursor');
  });
});

describe('A Notify whose links lead elsewhere', () => {
  const strange = notifyWith({ foreignNext: true });
  let elsewhere: StandIn;
  beforeAll(async () => {
    elsewhere = await startNotify();
  });
  afterAll(() => elsewhere.close());

  it('is not followed: the answer says that there is more, warns, and has no cursor', async () => {
    const { provider } = strange;
    const newestFirst = Array.from({ length: 3 }, () => seed(provider)).toReversed();
    const result = await strange.call('search_customer', { Limit: 2 });
    expect(idsOf(result)).toEqual(newestFirst.slice(0, 2));
    expect(result.data).toMatchObject({ has_more: true, warnings: [expect.stringContaining('Notify')] });
    expect(result.data).not.toHaveProperty('next_cursor');
    expect(provider.count('*')).toBe(1);
  });

  it('does not bring the key to another host', async () => {
    const { provider } = strange;
    const next = { href: `${elsewhere.origin}/v2/customers?limit=1&from=n-2`, type: 'application/hal+json' };
    const page = {
      customers: [{ id: 'n-1', customerCode: 'K', name: 'A' }],
      count: 1,
      links: { previous: null, next },
    };
    provider.fault({ on: 'list', act: { status: 200, body: page }, times: Infinity });
    provider.fault({ on: 'search', act: { status: 405 }, times: Infinity });
    const { data } = await strange.call('search_customer');
    expect(data).toMatchObject({ has_more: true, warnings: [expect.any(String)] });
    await strange.call('get_customer', { CustomerCode: aCode() });
    await strange.create({ CustomerCode: aCode(), Name: 'Somebody' });
    expect(elsewhere.count('*')).toBe(0);
    expect(provider.count('list')).toBeGreaterThanOrEqual(3);
  });

  it('does not make a create where the code may be further down the list', async () => {
    const { provider } = strange;
    const CustomerCode = aCode();
    seed(provider, { customerCode: CustomerCode });
    for (let newer = 0; newer < 250; newer += 1) seed(provider);
    provider.fault({ on: 'search', act: { status: 405 }, times: Infinity });
    const result = await strange.create({ CustomerCode, Name: 'Bloemen B.V.' });
    expect(result.isError).toBe(true);
    expect(provider.count('create')).toBe(0);
  });
});

describe('A Notify behind a proxy that refuses a GET with a body', () => {
  const proxied = notifyWith();

  it.each([400, 405, 411, 413, 415, 501])('with a %i has its list read through, page by page', async (status) => {
    const { provider } = proxied;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    for (let newer = 0; newer < 250; newer += 1) seed(provider);
    provider.fault({ on: 'search', act: { status, body: 'Bad request' }, times: Infinity });

    const found = await proxied.call('get_customer', { CustomerCode });
    expect(found.data).toMatchObject({ customer_id, external_id: CustomerCode });
    expect(provider.count('list')).toBe(2);
    expect(kindOf(await proxied.create({ CustomerCode, Name: 'Bloemen B.V.' }))).toBe('existing');
    expect(kindOf(await proxied.call('get_customer', { CustomerCode: aCode() }))).toBe('not_found');
    expect(provider.count('create')).toBe(0);
  });

  it('gets a create of a code that is not on the list', async () => {
    const { provider } = proxied;
    provider.fault({ on: 'search', act: { status: 405 }, times: Infinity });
    seed(provider);
    expect(kindOf(await proxied.create({ CustomerCode: aCode(), Name: 'New' }))).toBe('created');
  });
});

describe('A code that exists at Notify', () => {
  const plain = notifyWith();

  it('gives the same customer for the same create again, also when it was changed in between', async () => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.', Phone: '1' };
    const customer_id = idOf(await plain.create(fields));
    await plain.call('update_customer', { customer_id, Phone: '2' });
    expect((await plain.create(fields)).data).toMatchObject({
      outcome: 'existing',
      customer_id,
      customer: { phone: '2' },
    });
    expect((await plain.create({ ...fields, Phone: '2' })).data).toMatchObject({ outcome: 'existing', customer_id });
    expect(provider.count('create')).toBe(1);
  });

  it('is a conflict for other fields, which it names, and nothing changes', async () => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.', Phone: '1' };
    const customer_id = idOf(await plain.create(fields));
    const before = provider.customers.get(customer_id);
    const result = await plain.create({ ...fields, Phone: '2' });
    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id, fields: [{ path: 'Phone' }] });
    expect(provider.customers.get(customer_id)).toBe(before);
    expect(provider.count('create')).toBe(1);
  });

  it('is written over with Overwrite, which goes into the query and not into the form', async () => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.', Phone: '1' };
    const customer_id = idOf(await plain.create(fields));
    const { CustomerCode } = fields;
    const result = await plain.create({ CustomerCode, Name: 'Rozen B.V.', Overwrite: true });

    expect(result.data).toMatchObject({
      outcome: 'updated',
      customer_id,
      external_id: CustomerCode,
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
    const result = await plain.create({ CustomerCode, Name: 'Rozen B.V.', Overwrite: true });
    expect(result.data).toMatchObject({ outcome: 'updated', customer_id, customer: { name: 'Rozen B.V.' } });
    expect(provider.customers.size).toBe(1);
  });

  it('is created with Overwrite when it does not exist', async () => {
    const { provider } = plain;
    const result = await plain.create({ CustomerCode: aCode(), Name: 'Rozen B.V.', Overwrite: true });
    expect(result.data).toMatchObject({ outcome: 'created', customer: { name: 'Rozen B.V.' } });
    expect(last(provider, 'create')?.query.get('Overwrite')).toBe('true');
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

describe('Deleting a Notify customer', () => {
  const hasInvoices = new Set<string>();
  const plain = notifyWith({ hasInvoices });

  it('asks for the name first, is refused with a wrong one and goes through with the right one', async () => {
    const { provider } = plain;
    const customer_id = seed(provider);
    const first = await plain.call('archive_customer', { customer_id });
    expect(errorOf(first)).toMatchObject({ kind: 'confirmation_required', confirm: 'Bloemen B.V.' });
    expect(messageOf(first)).toContain('"Bloemen B.V."');
    for (const confirm of ['bloemen b.v.', 'Bloemen B.V. ', customer_id, 'true'])
      expect(kindOf(await plain.call('archive_customer', { customer_id, confirm }))).toBe('confirmation_required');
    expect(provider.count('delete')).toBe(0);

    const right = await plain.call('archive_customer', { customer_id, confirm: 'Bloemen B.V.' });
    expect(right.data).toEqual({ outcome: 'deleted', customer_id });
    expect(provider.customers.size).toBe(0);
  });

  it('asks for the id of a customer without a name', async () => {
    const customer_id = seed(plain.provider, { name: '' });
    const first = await plain.call('archive_customer', { customer_id });
    expect(errorOf(first)).toMatchObject({ kind: 'confirmation_required', confirm: customer_id });
    expect(kindOf(await plain.call('archive_customer', { customer_id, confirm: customer_id }))).toBe('deleted');
  });

  it('is refused in the words of Notify while there are invoices, and everything stays', async () => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.' };
    const { CustomerCode } = fields;
    const customer_id = idOf(await plain.create(fields));
    hasInvoices.add(customer_id);
    const result = await plain.call('archive_customer', { CustomerCode, confirm: 'Tulpen B.V.' });
    expect(kindOf(result)).toBe('invalid_input');
    expect(messageOf(result)).toContain('"Customer is not empty"');
    expect(provider.count('delete')).toBe(1);
    expect((await plain.call('get_customer', { CustomerCode })).data).toMatchObject({ customer_id });
    expect((await plain.create(fields)).data).toMatchObject({ outcome: 'existing', customer_id });
  });

  it.each(['CustomerCode', 'customer_id'])('by %s is for good, and the code is free for a new one', async (by) => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = idOf(await plain.create({ CustomerCode, Name: 'Tulpen B.V.' }));
    const ref = by === 'customer_id' ? { customer_id } : { CustomerCode };
    await plain.call('archive_customer', { ...ref, confirm: 'Tulpen B.V.' });

    for (const gone of [{ customer_id }, { CustomerCode }]) {
      expect(kindOf(await plain.call('get_customer', gone))).toBe('not_found');
      expect(kindOf(await plain.call('archive_customer', { ...gone, confirm: 'Tulpen B.V.' }))).toBe('not_found');
    }
    const again = await plain.create({ CustomerCode, Name: 'Rozen B.V.' });
    expect(again.data).toMatchObject({ outcome: 'created', external_id: CustomerCode });
    expect(idOf(again)).not.toBe(customer_id);
    expect([...provider.customers.keys()]).toEqual([idOf(again)]);
    expect((await plain.call('get_customer', { CustomerCode })).data).toMatchObject({ customer_id: idOf(again) });
  });

  it('elsewhere makes the code free as well', async () => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.' };
    const customer_id = idOf(await plain.create(fields));
    provider.customers.clear();
    const again = await plain.create({ ...fields, Name: 'Rozen B.V.' });
    expect(kindOf(again)).toBe('created');
    expect(idOf(again)).not.toBe(customer_id);
  });
});

describe('Deleting a Notify customer where the client can ask the person', () => {
  const asked: string[] = [];
  let action: 'accept' | 'decline' | 'cancel' = 'accept';
  const asking = notifyWith(
    {},
    {},
    {
      onElicit(message) {
        asked.push(message);
        return { action, ...(action === 'accept' && { content: {} }) };
      },
    },
  );
  beforeEach(() => void asked.splice(0));

  it('is done when the person accepts, who was told the name', async () => {
    const { provider } = asking;
    const customer_id = seed(provider);
    action = 'accept';
    expect(kindOf(await asking.call('archive_customer', { customer_id }))).toBe('deleted');
    expect(asked).toEqual([expect.stringContaining('Bloemen B.V.')]);
    expect(provider.customers.size).toBe(0);
  });

  it.each(['decline', 'cancel'] as const)('is not done on %s, whatever the model confirms', async (answer) => {
    const { provider } = asking;
    const customer_id = seed(provider);
    action = answer;
    const result = await asking.call('archive_customer', { customer_id, confirm: 'Bloemen B.V.' });
    expect(kindOf(result)).toBe('confirmation_required');
    expect(asked).toHaveLength(1);
    expect(provider.count('delete')).toBe(0);
  });

  it('asks before a create is sent again, and sends it only if the person accepts', async () => {
    const { provider } = asking;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.' };
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await asking.create(fields))).toBe('outcome_unknown');
    action = 'cancel';
    expect(kindOf(await asking.create({ ...fields, resend: true }))).toBe('confirmation_required');
    expect(provider.count('create')).toBe(1);
    action = 'accept';
    expect(kindOf(await asking.create({ ...fields, resend: true }))).toBe('created');
    expect(provider.count('create')).toBe(2);
    expect(asked).toHaveLength(2);
  });
});

describe('With CUSTOMERS_CONFIRM=never', () => {
  const trusting = notifyWith({}, { CUSTOMERS_CONFIRM: 'never' });

  it('a Notify customer is deleted at the first call', async () => {
    const customer_id = seed(trusting.provider);
    expect(kindOf(await trusting.call('archive_customer', { customer_id }))).toBe('deleted');
  });
});

const SPOILED: readonly (readonly [string, Act])[] = [
  ['a reset connection', 'reset'],
  ['a 500', { status: 500 }],
  ['a 502', { status: 502 }],
  ['a 503', { status: 503 }],
  ['a 504 from a gateway', { status: 504, body: '<html>Gateway Timeout</html>' }],
  ['an answer cut short', 'cut'],
  ['a chunked answer cut short', 'cut-chunked'],
  ['a page of HTML', 'html'],
  ['an empty answer', 'empty'],
  ['an answer without an id', 'no-id'],
  ['an array', 'array'],
  ['a null', 'null'],
  ['a redirect', 'redirect'],
  ['far too much', 'huge'],
  ['a compressed answer', 'gzip'],
];

describe('A Notify create whose answer is lost', () => {
  const plain = notifyWith();

  it.each(SPOILED)('but which was carried out is found by its code after %s', async (_, act) => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.', City: 'Lisse' };
    provider.fault({ on: 'create', act, when: 'after' });
    const result = await plain.create(fields);

    expect(provider.customers.size).toBe(1);
    const [stored] = provider.customers.values();
    expect(result.data).toEqual({
      outcome: 'created',
      customer_id: stored?.['id'],
      external_id: fields.CustomerCode,
      customer: stored,
    });
    expect(provider.count('create')).toBe(1);
    expect((await plain.create(fields)).data).toMatchObject({ outcome: 'existing', customer_id: stored?.['id'] });
    expect(provider.count('create')).toBe(1);
  });

  it.each([
    ['a reset connection', 'reset'],
    ['a 500', { status: 500 }],
    ['a 502', { status: 502 }],
  ] as const)('and which was not carried out is outcome_unknown after %s, and is not sent again', async (_, act) => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.' };
    provider.fault({ on: 'create', act });
    const first = await plain.create(fields);
    expect(kindOf(first)).toBe('outcome_unknown');
    expect(messageOf(first)).toContain('Notify');
    expect(messageOf(first)).toContain('create_customer');
    expect(messageOf(first)).toContain('resend');
    expect(messageOf(first)).not.toContain('link_customer');
    for (const args of [fields, { ...fields, Name: 'Other' }, { ...fields, Overwrite: true }])
      expect(kindOf(await plain.create(args))).toBe('outcome_unknown');
    expect(provider.count('create')).toBe(1);
  });

  it('and which turns up late is existing for the next call', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create({ CustomerCode, Name: 'Bloemen B.V.' }))).toBe('outcome_unknown');
    const customer_id = seed(provider, { customerCode: CustomerCode });
    expect((await plain.create({ CustomerCode, Name: 'Bloemen B.V.' })).data).toMatchObject({
      outcome: 'existing',
      customer_id,
      customer: { name: 'Bloemen B.V.' },
    });
    expect(provider.count('create')).toBe(1);
  });

  it('is a conflict when its code turns up with other fields, which somebody else must have sent', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create({ CustomerCode, Name: 'Tulpen B.V.' }))).toBe('outcome_unknown');
    const customer_id = seed(provider, { customerCode: CustomerCode });
    const result = await plain.create({ CustomerCode, Name: 'Tulpen B.V.' });
    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id, fields: [{ path: 'Name' }] });
    expect(provider.count('create')).toBe(1);
  });

  it('is sent again with resend and consent, and only then', async () => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.' };
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create(fields))).toBe('outcome_unknown');
    const first = await plain.create({ ...fields, resend: true });
    expect(kindOf(first)).toBe('confirmation_required');
    const confirm = errorOf(first)?.['confirm'];
    expect(messageOf(first)).toContain(JSON.stringify(confirm));
    expect(kindOf(await plain.create({ ...fields, resend: true, confirm: 'yes' }))).toBe('confirmation_required');
    expect(kindOf(await plain.create({ ...fields, confirm }))).toBe('outcome_unknown');
    expect(provider.count('create')).toBe(1);

    const sent = await plain.create({ ...fields, resend: true, confirm });
    expect(kindOf(sent)).toBe('created');
    expect(last(provider, 'create')?.body).toEqual(fields);
    expect(last(provider, 'create')?.query.size).toBe(0);
    expect(provider.count('create')).toBe(2);
    expect((await plain.create(fields)).data).toMatchObject({ outcome: 'existing', customer_id: idOf(sent) });
  });

  it('is not sent again with resend when the customer is there after all', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const fields = { CustomerCode, Name: 'Bloemen B.V.' };
    provider.fault({ on: 'create', act: 'reset' });
    await plain.create(fields);
    const customer_id = seed(provider, { customerCode: CustomerCode });
    const first = await plain.create({ ...fields, resend: true });
    const result = await plain.create({ ...fields, resend: true, confirm: errorOf(first)?.['confirm'] });
    expect(result.data).toMatchObject({ outcome: 'existing', customer_id });
    expect(provider.count('create')).toBe(1);
  });

  it('has no second one sent without a code either, and advises to search', async () => {
    const { provider } = plain;
    provider.fault({ on: 'create', act: 'reset', when: 'after' });
    const result = await plain.create({ Name: 'Tulpen B.V.' });
    expect(kindOf(result)).toBe('outcome_unknown');
    expect(messageOf(result)).toContain('search_customer');
    expect(provider.count('create')).toBe(1);
  });

  it('was accepted, so it is not sent again although the customer cannot be found', async () => {
    const { provider } = plain;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.' };
    provider.fault({ on: 'create', act: 'no-id' });
    const first = await plain.create(fields);
    expect(first.data).toMatchObject({ outcome: 'created', warnings: [expect.stringContaining('search_customer')] });
    expect(first.data).not.toHaveProperty('customer_id');
    expect(kindOf(await plain.create(fields))).toBe('outcome_unknown');
    expect(provider.count('create')).toBe(1);
  });

  it('wrote over a customer, so it is updated, for the customer shows what was sent', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    provider.fault({ on: 'create', act: 'reset', when: 'after' });
    const result = await plain.create({ CustomerCode, Name: 'Rozen B.V.', Overwrite: true });
    expect(result.data).toMatchObject({ outcome: 'updated', customer_id, customer: { name: 'Rozen B.V.' } });
    expect(provider.count('create')).toBe(1);
  });

  it('did not write over a customer, so it is outcome_unknown, and Overwrite may be repeated', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    const request = { CustomerCode, Name: 'Rozen B.V.', Overwrite: true };
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create(request))).toBe('outcome_unknown');
    expect((await plain.create(request)).data).toMatchObject({
      outcome: 'updated',
      customer_id,
      customer: { name: 'Rozen B.V.' },
    });
    expect(provider.customers.size).toBe(1);
  });

  it('did not write over a customer, so the same without Overwrite is a conflict', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const customer_id = seed(provider, { customerCode: CustomerCode });
    provider.fault({ on: 'create', act: 'reset' });
    const lost = await plain.create({ CustomerCode, Name: 'Rozen B.V.', Overwrite: true });
    expect(kindOf(lost)).toBe('outcome_unknown');
    const result = await plain.create({ CustomerCode, Name: 'Rozen B.V.' });
    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id, fields: [{ path: 'Name' }] });
  });

  it.each([400, 401, 403, 404, 409, 422])(
    'is not lost but refused with a %i, so the code stays free',
    async (status) => {
      const { provider } = plain;
      const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.' };
      provider.fault({ on: 'create', act: { status } });
      const refused = await plain.create(fields);
      expect(refused.isError).toBe(true);
      expect(kindOf(refused)).not.toBe('outcome_unknown');
      expect(kindOf(await plain.create(fields))).toBe('created');
      expect(provider.count('create')).toBe(2);
      expect(provider.customers.size).toBe(1);
    },
  );
});

describe('A Notify create that gets no answer in time', () => {
  const impatient = notifyWith({}, { CUSTOMERS_TIMEOUT_MS: '1200' });

  it('but was carried out ends as a success when its answer only drips', async () => {
    const { provider } = impatient;
    provider.fault({ on: 'create', act: 'drip', when: 'after' });
    const result = await impatient.create({ CustomerCode: aCode(), Name: 'Tulpen B.V.' });
    const [stored] = provider.customers.values();
    expect(result.data).toMatchObject({ outcome: 'created', customer_id: stored?.['id'], customer: stored });
    expect(provider.count('create')).toBe(1);
  });

  it('and was not carried out is outcome_unknown, and is not sent again', async () => {
    const { provider } = impatient;
    const fields = { CustomerCode: aCode(), Name: 'Tulpen B.V.' };
    provider.fault({ on: 'create', act: 'hang' });
    expect(kindOf(await impatient.create(fields))).toBe('outcome_unknown');
    expect(kindOf(await impatient.create(fields))).toBe('outcome_unknown');
    expect(provider.count('create')).toBe(1);
  });
});

describe('What is known of Notify customers, with a SQLite store', () => {
  it('survives a restart: a created customer is existing, a lost create stays lost', async () => {
    const disk = temporaryStore();
    const { standIn, environment } = await standIns.notify();
    const settings = { ...environment, CUSTOMERS_STORE: disk.store };
    const [kept, lost] = [aCode(), aCode()];
    const before = await connect(settings);
    const customer_id = idOf(await before.call('create_customer', { CustomerCode: kept, Name: 'Tulpen B.V.' }));
    standIn.fault({ on: 'create', act: 'reset' });
    await before.call('create_customer', { CustomerCode: lost, Name: 'Tulpen B.V.' });
    await before.close();

    const after = await connect(settings);
    try {
      const again = await after.call('create_customer', { CustomerCode: kept, Name: 'Tulpen B.V.' });
      expect(again.data).toMatchObject({ outcome: 'existing', customer_id });
      const still = await after.call('create_customer', { CustomerCode: lost, Name: 'Tulpen B.V.' });
      expect(kindOf(still)).toBe('outcome_unknown');
      expect(standIn.count('create')).toBe(2);
    } finally {
      await after.close();
      await standIn.close();
      disk.remove();
    }
  });
});
