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
import { BLANK } from '../support/stand-ins/dayzero-fields.ts';
import { DAYZERO_BUSINESS_ID, DAYZERO_TOKEN, type DayZeroOptions } from '../support/stand-ins/dayzero.ts';
import { isRecord, type Act, type Recorded, type StandIn } from '../support/stand-ins/stand-in.ts';

providerContract({
  title: 'DayZero',
  start: () => standIns.dayzero(),
  secrets: [DAYZERO_TOKEN],
  settings: { credentials: ['DAYZERO_API_TOKEN', 'DAYZERO_BUSINESS_ID'], address: 'DAYZERO_BASE_URL' },
  customersPath: '/api/v1/customers',
  customer: (n) => ({
    name: `Contract Works ${n} Inc.`,
    email: `contract-${n}@works.example`,
    address: `${n} Foundry Lane, Springfield`,
    phone: `+1 555 ${1_000_000 + n}`,
    tax_id: `EIN 98-${1_000_000 + n}`,
    website: `https://works-${n}.example`,
    notes: `Ring the bell ${n} times`,
    credit_limit_cents: 100_000 + n,
    default_payment_term_id: `term-of-${n}-days`,
    status: 'inactive',
    category: `Wholesale of kind ${n}`,
    invoice_footer: `Payable within ${n} days`,
  }),
  few: (n) => ({ name: `Contract Works ${n} Inc.`, email: `contract-${n}@works.example`, category: 'Retail' }),
  externalIdField: 'external_id',
  sendsExternalId: false,
  probe: 'list',
  read: 'get',
  again: 'existing',
  updateOperations: ['update'],
  change: { field: 'phone', value: '+31 20 000 0000', stored: ({ phone }) => phone },
  clear: { field: 'notes', stored: ({ notes }) => notes },
  rest: ({ updated_at: _at, phone: _phone, notes: _notes, ...rest }) => rest,
  text: { field: 'address', stored: 'address' },
  archive: { operation: 'delete', outcome: 'deleted', done: (document) => document?.['is_deleted'] === true },
  limitField: 'limit',
  cursorField: 'cursor',
  wrong: [
    { tool: 'create_customer', given: { email: 'no address' }, path: 'email' },
    { tool: 'create_customer', given: { credit_limit_cents: 10.5 }, path: 'credit_limit_cents' },
    { tool: 'create_customer', given: { credit_limit_cents: '100' }, path: 'credit_limit_cents' },
    { tool: 'create_customer', given: { status: 'ACTIVE' }, path: 'status' },
    { tool: 'create_customer', given: { name: null }, path: 'name' },
    { tool: 'create_customer', given: { allow_duplicate: 'yes' }, path: 'allow_duplicate' },
    { tool: 'update_customer', given: { email: '@' }, path: 'email' },
    { tool: 'update_customer', given: { status: 'deleted' }, path: 'status' },
    { tool: 'search_customer', given: { limit: 1001 }, path: 'limit' },
    { tool: 'search_customer', given: { limit: 0 }, path: 'limit' },
    { tool: 'search_customer', given: { search: 'x'.repeat(201) }, path: 'search' },
    { tool: 'search_customer', given: { direction: 'sideways' }, path: 'direction' },
    { tool: 'search_customer', given: { include_total_count: 'true' }, path: 'include_total_count' },
  ],
  typo: { given: 'e_mail', meant: 'email' },
  refusal: (words) => ({ detail: words }),
});

const LONG_AGO = '2024-02-01T09:30:00.000Z';

