import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test } from 'vitest';
import { accountKey } from '../../src/providers/account.ts';
import { providers } from '../../src/providers/registry.ts';
import { idOf, kindOf } from '../support/answers.ts';
import { connect, temporaryStore, type Connection } from '../support/client.ts';
import { openScene, refusalIn } from '../providers/contract/scene.ts';
import { startProxy } from '../support/proxy.ts';
import { kits } from '../support/providers.ts';

/** The providers that name an account themselves, with the variable of its name. */
const named = kits.flatMap((kit) => {
  const { variables = [] } = providers.find(({ name }) => name === kit.name) ?? {};
  const variable = variables.find(({ name }) => name.endsWith('_BUSINESS_ID'));
  return variable ? [{ kit, variable: variable.name, title: kit.title }] : [];
});

describe.each(named)('an account at $title', ({ kit, variable }) => {
  const scene = openScene(kit);
  const disks = [temporaryStore(), temporaryStore()] as const;
  const servers: Connection[] = [];
  const start = async (settings: Readonly<Record<string, string>>): Promise<Connection> => {
    const server = await connect({ ...scene.environment, ...settings });
    servers.push(server);
    return server;
  };
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.close()));
    for (const disk of disks) disk.remove();
  });
  const someone = () => {
    const { id, few } = scene.fresh();
    return { id, create: { ...few, [kit.externalIdField]: id } };
  };

  test('is the same at another address', async () => {
    const [{ store: CUSTOMERS_STORE }] = disks;
    const { id, create } = someone();
    const customer_id = idOf(await (await start({ CUSTOMERS_STORE })).call('create_customer', create));
    const gateway = await startProxy(Number(new URL(scene.standIn.origin).port));
    const moved = await start({ CUSTOMERS_STORE, [kit.settings.baseUrl]: `http://127.0.0.1:${gateway.port}` });
    const sent = scene.standIn.count('create');
    expect(idOf(await moved.call('get_customer', { external_id: id }))).toBe(customer_id);
    expect((await moved.call('create_customer', create)).data).toMatchObject({ outcome: 'existing', customer_id });
    expect(scene.standIn.count('create')).toBe(sent);
    await gateway.close();
  });

  test('is another one under another name of the operator', async () => {
    const [{ store: CUSTOMERS_STORE }] = disks;
    const { id, create } = someone();
    const named = (CUSTOMERS_ACCOUNT: string) => start({ CUSTOMERS_STORE, CUSTOMERS_ACCOUNT });
    await (await named('one')).call('create_customer', create);
    if (!kit.keepsExternalId)
      refusalIn(await (await named('other')).call('get_customer', { external_id: id }), 'not_found');
    expect(kindOf(await (await named('one')).call('create_customer', create))).toBe('existing');
  });

  test('has what was recorded under its address, and carries it over', async () => {
    const [, { store: CUSTOMERS_STORE }] = disks;
    const first = await start({ CUSTOMERS_STORE });
    const [done, linked, open, deleted] = [someone(), someone(), someone(), someone()];
    const ids = [];
    for (const { create } of [done, linked, deleted]) ids.push(idOf(await first.call('create_customer', create)));
    scene.standIn.fault({ on: 'create', times: kit.upserts ? 2 : 1, act: { status: 500 } });
    refusalIn(await first.call('create_customer', open.create), 'outcome_unknown');
    await first.close();

    const database = new DatabaseSync(CUSTOMERS_STORE.slice('sqlite:'.length));
    const address = scene.environment[kit.settings.baseUrl] ?? '';
    const former = `v1/${kit.name}/${accountKey(address, scene.environment[variable] ?? '')()}/`;
    const { changes } = database
      .prepare("UPDATE intents SET key = ? || substr(key, length(key) - 63) WHERE key LIKE 'v1/' || ? || '/%'")
      .run(former, kit.name);
    expect(changes).toBe(4);
    database.exec('DELETE FROM cache');
    const left = () => database.prepare("SELECT state FROM intents WHERE key LIKE ? || '%'").all(former);

    const after = await start({ CUSTOMERS_STORE, CUSTOMERS_CONFIRM: 'never' });
    const sent = scene.standIn.count('create');
    expect(idOf(await after.call('get_customer', { external_id: done.id }))).toBe(ids[0]);
    expect((await after.call('get_customer', { customer_id: ids[0] })).data['external_id']).toBe(done.id);
    expect((await after.call('create_customer', done.create)).data).toMatchObject({ outcome: 'existing' });
    if (kit.keepsExternalId === false) {
      const moved = await after.call('link_customer', { external_id: 'another', customer_id: ids[1] });
      expect(moved.data['warnings']).toEqual([expect.stringContaining(linked.id)]);
      refusalIn(await after.call('get_customer', { external_id: linked.id }), 'not_found');
      expect(kindOf(await after.call('create_customer', open.create))).toBe('outcome_unknown');
      expect(scene.standIn.count('create')).toBe(sent);
    }
    await after.call('archive_customer', { external_id: deleted.id });
    if (kit.archive.outcome === 'deleted')
      refusalIn(await after.call('get_customer', { external_id: deleted.id }), 'not_found');
    expect(left().filter(({ state }) => state === 'GONE').length).toBeGreaterThan(0);
    database.close();
  });
});
