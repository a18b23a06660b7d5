import { afterAll, describe, expect, it } from 'vitest';
import { idOf, messageOf } from '../support/answers.ts';
import { connect, type Connection } from '../support/client.ts';
import { openScene, refusalIn } from '../providers/contract/scene.ts';
import type { Fields } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { sharedEngines } from '../support/stores.ts';

const LIMIT_MS = 30_000;

describe.each(
  kits.flatMap((kit) => sharedEngines.map((engine) => ({ kit, engine, title: `${kit.title} on ${engine.name}` }))),
)('a customer that another server created a moment ago: $title', ({ kit, engine }) => {
  const scene = openScene(kit);
  const servers: Connection[] = [];
  const start = async (): Promise<Connection> => {
    const server = await connect({ ...scene.environment, CUSTOMERS_STORE: engine.address });
    servers.push(server);
    return server;
  };
  afterAll(() => Promise.all(servers.map((server) => server.close())));

  const under = (id: string) => ({ [kit.externalIdField]: id });
  const someone = () => {
    const tag = crypto.randomUUID();
    return { id: tag, other: `other-${tag}`, few: kit.minimal(`Müller ${tag}`, `mail@${tag}.example`) };
  };
  const candidatesOf = async (server: Connection, create: Fields) =>
    refusalIn(await server.call('create_customer', create), 'possible_duplicate').error['candidates'];
  /** No search shows any customer; each can still be read by its id. */
  const searchesLag = (): void => {
    for (const on of new Set([kit.probe, 'list']))
      scene.standIn.fault({ on, times: Infinity, act: { status: 200, body: kit.list([]) } });
  };

  it(
    'is not created again, although no search shows it yet',
    async () => {
      const [one, other] = [await start(), await start()];
      const { id, other: otherId, few } = someone();
      searchesLag();
      const customer_id = idOf(await one.call('create_customer', { ...few, ...under(id) }));
      for (const again of [under(otherId), {}])
        expect(await candidatesOf(other, { ...few, ...again })).toMatchObject([{ customer_id }]);
      expect(scene.standIn.count('create')).toBe(1);
      const wanted = await other.call('create_customer', { ...few, ...under(otherId), allow_duplicate: true });
      expect(wanted.data, wanted.text).toMatchObject({ outcome: 'created' });
      expect(idOf(wanted)).not.toBe(customer_id);
    },
    LIMIT_MS,
  );

  it(
    'without an external id, is not created again either',
    async () => {
      const [one, other] = [await start(), await start()];
      const { other: otherId, few } = someone();
      searchesLag();
      const customer_id = idOf(await one.call('create_customer', few));
      expect(await candidatesOf(other, { ...few, ...under(otherId) })).toMatchObject([{ customer_id }]);
    },
    LIMIT_MS,
  );

  it.each(['with', 'without'])(
    'is waited for while it is unknown whether it was created, %s an external id',
    async (how) => {
      const [one, other] = [await start(), await start()];
      const { id, other: otherId, few } = someone();
      searchesLag();
      const first = how === 'with' ? { ...few, ...under(id) } : few;
      // A create that Layer promises to make once is sent twice.
      scene.standIn.fault({ on: 'create', times: kit.upserts && how === 'with' ? 2 : 1, act: 'reset' });
      refusalIn(await one.call('create_customer', first), 'outcome_unknown');
      const sent = scene.standIn.count('create');

      const second = await other.call('create_customer', { ...few, ...under(otherId) });
      const seconds = Number(refusalIn(second, 'in_progress').error['retry_after_s']);
      expect(seconds).toBeGreaterThan(0);
      expect(seconds).toBeLessThanOrEqual(120);
      expect(messageOf(second)).toContain(how === 'with' ? JSON.stringify(id) : 'search_customer');
      expect(messageOf(second)).toContain('allow_duplicate');
      expect(scene.standIn.count('create')).toBe(sent);
    },
    LIMIT_MS,
  );

  it(
    'is not waited for by one whose name has the same letters and digits',
    async () => {
      const [one, other] = [await start(), await start()];
      const { id, other: otherId } = someone();
      const branch = (number: number): Fields =>
        kit.minimal(`Branch ${id.slice(0, 8)} ${number}`, `${number}@${id}.example`);
      searchesLag();
      scene.standIn.fault({ on: 'create', times: kit.upserts ? 2 : 1, act: 'reset' });
      refusalIn(await one.call('create_customer', { ...branch(12), ...under(id) }), 'outcome_unknown');
      expect((await other.call('create_customer', { ...branch(21), ...under(otherId) })).data['outcome']).toBe(
        'created',
      );
    },
    LIMIT_MS,
  );

  it.runIf(kit.upserts)(
    'is waited for while only the repeat of its create was refused',
    async () => {
      const [one, other] = [await start(), await start()];
      const { id, other: otherId, few } = someone();
      searchesLag();
      scene.standIn.fault({ on: 'create', when: 'after', act: 'reset' });
      scene.standIn.fault({ on: 'create', act: { status: 422 } });
      refusalIn(await one.call('create_customer', { ...few, ...under(id) }), 'invalid_input');
      refusalIn(await other.call('create_customer', { ...few, ...under(otherId) }), 'in_progress');
      expect(scene.standIn.customers.size).toBe(1);
    },
    LIMIT_MS,
  );

  it(
    'that the provider refused is forgotten',
    async () => {
      const [one, other] = [await start(), await start()];
      const { other: otherId, few } = someone();
      scene.standIn.fault({ on: 'create', act: { status: 422 } });
      refusalIn(await one.call('create_customer', few), 'invalid_input');
      expect((await other.call('create_customer', { ...few, ...under(otherId) })).data['outcome']).toBe('created');
    },
    LIMIT_MS,
  );
});
