import { beforeEach, describe, expect, it } from 'vitest';
import { confirmed } from '../../support/answers.ts';
import { errorOf } from '../../support/client.ts';
import { sandboxTests, UNKNOWN_ID, UUID } from '../../support/sandbox.ts';

const { open, call, search, found, allPages, create } = sandboxTests();

describe("DayZero's sandbox", () => {
  beforeEach(() => open({ CUSTOMERS_PROVIDER: 'dayzero' }));

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
    expect(updated.data).toMatchObject({
      outcome: 'updated',
      changed: { credit_limit_cents: { to: 1 }, status: { from: 'inactive', to: 'blocked' } },
    });
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

    expect(errorOf(await call('get_customer', own))).toMatchObject({ kind: 'not_found' });

    expect((await confirmed(call, 'archive_customer', { external_id: 'b-1' })).data).toMatchObject({
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
    expect((await call('archive_customer', { customer_id: id })).data).toMatchObject({
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
      candidates: [{ customer_id: id, name: 'Acme' }],
    });
    expect(await create({ name: 'Acme 2', email: 'billing@acme.com', allow_duplicate: true })).not.toBe(id);
  });

  it('filters a list as documented', async () => {
    const acme = await create({ name: 'Acme Corp', email: 'a@example.com' });
    await create({ name: 'Bolt', email: 'b@example.com', status: 'blocked' });
    expect(await found('name', { id: acme })).toEqual(['Acme Corp']);
    expect(await found('name', { email: 'b@example.com' })).toEqual(['Bolt']);
    expect(await found('name', { email: 'b@example' })).toEqual([]);
    expect(await found('name', { search: 'acme' })).toEqual(['Acme Corp']);
    expect(await found('name', { status: 'blocked' })).toEqual(['Bolt']);
    expect(await found('name', { status: 'active' })).toEqual(['Acme Corp']);
    expect((await search({ include_total_count: true, limit: 1 })).total).toBe(2);
    expect((await search({ limit: 1 })).total).toBe(2);
    expect(await search({ limit: 1, include_total_count: false })).not.toHaveProperty('total');
  });

  it('shows the newest first, and sorts and pages without losing or repeating a customer', async () => {
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

  it('does not know an unknown id', async () => {
    const cases: [string, Record<string, unknown>][] = [
      ['get_customer', {}],
      ['update_customer', { notes: 'x' }],
      ['archive_customer', { confirm: 'x' }],
      ['link_customer', { external_id: 'a-1' }],
    ];
    for (const [tool, args] of cases) {
      expect.soft(errorOf(await call(tool, { ...args, customer_id: UNKNOWN_ID }))).toMatchObject({
        kind: 'not_found',
        message: expect.stringMatching(/DayZero answered 404: "Customer not found/),
      });
    }
  });
});
