import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, test } from 'vitest';
import { kindOf } from '../support/answers.ts';
import { connect, errorOf, type Connection, type ToolResult } from '../support/client.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { Report } from '../support/report.ts';
import { engines } from '../support/stores.ts';

const ROUNDS = 60;
const LIMIT_MS = 120_000;

interface Round {
  readonly customers: number;
  readonly answers: readonly ToolResult[];
}

/** Two servers, each asked at the same moment to create a customer with one name and one e-mail under an id of its own. */
async function race(kit: ProviderKit, address: string): Promise<readonly Round[]> {
  const { standIn, environment } = await kit.start({ allowDuplicates: true });
  const settings = { ...environment, CUSTOMERS_STORE: address };
  const servers: readonly Connection[] = await Promise.all([connect(settings), connect(settings)]);
  // The provider takes its time, so that calls overlap.
  standIn.fault({ on: 'create', times: Infinity, act: { delayMs: 15 } });
  const rounds: Round[] = [];
  try {
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = standIn.customers.size;
      const tag = randomUUID();
      // In another spelling, as another person would type it.
      const spellings =
        rounds.length % 2 === 0
          ? [
              kit.minimal(`Müller Bau ${tag}`, `Mail@${tag}.example`),
              kit.minimal(`Mueller Bau ${tag} GmbH`, `mail@${tag}.EXAMPLE`),
            ]
          : [
              kit.minimal(`van den Berg ${tag}`, `info@${tag}.example`),
              kit.minimal(`Vandenberg ${tag} B.V.`, `office@${tag}.example`),
            ];
      const answers = await Promise.all(
        servers.map((server, index) =>
          server.call('create_customer', { ...spellings[index], [kit.externalIdField]: randomUUID() }),
        ),
      );
      rounds.push({ customers: standIn.customers.size - before, answers });
    }
  } finally {
    await Promise.all(servers.map((server) => server.close()));
    await standIn.close();
  }
  return rounds;
}

function tally(rounds: readonly Round[]): string {
  const single = rounds.filter(({ customers }) => customers === 1).length;
  const warned = rounds.filter(({ answers }) => answers.some((one) => errorOf(one)?.['kind'] === 'possible_duplicate'));
  const others = rounds
    .filter((round) => !warned.includes(round))
    .map(({ answers }) => answers.map(kindOf).join(' and '));
  const kinds = [...new Set(others)].map((kind) => `${kind} ${others.filter((other) => other === kind).length}`);
  return [`one customer ${single} of ${ROUNDS}, possible_duplicate ${warned.length}`, ...kinds].join(', ');
}

const report = new Report('The same customer created by two servers at once under two ids');
afterAll(() => void process.stdout.write(`${report.toString()}\n`));

describe.each(kits)('two servers that create the same $title customer at once under two ids', (kit) => {
  test.each(engines)(
    'make one, and warn of it ($name)',
    async ({ name, address, shared }) => {
      const startedAt = performance.now();
      const rounds = await race(kit, address);
      const outcome = tally(rounds);
      report.add(shared ? name : 'baseline: a store for each server', kit.name, {
        subject: kit.name,
        outcome,
        requests: rounds.length,
        ms: performance.now() - startedAt,
      });
      if (!shared) {
        // Without leases that both servers see, the look for similar customers is no protection.
        expect(rounds.filter(({ customers }) => customers > 1).length).toBeGreaterThan(0);
        return;
      }
      expect(outcome).toBe(`one customer ${ROUNDS} of ${ROUNDS}, possible_duplicate ${ROUNDS}`);
    },
    LIMIT_MS,
  );
});
