import fc from 'fast-check';
import { expect, it } from 'vitest';
import { FairQueue } from '../../src/http/fair-queue.ts';

it('starts all work, that of each party in its order, and none waits for more than one turn of each other', async () => {
  const parties = fc.array(fc.constantFrom('acme', 'globex', 'initech'), { minLength: 1, maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(parties, async (arrivals) => {
      const queue = new FairQueue();
      const started: { readonly party: string; readonly n: number }[] = [];
      await Promise.all(arrivals.map((party, n) => queue.turn(party).then(() => started.push({ party, n }))));
      expect(started.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(arrivals.map((_, n) => n));
      for (const party of new Set(arrivals)) {
        const own = started.filter((one) => one.party === party).map(({ n }) => n);
        expect(own).toEqual(own.toSorted((a, b) => a - b));
      }
      // The first start at once, before the others have arrived.
      const later = started.slice(2);
      for (const [index, { party }] of later.entries()) {
        const between = later.slice(index + 1);
        const next = between.findIndex((one) => one.party === party);
        if (next < 0) continue;
        const counts = Map.groupBy(between.slice(0, next), (one) => one.party);
        for (const turns of counts.values()) expect(turns.length).toBeLessThanOrEqual(1);
      }
    }),
  );
});

it('lets one start at once when nobody waits', async () => {
  const queue = new FairQueue();
  let started = false;
  void queue.turn('acme').then(() => (started = true));
  await Promise.resolve();
  await Promise.resolve();
  expect(started).toBe(true);
});

it('starts a party that is new among a flood next', async () => {
  const queue = new FairQueue();
  const started: string[] = [];
  const flood = Promise.all(Array.from({ length: 500 }, () => queue.turn('acme').then(() => started.push('acme'))));
  await queue.turn('globex').then(() => started.push('globex'));
  expect(started.indexOf('globex')).toBeLessThan(6);
  await flood;
  expect(started.length).toBe(501);
});
