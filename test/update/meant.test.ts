import { afterAll, describe, expect, it } from 'vitest';
import { anId, dayzeroWith, seed as seedDayZero, softDelete, someone } from '../providers/dayzero/fixture.ts';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import { aCode, notifyWith, operations, seed as seedNotify } from '../providers/notify/fixture.ts';
import { idOf, kindOf, messageOf } from '../support/answers.ts';
import { connect, errorOf, temporaryStore, type Connection } from '../support/client.ts';
import { kits } from '../support/providers.ts';
import { layerWith, seed } from './layer.ts';

/** Nothing listens there. */
const STORE_DOWN = { CUSTOMERS_STORE: 'redis://127.0.0.1:1' };
const CUT = `${'x'.repeat(2_000)}… [cut, 2345 characters in all]`;

describe('an update by the code of Notify', () => {
  const plain = notifyWith();

  it('changes the customer that has the code now, and not the one that had it', async () => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const before = seedNotify(provider, { customerCode: CustomerCode });
    expect(idOf(await plain.call('update_customer', { CustomerCode, Phone: '1' }))).toBe(before);
    provider.customers.set(before, { ...provider.customers.get(before), customerCode: aCode() });
    const now = seedNotify(provider, { customerCode: CustomerCode });
    const { data } = await plain.call('update_customer', { CustomerCode, Phone: '2' });
    expect(data).toMatchObject({ outcome: 'updated', customer_id: now, changed: { Phone: { from: null, to: '2' } } });
    expect(provider.customers.get(before)).toMatchObject({ phone: '1' });
  });

  it.each(['another code', 'no code'])('changes no customer if the customer that had it has %s', async (name) => {
    const { provider } = plain;
    const CustomerCode = aCode();
    const before = seedNotify(provider, { customerCode: CustomerCode });
    await plain.call('update_customer', { CustomerCode, Phone: '1' });
    provider.customers.set(before, {
      ...provider.customers.get(before),
      customerCode: name === 'no code' ? '' : aCode(),
    });
    provider.requests.length = 0;
    expect(kindOf(await plain.call('update_customer', { CustomerCode, Phone: '2' }))).toBe('not_found');
    expect(operations(provider)).not.toContain('update');
  });
});

describe('an update by the external_id of DayZero', () => {
  const disk = temporaryStore();
  const servers: Connection[] = [];
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    disk.remove();
  });

  it('changes the customer that another process has linked it to since', async () => {
    const { standIn, environment } = await startDayZero();
    const settings = { ...environment, CUSTOMERS_STORE: disk.store };
    const [one, other] = await Promise.all([connect(settings), connect(settings)]);
    servers.push(one, other);
    const external_id = anId();
    const before = idOf(await one.call('create_customer', someone({ external_id })));
    await one.call('update_customer', { external_id, phone: '1' });
    softDelete(standIn, before);
    const now = seedDayZero(standIn, someone());
    expect(kindOf(await other.call('link_customer', { customer_id: now, external_id }))).toBe('linked');
    standIn.customers.set(before, { ...standIn.customers.get(before), is_deleted: false, deleted_at: null });
    expect(idOf(await one.call('update_customer', { external_id, phone: '2' }))).toBe(now);
    expect(standIn.customers.get(before)).toMatchObject({ phone: '1' });
    await standIn.close();
  });
});

describe('a deleted customer', () => {
  const plain = dayzeroWith();

  it('is not updated', async () => {
    const { provider } = plain;
    const customer_id = seedDayZero(provider, someone());
    softDelete(provider, customer_id);
    const answer = await plain.call('update_customer', { customer_id, phone: '1' });
    expect(kindOf(answer)).toBe('not_found');
    expect(messageOf(answer)).toContain('deleted');
    expect(provider.count('update')).toBe(0);
  });
});

describe.each(kits)('an update at $title', (kit) => {
  it('writes nothing of a text that an answer showed cut off, and neither do a create and an import', async () => {
    const { standIn, environment } = await kit.start();
    const server = await connect(environment);
    const { text, externalIdField } = kit;
    const own = { [externalIdField]: 'own-1' };
    const cut = CUT.slice(-(kit.text.maxLength ?? CUT.length));
    const refusals = [
      await server.call('update_customer', { customer_id: 'x', [text.field]: cut }),
      await server.call('create_customer', { ...kit.customer(1), ...own, [text.field]: cut }),
    ];
    for (const answer of refusals)
      expect(errorOf(answer)).toMatchObject({ kind: 'invalid_input', fields: [{ path: text.field }] });
    const rows = [
      { ...kit.customer(1), ...own, [text.field]: cut },
      { ...kit.customer(2), [externalIdField]: 'own-2' },
    ];
    const { data } = await server.call('import_customers', { rows });
    expect(data).toMatchObject({ counts: { failed: 1, created: 1 }, rows: [{ row: 1, error: expect.anything() }] });
    expect(standIn.count('update')).toBe(0);
    expect(standIn.count('create')).toBe(1);
    await server.close();
    await standIn.close();
  });

  it('refuses an argument that it does not know even when it is empty', async () => {
    const { standIn, environment } = await kit.start();
    const server = await connect(environment);
    const args = { customer_id: 'x', [kit.change.field]: kit.change.value, e_mail_address: null };
    expect(errorOf(await server.call('update_customer', args))).toMatchObject({
      kind: 'invalid_input',
      fields: [{ path: 'e_mail_address' }],
    });
    expect(standIn.count('*')).toBe(0);
    await server.close();
    await standIn.close();
  });
});

