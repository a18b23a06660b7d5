import { describe, expect, test } from 'vitest';
import { scenarios } from './simulate.ts';
import { print, tally } from './survey.ts';
import { kinds } from './upstream.ts';

// 15 lines of 1,400 histories: 21,000 in all, each with its own seed. `npm run simulate` runs more of them, with the baselines.
const HISTORIES = 1_400;

describe('the state machine that ships, in virtual time', () => {
  const combinations = kinds.flatMap((kind) => scenarios.map((scenario) => ({ kind, scenario })));

  test.each(combinations.map((one, index) => ({ ...one, index, name: `${one.kind}, ${one.scenario.name}` })))(
    'makes no customer twice and loses none: $name',
    { timeout: 120_000 },
    async ({ kind, scenario, index }) => {
      const from = 1 + index * HISTORIES;
      const line = await tally(
        'ledger',
        kind,
        scenario,
        Array.from({ length: HISTORIES }, (_, seed) => from + seed),
      );
      process.stdout.write(`${print([line], { from, count: HISTORIES })}\n`);
      if (scenario.storeForgets > 0) {
        // Nobody can keep the promise with a store that loses what it has confirmed; it must stay the rare exception.
        expect(line.duplicates / HISTORIES).toBeLessThan(0.01);
        return;
      }
      expect(line.broken).toEqual([]);
    },
  );

  test(
    'is worth its weight: locking, searching and sending again makes customers twice',
    { timeout: 60_000 },
    async () => {
      const [scenario] = scenarios;
      if (!scenario) throw new Error('no scenario');
      const seeds = Array.from({ length: 300 }, (_, seed) => seed + 1);
      const usual = await tally('lock, search, retry', 'keyless', scenario, seeds);
      expect(usual.duplicates).toBeGreaterThan(0);
    },
  );

  test('is the same history for the same seed', async () => {
    const [scenario] = scenarios;
    if (!scenario) throw new Error('no scenario');
    const twice = await Promise.all([1, 2].map(() => tally('ledger', 'keyless', scenario, [7, 8, 9])));
    expect(twice[0]).toEqual(twice[1]);
  });
});
