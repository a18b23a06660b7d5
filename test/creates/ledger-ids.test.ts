import { afterAll, describe, expect, it } from 'vitest';
import { idOf } from '../support/answers.ts';
import { connect, temporaryStore, type Connection } from '../support/client.ts';
import { kits } from '../support/providers.ts';
import { engines } from '../support/stores.ts';
import { openScene, refusalIn } from '../providers/contract/scene.ts';

const LIMIT_MS = 30_000;

const ledgerKits = kits.filter(({ keepsExternalId }) => !keepsExternalId);

describe.each(
  ledgerKits.flatMap((kit) => engines.map((engine) => ({ kit, engine, title: `${kit.title} on ${engine.name}` }))),
)('external ids that only the ledger keeps: $title', ({ kit, engine }) => {
  const scene = openScene(kit);
  const servers: Connection[] = [];
  const start = async (): Promise<Connection> => {
    const server = await connect({ ...scene.environment, CUSTOMERS_STORE: engine.address, CUSTOMERS_CONFIRM: 'never' });
    servers.push(server);
    return server;
  };
  afterAll(() => Promise.all(servers.map((server) => server.close())));
  const own = (): string => crypto.randomUUID();

  it(
    'are shown wherever the customer is, and a link moves the only one',
    async () => {
      const [first, second] = [own(), own()];
      const { few } = scene.fresh();
      const one = await start();
      const customer_id = idOf(await one.call('create_customer', { ...few, external_id: first }));
      const after = engine.shared ? await start() : one;
      const shownBy = async (server: Connection): Promise<unknown[]> => {
        const { data } = await server.call('search_customer');
        const rows = Array.isArray(data['customers']) ? data['customers'] : [];
        return [
          (await server.call('get_customer', { customer_id })).data['external_id'],
          rows[0]?.['external_id'],
          (await server.call('update_customer', { customer_id, phone: own() })).data['external_id'],
        ];
      };
      expect(await shownBy(after)).toEqual([first, first, first]);

      const linked = await after.call('link_customer', { external_id: second, customer_id });
      expect(linked.data).toMatchObject({ outcome: 'linked', external_id: second });
      expect(linked.data['warnings']).toEqual([expect.stringContaining(first)]);
      expect(await shownBy(one)).toEqual([second, second, second]);
      for (const server of [one, after]) {
        refusalIn(await server.call('get_customer', { external_id: first }), 'not_found');
        refusalIn(await server.call('update_customer', { external_id: first, phone: '1' }), 'not_found');
        expect(idOf(await server.call('get_customer', { external_id: second }))).toBe(customer_id);
      }
      refusalIn(await one.call('create_customer', { ...few, external_id: first }), 'possible_duplicate');
      expect((await one.call('archive_customer', { customer_id })).data).toMatchObject({ external_id: second });
      refusalIn(await after.call('get_customer', { external_id: second }), 'not_found');
    },
    LIMIT_MS,
  );

  it('do not take a customer that is recorded for another one', async () => {
    const [lost, made] = [own(), own()];
    const { few } = scene.fresh();
    const server = await start();
    scene.standIn.fault({ on: 'create', act: { status: 500 } });
    refusalIn(await server.call('create_customer', { ...few, external_id: lost }), 'outcome_unknown');
    const again = { ...few, external_id: made, allow_duplicate: true };
    const id = idOf(await server.call('create_customer', again));
    refusalIn(await server.call('create_customer', { ...few, external_id: lost }), 'outcome_unknown');
    expect(idOf(await server.call('get_customer', { external_id: made }))).toBe(id);
    refusalIn(await server.call('get_customer', { external_id: lost }), 'not_found');
  });
});

describe('an account at Notify that is given a name', () => {
  const kit = kits.find(({ name }) => name === 'notify');
  if (!kit) throw new Error('no kit for Notify');
  const scene = openScene(kit);
  const disk = temporaryStore();
  afterAll(() => disk.remove());

  it('keeps what is recorded of it under its key, also when two servers start with the name at once', async () => {
    const { id, few } = scene.fresh();
    const settings = { ...scene.environment, CUSTOMERS_STORE: disk.store };
    const before = await connect(settings);
    scene.standIn.fault({ on: 'create', times: Infinity, act: { status: 500 } });
    const args = { ...few, CustomerCode: id };
    refusalIn(await before.call('create_customer', args), 'outcome_unknown');
    await before.close();
    scene.forgetRequests();
    const named = await Promise.all([1, 2].map(() => connect({ ...settings, CUSTOMERS_ACCOUNT: 'acme' })));
    for (const answer of await Promise.all(named.map((server) => server.call('create_customer', args))))
      refusalIn(answer, 'outcome_unknown');
    // It is not known whether the first was carried out, so it is not sent again.
    expect(scene.standIn.count('create')).toBe(0);
    await Promise.all(named.map((server) => server.close()));
  });
});