/** A stand-in, emptied before each test, and one server that talks to it. */
function dayzeroWith(options: DayZeroOptions = {}, environment: Environment = {}, client: ConnectOptions = {}) {
  let provider: StandIn;
  let server: Connection;
  beforeAll(async () => {
    const started = await standIns.dayzero(options);
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

/** A server outlives its tests, so each identity and each email is used by one test only. */
let used = 0;
function someone(fields: Record<string, unknown> = {}) {
  used += 1;
  return { name: `Bakery ${used}`, email: `bakery-${used}@example.com`, ...fields };
}
function anId(): string {
  used += 1;
  return `crm-${used}`;
}

/** Puts a customer there as if another program had made it. */
function seed(provider: StandIn, fields: Record<string, unknown>): string {
  const id = randomUUID();
  provider.customers.set(id, {
    id,
    business_id: DAYZERO_BUSINESS_ID,
    created_at: LONG_AGO,
    updated_at: LONG_AGO,
    ...BLANK,
    is_deleted: false,
    deleted_at: null,
    stripe_customer_id: null,
    contacts: [],
    ...fields,
  });
  return id;
}

/** Deletes a customer as if another program had done it. */
function softDelete(provider: StandIn, id: string): void {
  provider.customers.set(id, { ...provider.customers.get(id), is_deleted: true, deleted_at: new Date().toISOString() });
}

function last(provider: StandIn, operation: string): Recorded | undefined {
  return provider.requests.findLast((request) => request.operation === operation);
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

function livingIds(provider: StandIn): unknown[] {
  return [...provider.customers.values()].filter(({ is_deleted: deleted }) => deleted !== true).map(({ id }) => id);
}

describe('DayZero over the wire', () => {
  const plain = dayzeroWith();

  it('gets the token and the business with every request, and no user when none is set', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    const customer_id = idOf(await plain.create(fields));
    await plain.call('get_customer', { customer_id });
    await plain.call('search_customer');
    await plain.call('update_customer', { customer_id, notes: 'new' });
    await plain.call('archive_customer', { customer_id, confirm: fields.name });

    expect(new Set(provider.requests.map(({ operation }) => operation))).toEqual(
      new Set(['list', 'create', 'get', 'update', 'delete']),
    );
    for (const { headers } of provider.requests) {
      expect(headers).toMatchObject({
        authorization: `Bearer ${DAYZERO_TOKEN}`,
        'x-business-id': DAYZERO_BUSINESS_ID,
      });
      expect(headers).not.toHaveProperty('x-user-email');
    }
  });

  it('gets exactly the fields that were given, as JSON, and never the external_id or our own arguments', async () => {
    const { provider } = plain;
    const fields = someone({ credit_limit_cents: 250_000, status: 'inactive', tax_id: 'NL001' });
    await plain.create({ ...fields, external_id: anId(), allow_duplicate: true, phone: '', address: null });

    const request = last(provider, 'create');
    expect(request?.headers['content-type']).toMatch(/^application\/json/);
    expect(request?.body).toEqual(fields);
    expect(request?.query.size).toBe(0);
  });

  it('gets only the named fields in an update, and null for those that are to be cleared', async () => {
    const { provider } = plain;
    const customer_id = seed(provider, { ...someone(), notes: 'old', phone: '1', website: 'https://a.example' });

    const result = await plain.call('update_customer', {
      customer_id,
      phone: '2',
      tax_id: null,
      website: '',
      clear: ['notes'],
    });

    expect(last(provider, 'update')?.body).toEqual({ phone: '2', notes: null });
    expect(result.data).toMatchObject({ outcome: 'updated', customer_id });
    expect(result.data['changed']).toEqual(expect.arrayContaining(['phone', 'notes']));
    expect(provider.customers.get(customer_id)).toMatchObject({
      phone: '2',
      notes: null,
      website: 'https://a.example',
    });
    expect(result.data).not.toHaveProperty('warnings');
  });

  it('has no field cleared that a customer cannot be without', async () => {
    const { provider } = plain;
    const customer_id = seed(provider, someone());
    for (const field of ['name', 'email', 'status']) {
      const result = await plain.call('update_customer', { customer_id, clear: [field] });
      expect(kindOf(result)).toBe('invalid_input');
    }
    expect(provider.count('*')).toBe(0);
  });

  it('shows the document as it answered, and warns of nothing when all fields came back', async () => {
    const { provider } = plain;
    const fields = someone({
      address: 'Main Street 1',
      phone: '+1 555 0100',
      tax_id: 'EIN-1',
      website: 'https://bakery.example',
      notes: 'Pays late',
      credit_limit_cents: 0,
      default_payment_term_id: 'net-30',
      status: 'blocked',
      category: 'Retail',
      invoice_footer: 'Thanks',
    });
    const external_id = anId();
    const result = await plain.create({ ...fields, external_id });

    const stored = provider.customers.get(idOf(result));
    expect(stored).toMatchObject(fields);
    expect(result.data).toEqual({ outcome: 'created', customer_id: stored?.['id'], external_id, customer: stored });
  });

  it('is paged by cursor until there is no more, each customer once', async () => {
    const { provider } = plain;
    const seeded = Array.from({ length: 5 }, (_, n) =>
      seed(provider, { ...someone(), created_at: `2024-03-0${n + 1}T00:00:00.000Z` }),
    );
    const pages: unknown[][] = [];
    let cursor: unknown;
    do {
      const { data } = await plain.call('search_customer', { limit: 2, ...(cursor !== undefined && { cursor }) });
      const rows = Array.isArray(data['customers']) ? data['customers'] : [];
      pages.push(rows.map((row) => (isRecord(row) ? row['customer_id'] : undefined)));
      cursor = data['next_cursor'];
      expect(data['has_more']).toBe(cursor !== undefined);
      expect(data).not.toHaveProperty('total');
    } while (cursor !== undefined && pages.length < 10);

    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(pages.flat()).toEqual(seeded.toReversed());
    expect(provider.requests.map(({ query }) => query.get('limit'))).toEqual(['2', '2', '2']);
  });

  it('gets the list filters under their own names and tells the total when asked', async () => {
    const { provider } = plain;
    const wanted = seed(provider, { ...someone({ name: 'Zwanenburg Bloemen' }), status: 'blocked' });
    seed(provider, { ...someone({ name: 'Zwanenburg Bloemen' }), status: 'active' });
    seed(provider, { ...someone({ name: 'Quite Different' }), status: 'blocked' });

    const { data } = await plain.call('search_customer', {
      search: 'Zwanenbrug',
      status: 'blocked',
      sort_by: 'name',
      descending: false,
      include_total_count: true,
    });

    expect(data).toMatchObject({ customers: [{ customer_id: wanted }], has_more: false, total: 1 });
    expect(Object.fromEntries(provider.requests[0]?.query ?? [])).toMatchObject({
      search: 'Zwanenbrug',
      status: 'blocked',
      sort_by: 'name',
      descending: 'false',
      include_total_count: 'true',
    });
  });

  it('names the fields of a 422 with a list of details', async () => {
    const result = await plain.create({ name: 'No dot', email: 'somebody@nowhere' });
    expect(errorOf(result)).toMatchObject({
      kind: 'invalid_input',
      fields: [{ path: 'email', message: 'value is not a valid email address' }],
    });
    expect(messageOf(result)).toContain('email: value is not a valid email address');
    expect(messageOf(result)).toContain('DayZero');
  });

  it('has its sentence quoted from whichever of detail and message it stands in', async () => {
    const { provider } = plain;
    provider.fault({ on: 'create', act: { status: 400, body: { detail: 'Credit limit exceeds the plan' } } });
    const bare = await plain.create(someone());
    provider.fault({
      on: 'create',
      act: { status: 400, body: { success: false, message: 'Plan is full', code: 'P1' } },
    });
    const wrapped = await plain.create(someone());

    expect(kindOf(bare)).toBe('invalid_input');
    expect(messageOf(bare)).toContain('"Credit limit exceeds the plan"');
    expect(kindOf(wrapped)).toBe('invalid_input');
    expect(messageOf(wrapped)).toContain('"Plan is full"');
  });

  it('has an update sent again when its fate is unclear, because it ends the same', async () => {
    const { provider } = plain;
    const customer_id = seed(provider, someone());
    provider.fault({ on: 'update', act: 'reset', when: 'after' });
    const result = await plain.call('update_customer', { customer_id, notes: 'once' });
    expect(result.data).toMatchObject({ outcome: 'updated', changed: ['notes'], customer: { notes: 'once' } });
    expect(provider.count('update')).toBe(2);
  });
});

describe('DayZero with its newer envelope, sentences for details, unique emails and an audited user', () => {
  const newer = dayzeroWith(
    { envelope: 'wrapped', detail: 'text', uniqueEmail: true },
    { DAYZERO_USER_EMAIL: 'auditor@example.com' },
  );

  it('gets the user of the settings with every request', async () => {
    await newer.create(someone({ external_id: anId() }));
    await newer.call('search_customer');
    expect(newer.provider.count('*')).toBeGreaterThanOrEqual(3);
    for (const { headers } of newer.provider.requests) expect(headers['x-user-email']).toBe('auditor@example.com');
  });

  it('has its customers taken out of the envelope by every tool', async () => {
    const { provider } = newer;
    const external_id = anId();
    const created = await newer.create(someone({ external_id }));
    const customer_id = idOf(created);
    const shown = { customer_id, customer: provider.customers.get(customer_id) };

    expect(created.data).toMatchObject({ outcome: 'created', ...shown });
    expect((await newer.call('get_customer', { customer_id })).data).toEqual(shown);
    expect((await newer.call('search_customer')).data).toEqual({ customers: [shown], has_more: false });
    const updated = await newer.call('update_customer', { external_id, phone: '7' });
    expect(updated.data['customer']).toEqual(provider.customers.get(customer_id));
    expect(updated.data['customer']).toMatchObject({ phone: '7' });
  });

  it('has a sentence of a 422 quoted, which names the field', async () => {
    const result = await newer.create({ name: 'No dot', email: 'somebody@nowhere' });
    expect(kindOf(result)).toBe('invalid_input');
    expect(messageOf(result)).toContain('body.email: value is not a valid email address');
  });

  it('says conflict about an email that it takes for the same although its list does not', async () => {
    const { provider } = newer;
    const { name, email } = someone();
    seed(provider, { name, email: email.toUpperCase() });
    const external_id = anId();
    const result = await newer.create({ name, email, external_id });

    expect(kindOf(result)).toBe('conflict');
    expect(messageOf(result)).toContain('A customer with this email already exists');
    expect(provider.count('create')).toBe(1);

    provider.customers.clear();
    expect(kindOf(await newer.create({ name, email, external_id }))).toBe('created');
  });
});

describe('DayZero that answers bare and enveloped by turns', () => {
  const changing = dayzeroWith({ envelope: 'alternate' });

  it('makes no difference to any tool', async () => {
    const { provider } = changing;
    // An odd number of answers each round, so that every tool meets both forms.
    for (const round of [1, 2]) {
      const external_id = anId();
      const created = await changing.create(someone({ external_id }));
      const customer_id = idOf(created);
      const stored = provider.customers.get(customer_id);
      expect(created.data, `round ${round}`).toEqual({
        outcome: 'created',
        customer_id,
        external_id,
        customer: stored,
      });
      expect((await changing.create({ ...someone(), email: stored?.['email'] })).isError).toBe(true);
      expect((await changing.call('get_customer', { external_id })).data).toMatchObject({
        customer_id,
        customer: stored,
      });
      const { data } = await changing.call('search_customer', { email: stored?.['email'] });
      expect(data).toEqual({ customers: [{ customer_id, customer: stored }], has_more: false });
      const updated = await changing.call('update_customer', { external_id, notes: `round ${round}` });
      expect(updated.data['customer']).toEqual(provider.customers.get(customer_id));
      expect(updated.data).not.toHaveProperty('warnings');
      expect((await changing.call('search_customer', { limit: 1 })).data['customers']).toHaveLength(1);
    }
    expect(provider.customers.size).toBe(2);
  });
});

describe('A DayZero customer that may be there already', () => {
  const plain = dayzeroWith();

  it.each([
    ['with an external_id', true],
    ['without one', false],
  ])('is not created beside another with the same email, %s', async (_, withId) => {
    const { provider } = plain;
    const { name, email } = someone();
    const customer_id = seed(provider, { name: 'Older name', email });
    const external_id = anId();
    const result = await plain.create({ name, email, ...(withId && { external_id }) });

    expect(errorOf(result)).toMatchObject({
      kind: 'possible_duplicate',
      candidates: [{ customer_id, customer: { name: 'Older name', email } }],
    });
    expect(messageOf(result)).toContain('allow_duplicate');
    expect(provider.count('create')).toBe(0);
    expect(last(provider, 'list')?.query.get('email')).toBe(email);
  });

  it('is created all the same with allow_duplicate', async () => {
    const { provider } = plain;
    const { name, email } = someone();
    const older = seed(provider, { name, email });
    const external_id = anId();
    expect(kindOf(await plain.create({ name, email, external_id }))).toBe('possible_duplicate');
    const result = await plain.create({ name, email, external_id, allow_duplicate: true });

    expect(kindOf(result)).toBe('created');
    expect(idOf(result)).not.toBe(older);
    expect(provider.customers.size).toBe(2);
  });

  it('is tied by link_customer after the warning, and then existing', async () => {
    const { provider } = plain;
    const { name, email } = someone();
    const customer_id = seed(provider, { name, email });
    const external_id = anId();
    expect(kindOf(await plain.create({ name, email, external_id }))).toBe('possible_duplicate');
    await plain.call('link_customer', { external_id, customer_id });

    const result = await plain.create({ name, email, external_id });
    expect(result.data).toMatchObject({ outcome: 'existing', customer_id, external_id });
    expect(provider.count('create')).toBe(0);
  });

  it('is no duplicate of a deleted one', async () => {
    const { provider } = plain;
    const { name, email } = someone();
    softDelete(provider, seed(provider, { name, email }));
    expect(kindOf(await plain.create({ name, email }))).toBe('created');
  });

  it('is created once when two calls with the same email come at the same time', async () => {
    const { provider } = plain;
    const fields = someone();
    const kinds = (await Promise.all([plain.create(fields), plain.create(fields)])).map(kindOf);
    expect(kinds.toSorted()).toEqual(['created', 'possible_duplicate']);
    expect(provider.customers.size).toBe(1);
  });

  it('is not created when the look for it fails', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id });
    provider.fault({ on: 'list', act: { status: 500 }, times: Infinity });
    expect(kindOf(await plain.create(fields))).toBe('unavailable');
    expect(provider.count('create')).toBe(0);

    provider.reset();
    expect(kindOf(await plain.create(fields))).toBe('created');
  });
});