describe('tags that an answer showed too deeply nested or cut off', () => {
  const scene = layerWith();

  it('are not written', async () => {
    for (const value of [CUT, '… [cut, nested too deeply]']) {
      const answer = await scene.update({ customer_id: 'x', tags: [{ key: 'a', value }] });
      expect(errorOf(answer)).toMatchObject({ kind: 'invalid_input', fields: [{ path: 'tags' }] });
    }
    expect(scene.standIn.count('*')).toBe(0);
  });
});

describe('an update while the store is down', () => {
  const scene = layerWith({}, STORE_DOWN);

  it('is made where only the changed fields are written', async () => {
    const id = seed(scene.standIn);
    const { data, text } = await scene.update({ customer_id: id, email: 'new@hermann.example' });
    expect(data, text).toMatchObject({ outcome: 'updated' });
    expect(scene.writes()).toEqual(['PATCH']);
  });

  it('is store_unavailable where the whole document would be written, and nothing is sent', async () => {
    const id = seed(scene.standIn);
    for (const change of [{ tags: [{ key: 'a', value: 'b' }] }, { external_id: 'another' }, { clear: ['tags'] }])
      expect(kindOf(await scene.update({ customer_id: id, ...change }))).toBe('store_unavailable');
    expect(scene.writes()).toEqual([]);
  });
});

describe('an update while the store is down and there is no PATCH', () => {
  const scene = layerWith({ patchMissing: 405 }, STORE_DOWN);

  it('is store_unavailable as soon as that is known, and changes nothing', async () => {
    const id = seed(scene.standIn);
    const before = scene.standIn.customers.get(id);
    for (const attempt of [1, 2])
      expect(kindOf(await scene.update({ customer_id: id, email: `new-${attempt}@hermann.example` }))).toBe(
        'store_unavailable',
      );
    expect(scene.writes()).toEqual(['PATCH']);
    expect(scene.standIn.customers.get(id)).toEqual(before);
  });
});

describe('the notes of a Layer customer', () => {
  const scene = layerWith();

  it.each([
    ['memo', { memo: 'Old' }, 'PATCH'],
    ['both, in memo', { memo: 'Old', notes: null }, 'PATCH'],
    ['both, in notes', { memo: null, notes: 'Old' }, 'PUT'],
    ['neither', { memo: undefined }, 'PATCH'],
    ['notes', { memo: undefined, notes: 'Old' }, 'PUT'],
  ] as const)('are written under the name that the document shows (%s)', async (_, fields, method) => {
    const id = seed(scene.standIn, fields);
    await scene.update({ customer_id: id, notes: 'New' });
    expect(scene.writes()[0]).toBe(method);
  });
});

describe('a PATCH that answers 404', () => {
  const scene = layerWith();

  it('is about the customer if the customer is deleted', async () => {
    const { standIn } = scene;
    const id = seed(standIn);
    standIn.fault({ on: 'update', act: { status: 404 } });
    standIn.fault({ on: 'get', skip: 1, act: { status: 404 } });
    expect(kindOf(await scene.update({ customer_id: id, email: 'a@hermann.example' }))).toBe('not_found');
    await scene.update({ customer_id: id, email: 'b@hermann.example' });
    expect(scene.writes()).toEqual(['PATCH', 'PATCH']);
  });
});

describe('an answer that shows less than there is', () => {
  const scene = layerWith();

  it('is not taken for a loss', async () => {
    const { standIn } = scene;
    const id = seed(standIn);
    standIn.fault({ on: 'update', when: 'after', act: { status: 200, body: { data: { id } } } });
    const { data } = await scene.update({ customer_id: id, email: 'new@hermann.example' });
    expect(data).toMatchObject({ outcome: 'updated', customer: standIn.customers.get(id) });
    expect(data).not.toHaveProperty('warnings');
    expect(scene.writes()).toEqual(['PATCH']);
  });
});
