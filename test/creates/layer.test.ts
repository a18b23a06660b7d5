import { describe, expect, it } from 'vitest';
import { idOf } from '../support/answers.ts';
import { kits } from '../support/providers.ts';
import { openScene, refusalIn } from '../providers/contract/scene.ts';

describe.each(kits.filter(({ upserts }) => upserts))('a create at $title with an external id that is taken', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored } = scene;

  it('sends nothing for the same fields', async () => {
    const { id, all } = fresh();
    const first = await create(all, id);
    const again = await call('create_customer', { ...all, external_id: id }, scene.shortTimeoutServer);
    expect(again.data).toMatchObject({ outcome: 'existing', customer_id: first });
    expect(scene.standIn.count('create')).toBe(1);
    expect(scene.standIn.count('update')).toBe(0);
  });

  it('changes only what differs, and returns old and new values', async () => {
    const { id, few } = fresh();
    const first = await create({ ...few, notes: 'kept' }, id);
    const again = await call('create_customer', { ...few, external_id: id, mobile_phone: '5' });
    expect(again.data).toMatchObject({
      outcome: 'updated',
      customer_id: first,
      changed: { mobile_phone: { from: null, to: '5' } },
    });
    expect(stored(first)).toMatchObject({ memo: 'kept', mobile_phone: '5' });
    expect(scene.standIn.count('create')).toBe(1);
  });

  it('names how to use an archived customer that looks the same', async () => {
    const { few } = fresh();
    const first = await create(few);
    await call('archive_customer', { customer_id: first });
    const { message, error } = refusalIn(await call('create_customer', few), 'possible_duplicate');
    expect(error['candidates']).toMatchObject([{ customer_id: first, archived: true }]);
    expect(message).toContain('To use an archived one again, use restore_customer.');
    const active = fresh();
    await create(active.few);
    expect(refusalIn(await call('create_customer', active.few), 'possible_duplicate').message).not.toContain('restore');
  });

  it('is a conflict that names both where neither e-mail nor name agree', async () => {
    const { id, few } = fresh();
    const first = await create(few, id);
    const before = stored(first);
    const answer = await call('create_customer', { ...fresh().few, external_id: id });
    const { message, error } = refusalIn(answer, 'conflict');
    expect(error).toMatchObject({ customer_id: first });
    expect(message).toContain(String(few['company_name']));
    expect(message).toContain('Noether Rings');
    expect(message).toContain('update_customer');
    expect(stored(first)).toBe(before);
    expect(scene.standIn.count('create')).toBe(1);
  });

  it('warns that the customer is archived, and explains how to restore it', async () => {
    const { id, few } = fresh();
    const first = await create(few, id);
    await call('archive_customer', { customer_id: first });
    for (const [fields, outcome] of [
      [few, 'existing'],
      [{ ...few, mobile_phone: '5' }, 'updated'],
    ] as const) {
      const { data } = await call('create_customer', { ...fields, external_id: id });
      expect(data).toMatchObject({ outcome, customer_id: first });
      expect(data['warnings']).toEqual([expect.stringContaining('restore_customer')]);
    }
  });

  it('takes the active one of two customers with one external id', async () => {
    const { id, few } = fresh();
    const archived = await create(few, id);
    await call('archive_customer', { customer_id: archived });
    scene.standIn.customers.set('active-one', { ...stored(archived), id: 'active-one', status: 'ACTIVE' });
    const answer = await call('create_customer', { ...few, external_id: id });
    expect(answer.data).toMatchObject({ outcome: 'existing', customer_id: 'active-one' });
    expect(idOf(await call('get_customer', { external_id: id }))).toBe('active-one');
  });

  it('finds archived customers that look the same, and marks them', async () => {
    const { few } = fresh();
    const first = await create(few, fresh().id);
    await call('archive_customer', { customer_id: first });
    const { error } = refusalIn(
      await call('create_customer', { ...few, external_id: fresh().id }),
      'possible_duplicate',
    );
    expect(error['candidates']).toEqual([expect.objectContaining({ customer_id: first, archived: true })]);
  });

  it('warns if a customer with its external id appeared after the look-up', async () => {
    const { id, few } = fresh();
    scene.standIn.customers.set('appeared', {
      id: 'appeared',
      external_id: id,
      company_name: 'Hidden',
      status: 'ACTIVE',
    });
    scene.standIn.fault({
      on: 'list',
      act: { status: 200, body: { data: [], meta: { pagination: { has_more: false } } } },
    });
    const { data } = await call('create_customer', { ...few, external_id: id });
    expect(data).toMatchObject({ outcome: 'updated', customer_id: 'appeared' });
    expect(data['warnings']).toEqual([expect.stringContaining('was created moments earlier')]);
  });
});