describe('The external_id of a DayZero customer', () => {
  const plain = dayzeroWith();

  it('gives the same customer for the same create again, without a second one being sent', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId(), notes: 'first' });
    const customer_id = idOf(await plain.create(fields));
    const again = await plain.create(fields);
    expect(again.data).toMatchObject({ outcome: 'existing', customer_id, customer: { notes: 'first' } });
    expect(again.isError).toBe(false);
    expect(provider.count('create')).toBe(1);
  });

  it('still does so after the customer was changed, and shows it as it is now', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id, notes: 'first' });
    const customer_id = idOf(await plain.create(fields));
    await plain.call('update_customer', { external_id, notes: 'second', name: 'New name' });

    expect((await plain.create(fields)).data).toMatchObject({
      outcome: 'existing',
      customer_id,
      customer: { notes: 'second', name: 'New name' },
    });
    const asItIsNow = await plain.create({ ...fields, notes: 'second', name: 'New name' });
    expect(asItIsNow.data).toMatchObject({ outcome: 'existing', customer_id });
    expect(provider.count('create')).toBe(1);
    expect(provider.count('update')).toBe(1);
  });

  it('is a conflict that names the differing fields when they are others, and changes nothing', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id, notes: 'first', phone: '1' });
    const customer_id = idOf(await plain.create(fields));
    const before = provider.customers.get(customer_id);
    const result = await plain.create({ ...fields, notes: 'second', category: 'Retail' });

    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id });
    const paths = errorOf(result)?.['fields'];
    expect(Array.isArray(paths) && paths.map((field) => isRecord(field) && field['path']).toSorted()).toEqual([
      'category',
      'notes',
    ]);
    expect(messageOf(result)).toMatch(/notes/);
    expect(messageOf(result)).toMatch(/category/);
    expect(messageOf(result)).not.toMatch(/phone/);
    expect(provider.customers.get(customer_id)).toBe(before);
    expect(provider.count('create')).toBe(1);
  });

  it('leads get, update and archive to the customer, an update with one request', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id });
    const customer_id = idOf(await plain.create(fields));
    provider.requests.length = 0;

    expect((await plain.call('update_customer', { external_id, notes: 'x' })).data).toMatchObject({
      customer_id,
      external_id,
    });
    expect(provider.requests.map(({ operation }) => operation)).toEqual(['update']);
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id, external_id });
    const archived = await plain.call('archive_customer', { external_id, confirm: fields.name });
    expect(archived.data).toMatchObject({ outcome: 'deleted', customer_id });
  });

  it('is compared letter by letter', async () => {
    const { provider } = plain;
    const external_id = `Case-${anId()}`;
    const ids = [
      external_id,
      external_id.toLowerCase(),
      ` ${external_id}`,
      `${external_id}\u00e9`,
      `${external_id}e\u0301`,
    ];
    for (const id of ids) expect(kindOf(await plain.create(someone({ external_id: id })))).toBe('created');
    expect(provider.customers.size).toBe(5);
  });

  it('is refused beyond 255 characters and with control characters, before anything is sent', async () => {
    for (const external_id of ['x'.repeat(256), 'crm\u0000-1', 'crm-1\n', '\u001b[31mcrm'])
      expect(errorOf(await plain.create(someone({ external_id })))).toMatchObject({
        kind: 'invalid_input',
        fields: [{ path: 'external_id' }],
      });
    expect(plain.provider.count('*')).toBe(0);
  });

  it('says how to go on when nobody has it', async () => {
    for (const tool of ['get_customer', 'archive_customer', 'update_customer']) {
      const result = await plain.call(tool, {
        external_id: anId(),
        ...(tool === 'update_customer' && { notes: 'x' }),
      });
      expect(kindOf(result)).toBe('not_found');
      expect(messageOf(result)).toContain('link_customer');
    }
    expect(plain.provider.count('*')).toBe(0);
  });

  it.each([400, 401, 403, 404, 409, 422])('is free again when the create is refused with %i', async (status) => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    provider.fault({ on: 'create', act: { status }, times: 1 });
    const refused = await plain.create(fields);
    expect(refused.isError).toBe(true);
    expect(kindOf(refused)).not.toBe('outcome_unknown');
    expect(provider.count('create')).toBe(1);

    expect(kindOf(await plain.create(fields))).toBe('created');
    expect(provider.count('create')).toBe(2);
    expect(provider.customers.size).toBe(1);
  });

  it('is free for other fields after a refusal', async () => {
    const { provider } = plain;
    const external_id = anId();
    expect(kindOf(await plain.create({ name: 'No dot', email: 'somebody@nowhere', external_id }))).toBe(
      'invalid_input',
    );
    expect(kindOf(await plain.create(someone({ external_id })))).toBe('created');
    expect(provider.customers.size).toBe(1);
  });

  it('is rate_limited when DayZero says to wait for long, and free', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    provider.fault({ on: 'create', act: { status: 429, headers: { 'retry-after': '3600' } } });
    expect(errorOf(await plain.create(fields))).toMatchObject({ kind: 'rate_limited', retry_after_s: 3600 });
    expect(provider.count('create')).toBe(1);
    expect(kindOf(await plain.create(fields))).toBe('created');
  });
});

