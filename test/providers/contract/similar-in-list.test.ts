import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { connect, errorOf, type Connection } from '../../support/client.ts';
import { kits } from '../../support/providers.ts';
import { openScene, refusalIn } from './scene.ts';

describe.each(kits)('a create after a search at $title', (kit) => {
  const scene = openScene(kit);
  let server: Connection;

  /** What a server has read it knows for a minute, so each test has its own. */
  beforeEach(async () => {
    server = await connect({ ...scene.environment, CUSTOMERS_CONFIRM: 'never' });
  });
  afterEach(() => server.close());

  const create = (name: string, email: string) => scene.call('create_customer', kit.minimal(name, email), server);

  /** Puts customers into the provider's own list, as another program would. */
  async function seed(count: number): Promise<void> {
    const template = scene.stored(await scene.create(kit.minimal('Template', 'template@seed.example')));
    for (let n = 1; n <= count; n += 1) {
      const id = randomUUID();
      const own = { [kit.nameField.stored]: `Handelshuis ${n}`, email: `Info@Huis-${n}.example` };
      scene.standIn.customers.set(id, { ...template, ...own, id });
    }
  }

  it('finds the owner of an email, whatever its name is', async () => {
    await seed(3);
    await scene.call('search_customer', { find: 'Zwanenburg' }, server);
    const { error } = refusalIn(await create('Zwanenburg', 'info@huis-2.example'), 'possible_duplicate');
    expect(error.candidates).toMatchObject([{ name: 'Handelshuis 2', email: 'Info@Huis-2.example' }]);
    expect((await create('Zwanenburg', 'info@zwanenburg.example')).data).toMatchObject({ outcome: 'created' });
  });

  it('does not refuse for a customer that has another email by now, or is gone', async () => {
    await seed(2);
    await scene.call('search_customer', { find: 'Zwanenburg' }, server);
    for (const [id, document] of scene.standIn.customers)
      if (document['email'] === 'Info@Huis-1.example') scene.standIn.customers.delete(id);
      else scene.standIn.customers.set(id, { ...document, email: 'other@huis.example' });
    expect((await create('Zwanenburg', 'info@huis-1.example')).data).toMatchObject({ outcome: 'created' });
    expect((await create('Zwanepoel', 'info@huis-2.example')).data).toMatchObject({ outcome: 'created' });
  });

  it.runIf(kit.probe === 'search')(
    'reads on where an earlier create stopped, until all customers are compared',
    async () => {
      await seed(2_000);
      scene.standIn.fault({ on: 'list', times: Infinity, act: { delayMs: 300 } });
      const warnings: number[] = [];
      for (let n = 0; n < 6 && (n === 0 || warnings.at(-1) !== 0); n += 1) {
        const { data } = await create(`Nieuw ${n}`, `post@nieuw-${n}.example`);
        expect(data).toMatchObject({ outcome: 'created' });
        const given = Array.isArray(data['warnings']) ? data['warnings'] : [];
        warnings.push(given.filter((warning) => String(warning).startsWith('Not checked for duplicates')).length);
      }
      expect(warnings[0]).toBe(1);
      expect(warnings.at(-1)).toBe(0);
      const twin = await create('Nieuw', 'info@huis-1999.example');
      expect(errorOf(twin)?.kind, twin.text).toBe('possible_duplicate');
    },
    60_000,
  );
});
