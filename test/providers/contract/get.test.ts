import { describe, expect, it } from 'vitest';
import { idOf } from '../../support/answers.ts';
import { kits } from '../../support/providers.ts';
import { openScene, refusalIn, UNREADABLE } from './scene.ts';

describe.each(kits)('get_customer at $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored, operations, forgetRequests } = scene;
  const { title, externalIdField, read } = kit;

  it('reads by either id, with one request', async () => {
    const { id, all } = fresh();
    const customerId = await create(all, id);
    for (const ref of [{ customer_id: customerId }, { [externalIdField]: id }]) {
      forgetRequests();
      const { data } = await call('get_customer', ref);
      expect(data).toEqual({
        customer_id: customerId,
        external_id: id,
        customer: stored(customerId),
      });
      expect(operations()).toEqual(['get']);
    }
  });

  it.skipIf(kit.lookUp === undefined)('finds an external id that it has never met', async () => {
    const { id, all } = fresh();
    const customerId = await create(all, id);
    await create(fresh().all, `${id}0`);
    const { data } = await call('get_customer', { [externalIdField]: id }, scene.shortTimeoutServer);
    expect(data).toEqual({ customer_id: customerId, external_id: id, customer: stored(customerId) });
  });

  it('looks once more if the remembered customer is deleted, and only then returns not_found', async () => {
    const { id, few } = fresh();
    const customerId = await create(few, id);
    scene.standIn.customers.delete(customerId);
    forgetRequests();
    const answer = await call('get_customer', { [externalIdField]: id });
    const { message } = refusalIn(answer, 'not_found');
    expect(message).toContain(title);
    expect(message).toContain('search_customer');
    expect(scene.standIn.count('get')).toBe(1);
    expect(scene.standIn.count(kit.lookUp ?? 'none')).toBe(kit.lookUp === undefined ? 0 : 1);
  });

  it.skipIf(kit.lookUp === undefined)('follows an external id that has moved to another customer', async () => {
    const { id, few } = fresh();
    const before = await create(few, id);
    scene.standIn.customers.set('moved-to', { ...stored(before), id: 'moved-to' });
    scene.standIn.customers.delete(before);
    expect(idOf(await call('get_customer', { [externalIdField]: id }))).toBe('moved-to');
    forgetRequests();
    expect(idOf(await call('get_customer', { [externalIdField]: id }))).toBe('moved-to');
    expect(operations()).toEqual(['get']);
  });

  it('returns not_found for unknown ids', async () => {
    for (const ref of [{ customer_id: 'unknown' }, { [externalIdField]: 'unknown' }])
      expect(refusalIn(await call('get_customer', ref), 'not_found').message).toContain('search_customer');
  });

  it.each(UNREADABLE.map((act) => ({ act })))('returns bad_response for an unusable answer ($act)', async ({ act }) => {
    const customerId = await create(fresh().few);
    scene.standIn.fault({ on: read, times: Infinity, act });
    expect(refusalIn(await call('get_customer', { customer_id: customerId }), 'bad_response').message).toContain(title);
    scene.standIn.reset();
  });

  it('keeps members of the document that are new', async () => {
    const customerId = await create(fresh().all);
    scene.standIn.fault({ on: 'get', act: 'extra' });
    const { data } = await call('get_customer', { customer_id: customerId });
    expect(data.customer).toMatchObject({
      surprise: 'new',
      surprise_object: { deep: [1, null] },
      surpriseNull: null,
    });
    expect(data.customer_id).toBe(customerId);
  });
});