describe('link_customer', () => {
  const plain = dayzeroWith();

  it('ties an external_id to a customer, and says so again when asked again', async () => {
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

  it('makes a create of other fields a conflict with the customer it was tied to', async () => {
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

  it('does not tie a customer that is not there', async () => {
    const external_id = anId();
    const result = await plain.call('link_customer', { external_id, customer_id: randomUUID() });
    expect(kindOf(result)).toBe('not_found');
    expect(kindOf(await plain.call('get_customer', { external_id }))).toBe('not_found');
    expect(kindOf(await plain.create(someone({ external_id })))).toBe('created');
  });

  it('does not tie a deleted customer', async () => {
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

  it('ties the external_id and changes the fields, which the external_id is none of', async () => {
    const { provider } = plain;
    const external_id = anId();
    const customer_id = seed(provider, someone());
    const result = await plain.call('update_customer', { customer_id, external_id, notes: 'x' });
    expect(result.data).toMatchObject({ outcome: 'updated', customer_id, external_id, customer: { notes: 'x' } });
    expect(result.data['changed']).toEqual(expect.arrayContaining(['notes', 'external_id']));
    expect(last(provider, 'update')?.body).toEqual({ notes: 'x' });
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id });
  });

  it('needs no field to tie, and then sends no update', async () => {
    const { provider } = plain;
    const external_id = anId();
    const customer_id = seed(provider, someone());
    const result = await plain.call('update_customer', { customer_id, external_id });
    expect(result.data).toMatchObject({ outcome: 'updated', changed: ['external_id'], customer_id, external_id });
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

  it('does not tie a deleted customer, as link_customer does not', async () => {
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

describe('Deleting a DayZero customer', () => {
  const plain = dayzeroWith();

  it('asks for the name first, is refused with a wrong one and goes through with the right one', async () => {
    const { provider } = plain;
    const { name, email } = someone();
    const customer_id = seed(provider, { name, email });

    const first = await plain.call('archive_customer', { customer_id });
    expect(errorOf(first)).toMatchObject({ kind: 'confirmation_required', confirm: name });
    expect(messageOf(first)).toContain(JSON.stringify(name));
    for (const confirm of [name.toUpperCase(), `${name} `, customer_id, 'true', 'yes']) {
      const wrong = await plain.call('archive_customer', { customer_id, confirm });
      expect(errorOf(wrong)).toMatchObject({ kind: 'confirmation_required', confirm: name });
    }
    expect(provider.count('delete')).toBe(0);

    const right = await plain.call('archive_customer', { customer_id, confirm: name });
    expect(right.data).toMatchObject({ outcome: 'deleted', customer_id });
    expect(provider.count('delete')).toBe(1);
    expect(provider.customers.get(customer_id)).toMatchObject({ is_deleted: true });
  });

  it('shows the name to confirm without what cannot be seen', async () => {
    const { provider } = plain;
    const customer_id = seed(provider, { ...someone(), name: 'Tulip\u202e\u200b Shop\u{e0041}' });
    const first = await plain.call('archive_customer', { customer_id });
    expect(errorOf(first)).toMatchObject({ kind: 'confirmation_required', confirm: 'Tulip Shop' });
    const second = await plain.call('archive_customer', { customer_id, confirm: 'Tulip Shop' });
    expect(kindOf(second)).toBe('deleted');
  });

  it.each([
    ['no name', null],
    ['an empty name', ''],
    ['a name that cannot be seen', '\u200b\u2060'],
  ])('asks for the id of a customer with %s', async (_, name) => {
    const { provider } = plain;
    const customer_id = seed(provider, { ...someone(), name });
    const first = await plain.call('archive_customer', { customer_id });
    expect(errorOf(first)).toMatchObject({ kind: 'confirmation_required', confirm: customer_id });
    expect(kindOf(await plain.call('archive_customer', { customer_id, confirm: customer_id }))).toBe('deleted');
  });

  it('leaves it readable by customer_id, and says already_archived the second time without asking', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id });
    const customer_id = idOf(await plain.create(fields));
    await plain.call('archive_customer', { external_id, confirm: fields.name });

    const read = await plain.call('get_customer', { customer_id });
    expect(read.data).toMatchObject({ customer_id, customer: { is_deleted: true, name: fields.name } });
    expect((await plain.call('search_customer', { email: fields.email })).data['customers']).toEqual([]);
    const again = await plain.call('archive_customer', { customer_id });
    expect(again.data).toMatchObject({ outcome: 'already_archived', customer_id });
    expect(provider.count('delete')).toBe(1);
  });

  it.each(['external_id', 'customer_id'])('by %s makes the external_id free for a new customer', async (by) => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id });
    const customer_id = idOf(await plain.create(fields));
    await plain.call('archive_customer', {
      ...(by === 'external_id' ? { external_id } : { customer_id }),
      confirm: fields.name,
    });
    expect(kindOf(await plain.call('get_customer', { external_id }))).toBe('not_found');

    const other = { ...fields, notes: 'not what it was' };
    const again = await plain.create(other);
    expect(again.data).toMatchObject({ outcome: 'created', external_id, customer: { notes: 'not what it was' } });
    expect(idOf(again)).not.toBe(customer_id);
    expect(livingIds(provider)).toEqual([idOf(again)]);
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id: idOf(again) });
    expect(kindOf(await plain.create(other))).toBe('existing');
  });

  it('elsewhere makes the external_id free as well, once it is found out', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id });
    const customer_id = idOf(await plain.create(fields));
    softDelete(provider, customer_id);

    for (const tool of ['get_customer', 'update_customer']) {
      const result = await plain.call(tool, { external_id, ...(tool === 'update_customer' && { notes: 'x' }) });
      expect(kindOf(result)).toBe('not_found');
    }
    const again = await plain.create(fields);
    expect(kindOf(again)).toBe('created');
    expect(idOf(again)).not.toBe(customer_id);
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id: idOf(again) });
  });

  it('elsewhere, down to the last trace, makes the external_id free as well', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    await plain.create(fields);
    provider.customers.clear();
    expect(kindOf(await plain.create(fields))).toBe('created');
    expect(provider.customers.size).toBe(1);
  });

  it('is not what a 404 for the whole business means, and the external_id stays with its customer', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    const customer_id = idOf(await plain.create(fields));
    const elsewhere = { status: 404, body: { detail: 'Business not found' } };
    provider.fault({ on: 'get', act: elsewhere });
    provider.fault({ on: 'list', act: elsewhere });
    expect((await plain.create(fields)).isError).toBe(true);

    const again = await plain.create(fields);
    expect(kindOf(again)).toBe('existing');
    expect(idOf(again)).toBe(customer_id);
    expect(provider.count('create')).toBe(1);
  });

  it('counts as done when it is repeated after an unclear answer and finds nothing to delete', async () => {
    const { provider } = plain;
    const { name, email } = someone();
    const customer_id = seed(provider, { name, email });
    provider.fault({ on: 'delete', act: { status: 502 }, when: 'after' });
    const result = await plain.call('archive_customer', { customer_id, confirm: name });
    expect(result.data).toMatchObject({ outcome: 'deleted', customer_id });
    expect(provider.count('delete')).toBe(2);
  });
});

