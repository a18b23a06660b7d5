import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { LAYER_ACCESS_TOKEN, LAYER_BUSINESS_ID, startLayer } from '../providers/layer/stand-in.ts';
import { connect, type Connection } from '../support/client.ts';
import { Report } from '../support/report.ts';
import type { StandIn } from '../support/stand-in.ts';
import { sharedEngines } from '../support/stores.ts';
import { seed } from './layer.ts';

const ROUNDS = 100;
const LIMIT_MS = 120_000;
const report = new Report(`Two processes, ${2 * ROUNDS} changes of different fields of one customer at the same time`);
afterAll(() => process.stdout.write(`\n${String(report)}\n`));

/** What a write may change, as an argument and as the provider has it then. */
interface Change {
  readonly args: (round: number) => Record<string, unknown>;
  readonly shows: (document: Record<string, unknown>, round: number) => boolean;
}

const email: Change = {
  args: (round) => ({ email: `round-${round}@hermann.example` }),
  shows: (document, round) => document['email'] === `round-${round}@hermann.example`,
};
const phone: Change = {
  args: (round) => ({ mobile_phone: `+49 ${round}` }),
  shows: (document, round) => document['mobile_phone'] === `+49 ${round}`,
};
const tags: Change = {
  args: (round) => ({ tags: [{ key: 'round', value: String(round) }] }),
  shows: ({ transaction_tags: shown }, round) =>
    Array.isArray(shown) && shown.length === 1 && shown[0].value === String(round),
};

const variants = [
  ['PATCH', {}, email, phone],
  ['PUT of tags beside PATCH', {}, tags, phone],
  ['no PATCH (405)', { patchMissing: 405 }, email, phone],
  ['no PATCH (404), only memo', { patchMissing: 404, memoOnly: true }, email, tags],
] as const;

/** Both changes at once, a hundred times. @returns how many were acknowledged and are not there. */
async function race(
  standIn: StandIn,
  changes: readonly [Change, Change],
  send: (process: number, args: Record<string, unknown>) => Promise<unknown>,
): Promise<{ lost: number; ms: number; requests: number }> {
  const id = seed(standIn);
  let lost = 0;
  const startedAt = performance.now();
  for (let round = 1; round <= ROUNDS; round += 1) {
    await Promise.all(changes.map(({ args }, process) => send(process, { customer_id: id, ...args(round) })));
    lost += changes.filter(({ shows }) => !shows({ ...standIn.customers.get(id) }, round)).length;
    expect(standIn.customers.get(id)).toMatchObject({ company_name: 'Hermann Optics', memo: 'Prefers mornings' });
  }
  const requests = standIn.requests.filter(({ path }) => path.endsWith(id)).length;
  return { lost, ms: (performance.now() - startedAt) / ROUNDS, requests };
}

describe.each(variants)('with %s', (name, options, one, other) => {
  let standIn: StandIn;
  const fleet: Connection[] = [];
  let environment: Readonly<Record<string, string>>;

  beforeAll(async () => {
    ({ standIn, environment } = await startLayer({ tokenUses: Infinity, ...options }));
    // The provider takes its time, so that updates overlap.
    standIn.fault({ on: 'update', times: Infinity, act: { delayMs: 5 } });
  });
  afterEach(async () => {
    await Promise.all(fleet.map((server) => server.close()));
    fleet.length = 0;
  });
  afterAll(() => standIn.close());

  it(
    'two processes on one store lose nothing',
    async () => {
      await Promise.all(
        sharedEngines.map(async (engine) => {
          const settings = { ...environment, CUSTOMERS_STORE: engine.address };
          const pair = await Promise.all([connect(settings), connect(settings)]);
          fleet.push(...pair);
          const { lost, ms, requests } = await race(standIn, [one, other], async (process, args) => {
            const answer = await pair[process]?.call('update_customer', args);
            expect(answer?.data, answer?.text).toMatchObject({ outcome: 'updated' });
          });
          const outcome = `${lost} of ${2 * ROUNDS} lost`;
          report.add(name, 'update', { subject: engine.name, outcome, requests, ms });
          expect(lost).toBe(0);
        }),
      );
    },
    LIMIT_MS,
  );

  it(
    'clients that read, merge and PUT without a lease lose changes',
    async () => {
      const { lost, ms, requests } = await race(standIn, [one, other], (_, { customer_id: id, ...change }) =>
        mergeAndPut(standIn, String(id), change),
      );
      report.add(name, 'update', {
        subject: 'baseline (no lease)',
        outcome: `${lost} of ${2 * ROUNDS} lost`,
        requests,
        ms,
      });
      expect(lost).toBeGreaterThan(0);
    },
    LIMIT_MS,
  );
});

/** As it was done before. */
async function mergeAndPut(standIn: StandIn, id: string, change: Record<string, unknown>): Promise<void> {
  const url = `${standIn.origin}/v1/businesses/${LAYER_BUSINESS_ID}/customers/${id}`;
  const headers = { authorization: `Bearer ${LAYER_ACCESS_TOKEN}`, 'content-type': 'application/json' };
  const { data } = Object(await (await fetch(url, { headers })).json());
  const { external_id, company_name, email: address, mobile_phone, memo, transaction_tags: shown } = data;
  const own = shown.map(({ key, value }: Record<string, unknown>) => ({ key, value }));
  const document = { external_id, company_name, email: address, mobile_phone, memo, tags: own, ...change };
  await fetch(url, { method: 'PUT', headers, body: JSON.stringify(document) });
}
