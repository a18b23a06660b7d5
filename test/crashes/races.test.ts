import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connect, errorOf, type Connection, type ToolResult } from '../support/client.ts';
import type { StandIn } from '../support/stand-in.ts';
import { combinations, createOf, createsOf, customersOf, limiter } from './cases.ts';

const PROCESSES = 3;
const IDS = 40;
const CALLS = 4;
const IN_FLIGHT = 12;
const LIMIT_MS = 120_000;

/** Permitted errors of a create while the same one is in flight, or while a busy machine delays the store. */
const MAY_BE = ['in_progress', 'store_unavailable'];

describe.each(combinations)('several processes: $title', ({ title, kit, engine }) => {
  let standIn: StandIn;
  let fleet: readonly Connection[];

  beforeAll(async () => {
    const started = await kit.start({ allowDuplicates: true });
    standIn = started.standIn;
    const environment = { ...started.environment, CUSTOMERS_STORE: engine.address };
    fleet = await Promise.all(Array.from({ length: PROCESSES }, () => connect(environment)));
    // The provider is slow, so that calls overlap.
    standIn.fault({ on: 'create', times: Infinity, act: { delayMs: 15 } });
  }, LIMIT_MS);

  afterAll(async () => {
    await Promise.all(fleet.map((server) => server.close()));
    await standIn.close();
  });

  /** The calls for each id follow each other directly, distributed over the processes. */
  async function createAll(
    ids: readonly string[],
    versionOf: (n: number) => number,
  ): Promise<Map<string, ToolResult[]>> {
    const limited = limiter(IN_FLIGHT);
    const answers = new Map<string, ToolResult[]>(ids.map((id) => [id, []]));
    const calls = ids.flatMap((id, place) => Array.from({ length: CALLS }, (_, n) => ({ id, n, place })));
    await Promise.all(
      calls.map(({ id, n, place }) =>
        limited(async () => {
          const server = fleet[(place + n) % fleet.length];
          const answer = await server?.call('create_customer', createOf(kit, id, versionOf(n)));
          if (answer) answers.get(id)?.push(answer);
        }),
      ),
    );
    return answers;
  }

  function kindsIn(answers: Iterable<readonly ToolResult[]>): string[] {
    return [...answers]
      .flat()
      .flatMap((answer) => errorOf(answer)?.kind ?? [])
      .map(String);
  }

  test(
    'the same creates in all processes at once make one customer per id, and all answers agree on it',
    async () => {
      const ids = Array.from({ length: IDS }, () => randomUUID());
      const answers = await createAll(ids, () => 0);
      const errors = kindsIn(answers.values());
      expect(errors.filter((kind) => !MAY_BE.includes(kind))).toEqual([]);
      for (const [id, all] of answers) {
        const owners = customersOf(standIn, id);
        const told = new Set(all.flatMap(({ data }) => data.customer_id ?? []));
        expect(owners).toHaveLength(1);
        expect([...told]).toEqual(owners);
        const outcomes = all.flatMap(({ data }) => data.outcome ?? []);
        expect(outcomes.filter((outcome) => outcome === 'created').length).toBeLessThanOrEqual(1);
        if (!kit.upserts) expect(createsOf(standIn, id)).toBe(1);
      }
      process.stdout.write(
        `${title}: calls ${IDS * CALLS}, ids ${IDS}, customers ${standIn.customers.size}, errors ${JSON.stringify(errors)}\n`,
      );
    },
    LIMIT_MS,
  );

  test.skipIf(kit.upserts)(
    'different creates of one id make one customer, and the others return a conflict',
    async () => {
      const ids = Array.from({ length: IDS / 2 }, () => randomUUID());
      const answers = await createAll(ids, (n) => n);
      for (const [id, all] of answers) {
        const won = all.filter(({ isError }) => !isError);
        expect(won.map(({ data }) => data.outcome)).toEqual(['created']);
        expect(customersOf(standIn, id)).toEqual(won.map(({ data }) => data.customer_id));
        expect(createsOf(standIn, id)).toBe(1);
      }
      const errors = kindsIn(answers.values());
      expect(errors).toHaveLength(ids.length * (CALLS - 1));
      expect(errors.filter((kind) => kind !== 'conflict' && !MAY_BE.includes(kind))).toEqual([]);
    },
    LIMIT_MS,
  );
});