describe('Deleting a DayZero customer where the client can ask the person', () => {
  const asked: string[] = [];
  let action: 'accept' | 'decline' | 'cancel' = 'accept';
  const asking = dayzeroWith(
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
    const { name, email } = someone();
    const customer_id = seed(provider, { name, email });
    action = 'accept';
    expect(kindOf(await asking.call('archive_customer', { customer_id }))).toBe('deleted');
    expect(asked).toHaveLength(1);
    expect(asked[0]).toContain(name);
    expect(provider.customers.get(customer_id)).toMatchObject({ is_deleted: true });
  });

  it.each(['decline', 'cancel'] as const)('is not done on %s, whatever the model confirms', async (answer) => {
    const { provider } = asking;
    const { name, email } = someone();
    const customer_id = seed(provider, { name, email });
    action = answer;
    const result = await asking.call('archive_customer', { customer_id, confirm: name });
    expect(kindOf(result)).toBe('confirmation_required');
    expect(asked).toHaveLength(1);
    expect(provider.count('delete')).toBe(0);
  });

  it('asks before a create is sent again, and sends it only if the person accepts', async () => {
    const { provider } = asking;
    const external_id = anId();
    const fields = someone({ external_id });
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await asking.create(fields))).toBe('outcome_unknown');
    expect(asked).toHaveLength(0);

    action = 'decline';
    expect(kindOf(await asking.create({ ...fields, resend: true, confirm: external_id }))).toBe(
      'confirmation_required',
    );
    expect(provider.count('create')).toBe(1);
    action = 'accept';
    expect(kindOf(await asking.create({ ...fields, resend: true }))).toBe('created');
    expect(provider.count('create')).toBe(2);
    expect(asked).toHaveLength(2);
    expect(asked[1]).toContain(external_id);
  });
});

