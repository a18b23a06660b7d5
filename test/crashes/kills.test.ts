import { spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { LEASE_MS, SETTLE_MS } from '../../src/identity/create-once.ts';
import { isRecord } from '../../src/text.ts';
import { BUILT, connect, errorOf, type Connection, type Environment } from '../support/client.ts';
import type { StandIn } from '../support/stand-ins/stand-in.ts';
import { combinations, createsOf, customersOf, limiter, seededRandom, type Case, type Combination } from './cases.ts';
import { slowStore } from './slow-store.ts';

const SEED = Number(process.env['SEED'] ?? randomInt(2 ** 31));
/** Per store and provider. */
const KILLS = Number(process.env['KILLS'] ?? 14);
const AT_ONCE = 8;
/** A round that waits for an id of a round that was killed need not be waited for. */
const ROUND_MS = 2_000;
const LIMIT_MS = 300_000;

/** A process whose clock is past the time for which "not found" proves nothing. */
const LATER = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`const { now } = Date; Date.now = () => now() + ${SETTLE_MS + 1_000};`)}`,
};

interface Report {
  readonly ids: number;
  /** Creates that were answered before the kill. */
  readonly answered: number;
  /** Creates that had reached the provider by then, answered or not. */
  readonly sent: number;
  /** Errors of later callers that are none of those that a killed create may leave. */
  readonly errors: readonly string[];
  /** Ids with two customers; ids that were answered with two; ids without a customer in the end. */
  readonly duplicates: readonly string[];
  readonly disagreements: readonly string[];
  readonly lost: readonly string[];
  /** Ids that only a person could settle, or only time; of these, the ones for which there was a customer to be found. */
  readonly unknown: readonly string[];
  readonly overlooked: readonly string[];
  /** Ids for which a second create was sent while the fate of the first was not known. */
  readonly sentTwice: readonly string[];
}

/** As many servers at a time as do not slow each other down too much. */
const limited = limiter(3);

/**
 * One server that is given all these creates at once and is killed a moment after so much has happened: a request has come in or
 * a create was answered. By events and not by the clock, so that the kills are as well spread on a machine that is busy.
 * @returns the customers that it told of.
 */
async function killed(
  { create }: Case,
  standIn: StandIn,
  environment: Environment,
  ids: readonly string[],
  { after, pauseMs }: { readonly after: number; readonly pauseMs: number },
): Promise<readonly (readonly [id: string, customerId: string])[]> {
  const server = await connect(environment);
  const told: [string, string][] = [];
  let answers = 0;
  const calls = Promise.allSettled(
    ids.map(async (id) => {
      const { data } = await server.call('create_customer', create(id));
      answers += 1;
      if (typeof data.customer_id === 'string') told.push([id, data.customer_id]);
    }),
  );
  const first = standIn.requests.length;
  const happened = (): number => {
    const arrived = standIn.requests.slice(first);
    return answers + arrived.filter(({ rawBody, query }) => ids.some((id) => `${rawBody}${query}`.includes(id))).length;
  };
  const giveUpAt = performance.now() + ROUND_MS;
  while (answers < ids.length && happened() < after && performance.now() < giveUpAt) await sleep(3);
  await sleep(pauseMs);
  process.kill(server.pid, 'SIGKILL');
  await calls;
  await server.close();
  return told;
}

/** Repeats creates until each has its customer, or is unknown. */
async function settle(
  server: Connection,
  { create }: Case,
  ids: readonly string[],
  extra: Record<string, unknown> = {},
) {
  const found = new Map<string, string>();
  const unknown: string[] = [];
  const errors: string[] = [];
  const one = limiter(16);
  const settleOne = async (id: string): Promise<void> => {
    for (;;) {
      const answer = await server.call('create_customer', { ...create(id), ...extra });
      const { customer_id: customerId } = answer.data;
      const kind = errorOf(answer)?.kind;
      if (typeof customerId === 'string') found.set(id, customerId);
      else if (kind === 'outcome_unknown') unknown.push(id);
      else if (kind !== 'in_progress' && kind !== 'store_unavailable') errors.push(answer.text);
      else {
        await sleep(500);
        continue;
      }
      return;
    }
  };
  await Promise.all(ids.map((id) => one(() => settleOne(id))));
  return { found, unknown, errors };
}

/** Slows down what can be killed in, at random, before or after the provider has done what it was asked. */
function delayCreates(standIn: StandIn, random: () => number): void {
  for (let n = 0; n < AT_ONCE; n += 1) {
    const when = random() < 0.5 ? ('before' as const) : ('after' as const);
    standIn.fault({ on: 'create', when, act: { delayMs: 10 + Math.floor(random() * 120) } });
  }
}

async function killAndSettle(combination: Combination, seed: number): Promise<Report> {
  const random = seededRandom(seed);
  const { standIn, environment } = await combination.start();
  for (const on of ['token', 'list', 'search', 'get']) standIn.fault({ on, times: Infinity, act: { delayMs: 30 } });
  const slow = await slowStore(combination.engine, random);
  // Each round has its last id in common with the next one.
  const ids = Array.from({ length: KILLS * (AT_ONCE - 1) + 1 }, () => randomUUID());
  const rounds = Array.from({ length: KILLS }, (_, n) => ids.slice(n * (AT_ONCE - 1), (n + 1) * (AT_ONCE - 1) + 1));
  const slowed = { ...environment, CUSTOMERS_STORE: slow.address };
  const events = AT_ONCE * (combination.probe === undefined ? 2 : 3);
  const ends = await Promise.all(
    rounds.map((round, n) =>
      limited(() => {
        delayCreates(standIn, random);
        const after = Math.floor(((n + random()) / KILLS) * (events + 1));
        return killed(combination, standIn, slowed, round, { after, pauseMs: random() * 40 });
      }),
    ),
  );
  const told = ends.flat();
  const sent = ids.filter((id) => createsOf(standIn, id) > 0).length;
  await slow.close();
  await sleep(LEASE_MS + 500);

  return limited(async () => {
    const direct = { ...environment, CUSTOMERS_STORE: combination.engine.address, CUSTOMERS_CONFIRM: 'never' };
    const [next, later] = await Promise.all([connect(direct), connect({ ...direct, ...LATER })]);
    const soon = await settle(next, combination, ids);
    const overlooked = soon.unknown.filter((id) => customersOf(standIn, id).length > 0);
    // A provider that repeats a create without harm may be asked again at once; the others may not.
    const sentTwice = combination.provider === 'layer' ? [] : ids.filter((id) => createsOf(standIn, id) > 1);
    const after = await settle(later, combination, ids);
    const strict = after.unknown.length > 0 ? await settle(later, combination, after.unknown, { resend: true }) : soon;
    await Promise.all([next.close(), later.close()]);
    const answers = [...told, ...soon.found, ...after.found, ...strict.found];
    const report = {
      ids: ids.length,
      answered: told.length,
      sent,
      errors: [soon, after, strict].flatMap(({ errors }) => errors),
      duplicates: ids.filter((id) => customersOf(standIn, id).length > 1),
      disagreements: ids.filter(
        (id) =>
          new Set([
            ...customersOf(standIn, id),
            ...answers.flatMap(([one, customerId]) => (one === id ? [customerId] : [])),
          ]).size > 1,
      ),
      lost: ids.filter((id) => customersOf(standIn, id).length === 0 || !(after.found.get(id) ?? strict.found.get(id))),
      unknown: soon.unknown,
      overlooked,
      sentTwice,
    };
    const shown = Object.entries(report).map(
      ([name, value]) => `${name} ${Array.isArray(value) ? value.length : value}`,
    );
    process.stdout.write(
      `${combination.title}, seed ${seed}: kills ${KILLS}, customers ${standIn.customers.size}, ${shown.join(', ')}, left to a person ${after.unknown.length}\n`,
    );
    await standIn.close();
    return report;
  });
}

describe('a server that is killed in the middle of its creates', () => {
  // All at once: each spends most of its time waiting until the leases of the dead are over.
  const reports = new Map<string, Promise<Report>>();
  beforeAll(() => {
    for (const [n, combination] of combinations.entries()) {
      const report = killAndSettle(combination, SEED + n);
      report.catch(() => {});
      reports.set(combination.title, report);
    }
  });

  test.each(combinations)(
    'leaves one customer per id: $title',
    async ({ title, provider }) => {
      const report = await reports.get(title);
      expect(report).toMatchObject({
        errors: [],
        duplicates: [],
        disagreements: [],
        lost: [],
        sentTwice: [],
        overlooked: [],
      });
      if (provider === 'layer') expect(report?.unknown).toEqual([]);
    },
    LIMIT_MS,
  );
});

/** A server on bare pipes, because the SDK's client keeps the exit code to itself. */
function launch(environment: Environment) {
  const child = spawn(process.execPath, [BUILT], {
    env: { PATH: process.env['PATH'] ?? '', ...environment },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const results = new Map<string, Record<string, unknown>>();
  createInterface(child.stdout).on('line', (line) => {
    const message: unknown = JSON.parse(line);
    if (!isRecord(message) || !isRecord(message['result'])) return;
    const { structuredContent } = message['result'];
    results.set(String(message['id']), isRecord(structuredContent) ? structuredContent : message['result']);
  });
  // It may be gone already when the last calls are written.
  child.stdin.on('error', () => {});
  const write = (message: Record<string, unknown>): void => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  };
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const call = (id: string, args: Record<string, unknown>): void =>
    write({ id, method: 'tools/call', params: { name: 'create_customer', arguments: args } });
  const clientInfo = { name: 'test', version: '1' };
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo };
  write({ id: 'hello', method: 'initialize', params });
  write({ method: 'notifications/initialized' });
  return { child, results, call, ended };
}

describe.each(['SIGTERM', 'the end of its input'] as const)('a server that is stopped by %s', (stop) => {
  const open: StandIn[] = [];
  afterAll(() => Promise.all(open.map((standIn) => standIn.close())));

  test.each(combinations)(
    'sees through what was sent, begins nothing new, and leaves nothing behind: $title',
    async ({ start, create, unkeyed, probe, provider, engine }) => {
      const { standIn, environment: own } = await start();
      open.push(standIn);
      const environment = { ...own, CUSTOMERS_STORE: engine.address };
      const server = launch(environment);
      const [sent, looking, late, unnamed] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
      standIn.fault({ on: 'create', act: { delayMs: 700 } });
      server.call('sent', create(sent));
      await vi.waitFor(() => expect(createsOf(standIn, sent)).toBe(1), 10_000);
      if (probe !== undefined) {
        const looks = standIn.count(probe);
        standIn.fault({ on: probe, act: { delayMs: 300 } });
        server.call('looking', create(looking));
        await vi.waitFor(() => expect(standIn.count(probe)).toBe(looks + 1), 10_000);
      }
      if (stop === 'SIGTERM') {
        server.child.kill('SIGTERM');
        await sleep(100);
        server.call('late', create(late));
        server.call('unnamed', unkeyed(unnamed));
      } else {
        server.child.stdin.end();
      }

      expect(await server.ended).toBe(0);
      expect(customersOf(standIn, sent)).toEqual([server.results.get('sent')?.['customer_id']]);
      const begun = [looking, late, unnamed].map((id) => createsOf(standIn, id));
      expect
        .soft(begun, 'creates of the one that was looking, of a late one, of a late one without an id')
        .toEqual([0, 0, 0]);

      const next = await connect(environment);
      const again = await next.call('create_customer', create(sent));
      expect(again.data).toMatchObject({
        outcome: provider === 'layer' ? 'updated' : 'existing',
        customer_id: server.results.get('sent')?.['customer_id'],
      });
      expect(customersOf(standIn, sent)).toHaveLength(1);
      if (provider !== 'layer') expect(createsOf(standIn, sent)).toBe(1);
      for (const id of [looking, late]) {
        expect((await next.call('create_customer', create(id))).data).toMatchObject({ outcome: 'created' });
        expect(customersOf(standIn, id)).toHaveLength(1);
      }
      await next.close();
    },
    60_000,
  );
});
