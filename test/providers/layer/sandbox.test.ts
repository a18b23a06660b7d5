import { beforeEach, describe, expect, it } from 'vitest';
import { errorOf } from '../../support/client.ts';
import { sandboxTests, UNKNOWN_ID, UUID } from '../../support/sandbox.ts';

const { open, call, search, found, allPages, create } = sandboxTests();

describe("Layer's sandbox", () => {
  beforeEach(() => open({ CUSTOMERS_PROVIDER: 'layer' }));

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
    expect(updated.data).toMatchObject({
      outcome: 'updated',
      changed: { email: { from: ACME.email, to: 'new@example.com' }, tags: { to: [{ key: 'tier', value: 'gold' }] } },
    });
    expect((await call('get_customer', own)).data['customer']).toMatchObject({
      ...ACME,
      email: 'new@example.com',
      transaction_tags: [{ key: 'tier', value: 'gold' }],
    });

    expect((await call('update_customer', { ...own, email: 'new@example.com' })).data).toMatchObject({
      outcome: 'unchanged',
      changed: {},
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
    const again = await call('create_customer', {
      external_id: 'customer-1',
      company_name: ACME.company_name,
      email: 'other@example.com',
    });
    expect(again.data).toMatchObject({ outcome: 'updated', customer_id: id, customer: { email: 'other@example.com' } });
    expect((await search()).customers.length).toBe(1);
  });

  it('makes two customers of two creates without external_id', async () => {
    const first = await create({ company_name: 'Acme' });
    expect(await create({ company_name: 'Acme', allow_duplicate: true })).not.toBe(first);
  });

  it('filters a list as documented', async () => {
    await create({ external_id: 'erp-17', company_name: 'Acme, Inc.', individual_name: 'John Doe' });
    await create({ external_id: 'ERP-18', company_name: 'Bolt', individual_name: 'Mary Poppins' });
    await create({ external_id: 'crm-1', individual_name: 'Acme', allow_duplicate: true });
    expect(await found('external_id', { external_id: 'erp-17' })).toEqual(['erp-17']);
    expect(await found('external_id', { external_id: 'erp-1' })).toEqual([]);
    expect(await found('external_id', { external_id_contains: 'eRp' })).toEqual(['erp-17', 'ERP-18']);
    expect(await found('external_id', { name: 'Acme' })).toEqual(['crm-1']);
    expect(await found('external_id', { name_contains: 'acME' })).toEqual(['erp-17', 'crm-1']);
    expect(await found('external_id', { name_contains: 'poppins', external_id_contains: 'erp' })).toEqual(['ERP-18']);
    expect((await search({ show_total_count: true, limit: 1 })).total).toBe(3);
    expect((await search({ limit: 1 })).total).toBe(3);
    expect(await search({ limit: 1, show_total_count: false })).not.toHaveProperty('total');
  });

  it('sorts and pages through a list without losing or repeating a customer', async () => {
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
    expect(errorOf(taken)).toMatchObject({ kind: 'conflict', customer_id: expect.not.stringMatching(id) });
    const moved = await call('update_customer', { customer_id: id, external_id: 'customer-3' });
    expect(moved.data).toMatchObject({
      outcome: 'updated',
      changed: { external_id: { from: 'customer-1', to: 'customer-3' } },
      external_id: 'customer-3',
    });
    expect(errorOf(await call('get_customer', { external_id: 'customer-1' }))).toMatchObject({ kind: 'not_found' });
    expect((await call('get_customer', { external_id: 'customer-3' })).data).toMatchObject({ customer_id: id });
  });

  it('does not know an unknown id', async () => {
    const cases: [string, Record<string, unknown>][] = [
      ['get_customer', {}],
      ['update_customer', { notes: 'x' }],
      ['archive_customer', {}],
      ['restore_customer', {}],
    ];
    for (const [tool, args] of cases) {
      expect.soft(errorOf(await call(tool, { ...args, customer_id: UNKNOWN_ID }))).toMatchObject({
        kind: 'not_found',
        message: expect.stringMatching(/Layer answered 404: "Customer not found/),
      });
      expect.soft(errorOf(await call(tool, { ...args, external_id: 'unknown' }))).toMatchObject({ kind: 'not_found' });
    }
  });

  it('refuses a cursor that it never gave out', async () => {
    expect(errorOf(await call('search_customer', { cursor: 'nonsense' }))).toMatchObject({ kind: 'invalid_input' });
  });
});
