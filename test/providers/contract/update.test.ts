import { describe, expect, it } from 'vitest';
import { idOf } from '../../support/answers.ts';
import { kits } from '../../support/providers.ts';
import { ODD_ANSWERS, openScene, refusalIn } from './scene.ts';

describe.each(kits)('update_customer at $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored, sent, operations, recover, forgetRequests } = scene;
  const { title, externalIdField, text, change, clear } = kit;

  it('changes the named field and nothing else', async () => {
    const { id, all } = fresh();
    const customerId = await create(all, id);
    const other = await create(fresh().all);
    const before = stored(customerId);
    const untouched = stored(other);
    const from = all[change.field];
    const answer = await call('update_customer', { [externalIdField]: id, [change.field]: change.value });
    expect(answer.data).toEqual({
      outcome: 'updated',
      changed: { [change.field]: { from, to: change.value } },
      customer_id: customerId,
      external_id: id,
      customer: stored(customerId),
    });
    expect(change.stored(before)).not.toBe(change.value);
    expect(change.stored(stored(customerId))).toBe(change.value);
    expect(clear.stored(stored(customerId))).toBe(clear.stored(before));
    expect(kit.rest(stored(customerId))).toEqual(kit.rest(before));
    expect(stored(other)).toEqual(untouched);
  });

  it('loses nothing to another update of the same customer at the same time', async () => {
    const { id, all } = fresh();
    const customerId = await create(all, id);
    scene.standIn.fault({ on: 'update', act: { delayMs: 60 } });
    const [one, other] = await Promise.all([
      call('update_customer', { [externalIdField]: id, [change.field]: change.value }),
      call('update_customer', { customer_id: customerId, [text.field]: 'Moved meanwhile' }),
    ]);
    expect([idOf(one), idOf(other)]).toEqual([customerId, customerId]);
    expect(change.stored(stored(customerId))).toBe(change.value);
    expect(stored(customerId)[text.stored]).toBe('Moved meanwhile');
  });

  it('by a known external id needs no look-up', async () => {
    const { id, all } = fresh();
    await create(all, id);
    forgetRequests();
    idOf(await call('update_customer', { [externalIdField]: id, [change.field]: change.value }));
    expect(operations()).toEqual(kit.updateOperations);
  });

  it.skipIf(kit.lookUp === undefined)('finds an external id that it has never met, once', async () => {
    const { id, all } = fresh();
    const customerId = await create(all, id);
    forgetRequests();
    for (const value of ['First value', change.value]) {
      const answer = await call(
        'update_customer',
        { [externalIdField]: id, [change.field]: value },
        scene.shortTimeoutServer,
      );
      expect(idOf(answer)).toBe(customerId);
    }
    expect(scene.standIn.count(kit.lookUp ?? '')).toBe(1);
    expect(change.stored(stored(customerId))).toBe(change.value);
  });

  it('empties what clear names and keeps the rest', async () => {
    const { all } = fresh();
    const customerId = await create(all);
    const before = stored(customerId);
    const answer = await call('update_customer', { customer_id: customerId, clear: [clear.field] });
    const changed = { [clear.field]: { from: all[clear.field], to: null } };
    expect(answer.data).toMatchObject({ outcome: 'updated', changed, customer_id: customerId });
    expect(answer.data).not.toHaveProperty('warnings');
    expect(clear.stored(before)).toBeTruthy();
    expect(clear.stored(stored(customerId)) ?? '').toBe('');
    expect(change.stored(stored(customerId))).toBe(change.stored(before));
    expect(kit.rest(stored(customerId))).toEqual(kit.rest(before));
  });

  it('treats null, blanks and an empty list as not given, empties nothing, and warns', async () => {
    const { id, all } = fresh();
    const customerId = await create(all, id);
    const before = stored(customerId);
    for (const blank of [null, '', ' \t\u00a0', []]) {
      const blanks = Object.fromEntries(Object.keys(all).map((field) => [field, blank]));
      const value = `Changed beside ${JSON.stringify(blank)}`;
      const ref = { [externalIdField]: id, customer_id: blank, clear: null };
      const { data } = await call('update_customer', { ...blanks, ...ref, [change.field]: value });
      expect(data).toMatchObject({ outcome: 'updated' });
      expect(Object.keys(Object(data.changed))).toEqual([change.field]);
      expect(data.warnings).toContainEqual(expect.stringMatching(new RegExp(`\\b${clear.field}\\b.*clear`)));
      expect(data.warnings).not.toContainEqual(expect.stringMatching(new RegExp(`\\b${change.field}\\b.*clear`)));
      expect(change.stored(stored(customerId))).toBe(value);
      expect(kit.rest(stored(customerId))).toEqual(kit.rest(before));
    }
  });

  it('refuses text that no store preserves, at any depth, with what to do', async () => {
    const { all, id } = fresh();
    const customerId = await create(all, id);
    const before = scene.standIn.count('update');
    for (const damaged of ['x\0y', 'x\ud800y']) {
      const answer = await call('update_customer', { customer_id: customerId, [change.field]: damaged });
      expect(answer.data['error'], answer.text).toMatchObject({
        kind: 'invalid_input',
        fields: [{ path: change.field, message: expect.stringContaining('NUL') }],
      });
    }
    expect(scene.standIn.count('update')).toBe(before);
  });

  it('refuses to clear what it sets, to clear what cannot be cleared, and to change nothing', async () => {
    const ref = { customer_id: 'unknown' };
    for (const args of [
      { [clear.field]: 'x', clear: [clear.field] },
      { clear: ['customer_id'] },
      { clear: [] },
      { [change.field]: null, [clear.field]: '' },
      {},
    ])
      expect(refusalIn(await call('update_customer', { ...ref, ...args }), 'invalid_input').fields).toHaveLength(1);
    expect(sent()).toEqual([]);
  });

  it.each(ODD_ANSWERS.map((act) => ({ act })))(
    'counts as done when the provider accepts it and answers oddly ($act)',
    async ({ act }) => {
      const { all } = fresh();
      const customerId = await create(all);
      scene.standIn.fault({ on: 'update', when: 'after', act });
      const answer = await call('update_customer', { customer_id: customerId, [change.field]: change.value });
      const changed = { [change.field]: { from: all[change.field], to: change.value } };
      expect(answer.data, answer.text).toMatchObject({ outcome: 'updated', changed, customer_id: customerId });
      expect(change.stored(stored(customerId))).toBe(change.value);
    },
  );

  it('counts as done when it is answered oddly and cannot be read back either', async () => {
    const customerId = await create(fresh().all);
    const reads = kit.updateOperations.filter((operation) => operation === 'get').length;
    scene.standIn.fault({ on: 'update', when: 'after', act: 'html' });
    scene.standIn.fault({ on: 'get', skip: reads, times: Infinity, act: { status: 500 } });
    const answer = await call('update_customer', { customer_id: customerId, [change.field]: change.value });
    expect(answer.data, answer.text).toMatchObject({ outcome: 'updated', customer_id: customerId });
    expect(answer.data.warnings).toEqual([expect.stringContaining(title)]);
  });

  it.each(['before', 'after'] as const)(
    'is sent again after a 503 and a broken connection %s it is carried out',
    async (when) => {
      const customerId = await create(fresh().all);
      for (const act of [{ status: 503 }, 'reset'] as const) {
        scene.standIn.fault({ on: 'update', when, act });
        const value = `${change.value} ${JSON.stringify(act)}`;
        idOf(await call('update_customer', { customer_id: customerId, [change.field]: value }));
        expect(change.stored(stored(customerId))).toBe(value);
      }
      expect(scene.standIn.count('update')).toBe(4);
    },
  );

  it('is unknown if the provider fails, and the message names get_customer', async () => {
    const customerId = await create(fresh().all);
    for (const act of [{ status: 500 }, { redirect: scene.standIn.origin }, 'redirect'] as const) {
      scene.standIn.fault({ on: 'update', times: 3, act });
      const answer = await call('update_customer', { customer_id: customerId, [change.field]: change.value });
      const { message } = refusalIn(answer, 'outcome_unknown');
      expect(message).toContain(title);
      expect(message).toMatch(/get_customer|search_customer/);
      recover();
    }
  });

  it('by an external id whose customer is deleted looks once more and then returns not_found', async () => {
    const { id, all } = fresh();
    scene.standIn.customers.delete(await create(all, id));
    forgetRequests();
    const answer = await call('update_customer', { [externalIdField]: id, [change.field]: change.value });
    refusalIn(answer, 'not_found');
    expect(scene.standIn.count(kit.lookUp ?? 'none')).toBe(kit.lookUp === undefined ? 0 : 1);
    expect(scene.standIn.customers.size).toBe(0);
  });
});
