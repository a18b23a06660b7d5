import { describe, expect, it } from 'vitest';
import { errorOf } from '../../support/client.ts';
import type { Fields } from '../../support/provider-kit.ts';
import { kits } from '../../support/providers.ts';
import { openScene, refusalIn } from './scene.ts';

const ODD_IDS = [
  'a/b',
  '../../secret',
  '..',
  '.',
  '%2e%2e',
  '%2F',
  'a?b=c',
  '#top',
  'a b',
  'a\\b',
  'Ünï-中-😀',
  ';x=1',
];

describe.each(kits)('arguments of the tools of $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, sent, forgetRequests } = scene;
  const { externalIdField, change } = kit;

  it.each(kit.wrong)('$tool refuses $given, names $path and sends nothing', async ({ tool, given, path }) => {
    const complete = tool === 'create_customer' ? fresh().few : tool === 'search_customer' ? {} : { customer_id: 'x' };
    const { message, fields } = refusalIn(await call(tool, { ...complete, ...given }), 'invalid_input');
    expect(fields).toEqual([{ path, message: expect.stringMatching(/./) }]);
    expect(message).toContain(path);
    expect(sent()).toEqual([]);
  });

  it('that are unknown are refused with the nearest name', async () => {
    const { given, meant } = kit.typo;
    const calls: [string, Fields, string, string][] = [
      ['create_customer', { ...fresh().all, [given]: 'x' }, given, meant],
      ['update_customer', { customer_id: 'x', [given]: 'x' }, given, meant],
      ['get_customer', { customerId: 'x' }, 'customerId', 'customer_id'],
      ['archive_customer', { customer_id: 'x', costumer_id: 'y' }, 'costumer_id', 'customer_id'],
      ['search_customer', { [`${kit.limitField}s`]: 5 }, `${kit.limitField}s`, kit.limitField],
    ];
    for (const [tool, args, wrong, right] of calls) {
      const { message, fields } = refusalIn(await call(tool, args), 'invalid_input');
      expect(message).toContain(`unknown argument \`${wrong}\`; did you mean \`${right}\`?`);
      expect(fields).toContainEqual({ path: wrong, message: expect.any(String) });
    }
    expect(sent()).toEqual([]);
  });

  it('that are all wrong are all named at once', async () => {
    const args = { customer_id: 5, nonsense: true, clear: 'notes' };
    const { fields } = refusalIn(await call('update_customer', args), 'invalid_input');
    expect(fields.map((field) => field.path).toSorted()).toEqual(['clear', 'customer_id', 'nonsense']);
    expect(sent()).toEqual([]);
  });

  it('need exactly one of the two ids', async () => {
    const both = { customer_id: 'a', [externalIdField]: 'b' };
    const neither = { customer_id: null, [externalIdField]: '' };
    for (const tool of ['get_customer', 'archive_customer'])
      for (const args of [both, neither, {}]) {
        const { message } = refusalIn(await call(tool, args), 'invalid_input');
        expect(message).toContain('customer_id');
        expect(message).toContain(externalIdField);
      }
    for (const args of [neither, {}])
      refusalIn(await call('update_customer', { ...args, [change.field]: 'x' }), 'invalid_input');
    expect(sent()).toEqual([]);
  });

  it('never change the path: an id stays within its segment', async () => {
    for (const id of ODD_IDS) {
      forgetRequests();
      const ref = { customer_id: id };
      const answers = [
        await call('get_customer', ref),
        await call('update_customer', { ...ref, [change.field]: change.value }),
        await call('archive_customer', ref),
      ];
      for (const answer of answers) expect(['not_found', 'invalid_input']).toContain(errorOf(answer)?.kind);
      const one = `${kit.customersPath}/${encodeURIComponent(id)}`;
      for (const { path, operation } of sent())
        expect([one, kit.customersPath], `${operation} of ${id}`).toContain(path);
      if (id === '.' || id === '..') expect(sent()).toEqual([]);
      else expect(sent().map(({ path }) => path)).toContain(one);
    }
  });

  it('accepts any external id, and returns it unchanged', async () => {
    for (const odd of ODD_IDS) {
      const { id: plain, few } = fresh();
      const id = `${odd}${plain}${odd}`;
      const customerId = await create(few, id);
      const known = await call('get_customer', { [externalIdField]: id });
      expect(known.data).toMatchObject({ customer_id: customerId, external_id: id });
      if (kit.lookUp === undefined) continue;
      const looked = await call('get_customer', { [externalIdField]: id }, scene.shortTimeoutServer);
      expect(looked.data).toMatchObject({ customer_id: customerId, external_id: id });
    }
  });
});
