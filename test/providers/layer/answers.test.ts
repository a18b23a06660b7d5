import { describe, expect, it } from 'vitest';
import { errorOf } from '../../support/client.ts';
import { grete, made, openScene, operationsOf } from './fixture.ts';

describe.concurrent('Layer’s answers', () => {
  it.each([
    [{ errors: [{ type: 'Layer', description: 'Books are closed' }] }, 'invalid_input'],
    [{ errors: [{ type: 'Layer', error_enum: 'SpecifiedIdNotFound', description: 'Books are closed' }] }, 'not_found'],
    [{ success: false, message: 'Books are closed' }, 'invalid_input'],
  ])('to restoring that hold an error are refused: %j', async (body, kind) => {
    const { standIn, server } = await openScene();
    const { id } = await made(server, grete(1));
    await server.call('archive_customer', { customer_id: id });
    standIn.fault({ on: 'unarchive', act: { status: 200, body } });
    const answer = await server.call('restore_customer', { customer_id: id });
    expect(errorOf(answer), answer.text).toMatchObject({ kind });
    expect(answer.text).toContain('Books are closed');
    expect(standIn.customers.get(id)).toMatchObject({ status: 'ARCHIVED' });
  });

  it('to restoring that show another customer leave it unknown', async () => {
    const { standIn, server } = await openScene();
    const { id } = await made(server, grete(1));
    const other = await made(server, { ...grete(2), allow_duplicate: true });
    await server.call('archive_customer', { customer_id: id });
    standIn.fault({ on: 'unarchive', act: { status: 200, body: { data: standIn.customers.get(other.id) } } });
    const answer = await server.call('restore_customer', { customer_id: id });
    expect(errorOf(answer), answer.text).toMatchObject({ kind: 'outcome_unknown' });
  });

  it.each([
    [{ error: 'invalid_client', error_description: 'No such client' }, 'unauthorized', 'LAYER_CLIENT_SECRET'],
    [{ success: false, message: 'No such client' }, 'bad_response', 'LAYER_TOKEN_URL'],
    [{ status: 429, detail: 'No such client' }, 'rate_limited', ''],
  ])('of the token endpoint that hold an error are refused: %j', async (body, kind, setting) => {
    const { standIn, server } = await openScene();
    standIn.fault({ on: 'token', times: Infinity, act: { status: 200, body } });
    const answer = await server.call('create_customer', grete(1));
    expect(errorOf(answer), answer.text).toMatchObject({ kind });
    expect(answer.text).toContain('No such client');
    expect(answer.text).toContain(setting);
    expect(new Set(operationsOf(standIn))).toEqual(new Set(['token']));
  });
});

describe.concurrent('Layer’s filter by external id', () => {
  it('is not trusted if it answers with others: the list is read', async () => {
    const { standIn, server } = await openScene();
    const { id } = await made(server, { company_name: 'One', external_id: 'only-1' });
    const other = await made(server, { company_name: 'Other', external_id: 'only-2' });
    const body = { data: [standIn.customers.get(other.id)], meta: { pagination: { cursor: null, has_more: false } } };
    // As another program would; the server remembers only the earlier one.
    standIn.customers.set(id, { ...standIn.customers.get(id), external_id: 'moved-1' });
    standIn.fault({ on: 'list', act: { status: 200, body } });
    const { data, text } = await server.call('get_customer', { external_id: 'moved-1' });
    expect(data, text).toMatchObject({ customer_id: id, external_id: 'moved-1' });
    standIn.fault({ on: 'list', act: { status: 200, body } });
    const missing = await server.call('get_customer', { external_id: 'only-3' });
    expect(errorOf(missing), missing.text).toMatchObject({ kind: 'not_found' });
  });
});

describe.concurrent('Layer’s paging', () => {
  it.each([
    [{ cursor: 'c-2', has_next: true, total_count: 7 }, true],
    [{ cursor: 'c-2', has_more: false, has_next: false, total_count: 7 }, false],
    [{ cursor: 'c-2', total_count: 7 }, true],
    [{ cursor: null, total_count: 7 }, false],
  ])('is read under either name: %j', async (pagination, more) => {
    const { standIn, server } = await openScene();
    const { id } = await made(server, grete(1));
    const body = { data: [standIn.customers.get(id)], meta: { pagination } };
    standIn.fault({ on: 'list', act: { status: 200, body } });
    const { data, text } = await server.call('search_customer', { show_total_count: true, limit: 1 });
    expect(data, text).toMatchObject({ has_more: more, total: 7 });
    expect(data['next_cursor']).toBe(more ? 'c-2' : undefined);
    expect(standIn.requests.at(-1)?.query.get('show_total_count')).toBe('true');
  });
});
