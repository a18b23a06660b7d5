import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import { openCache } from '../../src/identity/cache.ts';
import type { IntentData, Transition } from '../../src/identity/intent.ts';
import { createLedger, type ClaimOptions } from '../../src/identity/ledger.ts';
import { engines } from '../support/stores.ts';

const data = (externalId = 'crm-1'): IntentData => ({ salt: randomUUID(), externalId, fingerprint: { name: 'hash' } });
const claimOf = (leaseMs = 60_000, reopen = false): ClaimOptions => ({
  leaseMs,
  data: data(),
  reopen,
});

describe.each(engines)('the ledger on $name', (engine) => {
  const store = engine.open();
  const ledger = createLedger(store.rows);
  const newKey = (): string => `test/${randomUUID()}`;
  const acquired = async (key: string, options = claimOf()) => {
    const claim = await ledger.claim(key, options);
    if (claim.kind !== 'acquired') throw new Error(`expected to acquire ${key}, got ${claim.kind}`);
    return claim.intent;
  };
  const moved = async (key: string, to: Transition) => {
    const intent = await ledger.transition(await acquired(key), to);
    if (!intent) throw new Error(`expected to change ${key}`);
    return intent;
  };
  afterAll(() => store.close());

  test('grants a new external id to the first claim, and keeps the record', async () => {
    const key = newKey();
    const options = claimOf();
    expect(await acquired(key, options)).toEqual({ key, state: 'PENDING', epoch: 1, data: options.data });
    expect(await ledger.get(key)).toEqual({ key, state: 'PENDING', epoch: 1, data: options.data });
    expect(await ledger.get(newKey())).toBeUndefined();
  });

  test('refuses other claims until the lease is over, and then increments the epoch', async () => {
    const key = newKey();
    await acquired(key, claimOf(150));
    const held = await ledger.claim(key, claimOf());
    expect(held.kind).toBe('held');
    if (held.kind === 'held') expect(held.retryInMs).toBeLessThanOrEqual(150);
    await sleep(200);
    expect(await acquired(key)).toMatchObject({ state: 'PENDING', epoch: 2 });
  });

  test('grants one of many concurrent claims', async () => {
    const key = newKey();
    const claims = await Promise.all(Array.from({ length: 20 }, () => ledger.claim(key, claimOf())));
    expect(claims.filter(({ kind }) => kind === 'acquired')).toHaveLength(1);
    expect(claims.filter(({ kind }) => kind === 'held')).toHaveLength(19);
  });

  test('accepts a transition only for the current epoch and state, and increments the epoch', async () => {
    const key = newKey();
    const first = await acquired(key, claimOf(1));
    await sleep(20);
    const second = await acquired(key);
    const sent = { ...first.data, sentAt: 5 };
    const to = { state: 'SENT', data: sent, leaseMs: 60_000 } as const;
    expect(await ledger.transition(first, to)).toBeUndefined();
    expect(await ledger.transition({ ...second, state: 'UNKNOWN' }, to)).toBeUndefined();
    const changed = { key, state: 'SENT', epoch: 3, data: sent };
    expect(await ledger.transition(second, to)).toEqual(changed);
    expect(await ledger.transition(second, to)).toBeUndefined();
    expect(await ledger.get(key)).toEqual(changed);
  });

  test('returns an abandoned send as unknown, with its record', async () => {
    const key = newKey();
    const intent = await acquired(key);
    const sent = { ...intent.data, sentAt: 7 };
    await ledger.transition(intent, { state: 'SENT', data: sent, leaseMs: 1 });
    await sleep(20);
    expect(await acquired(key)).toEqual({ key, state: 'UNKNOWN', epoch: 3, data: sent });
  });

  test('returns a row that is done, or that the user has to decide, as final', async () => {
    const key = newKey();
    const done = await moved(key, { state: 'DONE', data: { ...data(), customerId: 'r-1' }, leaseMs: 0 });
    expect(await ledger.claim(key, claimOf())).toEqual({ kind: 'final', intent: done });
    const conflict = await ledger.transition(done, { state: 'CONFLICT', data: done.data, leaseMs: 0 });
    expect(await ledger.claim(key, claimOf(60_000, true))).toEqual({ kind: 'final', intent: conflict });
  });

  test('reopens a row that is done to send again, for one claim at a time', async () => {
    const key = newKey();
    const done = await moved(key, { state: 'DONE', data: { ...data(), customerId: 'r-1' }, leaseMs: 0 });
    expect(await acquired(key, claimOf(60_000, true))).toEqual({ ...done, epoch: 3 });
    expect((await ledger.claim(key, claimOf(60_000, true))).kind).toBe('held');
    expect((await ledger.claim(key, claimOf())).kind).toBe('final');
  });

  test('starts a released external id with a new record', async () => {
    const key = newKey();
    await moved(key, { state: 'RELEASED', data: { ...data(), customerId: 'old' }, leaseMs: 0 });
    const options = claimOf();
    expect(await acquired(key, options)).toEqual({ key, state: 'PENDING', epoch: 3, data: options.data });
  });

  test('takes over an abandoned row with its current record', async () => {
    const key = newKey();
    const first = await acquired(key, claimOf(1));
    await sleep(20);
    const { insert } = store.rows;
    // Between the read and the takeover, the former holder links another customer.
    const late = createLedger({
      ...store.rows,
      async insert(row) {
        const present = await insert(row);
        await ledger.transition(first, { state: 'PENDING', data: { ...first.data, customerId: 'r-2' }, leaseMs: 0 });
        return present;
      },
    });
    expect((await late.claim(key, claimOf())).kind).toBe('held');
    expect((await acquired(key)).data.customerId).toBe('r-2');
  });

  test('lists exactly the rows that are open and due', async () => {
    const keys = { open: newKey(), leased: newKey(), later: newKey(), done: newKey() };
    const unknown = { state: 'UNKNOWN', data: data(), leaseMs: 0 } as const;
    await moved(keys.open, unknown);
    await moved(keys.leased, { ...unknown, leaseMs: 60_000 });
    // Not an integer, because of the reconciler's jitter.
    await moved(keys.later, { ...unknown, checkInMs: 60_000.5 });
    await moved(keys.done, { state: 'DONE', data: { ...data(), customerId: 'r-1' }, leaseMs: 0 });
    const due = (await ledger.due({ prefix: 'test/', limit: 10_000, withinMs: 0 })).map(({ key }) => key);
    expect(Object.values(keys).filter((key) => due.includes(key))).toEqual([keys.open]);
    const soon = (await ledger.due({ prefix: 'test/', limit: 10_000, withinMs: 120_000 })).map(({ key }) => key);
    expect(Object.values(keys).filter((key) => soon.includes(key))).toEqual([keys.open, keys.later]);
    expect(await ledger.due({ prefix: 'test/', limit: 1, withinMs: 0 })).toHaveLength(1);
    expect(await ledger.due({ prefix: 'other/', limit: 10_000, withinMs: 0 })).toEqual([]);
  });

  test('treats a lease and a check that are later than the limits allow as past', async () => {
    const [key, hidden] = [newKey(), newKey()];
    // As stored while a clock was ahead.
    await acquired(key, claimOf(365 * 24 * 3_600_000));
    await moved(hidden, { state: 'UNKNOWN', data: data(), leaseMs: 0, checkInMs: 365 * 24 * 3_600_000 });
    const due = (await ledger.due({ prefix: 'test/', limit: 10_000, withinMs: 0 })).map((intent) => intent.key);
    expect([key, hidden].filter((open) => due.includes(open))).toEqual([key, hidden]);
    expect(await acquired(key)).toMatchObject({ state: 'PENDING', epoch: 2 });
  });

  test('is the storage of Keyv, with values that expire', async () => {
    const cache = openCache(store.cache);
    const key = newKey();
    expect(await cache.get(key)).toBeUndefined();
    await cache.set(key, { id: 'r-1' });
    expect(await cache.get(key)).toEqual({ id: 'r-1' });
    const found: unknown[] = [];
    for await (const [name, value] of cache.iterator()) if (name === key) found.push(value);
    expect(found).toEqual([{ id: 'r-1' }]);
    expect(await cache.delete(key)).toBe(true);
    expect(await cache.get(key)).toBeUndefined();
    await cache.set(key, 'short', 50);
    await sleep(100);
    expect(await cache.get(key)).toBeUndefined();
  });

  test('finds the rows that record a customer, and no others', async () => {
    const account = `test/${randomUUID()}/`;
    const record = async (name: string, customerId: string, state: 'DONE' | 'RELEASED' = 'DONE') => {
      const key = account + name;
      const intent = await acquired(key);
      const recorded = await ledger.transition(intent, {
        state: 'DONE',
        data: { ...data(name), customerId },
        leaseMs: 0,
      });
      if (!recorded) throw new Error(`expected to record ${key}`);
      if (state === 'RELEASED') await ledger.transition(recorded, { state, data: recorded.data, leaseMs: 0 });
    };
    await record('a', 'c-1');
    await record('b', "c-2'");
    await record('moved', 'c-1', 'RELEASED');
    const found = async (...ids: string[]) =>
      (await ledger.findByCustomerId(account, ids)).map(({ data: { externalId, customerId } }) => [
        externalId,
        customerId,
      ]);
    expect(await found('c-1')).toEqual([['a', 'c-1']]);
    expect(await found('c-1', "c-2'", 'c-3')).toEqual([
      ['a', 'c-1'],
      ['b', "c-2'"],
    ]);
    expect(await found()).toEqual([]);
    expect(await ledger.findByCustomerId(`test/${randomUUID()}/`, ['c-1'])).toEqual([]);
  });
});
