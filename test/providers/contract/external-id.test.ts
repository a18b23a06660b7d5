import { afterAll, describe, expect, it } from 'vitest';
import { isRecord } from '../../../src/text.ts';
import { idOf, kindOf, messageOf } from '../../support/answers.ts';
import { connect, errorOf, temporaryStore, type Connection } from '../../support/client.ts';
import { kits } from '../../support/providers.ts';
import { openScene } from './scene.ts';

describe.each(kits.filter(({ upserts }) => !upserts))('the external id of a customer at $title', (kit) => {
  const scene = openScene(kit);
  const { call, create, fresh, stored } = scene;
  const { externalIdField, change, nameField, text } = kit;

  it('gives the same customer for the same create, also when it was changed in between', async () => {
    const { id, all } = fresh();
    const fields = { ...all, [externalIdField]: id };
    const customer_id = await create(all, id);
    await call('update_customer', { customer_id, [change.field]: change.value });
    for (const same of [fields, { ...fields, [change.field]: change.value }]) {
      const { data } = await call('create_customer', same);
      expect(data).toMatchObject({ outcome: 'existing', customer_id, customer: stored(customer_id) });
    }
    expect(scene.standIn.count('create')).toBe(1);
    expect(scene.standIn.count('update')).toBe(1);
  });

  it('is a conflict for other fields, which it names, and nothing changes', async () => {
    const { id, all } = fresh();
    const customer_id = await create(all, id);
    const before = stored(customer_id);
    const others = { [change.field]: change.value, [text.field]: 'Another text' };
    const result = await call('create_customer', { ...all, [externalIdField]: id, ...others });

    expect(errorOf(result)).toMatchObject({ kind: 'conflict', customer_id });
    const fields = errorOf(result)?.['fields'];
    const paths = Array.isArray(fields) ? fields.filter(isRecord).map(({ path }) => path) : [];
    expect(paths.toSorted()).toEqual(Object.keys(others).toSorted());
    for (const field of Object.keys(others)) expect(messageOf(result)).toContain(field);
    expect(messageOf(result)).not.toMatch(new RegExp(`\\b${nameField.field}\\b`));
    expect(stored(customer_id)).toBe(before);
    expect(scene.standIn.count('create')).toBe(1);
  });
});

describe.each(kits)('what is known of customers at $title, with a SQLite store,', (kit) => {
  const disk = temporaryStore();
  const scene = openScene(kit);
  const { fresh } = scene;
  const servers: Connection[] = [];
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    disk.remove();
  });

  it('survives a restart: a created customer is found, a lost create stays lost', async () => {
    const { externalIdField } = kit;
    const settings = { ...scene.environment, CUSTOMERS_STORE: disk.store };
    const [kept, lost] = [fresh(), fresh()].map(({ id, few }) => ({ ...few, [externalIdField]: id }));
    const before = await connect(settings);
    servers.push(before);
    const customer_id = idOf(await before.call('create_customer', { ...kept }));
    scene.standIn.fault({ on: 'create', times: Infinity, act: 'reset' });
    expect(kindOf(await before.call('create_customer', { ...lost }))).toBe('outcome_unknown');
    await before.close();
    scene.recover();

    const after = await connect(settings);
    servers.push(after);
    expect((await after.call('create_customer', { ...kept })).data).toMatchObject({ outcome: 'existing', customer_id });
    const own = { [externalIdField]: kept?.[externalIdField] };
    expect((await after.call('get_customer', own)).data).toMatchObject({ customer_id });
    // Where a create updates, it may be sent again at once.
    expect(kindOf(await after.call('create_customer', { ...lost }))).toBe(kit.upserts ? 'created' : 'outcome_unknown');
    expect(scene.standIn.count('create')).toBe(kit.upserts ? 1 : 0);
  });
});
