import { describe, expect, it } from 'vitest';
import { kits } from '../../support/providers.ts';
import { ODD_ANSWERS, openScene, refusalIn, rowsOf } from './scene.ts';

describe.each(kits)('archive_customer at $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create } = scene;
  const { externalIdField, archive } = kit;

  it.each(['customer_id', externalIdField].map((by) => ({ by })))(
    'by $by has the documented effect',
    async ({ by }) => {
      const { id, all } = fresh();
      const customerId = await create(all, id);
      const other = await create(fresh().all);
      const answer = await call('archive_customer', { [by]: by === 'customer_id' ? customerId : id });
      expect(answer.data).toMatchObject({ outcome: archive.outcome, customer_id: customerId });
      expect(archive.done(scene.standIn.customers.get(customerId))).toBe(true);
      expect(archive.done(scene.standIn.customers.get(other))).toBe(false);
      const { data } = await call('search_customer');
      expect(rowsOf(data).map((row) => row.customer_id)).toEqual([other]);
    },
  );

  it.each(ODD_ANSWERS.map((act) => ({ act })))(
    'counts as done when the provider accepts it and answers oddly ($act)',
    async ({ act }) => {
      const customerId = await create(fresh().few);
      scene.standIn.fault({ on: archive.operation, when: 'after', act });
      const answer = await call('archive_customer', { customer_id: customerId });
      expect(answer.data, answer.text).toMatchObject({ outcome: archive.outcome, customer_id: customerId });
      expect(archive.done(scene.standIn.customers.get(customerId))).toBe(true);
    },
  );

  it('counts as done when it is answered oddly and cannot be read back either', async () => {
    const customerId = await create(fresh().few);
    scene.standIn.fault({ on: archive.operation, when: 'after', act: 'html' });
    // A deletion reads the customer once more when it takes its turn.
    const skip = archive.outcome === 'deleted' ? 2 : 1;
    scene.standIn.fault({ on: 'get', skip, times: Infinity, act: { status: 500 } });
    const answer = await call('archive_customer', { customer_id: customerId });
    expect(answer.data, answer.text).toMatchObject({ outcome: archive.outcome, customer_id: customerId });
  });

  it.each([
    { status: 200, body: '<html>Sign in</html>', headers: { 'content-type': 'text/html' } },
    { status: 202, body: {} },
    { status: 200, body: '' },
  ])('is outcome_unknown and releases nothing when it is accepted but not done ($status $body)', async (act) => {
    const { all, id } = fresh();
    const customerId = await create(all, id);
    scene.standIn.fault({ on: archive.operation, act });
    refusalIn(await call('archive_customer', { customer_id: customerId }), 'outcome_unknown');
    const { data, text } = await call('get_customer', { [externalIdField]: id });
    expect(data, text).toMatchObject({ customer_id: customerId });
  });

  it('of an unknown customer is not_found and changes no customer', async () => {
    const other = await create(fresh().few);
    for (const ref of [{ customer_id: 'unknown' }, { [externalIdField]: 'unknown' }])
      refusalIn(await call('archive_customer', ref), 'not_found');
    expect(scene.standIn.count(archive.operation)).toBe(0);
    expect(archive.done(scene.standIn.customers.get(other))).toBe(false);
  });
});
