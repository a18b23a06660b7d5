import { kit as dayzero } from '../providers/dayzero/index.ts';
import { kit as notify } from '../providers/notify/index.ts';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { Report } from '../support/report.ts';
import { keyOf, type Damage, type Damager } from '../support/damager.ts';
import { sharedEngines } from '../support/stores.ts';
import { note, startScene, type Scene } from './store-scene.ts';

/**
 * Damaged values for the server's record of an external id, as JSON if the engine stores JSON. No decision can be based on
 * them.
 */
const DAMAGED_RECORDS = ['"text"', '[]', 'null', '5', '{}', '{"remoteId": 5}', '{"op": "x", "fields": null}'];
/** Damaged values for Keyv's entries. */
const DAMAGED_ENTRIES = [
  'not JSON',
  '',
  'null',
  '5',
  '[]',
  '{"value": 5}',
  '{"value": {"id": "x"}}',
  '{"value": ""}',
  '{"value": ".."}',
  '{"value": "unknown"}',
];

const report = new Report('Damaged rows of a store: how creates end; requests are creates that were sent again');

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

afterAll(() => console.log(`\n${report}\n`));

for (const engine of sharedEngines)
  describe.concurrent(`Data in ${engine.name}`, () => {
    const { name, address } = engine;
    let damager: Damager;
    let scene: Scene;
    /** At a provider that keeps the external ids: only there is the cache asked for one. */
    let cached: Scene;

    beforeAll(async () => {
      damager = await engine.damage(address);
      scene = await startScene(dayzero, address);
      cached = await startScene(notify, address);
    });

    afterAll(async () => {
      await scene.close();
      await cached.close();
      await damager.close();
    });

    const damages: readonly Damage[] = [
      ...DAMAGED_RECORDS.map((data) => ({ how: `is a record of ${data}`, columns: { data } })),
      { how: 'is in an unknown state', columns: { state: 'NONSENSE' } },
      ...engine.damages,
    ];

    it.each(damages)('is not used when a record of the ledger $how', async ({ how, columns, text }) => {
      const create = scene.freshCreate();
      const { answer } = await scene.timed('create_customer', create);
      expect(answer.data.outcome, answer.text).toBe('created');
      const key = keyOf(create.external_id);
      const sound = await damager.save(key);
      if (columns) await damager.setRecord(key, columns);
      if (text !== undefined) await damager.replace?.(key, text);
      const again = await scene.timed('create_customer', create);
      note(report, [name, `a record of the ledger ${how}`], { ...again, requests: scene.sent(create) - 1 });
      expect(scene.sent(create)).toBe(1);
      expect(again.ends, again.answer.text).toBe('store_unavailable');
      const read = await scene.timed('get_customer', { customer_id: answer.data.customer_id });
      expect(read.ends, read.answer.text).toBe('ok');
      const other = await scene.timed('create_customer', scene.freshCreate());
      expect(other.ends, other.answer.text).toBe('created');
      await sound();
      const last = await scene.timed('create_customer', create);
      expect(last.ends, last.answer.text).toBe('existing');
      expect(scene.sent(create)).toBe(1);
    });

    it.each(DAMAGED_ENTRIES.map((value) => ({ value })))('counts as a miss in the cache: $value', async ({ value }) => {
      const create = cached.freshCreate();
      const { answer } = await cached.timed('create_customer', create);
      expect(await damager.setEntry(keyOf(create[notify.externalIdField]), value), 'nothing was cached').toBe(true);
      const read = await cached.timed('get_customer', {
        [notify.externalIdField]: create[notify.externalIdField],
      });
      note(report, [name, 'an entry of the cache is damaged (get)'], { ...read, requests: 0 });
      expect(read.ends, read.answer.text).toBe('ok');
      expect(read.answer.data.customer_id).toBe(answer.data.customer_id);
      await damager.setEntry(keyOf(create[notify.externalIdField]), value);
      const again = await cached.timed('create_customer', create);
      expect(again.ends, again.answer.text).toBe('existing');
      expect(cached.sent(create)).toBe(1);
    });
  });
