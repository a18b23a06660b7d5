import { describe, expect, it } from 'vitest';
import { errorOf } from '../../support/client.ts';
import { kits } from '../../support/providers.ts';
import { openScene, openServer, refusalIn, seed } from './scene.ts';

describe.each(kits)('a create after a search at $title', (kit) => {
  const scene = openScene(kit);
  const server = openServer(scene);

  const create = (name: string, email: string) => scene.call('create_customer', kit.minimal(name, email), server());

  it('finds the owner of an email, whatever its name is', async () => {
    await seed(scene, kit, 3);
    await scene.call('search_customer', { find: 'Zwanenburg' }, server());
    const { error } = refusalIn(await create('Zwanenburg', 'info@huis-2.example'), 'possible_duplicate');
    expect(error.candidates).toMatchObject([{ name: 'Handelshuis 2', email: 'Info@Huis-2.example' }]);
    expect((await create('Zwanenburg', 'info@zwanenburg.example')).data).toMatchObject({ outcome: 'created' });
  });

  it('does not refuse for a customer that has another email by now, or is gone', async () => {
    await seed(scene, kit, 2);
    await scene.call('search_customer', { find: 'Zwanenburg' }, server());
    for (const [id, document] of scene.standIn.customers)
      if (document['email'] === 'Info@Huis-1.example') scene.standIn.customers.delete(id);
      else scene.standIn.customers.set(id, { ...document, email: 'other@huis.example' });
    expect((await create('Zwanenburg', 'info@huis-1.example')).data).toMatchObject({ outcome: 'created' });
    expect((await create('Zwanepoel', 'info@huis-2.example')).data).toMatchObject({ outcome: 'created' });
  });

  it.runIf(kit.probe === 'search')(
    'reads on where an earlier create stopped, until all customers are compared',
    async () => {
      await seed(scene, kit, 2_000);
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
