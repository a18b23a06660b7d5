import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { systemClock, systemRandom } from '../../src/identity/clock.ts';
import { Leases } from '../../src/identity/lease.ts';
import type { Rows } from '../../src/stores/store.ts';
import { temporaryStore } from '../support/client.ts';
import { engines } from '../support/stores.ts';

const PROCESSES = 3;
const COUNTS = 20;
const YEAR_MS = 365 * 24 * 3_600_000;

const { folder, remove } = temporaryStore();
afterAll(remove);

const patient = () => ({
  leaseMs: 10_000,
  waitMs: 10_000,
  call: { signal: new AbortController().signal, deadline: performance.now() + 25_000 },
});
const quick = () => ({ ...patient(), waitMs: 100 });

describe.each(engines)('leases on $name', ({ open, address, shared }) => {
  const store = open();
  afterAll(() => store.close());
  const newKey = (): string => `test/${randomUUID()}`;
  /** The leases of another process. */
  const leases = (): Leases => new Leases(store.rows, systemClock, systemRandom);

  test('exclude other work under the same key, and remove the row at the end', async () => {
    const key = newKey();
    let running = 0;
    const work = async (): Promise<string> => {
      running += 1;
      expect(running).toBe(1);
      await sleep(5);
      running -= 1;
      return 'done';
    };
    const [one, other] = [leases(), leases()];
    const ends = [one, other, one, other].map((process) => process.withLease(key, patient(), work));
    expect(await Promise.all(ends)).toEqual(Array(4).fill('done'));
    expect(await store.rows.read(`lease/${key}`)).toBeUndefined();
  });

  test.skipIf(!shared)('keep processes apart', { timeout: 60_000 }, async () => {
    const file = join(folder, randomUUID());
    writeFileSync(file, '0');
    const script = new URL('lease-process.ts', import.meta.url).pathname;
    const args = [script, address, newKey(), file, String(COUNTS)];
    const processes = Array.from({ length: PROCESSES }, () =>
      spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], { stdio: 'inherit' }),
    );
    const codes = await Promise.all(processes.map(async (child) => (await once(child, 'exit'))[0]));
    expect(codes).toEqual(Array(PROCESSES).fill(0));
    expect(readFileSync(file, 'utf8')).toBe(String(PROCESSES * COUNTS));
  });

  test('are not waited for longer than the limit, and are released by work that fails', async () => {
    const key = newKey();
    await expect(
      leases().withLease(key, patient(), async () => {
        const waiting = leases().withLease(key, quick(), async () => 'ran');
        await expect(waiting).rejects.toMatchObject({ kind: 'in_progress', details: { retry_after_s: 10 } });
        throw new Error('failed');
      }),
    ).rejects.toThrow('failed');
    expect(await leases().withLease(key, quick(), async () => 'ran')).toBe('ran');
  });

  test('last longer than the call of the work', async () => {
    const options = { ...patient(), leaseMs: 1_000 };
    const deadline = await leases().withLease(newKey(), options, async (call) => call.deadline);
    expect(deadline).toBeLessThanOrEqual(performance.now() + 1_000);
    expect(await leases().withLease(newKey(), patient(), async (call) => call.deadline)).toBeGreaterThan(deadline);
  });

  test('pass to the next holder when they are over, and are not released by the previous one', async () => {
    const key = newKey();
    const [began, ended] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const late = leases().withLease(key, { ...patient(), leaseMs: 50 }, () => {
      began.resolve();
      return ended.promise;
    });
    await began.promise;
    await leases().withLease(key, patient(), async () => {
      ended.resolve();
      await late;
      const third = leases().withLease(key, quick(), async () => 'ran');
      await expect(third).rejects.toMatchObject({ kind: 'in_progress' });
    });
    expect(await store.rows.read(`lease/${key}`)).toBeUndefined();
  });

  test('count as over if they end later than the longest lease allows', async () => {
    const key = newKey();
    const row = { key: `lease/${key}`, state: 'PENDING', epoch: 1, data: '{}', leaseMs: YEAR_MS };
    await store.rows.insert(row);
    expect(await leases().withLease(key, quick(), async () => 'ran')).toBe('ran');
  });

  test('that the store could not release are free to this process at once, and to others only when they are over', async () => {
    const key = newKey();
    let isDown = false;
    const remove: Rows['remove'] = async (row) => (isDown ? Promise.reject(new Error('down')) : store.rows.remove(row));
    const ours = new Leases({ ...store.rows, remove }, systemClock, systemRandom);
    await ours.withLease(key, patient(), async () => {
      isDown = true;
    });
    isDown = false;
    await expect(leases().withLease(key, quick(), async () => 'ran')).rejects.toMatchObject({ kind: 'in_progress' });
    expect(await ours.withLease(key, quick(), async () => 'ran')).toBe('ran');
    expect(await leases().withLease(key, quick(), async () => 'ran')).toBe('ran');
  });

  test('left by crashed processes are removed', async () => {
    const keys = Array.from({ length: 5 }, () => `lease/${newKey()}`);
    for (const key of keys) await store.rows.insert({ key, state: 'PENDING', epoch: 1, data: '{}', leaseMs: 1 });
    await sleep(20);
    await leases().withLease(newKey(), patient(), async () => {});
    await vi.waitFor(async () => {
      const left = await Promise.all(keys.map((key) => store.rows.read(key)));
      expect(left.filter((row) => row !== undefined)).toEqual([]);
    });
  });

  test('cannot be longer than the limit', async () => {
    const options = { ...patient(), leaseMs: YEAR_MS };
    await expect(leases().withLease(newKey(), options, async () => {})).rejects.toThrow(RangeError);
  });
});
