import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test } from 'vitest';
import type { ClaimOptions, IntentData } from '../../src/identity/ledger.ts';
import { openCache } from '../../src/identity/id-map.ts';
import { engines } from '../support/stores.ts';

const data = (externalId = 'crm-1'): IntentData => ({ op: randomUUID(), externalId, fields: { name: 'hash' } });
const claimOf = (leaseMs = 60_000, reopen = false): ClaimOptions => ({
  owner: randomUUID(),
  leaseMs,
  data: data(),
  reopen,
});

describe.each(engines)('the ledger on $name', (engine) => {
  const store = engine.open();
  const { ledger } = store;
  const newKey = (): string => `test/${randomUUID()}`;
  const owned = async (key: string, options = claimOf()) => {
    const claim = await ledger.claim(key, options);
    if (claim.kind !== 'owned') throw new Error(`expected to own ${key}, got ${claim.kind}`);
    return claim.intent;
  };
  afterAll(() => store.close());

  test('gives a new identity to the first who claims it, and keeps what was recorded', async () => {
    const key = newKey();
    const options = claimOf();
    expect(await owned(key, options)).toEqual({ key, state: 'PENDING', epoch: 1, data: options.data });
    expect(await ledger.get(key)).toEqual({ key, state: 'PENDING', epoch: 1, data: options.data });
    expect(await ledger.get(newKey())).toBeUndefined();
  });

  test('keeps everybody else out until the lease is over, and then raises the epoch', async () => {
    const key = newKey();
    await owned(key, claimOf(150));
    const busy = await ledger.claim(key, claimOf());
    expect(busy.kind).toBe('busy');
    if (busy.kind === 'busy') expect(busy.retryInMs).toBeLessThanOrEqual(150);
    await sleep(200);
    expect(await owned(key)).toMatchObject({ state: 'PENDING', epoch: 2 });
  });

  test('grants one of many claims made at the same time', async () => {
    const key = newKey();
    const claims = await Promise.all(Array.from({ length: 20 }, () => ledger.claim(key, claimOf())));
    expect(claims.filter(({ kind }) => kind === 'owned')).toHaveLength(1);
    expect(claims.filter(({ kind }) => kind === 'busy')).toHaveLength(19);
  });

  test('moves on only for the epoch and the state that hold now', async () => {
    const key = newKey();
    const first = await owned(key, claimOf(1));
    await sleep(20);
    const second = await owned(key);
    const to = { state: 'SENT', data: { ...first.data, sentAt: 5 }, leaseMs: 60_000 } as const;
    expect(await ledger.advance(first, to)).toBe(false);
    expect(await ledger.advance({ ...second, state: 'UNSURE' }, to)).toBe(false);
    expect(await ledger.advance(second, to)).toBe(true);
    expect(await ledger.advance(second, to)).toBe(false);
    expect(await ledger.get(key)).toEqual({ key, state: 'SENT', epoch: 2, data: { ...first.data, sentAt: 5 } });
  });

  test('hands over a send that was abandoned as unsure, with its record', async () => {
    const key = newKey();
    const intent = await owned(key);
    const sent = { ...intent.data, sentAt: 7 };
    await ledger.advance(intent, { state: 'SENT', data: sent, leaseMs: 1 });
    await sleep(20);
    expect(await owned(key)).toEqual({ key, state: 'UNSURE', epoch: 2, data: sent });
  });

  test('keeps what is done, and what a person has to decide, out of the hands of a create', async () => {
    const key = newKey();
    const intent = await owned(key);
    const done = { ...intent.data, remoteId: 'r-1' };
    await ledger.advance(intent, { state: 'DONE', data: done, leaseMs: 0 });
    expect(await ledger.claim(key, claimOf())).toEqual({
      kind: 'settled',
      intent: { key, state: 'DONE', epoch: 1, data: done },
    });
    await ledger.advance({ ...intent, state: 'DONE' }, { state: 'CONFLICT', data: done, leaseMs: 0 });
    expect(await ledger.claim(key, claimOf(60_000, true))).toMatchObject({
      kind: 'settled',
      intent: { state: 'CONFLICT' },
    });
  });

  test('reopens what is done for one who sends again, one at a time', async () => {
    const key = newKey();
    const intent = await owned(key);
    const done = { ...intent.data, remoteId: 'r-1' };
    await ledger.advance(intent, { state: 'DONE', data: done, leaseMs: 0 });
    expect(await owned(key, claimOf(60_000, true))).toEqual({ key, state: 'DONE', epoch: 2, data: done });
    expect((await ledger.claim(key, claimOf(60_000, true))).kind).toBe('busy');
    expect((await ledger.claim(key, claimOf())).kind).toBe('settled');
  });

  test('starts a freed identity anew', async () => {
    const key = newKey();
    const intent = await owned(key);
    await ledger.advance(intent, { state: 'GONE', data: { ...intent.data, remoteId: 'old' }, leaseMs: 0 });
    const options = claimOf();
    expect(await owned(key, options)).toEqual({ key, state: 'PENDING', epoch: 2, data: options.data });
  });

  test('lists what is open and due, and nothing else', async () => {
    const keys = { open: newKey(), leased: newKey(), later: newKey(), done: newKey() };
    const moved = async (key: string, state: 'UNSURE' | 'DONE', leaseMs: number, checkInMs: number): Promise<void> => {
      const intent = await owned(key);
      expect(await ledger.advance(intent, { state, data: intent.data, leaseMs, checkInMs })).toBe(true);
    };
    await moved(keys.open, 'UNSURE', 0, 0);
    await moved(keys.leased, 'UNSURE', 60_000, 0);
    await moved(keys.later, 'UNSURE', 0, 60_000);
    await moved(keys.done, 'DONE', 0, 0);
    const due = (await ledger.due('test/', 10_000, 0)).map(({ key }) => key);
    expect(Object.values(keys).filter((key) => due.includes(key))).toEqual([keys.open]);
    const soon = (await ledger.due('test/', 10_000, 120_000)).map(({ key }) => key);
    expect(Object.values(keys).filter((key) => soon.includes(key))).toEqual([keys.open, keys.later]);
    expect(await ledger.due('test/', 1, 0)).toHaveLength(1);
    expect(await ledger.due('other/', 10_000, 0)).toEqual([]);
  });

  test('is the storage of Keyv, with values that run out', async () => {
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
});
