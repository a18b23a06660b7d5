import { describe, expect, it } from 'vitest';
import { kindOf } from '../../support/answers.ts';
import { connect, errorOf } from '../../support/client.ts';
import { SANDBOX } from '../../support/process.ts';
import { openScene, refusalIn, rowsOf } from '../contract/scene.ts';
import { kit } from './index.ts';

describe('merge_customers', () => {
  const { call, create, stored, sent, forgetRequests } = openScene(kit);

  async function two(): Promise<{ stays: string; goes: string }> {
    const stays = await create({ company_name: 'Bakkerij Jansen', email: 'a@jansen.example' }, 'crm-1');
    const goes = await create({ company_name: 'Jansen Bakery', email: 'b@jansen.example' }, 'crm-2');
    return { stays, goes };
  }

  it('keeps one, archives the other, and reports what happened to its external id', async () => {
    const { stays, goes } = await two();
    forgetRequests();
    const { data } = await call('merge_customers', { external_id: 'crm-1', customer_to_archive_id: goes });
    expect(data).toMatchObject({
      outcome: 'merged',
      customer_id: stays,
      archived_customer_id: goes,
      customer: { company_name: 'Bakkerij Jansen' },
      warnings: [expect.stringMatching(/"crm-2" still belongs to the archived customer/)],
    });
    expect(stored(goes)).toMatchObject({ status: 'ARCHIVED' });
    expect(sent().filter(({ operation }) => operation === 'merge')).toMatchObject([
      { path: expect.stringContaining(`/${stays}/merge`), body: { customer_to_archive_id: goes } },
    ]);
    expect(rowsOf((await call('search_customer', { find: 'Jansen Bakery' })).data)).toHaveLength(1);
  });

  it('lets find say that only archived customers match', async () => {
    await two();
    const gone = await create({ company_name: 'Zwanenburg', email: 'post@zwanenburg.example' });
    await call('archive_customer', { customer_id: gone });
    const { data } = await call('search_customer', { find: 'zwanenburg' });
    expect(data).toMatchObject({ customers: [], total: 0, complete: true });
    expect(data['warnings']).toEqual([
      '1 archived Layer customer matches; pass include_archived: true to include archived ones.',
    ]);
    const all = await call('search_customer', { find: 'zwanenburg', include_archived: true });
    expect(rowsOf(all.data)).toMatchObject([{ customer_id: gone, customer: { archived: true } }]);
    expect(all.data).not.toHaveProperty('warnings');
    expect((await call('search_customer', { find: 'Nobody' })).data).not.toHaveProperty('warnings');
  });

  it('lets find say that an archived customer matches better than those that it shows', async () => {
    const meant = await create({ company_name: 'Kwartel Ltd', email: 'post@kwartel.example' });
    await create({ company_name: 'Kwartel Studios', email: 'hi@studios.example' });
    const found = async () => (await call('search_customer', { find: 'kwartel limited' })).data;
    expect(rowsOf(await found())).toMatchObject([{ customer_id: meant, score: 1 }, { score: 0.85 }]);
    await call('archive_customer', { customer_id: meant });
    const data = await found();
    expect(rowsOf(data)).toMatchObject([{ customer: { company_name: 'Kwartel Studios' }, score: 0.85 }]);
    expect(data['warnings']).toEqual([expect.stringContaining('1 archived Layer customer matches')]);
    expect((await call('search_customer', { find: 'kwartel studios' })).data).not.toHaveProperty('warnings');
  });

  it('refuses the same one twice, and one that is archived already', async () => {
    const { stays, goes } = await two();
    for (const same of [stays, stays.toUpperCase()]) {
      const refused = await call('merge_customers', { customer_id: stays, customer_to_archive_id: same });
      expect(refusalIn(refused, 'invalid_input').fields).toMatchObject([{ path: 'customer_to_archive_id' }]);
    }
    await call('archive_customer', { customer_id: goes });
    forgetRequests();
    const refused = await call('merge_customers', { customer_id: stays, customer_to_archive_id: goes });
    expect(refusalIn(refused, 'conflict').message).toMatch(/archived.*nothing was merged.*restore_customer/);
    expect(sent().some(({ operation }) => operation === 'merge')).toBe(false);
  });

  it('needs consent for these two as they are', async () => {
    const server = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: 'layer' });
    try {
      const ids = [];
      for (const name of ['Bakkerij Jansen', 'Jansen Bakery'])
        ids.push((await server.call('create_customer', { company_name: name, external_id: name })).data['customer_id']);
      const [stays, goes] = ids;
      const both = { customer_id: stays, customer_to_archive_id: goes };
      const asked = await server.call('merge_customers', { ...both, confirm: 'yes' });
      expect(kindOf(asked)).toBe('confirmation_required');
      expect(asked.text).toMatch(/Jansen Bakery.* into .*Bakkerij Jansen/);
      const confirm = errorOf(asked)?.['confirm'];
      const swapped = { customer_id: goes, customer_to_archive_id: stays, confirm };
      expect(kindOf(await server.call('merge_customers', swapped))).toBe('confirmation_required');
      const done = await server.call('merge_customers', { ...both, confirm });
      expect(done.data).toMatchObject({ outcome: 'merged', customer_id: stays, archived_customer_id: goes });
      const left = await server.call('get_customer', { customer_id: goes });
      expect(left.data['customer']).toMatchObject({ status: 'ARCHIVED' });
    } finally {
      await server.close();
    }
  });
});
