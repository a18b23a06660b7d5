import { describe, expect, it } from 'vitest';
import { confirmed, idOf, kindOf, last, messageOf } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { isRecord } from '../../support/stand-in.ts';
import { anId, dayzeroWith, seed, someone } from './fixture.ts';
import { DAYZERO_BUSINESS_ID, DAYZERO_TOKEN } from './stand-in.ts';

describe('DayZero over the wire', () => {
  const plain = dayzeroWith();

  it('gets the token and the business with every request, and no user when none is set', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    const customer_id = idOf(await plain.create(fields));
    await plain.call('get_customer', { customer_id });
    await plain.call('search_customer');
    await plain.call('update_customer', { customer_id, notes: 'new' });
    await confirmed(plain.call, 'archive_customer', { customer_id });

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
    expect(result.data['changed']).toEqual({ phone: { from: '1', to: '2' }, notes: { from: 'old', to: null } });
    expect(provider.customers.get(customer_id)).toMatchObject({
      phone: '2',
      notes: null,
      website: 'https://a.example',
    });
    expect(result.data['warnings']).toEqual([expect.stringContaining('website')]);
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
      if (pages.length === 1) expect(data['total']).toBe(5);
      else expect(data).not.toHaveProperty('total');
    } while (cursor !== undefined && pages.length < 10);

    expect(pages.map((page) => page.length)).toEqual([2, 2, 1]);
    expect(pages.flat()).toEqual(seeded.toReversed());
    expect(provider.requests.map(({ query }) => query.get('limit'))).toEqual(['2', '2', '2']);
  });

  it('passes the list filters on under their own names, and returns the total on request', async () => {
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
    const result = await plain.create({ name: 'No dot', email: 'info@nowhere' });
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
});
