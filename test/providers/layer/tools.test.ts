import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { errorOf, type Connection } from '../../support/client.ts';
import type { StandIn } from '../../support/stand-in.ts';
import { grete, made, operationsOf, openScene } from './fixture.ts';
import { LAYER_BUSINESS_ID } from './stand-in.ts';

describe('Layer', () => {
  let standIn: StandIn;
  let server: Connection;
  beforeAll(async () => ({ standIn, server } = await openScene({ tokenUses: Infinity })));
  beforeEach(() => standIn.reset());
  let serial = 0;
  /** A customer, as arguments, whose external id no other test has used. */
  function someone(): ReturnType<typeof grete> {
    serial += 1;
    return grete(1_000 + serial);
  }

  describe('create_customer', () => {
    it('sends JSON to the business of the settings, with the token', async () => {
      await made(server, someone());
      expect(standIn.requests.at(-1)).toMatchObject({
        method: 'POST',
        path: `/v1/businesses/${LAYER_BUSINESS_ID}/customers`,
        headers: { 'content-type': 'application/json', authorization: expect.stringMatching(/^Bearer layer-/) },
      });
    });

    it('again with other fields updates the one customer and keeps what it does not name', async () => {
      const { external_id, ...fields } = someone();
      const { id } = await made(server, { external_id, ...fields });
      const { company_name } = fields;
      const { data } = await server.call('create_customer', {
        external_id,
        company_name,
        email: 'other@hermann.example',
      });
      expect(data).toMatchObject({ outcome: 'updated', customer_id: id, external_id });
      expect([...standIn.customers.values()]).toEqual([data.customer]);
      expect(data.customer).toMatchObject({ email: 'other@hermann.example', memo: fields.notes });
    });

    it('is sent once more after an unclear answer, for Layer promises that it may be', async () => {
      for (const when of ['before', 'after'] as const) {
        standIn.reset();
        standIn.fault({ on: 'create', when, act: { status: 502 } });
        const { id } = await made(server, someone());
        expect([...standIn.customers.keys()]).toEqual([id]);
      }
    });

    it('warns of a field that was sent and did not come back', async () => {
      const named = { external_id: 'own-lossy', company_name: 'Hermann Lossy' };
      const customer = { type: 'CustomerData', id: 'c-1', ...named, email: 'other@hermann.example' };
      standIn.fault({ on: 'create', act: { status: 201, body: { data: customer } } });
      const fields = { ...named, email: 'grete@hermann.example', notes: 'Prefers mornings' };
      const { data } = await server.call('create_customer', fields);
      expect(data).toMatchObject({ outcome: 'created', customer_id: 'c-1', customer });
      expect(data.warnings).toEqual([
        'Layer accepted the request but its answer has no notes.',
        'Layer accepted the request but its answer has a different email.',
      ]);
    });

    it('refuses to create a customer without a name', async () => {
      for (const args of [{}, { email: '', tags: [], notes: null }])
        expect(errorOf(await server.call('create_customer', args))).toMatchObject({ kind: 'invalid_input' });
      expect(operationsOf(standIn)).toEqual([]);
    });
  });

  describe('update_customer', () => {
    it.each([
      ['patches only what changes', { email: 'new@hermann.example', notes: 'Later' }, 'PATCH'],
      ['puts the whole document back with the change in it', { tags: [{ key: 'a', value: 'b' }] }, 'PUT'],
    ] as const)('%s', async (_, { ...changes }, method) => {
      const customer = someone();
      const { id } = await made(server, customer);
      standIn.requests.length = 0;
      const same = { company_name: customer.company_name };
      await server.call('update_customer', { external_id: customer.external_id, ...same, ...changes });
      const [read, write, ...others] = standIn.requests;
      expect(read).toMatchObject({ method: 'GET', path: expect.stringMatching(`/customers/${id}$`) });
      expect(write).toMatchObject({ method, path: expect.stringMatching(`/customers/${id}$`) });
      expect(write?.body).toEqual(
        method === 'PUT' ? { ...customer, ...changes } : { email: 'new@hermann.example', memo: 'Later' },
      );
      expect(others).toEqual([]);
    });

    it('does not restore tags that were deleted or archived', async () => {
      const { id, document } = await made(server, someone());
      const tag = { id: 't', key: 'old', value: 'tag' };
      const at = '2026-01-01T00:00:00Z';
      const gone = [
        { ...tag, deleted_at: at, archived_at: null },
        { ...tag, deleted_at: null, archived_at: at },
      ];
      const living = Array.isArray(document.transaction_tags) ? document.transaction_tags : [];
      standIn.customers.set(id, { ...document, transaction_tags: [...living, ...gone] });
      await server.call('update_customer', { customer_id: id, external_id: 'moved' });
      expect(standIn.requests.at(-1)?.body).toMatchObject({ tags: [{ key: 'department', value: 'sales' }] });
    });

    it('sends nothing when nothing would change', async () => {
      const tags = [
        { key: 'department', value: 'sales' },
        { key: 'region', value: 'north' },
      ];
      const { external_id, ...fields } = someone();
      const { id, document } = await made(server, { external_id, ...fields, tags });
      const emptied = { ...document, office_phone: null };
      standIn.customers.set(id, emptied);
      for (const changes of [
        { email: fields.email },
        { tags: tags.toReversed() },
        { company_name: fields.company_name, notes: fields.notes, clear: ['office_phone'] },
      ]) {
        const { data } = await server.call('update_customer', { external_id, ...changes });
        expect(data).toEqual({ outcome: 'unchanged', changed: {}, customer_id: id, external_id, customer: emptied });
      }
      expect(standIn.count('update')).toBe(0);
    });

    it('names as changed only what is now different', async () => {
      const { external_id, ...fields } = someone();
      await made(server, { external_id, ...fields });
      const changes = { email: fields.email, company_name: 'Hermann AG', clear: ['mobile_phone', 'notes'] };
      const { data } = await server.call('update_customer', { external_id, ...changes });
      expect(data).toMatchObject({
        outcome: 'updated',
        changed: {
          company_name: { from: fields.company_name, to: 'Hermann AG' },
          notes: { from: fields.notes, to: null },
        },
      });
      expect(Object.keys(Object(data.changed))).toEqual(['company_name', 'notes']);
    });

    it('with both ids finds by the one, writes the other, and forgets the old one', async () => {
      const { external_id: before, ...fields } = someone();
      const { id } = await made(server, { external_id: before, ...fields });
      const after = `${before}-renamed`;
      const { data } = await server.call('update_customer', { customer_id: id, external_id: after });
      expect(data).toMatchObject({
        outcome: 'updated',
        changed: { external_id: { from: before, to: after } },
        external_id: after,
      });
      expect(standIn.customers.get(id)).toMatchObject({ external_id: after, email: fields.email });
      const byNew = await server.call('get_customer', { external_id: after });
      expect(byNew.data).toMatchObject({ customer_id: id, external_id: after });
      const byOld = await server.call('get_customer', { external_id: before });
      expect(errorOf(byOld)).toMatchObject({ kind: 'not_found', message: expect.stringContaining(before) });
      const change = await server.call('update_customer', { external_id: before, email: 'lost@hermann.example' });
      expect(errorOf(change)).toMatchObject({ kind: 'not_found' });
      expect(standIn.customers.get(id)).toMatchObject({ email: fields.email });
    });

    it('does not touch a customer whose external id was changed by others meanwhile', async () => {
      const { external_id, ...fields } = someone();
      const { id, document } = await made(server, { external_id, ...fields });
      standIn.customers.set(id, { ...document, external_id: 'another-id' });
      for (const tool of ['get_customer', 'archive_customer', 'restore_customer'])
        expect(errorOf(await server.call(tool, { external_id }))).toMatchObject({ kind: 'not_found' });
      const change = await server.call('update_customer', { external_id, email: 'wrong@hermann.example' });
      expect(errorOf(change)).toMatchObject({ kind: 'not_found' });
      expect(standIn.customers.get(id)).toEqual({ ...document, external_id: 'another-id' });
    });

    it('refuses an external id that belongs to another customer', async () => {
      const [one, other] = [someone(), someone()];
      const { id, document } = await made(server, one);
      const owner = await made(server, { ...other, allow_duplicate: true });
      standIn.requests.length = 0;
      const args = { customer_id: id, external_id: other.external_id, email: 'x@hermann.example' };
      const answer = await server.call('update_customer', args);
      expect(errorOf(answer)).toMatchObject({
        kind: 'conflict',
        customer_id: owner.id,
        message: expect.stringContaining(String(other.external_id)),
      });
      expect(standIn.count('update')).toBe(0);
      expect(standIn.customers.get(id)).toEqual(document);
    });

    it('leaves an archived customer archived', async () => {
      const { external_id, ...fields } = someone();
      const { id } = await made(server, { external_id, ...fields });
      await server.call('archive_customer', { customer_id: id });
      await server.call('update_customer', { external_id, email: 'new@hermann.example' });
      expect(standIn.customers.get(id)).toMatchObject({ email: 'new@hermann.example', status: 'ARCHIVED' });
    });
  });

  describe('archive_customer and restore_customer', () => {
    it('take effect once and then return that it is done', async () => {
      const { external_id, ...fields } = someone();
      const { id } = await made(server, { external_id, ...fields });
      const story = [
        ['archive_customer', 'archived', 'ARCHIVED'],
        ['archive_customer', 'already_archived', 'ARCHIVED'],
        ['restore_customer', 'restored', 'ACTIVE'],
        ['restore_customer', 'already_active', 'ACTIVE'],
      ] as const;
      for (const ref of [{ customer_id: id }, { external_id }])
        for (const [tool, outcome, status] of story) {
          const { data } = await server.call(tool, ref);
          expect(data).toMatchObject({ outcome, customer_id: id, external_id, customer: standIn.customers.get(id) });
          expect(standIn.customers.get(id)).toMatchObject({ status });
        }
      expect(standIn.count('archive')).toBe(2);
      expect(standIn.count('unarchive')).toBe(2);
    });

    it('leave everything else as it is', async () => {
      const { id, document } = await made(server, someone());
      await server.call('archive_customer', { customer_id: id });
      expect(standIn.customers.get(id)).toEqual({ ...document, status: 'ARCHIVED' });
      await server.call('restore_customer', { customer_id: id });
      expect(standIn.customers.get(id)).toEqual(document);
    });

    it('keep an archived customer within reach of its external id and out of the list', async () => {
      const { external_id, ...fields } = someone();
      const { id } = await made(server, { external_id, ...fields });
      await server.call('archive_customer', { customer_id: id });
      expect((await server.call('search_customer')).data.customers).toEqual([]);
      const { data } = await server.call('search_customer', { include_archived: true });
      expect(data.customers).toMatchObject([{ customer_id: id, external_id, customer: { status: 'ARCHIVED' } }]);
      // A document put in by others: nothing is remembered of it.
      standIn.customers.set('old', { ...standIn.customers.get(id), id: 'old', external_id: `${external_id}-old` });
      const found = await server.call('get_customer', { external_id: `${external_id}-old` });
      expect(found.data, found.text).toMatchObject({ customer_id: 'old' });
    });

    it.each(['html', 'empty', 'cut', 'null', 'no-id'] as const)(
      'count as done when Layer accepts a restoration and answers oddly (%s)',
      async (act) => {
        const { id } = await made(server, someone());
        await server.call('archive_customer', { customer_id: id });
        standIn.fault({ on: 'unarchive', when: 'after', act });
        standIn.fault({ on: 'get', skip: 1, times: Infinity, act: { status: 403 } });
        const { data, text } = await server.call('restore_customer', { customer_id: id });
        expect(data, text).toMatchObject({ outcome: 'restored', customer_id: id });
        expect(standIn.customers.get(id)).toMatchObject({ status: 'ACTIVE' });
      },
    );
  });

  describe('search_customer', () => {
    it('passes its filters on under their own names, by default with 25 rows a page', async () => {
      const filters = {
        include_archived: true,
        external_id_contains: 'own & only=1',
        name_contains: 'Café #1',
        sort_by: 'email',
        sort_order: 'DESC',
      };
      await server.call('search_customer', filters);
      await server.call('search_customer', { external_id: 'a/b?c', name: 'Ärzte+', limit: 100 });
      expect(standIn.requests.map(({ operation, query }) => [operation, Object.fromEntries(query)])).toEqual([
        ['list', { ...filters, include_archived: 'true', limit: '25', show_total_count: 'true' }],
        ['list', { external_id: 'a/b?c', name: 'Ärzte+', limit: '100', show_total_count: 'true' }],
      ]);
    });

    it('reads a list without meta as the last page, and a bare list as a list', async () => {
      const { id, document } = await made(server, someone());
      for (const body of [{ data: [document] }, [document]]) {
        standIn.fault({ on: 'list', act: { status: 200, body } });
        const { data } = await server.call('search_customer');
        expect(data).toMatchObject({ customers: [{ customer_id: id }], has_more: false });
      }
    });

    it('shows the total where Layer counts', async () => {
      const pagination = { sort_by: 'id', sort_order: 'ASC', cursor: 'c-2', has_more: true, total_count: 42 };
      standIn.fault({ on: 'list', act: { status: 200, body: { data: [], meta: { pagination } } } });
      expect((await server.call('search_customer')).data).toMatchObject({ has_more: true, total: 42 });
    });

    it('quotes Layer about an unknown cursor', async () => {
      const answer = await server.call('search_customer', { cursor: 'made-up' });
      expect(errorOf(answer)).toMatchObject({
        kind: 'invalid_input',
        message: expect.stringContaining('cursor is invalid'),
      });
    });
  });

  it('quotes every error of the list, whatever there is of each', async () => {
    const errors = [
      { type: 'A', description: 'First thing' },
      { type: 'B', error_enum: 'SECOND_THING' },
      { type: 'Third' },
    ];
    standIn.fault({ on: 'get', act: { status: 400, body: { errors } } });
    const { text } = await server.call('get_customer', { customer_id: 'x' });
    expect(text).toContain('Layer answered 400: "First thing; SECOND_THING; Third"');
  });

  it('offers restoring, and no linking, because it keeps external ids itself', async () => {
    const names = (await server.client.listTools()).tools.map(({ name }) => name);
    expect(names).toContain('restore_customer');
    expect(names).not.toContain('link_customer');
  });
});
