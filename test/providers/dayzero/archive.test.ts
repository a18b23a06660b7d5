import { describe, expect, it } from 'vitest';
import { confirmed, idOf, kindOf } from '../../support/answers.ts';
import { anId, dayzeroWith, softDelete, someone } from './fixture.ts';

describe('Deleting a DayZero customer', () => {
  const plain = dayzeroWith();

  it('leaves it readable by customer_id, and returns already_archived the second time without asking', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id });
    const customer_id = idOf(await plain.create(fields));
    await confirmed(plain.call, 'archive_customer', { external_id });

    const read = await plain.call('get_customer', { customer_id });
    expect(read.data).toMatchObject({ customer_id, customer: { is_deleted: true, name: fields.name } });
    expect((await plain.call('search_customer', { email: fields.email })).data['customers']).toEqual([]);
    const again = await plain.call('archive_customer', { customer_id });
    expect(again.data).toMatchObject({ outcome: 'already_archived', customer_id });
    expect(provider.count('delete')).toBe(1);
  });

  it('elsewhere makes the external_id free as well, once it is found out', async () => {
    const { provider } = plain;
    const external_id = anId();
    const fields = someone({ external_id });
    const customer_id = idOf(await plain.create(fields));
    softDelete(provider, customer_id);

    for (const tool of ['get_customer', 'update_customer']) {
      const result = await plain.call(tool, { external_id, ...(tool === 'update_customer' && { notes: 'x' }) });
      expect(kindOf(result)).toBe('not_found');
    }
    const again = await plain.create(fields);
    expect(kindOf(again)).toBe('created');
    expect(idOf(again)).not.toBe(customer_id);
    expect((await plain.call('get_customer', { external_id })).data).toMatchObject({ customer_id: idOf(again) });
  });

  it('is not what a 404 for the whole business means, and the external_id stays with its customer', async () => {
    const { provider } = plain;
    const fields = someone({ external_id: anId() });
    const customer_id = idOf(await plain.create(fields));
    const elsewhere = { status: 404, body: { detail: 'Business not found' } };
    provider.fault({ on: 'get', act: elsewhere });
    provider.fault({ on: 'list', act: elsewhere });
    expect((await plain.create(fields)).isError).toBe(true);

    const again = await plain.create(fields);
    expect(kindOf(again)).toBe('existing');
    expect(idOf(again)).toBe(customer_id);
    expect(provider.count('create')).toBe(1);
  });
});
