import { describe, expect, it, vi } from 'vitest';
import { isRecord } from '../../../src/text.ts';
import { kits } from '../../support/providers.ts';
import { openScene, rowsOf } from './scene.ts';

describe.each(kits)('texts of $title', (kit) => {
  const scene = openScene(kit);
  const { fresh, call, create, stored } = scene;
  const { read, text, change } = kit;

  it('are shown without what is invisible, and long ones are cut with a mark', async () => {
    const customerId = await create(fresh().all);
    const hidden = 'Be\u202efore\u0000 \u{e0049}\u{e0067}after\u200b\u2066!';
    for (const [raw, shown] of [
      [hidden, 'Before after!'],
      ['y'.repeat(50_000), expect.stringMatching(/^y{100,10000}… \[cut.*\]$/)],
    ]) {
      scene.standIn.customers.set(customerId, { ...stored(customerId), [text.stored]: raw });
      for (const answer of [
        await call('get_customer', { customer_id: customerId }),
        await call('search_customer'),
        await call('update_customer', { customer_id: customerId, [change.field]: `New ${String(raw).length}` }),
      ]) {
        const [row] = rowsOf(answer.data);
        const customer = row ? row.customer : answer.data.customer;
        expect(isRecord(customer) ? customer[text.stored] : undefined).toEqual(shown);
      }
      expect(stored(customerId)[text.stored]).toBe(raw);
    }
  });

  it('stay out of the logs, as do the caller’s', async () => {
    const { id, all } = fresh();
    const customerId = await create(all, id);
    scene.standIn.fault({ on: read, times: 1, act: { status: 403, body: kit.refusal('Words of its own') } });
    await call('get_customer', { customer_id: customerId });
    await call('search_customer');
    await call('archive_customer', { customer_id: customerId });
    await vi.waitFor(() => expect(scene.server.stderr()).toContain('archive_customer'));
    const lines = scene.server.stderr().trim().split('\n');
    for (const line of lines) expect(isRecord(JSON.parse(line))).toBe(true);
    const values = Object.values(all).filter((value) => typeof value === 'string' && value.length > 8);
    expect(values.length).toBeGreaterThan(3);
    for (const value of [...values, 'Words of its own']) expect(scene.server.stderr()).not.toContain(value);
  });
});
