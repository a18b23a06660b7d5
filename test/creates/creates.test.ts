import { describe, expect, it } from 'vitest';
import { idOf } from '../support/answers.ts';
import { kits } from '../support/providers.ts';
import { isRecord } from '../../src/text.ts';
import { openScene, refusalIn } from '../providers/contract/scene.ts';

const INEXACT = ['x\ud800', 'x\udc00y', 'nul\u0000', 'tab\tinside', 'line\nbreak', 'c1\u0085'];

describe.each(kits)('a create at $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored } = scene;
  const { externalIdField: field, nameField } = kit;

  it.each([
    ['in another spelling of its e-mail', 'Other Name 77', 'EMMY.X@Xn--Bcher-Kva.example'],
    ['in another spelling of its name', 'Muller-Bau X, BV', 'someone.else@x.example'],
  ])('warns of a customer that is there already %s, and creates it when told to', async (_, name, email) => {
    const there = { ...fresh().few, ...kit.minimal('Müller Bau X B.V.', 'emmy.x@bücher.example') };
    // A provider that cannot search for an email finds the customer only by a part of its name.
    const wanted = kit.findsEmail || !name.startsWith('Other') ? name : 'Müller Bau X B.V.';
    const first = await create(there, fresh().id);
    const { id } = fresh();
    const second = { ...kit.minimal(wanted, email), [field]: id };
    const refused = await call('create_customer', second);
    const { error, message } = refusalIn(refused, 'possible_duplicate');
    expect(error['candidates']).toEqual([
      expect.objectContaining({ customer_id: first, name: 'Müller Bau X B.V.', archived: false }),
    ]);
    expect(
      Object.keys(
        error['candidates'] instanceof Array && isRecord(error['candidates'][0]) ? error['candidates'][0] : {},
      ),
    ).toEqual(['customer_id', 'name', 'email', 'external_id', 'archived']);
    expect(refused.text.split('\n')[1]).toContain(first);
    expect(message).toContain('allow_duplicate');
    expect(scene.standIn.count('create')).toBe(1);
    const made = await call('create_customer', { ...second, allow_duplicate: true });
    expect(made.data).toMatchObject({ outcome: 'created' });
    expect(scene.standIn.customers.size).toBe(2);
  });

  it('warns without an external id too, and explains what a repetition would do', async () => {
    const { few } = fresh();
    const made = await call('create_customer', few);
    expect(made.data['warnings']).toEqual([expect.stringContaining('second customer')]);
    refusalIn(await call('create_customer', few), 'possible_duplicate');
    expect(scene.standIn.customers.size).toBe(1);
  });

  it('refuses external ids that are not exact, in every argument, and sends nothing', async () => {
    for (const id of INEXACT) {
      const { few } = fresh();
      for (const [tool, args] of [
        ['create_customer', { ...few, [field]: id }],
        ['get_customer', { [field]: id }],
        ['update_customer', { [field]: id, [kit.change.field]: kit.change.value }],
        ['archive_customer', { [field]: id }],
      ] as const) {
        const { fields } = refusalIn(await call(tool, args), 'invalid_input');
        expect(fields.map(({ path }) => path)).toEqual([field]);
      }
    }
    expect(scene.standIn.count('*')).toBe(0);
  });

  it('trims blanks at the ends of an external id, and takes blanks alone for none', async () => {
    const { id, few } = fresh();
    const made = await call('create_customer', { ...few, [field]: `  ${id}\u00a0` });
    expect(made.data).toMatchObject({ outcome: 'created', external_id: id });
    expect(idOf(await call('get_customer', { [field]: ` ${id} ` }))).toBe(made.data['customer_id']);
    const other = await call('create_customer', { ...fresh().few, [field]: '   ' });
    expect(other.data['external_id']).toBeUndefined();
    expect(other.data['warnings']).toEqual([expect.stringContaining('second customer')]);
  });

  it('takes no answer about another customer for its own, and records nothing', async () => {
    const other = await create(fresh().few, fresh().id);
    const { id, few } = fresh();
    scene.standIn.fault({ on: 'create', when: 'after', act: { status: 201, body: answerOf(stored(other)) } });
    refusalIn(await call('create_customer', { ...few, [field]: id }), 'outcome_unknown');
    // What was created all the same is found by its own fields or its own id.
    const found = await call('create_customer', { ...few, [field]: id });
    expect(idOf(found)).not.toBe(other);
    expect(stored(idOf(found))?.[nameField.stored]).toBe(few[nameField.field]);
    expect(scene.standIn.customers.size).toBe(2);
  });

  it.skipIf(!kit.keepsExternalId)('does not answer with a customer whose external id has moved since', async () => {
    const { id, few } = fresh();
    const first = await create(few, id);
    const moved = Object.entries(stored(first) ?? {}).map(([name, value]) => [
      name,
      value === id ? `${id}-moved` : value,
    ]);
    scene.standIn.customers.set(first, Object.fromEntries(moved));
    const again = await call('create_customer', { ...few, [field]: id, allow_duplicate: true });
    expect(again.data).toMatchObject({ outcome: 'created', external_id: id });
    expect(idOf(again)).not.toBe(first);
  });

  function answerOf(document: unknown): unknown {
    return document;
  }
});
