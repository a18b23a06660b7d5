import { spawn } from 'node:child_process';
import { randomInt, randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { LEASE_MS, QUIET_AFTER_SEND_MS } from '../../src/identity/timing.ts';
import { isRecord } from '../../src/text.ts';
import { BUILT, connect, errorOf, type Connection, type Environment } from '../support/client.ts';
import type { StandIn } from '../support/stand-in.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { combinations, createOf, createsOf, customersOf, limiter, seededRandom, type Combination } from './cases.ts';
import { slowStore } from './slow-store.ts';

const SEED = Number(process.env['SEED'] ?? randomInt(2 ** 31));
/** Per store and provider. */
const KILLS = Number(process.env['KILLS'] ?? 14);
const AT_ONCE = 8;
/** A round may wait for an id of a killed round; the test does not wait longer than this for it. */
const ROUND_MS = 2_000;
const LIMIT_MS = 300_000;

/** A process whose clock is ahead by more than the time in which "not found" proves nothing. */
const LATER = {
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`const { now } = Date; Date.now = () => now() + ${QUIET_AFTER_SEND_MS + 1_000};`)}`,
};

interface Report {
  readonly ids: number;
  /** Creates that were answered before the kill. */
  readonly answered: number;
  /** Creates that had reached the provider by then, answered or not. */
  readonly sent: number;
  /** Errors of later callers that a killed create must not cause. */
  readonly errors: readonly string[];
  /** Ids with two customers; ids that were answered with two customers; ids without a customer in the end. */
  readonly duplicates: readonly string[];
  readonly disagreements: readonly string[];
  readonly lost: readonly string[];
  /** Ids that only the user or only time could settle; of these, the ones whose customer exists. */
  readonly unknown: readonly string[];
  readonly overlooked: readonly string[];
  /** Ids for which a second create was sent while the outcome of the first was unknown. */
  readonly sentTwice: readonly string[];
}

/** Limits the number of concurrent servers, so that they do not slow each other down too much. */
const limited = limiter(3);

/**
 * One server that receives all these creates at once and is killed shortly after a number of events: a request arrived, or a
 * create was answered. It counts events instead of time, so that the kills are equally spread on a busy machine.
 * @returns the customers in its answers.
 */
async function killed(
  kit: ProviderKit,
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
      const { data } = await server.call('create_customer', createOf(kit, id));
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
  kit: ProviderKit,
  ids: readonly string[],
  extra: Record<string, unknown> = {},
) {
  const found = new Map<string, string>();
  const unknown: string[] = [];
  const errors: string[] = [];
  const one = limiter(16);
  const settleOne = async (id: string): Promise<void> => {
    for (;;) {
      const answer = await server.call('create_customer', { ...createOf(kit, id), ...extra });
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

/** Delays creates at random, before or after they run, to widen the window for a kill. */
function delayCreates(standIn: StandIn, random: () => number): void {
  for (let n = 0; n < AT_ONCE; n += 1) {
    const when = random() < 0.5 ? ('before' as const) : ('after' as const);
    standIn.fault({ on: 'create', when, act: { delayMs: 10 + Math.floor(random() * 120) } });
  }
}

async function killAndSettle({ kit, engine, title }: Combination, seed: number): Promise<Report> {
  const random = seededRandom(seed);
  const { standIn, environment } = await kit.start({ allowDuplicates: true });
  for (const on of ['token', 'list', 'search', 'get']) standIn.fault({ on, times: Infinity, act: { delayMs: 30 } });
  const slow = await slowStore(engine, random);
  // Consecutive rounds share one id.
  const ids = Array.from({ length: KILLS * (AT_ONCE - 1) + 1 }, () => randomUUID());
  const rounds = Array.from({ length: KILLS }, (_, n) => ids.slice(n * (AT_ONCE - 1), (n + 1) * (AT_ONCE - 1) + 1));
  const slowed = { ...environment, CUSTOMERS_STORE: slow.address };
  const events = AT_ONCE * 3;
  const ends = await Promise.all(
    rounds.map((round, n) =>
      limited(() => {
        delayCreates(standIn, random);
        const after = Math.floor(((n + random()) / KILLS) * (events + 1));
        return killed(kit, standIn, slowed, round, { after, pauseMs: random() * 40 });
      }),
    ),
  );
  const told = ends.flat();
  const sent = ids.filter((id) => createsOf(standIn, id) > 0).length;
  await slow.close();
  await sleep(LEASE_MS + 500);

  return limited(async () => {
    const direct = { ...environment, CUSTOMERS_STORE: engine.address, CUSTOMERS_CONFIRM: 'never' };
    const [next, later] = await Promise.all([connect(direct), connect({ ...direct, ...LATER })]);
    const soon = await settle(next, kit, ids);
    const overlooked = soon.unknown.filter((id) => customersOf(standIn, id).length > 0);
    // Only a provider that repeats a create without harm may receive it again at once.
    const sentTwice = kit.upserts ? [] : ids.filter((id) => createsOf(standIn, id) > 1);
    const after = await settle(later, kit, ids);
    const strict = after.unknown.length > 0 ? await settle(later, kit, after.unknown, { resend: true }) : soon;
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
      `${title}, seed ${seed}: kills ${KILLS}, customers ${standIn.customers.size}, ${shown.join(', ')}, left to the user ${after.unknown.length}\n`,
    );
    await standIn.close();
    return report;
  });
}

describe('a server that is killed in the middle of its creates', () => {
  // All run concurrently, because each spends most of its time waiting for the leases of killed servers.
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
    async ({ title, kit }) => {
      const report = await reports.get(title);
      expect(report).toMatchObject({
        errors: [],
        duplicates: [],
        disagreements: [],
        lost: [],
        sentTwice: [],
        overlooked: [],
      });
      if (kit.upserts) expect(report?.unknown).toEqual([]);
    },
    LIMIT_MS,
  );
});

/** A server on raw pipes, because the SDK's client does not expose the exit code. */
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
  // The server may have ended before the last calls are written.
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
    'finishes what was sent, starts nothing new, and leaves no open creates: $title',
    async ({ kit, engine }) => {
      const { probe } = kit;
      const { standIn, environment: own } = await kit.start({ allowDuplicates: true });
      const create = (id: string) => createOf(kit, id);
      open.push(standIn);
      const environment = { ...own, CUSTOMERS_STORE: engine.address };
      const server = launch(environment);
      const [sent, looking, late, unnamed] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
      standIn.fault({ on: 'create', act: { delayMs: 700 } });
      server.call('sent', create(sent));
      await vi.waitFor(() => expect(createsOf(standIn, sent)).toBe(1), 10_000);
      const looks = standIn.count(probe);
      standIn.fault({ on: probe, act: { delayMs: 300 } });
      server.call('looking', create(looking));
      await vi.waitFor(() => expect(standIn.count(probe)).toBeGreaterThan(looks), 10_000);
      if (stop === 'SIGTERM') {
        server.child.kill('SIGTERM');
        await sleep(100);
        server.call('late', create(late));
        server.call('unnamed', kit.minimal(unnamed, `mail@${unnamed}.example`));
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
        outcome: 'existing',
        customer_id: server.results.get('sent')?.['customer_id'],
      });
      expect(customersOf(standIn, sent)).toHaveLength(1);
      if (!kit.upserts) expect(createsOf(standIn, sent)).toBe(1);
      for (const id of [looking, late]) {
        expect((await next.call('create_customer', create(id))).data).toMatchObject({ outcome: 'created' });
        expect(customersOf(standIn, id)).toHaveLength(1);
      }
      await next.close();
    },
    60_000,
  );
});