describe('With CUSTOMERS_CONFIRM=never', () => {
  const trusting = dayzeroWith({}, { CUSTOMERS_CONFIRM: 'never' });

  it('a DayZero customer is deleted at the first call', async () => {
    const customer_id = seed(trusting.provider, someone());
    expect(kindOf(await trusting.call('archive_customer', { customer_id }))).toBe('deleted');
  });

  it('a lost create is sent again at the first call', async () => {
    const { provider } = trusting;
    const fields = someone({ external_id: anId() });
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await trusting.create(fields))).toBe('outcome_unknown');
    expect(kindOf(await trusting.create({ ...fields, resend: true }))).toBe('created');
    expect(provider.count('create')).toBe(2);
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

describe('A DayZero create whose answer is lost', () => {
  const plain = dayzeroWith();

  it.each(SPOILED)('but which was carried out ends as a success after %s', async (_, act) => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id, notes: 'only me', credit_limit_cents: 5 });
    provider.fault({ on: 'create', act, when: 'after' });
    const result = await plain.create(fields);

    expect(provider.customers.size).toBe(1);
    const [stored] = provider.customers.values();
    expect(result.isError).toBe(false);
    expect(result.data).toEqual({ outcome: 'created', customer_id: stored?.['id'], external_id, customer: stored });
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
    const external_id = anId();
    const fields = someone({ external_id });
    provider.fault({ on: 'create', act });
    const first = await plain.create(fields);
    expect(kindOf(first)).toBe('outcome_unknown');
    expect(messageOf(first)).toContain('DayZero');
    expect(messageOf(first)).toContain('create_customer');
    expect(messageOf(first)).toContain('link_customer');
    expect(messageOf(first)).toContain('resend');

    for (const args of [fields, { ...fields, allow_duplicate: true }, { ...fields, notes: 'other' }])
      expect(kindOf(await plain.create(args))).toBe('outcome_unknown');
    expect(provider.count('create')).toBe(1);
  });

  it('and which turns up late is adopted by the next call', async () => {
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

  it('and which turns up late is a conflict for a call with other fields, which names them', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ notes: 'late' });
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await plain.create({ ...fields, external_id }))).toBe('outcome_unknown');
    const customer_id = seed(provider, { ...fields, created_at: new Date().toISOString() });

    const other = await plain.create({ ...fields, email: someone().email, notes: 'other', external_id });
    expect(errorOf(other)).toMatchObject({ kind: 'conflict', customer_id });
    expect(messageOf(other)).toMatch(/email/);
    expect(messageOf(other)).toMatch(/notes/);
    expect(provider.count('create')).toBe(1);
  });

  it('is found by the next call when even the search for it failed', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    provider.fault({ on: 'create', act: { status: 502 }, when: 'after' });
    provider.fault({ on: 'list', act: { status: 500 }, skip: 1 });
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
    const twin = seed(provider, { ...fields, created_at: new Date().toISOString() });
    provider.fault({ on: 'create', act: 'reset', when: 'after' });
    const result = await plain.create(request);
    const created = [...provider.customers.keys()].find((id) => id !== twin);
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

  it('is sent again with resend and consent, and only then', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
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
    expect(last(provider, 'create')?.body).toEqual({ name: fields.name, email: fields.email });
    expect(provider.count('create')).toBe(2);
    expect((await plain.create(fields)).data).toMatchObject({ outcome: 'existing', customer_id: idOf(sent) });
  });

  it('is not sent again with resend when the customer is there after all', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone();
    provider.fault({ on: 'create', act: 'reset' });
    await plain.create({ ...fields, external_id });
    const customer_id = seed(provider, { ...fields, created_at: new Date().toISOString() });
    const result = await plain.create({ ...fields, external_id, resend: true, confirm: external_id });
    expect(result.data).toMatchObject({ outcome: 'existing', customer_id });
    expect(provider.count('create')).toBe(1);
  });

  it('needs its external_id to be sent again', async () => {
    const result = await plain.create({ ...someone(), resend: true });
    expect(errorOf(result)).toMatchObject({ kind: 'invalid_input', fields: [{ path: 'resend' }] });
    expect(plain.provider.count('*')).toBe(0);
  });

  it('was accepted, so it is not sent again although the customer cannot be found', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    provider.fault({ on: 'create', act: 'no-id' });
    const first = await plain.create(fields);
    expect(first.data).toMatchObject({ outcome: 'created', warnings: [expect.stringContaining('search_customer')] });
    expect(first.data).not.toHaveProperty('customer_id');
    expect(kindOf(await plain.create(fields))).toBe('outcome_unknown');
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

describe('A DayZero create that gets no answer in time', () => {
  const impatient = dayzeroWith({}, { CUSTOMERS_TIMEOUT_MS: '1200' });

  it('but was carried out ends as a success when its answer only drips', async () => {
    const { provider } = impatient;
    provider.fault({ on: 'create', act: 'drip', when: 'after' });
    const result = await impatient.create(someone({ external_id: anId() }));
    const [stored] = provider.customers.values();
    expect(result.data).toMatchObject({ outcome: 'created', customer_id: stored?.['id'], customer: stored });
    expect(provider.count('create')).toBe(1);
  });

  it('and was not carried out is outcome_unknown, and is not sent again', async () => {
    const { provider } = impatient;
    const fields = someone({ external_id: anId() });
    provider.fault({ on: 'create', act: 'hang' });
    expect(kindOf(await impatient.create(fields))).toBe('outcome_unknown');
    expect(kindOf(await impatient.create(fields))).toBe('outcome_unknown');
    expect(provider.count('create')).toBe(1);
  });
});

describe('What is known of DayZero customers, with a SQLite store', () => {
  const disk = temporaryStore();
  const servers: Connection[] = [];
  let provider: StandIn;
  let environment: Environment;
  beforeAll(async () => {
    const started = await standIns.dayzero();
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

  it('survives a restart: a created customer is existing and found by its external_id', async () => {
    const external_id = anId();
    const fields = someone({ external_id, notes: 'kept' });
    const customer_id = idOf(await (await restarted()).call('create_customer', fields));

    const server = await restarted();
    expect((await server.call('create_customer', fields)).data).toMatchObject({ outcome: 'existing', customer_id });
    const other = await server.call('create_customer', { ...fields, notes: 'other' });
    expect(errorOf(other)).toMatchObject({ kind: 'conflict', fields: [{ path: 'notes' }] });
    expect((await server.call('get_customer', { external_id })).data).toMatchObject({ customer_id, external_id });
    expect(provider.count('create')).toBe(1);
  });

  it('survives a restart: a tied customer stays tied, a lost create stays lost, a deleted one is free', async () => {
    const [tied, lost, gone] = [anId(), anId(), anId()];
    const lostFields = someone({ external_id: lost });
    const goneFields = someone({ external_id: gone });
    const customer_id = seed(provider, someone());
    const before = await restarted();
    await before.call('link_customer', { external_id: tied, customer_id });
    const goneId = idOf(await before.call('create_customer', goneFields));
    await before.call('archive_customer', { external_id: gone, confirm: goneFields.name });
    provider.fault({ on: 'create', act: 'reset' });
    expect(kindOf(await before.call('create_customer', lostFields))).toBe('outcome_unknown');
    provider.requests.length = 0;

    const after = await restarted();
    expect((await after.call('get_customer', { external_id: tied })).data).toMatchObject({ customer_id });
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
