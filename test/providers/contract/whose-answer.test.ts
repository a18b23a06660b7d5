import { describe, expect, it } from 'vitest';
import { kits } from '../../support/providers.ts';
import { toolsOf } from '../../support/snapshots.ts';
import { isRecord } from '../../support/stand-in.ts';
import { openScene, refusalIn, type Scene } from './scene.ts';

describe.each(kits)('answers of $title about another customer', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored, sent, forgetRequests } = scene;
  const { externalIdField, archive, change, read } = kit;

  it('to a read are bad_response, whatever tool reads', async () => {
    const { id, few } = fresh();
    const customerId = await create(few, id);
    const other = await create(fresh().few);
    const [mine, theirs] = [stored(customerId), stored(other)];
    const body = await shown(scene, other);
    const calls = [
      ['get_customer', { customer_id: customerId }],
      ['archive_customer', { customer_id: customerId }],
      ['archive_customer', { [externalIdField]: id }],
      ...(toolsOf(kit.name).includes('restore_customer')
        ? [['restore_customer', { customer_id: customerId }] as const]
        : []),
    ] as const;
    for (const [tool, args] of calls) {
      forgetRequests();
      scene.standIn.fault({ on: 'get', times: Infinity, act: { status: 200, body } });
      const { message } = refusalIn(await call(tool, args), 'bad_response');
      expect(message).toContain(other);
      expect(sent().filter(({ operation }) => !['get', 'search', 'list'].includes(operation))).toEqual([]);
      expect([stored(customerId), stored(other)]).toEqual([mine, theirs]);
      scene.recover();
    }
  });

  it('to an update leave it unknown, and nothing is concluded', async () => {
    const customerId = await create(fresh().few);
    const other = await create(fresh().few);
    scene.standIn.fault({ on: 'update', act: { status: 200, body: await shown(scene, other) } });
    const args = { customer_id: customerId, [change.field]: change.value };
    const { message } = refusalIn(await call('update_customer', args), 'outcome_unknown');
    expect(message).toContain(other);
  });

  it('to archiving leave it unknown, and free no id', async () => {
    const { id, few } = fresh();
    const customerId = await create(few, id);
    const other = await create(fresh().few);
    scene.standIn.fault({ on: archive.operation, act: { status: 200, body: await shown(scene, other) } });
    refusalIn(await call('archive_customer', { [externalIdField]: id }), 'outcome_unknown');
    const again = await call('create_customer', { ...few, [externalIdField]: id });
    expect(again.data).toMatchObject({ outcome: 'existing', customer_id: customerId });
  });

  it('may spell a UUID in other letters', async () => {
    const customerId = await create(fresh().few);
    const body = await shown(scene, customerId);
    scene.standIn.fault({ on: 'get', times: Infinity, act: { status: 200, body } });
    const { data, text } = await call('get_customer', { customer_id: customerId.toUpperCase() });
    expect(data, text).toMatchObject({ customer_id: customerId });
    expect(read).toBeTruthy();
  });
});

/** The answer of the provider about one customer. */
async function shown({ call, standIn }: Scene, id: string): Promise<unknown> {
  const { data } = await call('get_customer', { customer_id: id });
  expect(isRecord(data['customer'])).toBe(true);
  standIn.requests.length = 0;
  return standIn.customers.get(id);
}
