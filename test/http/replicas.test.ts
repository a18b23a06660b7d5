import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startBalancer } from '../support/balancer.ts';
import { post, serve, structuredIn, TOKEN, toolCall, type HttpServer, type Reply } from '../support/http.ts';
import { isRecord } from '../../src/text.ts';
import { combinations, createOf, createsOf, customersOf, type Combination } from '../crashes/cases.ts';
import { kits } from '../support/providers.ts';
import { serverEngines } from '../support/stores.ts';
import type { StandIn } from '../support/stand-in.ts';

const REPLICAS = 3;
const CLIENTS = 16;
/** Numbers of ids: more for providers that do not store external ids. */
const IDS = { kept: 40, notKept: 70 } as const;
/** Clients that create the same customer at once. */
const CALLERS = 3;
/** How long a client retries before the user resolves an unknown outcome with `resend`. */
const TIMEOUT_MS = 20_000;
const LIMIT_MS = 120_000;

/** Permitted errors of a create while its outcome is unknown, or while a busy machine delays the store. */
const MAY_BE = ['in_progress', 'outcome_unknown', 'store_unavailable'];

/** A customer that clients create. */
interface Wish {
  readonly id: string;
  readonly at: Combination;
  readonly standIn: StandIn;
}

/** What clients received. */
interface Heard {
  /** Every id with all customers that clients received. */
  readonly told: Map<string, Set<unknown>>;
  calls: number;
  /** Calls without an answer. */
  readonly failed: string[];
  /** Answers that are errors, by kind. */
  readonly errors: string[];
  /** Ids for which the user had to use `resend`. */
  readonly resent: Set<string>;
}

/** Three servers of all providers on one store, behind a proxy, with slow stand-ins. */
async function startFleet(engine: string) {
  const providers = combinations.filter((one) => one.engine.name === engine);
  const started = await Promise.all(
    providers.map(async (at) => {
      const { standIn, environment } = await at.kit.start({ allowDuplicates: true });
      standIn.fault({ on: 'create', times: Infinity, act: { delayMs: 60 } });
      return { at, standIn, environment };
    }),
  );
  const environment = {
    ...Object.assign({}, ...started.map((one) => one.environment)),
    CUSTOMERS_PROVIDER: providers.map(({ kit }) => kit.name).join(','),
    CUSTOMERS_STORE: providers[0]?.engine.address ?? '',
    CUSTOMERS_CONFIRM: 'never',
    CUSTOMERS_HTTP_TOKEN: TOKEN,
  };
  const servers = await Promise.all(Array.from({ length: REPLICAS }, () => serve(environment)));
  const balancer = await startBalancer(servers.map(({ port }) => port));
  return {
    servers,
    balancer,
    wish: (provider: string): Wish => {
      const { at, standIn } = started.find((one) => one.at.kit.name === provider) ?? started[0] ?? never();
      return { id: randomUUID(), at, standIn };
    },
    created: () => started.reduce((sum, { standIn }) => sum + standIn.customers.size, 0),
    underWay: () => started.reduce((sum, { standIn }) => sum + standIn.count('create') - standIn.customers.size, 0),
    restart: async (index: number): Promise<{ readonly code: number | null; readonly ms: number }> => {
      const old = servers[index] ?? never();
      const startedAt = performance.now();
      const { code } = await old.stop();
      const ms = Math.round(performance.now() - startedAt);
      const before = balancer.refused;
      while (balancer.refused === before) await sleep(2);
      servers[index] = await serve(environment, ['--port', String(old.port)]);
      return { code, ms };
    },
    async close() {
      await balancer.close();
      await Promise.all(servers.map(end));
      await Promise.all(started.map(({ standIn }) => standIn.close()));
    },
  };
}

function never(): never {
  throw new Error('There is no such server.');
}

async function end(server: HttpServer): Promise<void> {
  server.kill();
  await server.ended;
}

/** How clients reach the servers. */
interface Way {
  readonly port: number;
  readonly agent: Agent;
}

/** Creates one customer, and retries until it exists, whatever happens. */
async function settle({ id, at }: Wish, { port, agent }: Way, heard: Heard): Promise<void> {
  const startedAt = performance.now();
  let unknown = false;
  for (;;) {
    const resend: boolean = unknown && performance.now() - startedAt > TIMEOUT_MS;
    if (resend) heard.resent.add(id);
    const args: Record<string, unknown> = { ...createOf(at.kit, id), ...(resend && { resend }) };
    heard.calls += 1;
    const body = toolCall('create_customer', args);
    const answer: Reply | string = await post({ port, token: TOKEN }, body, {
      agent,
      path: `/mcp/${at.kit.name}`,
    }).catch(String);
    if (typeof answer === 'string' || answer.status !== 200) {
      heard.failed.push(typeof answer === 'string' ? answer : String(answer.status));
      await sleep(100);
      continue;
    }
    const data = structuredIn(answer);
    if (typeof data['customer_id'] === 'string') {
      heard.told.set(id, (heard.told.get(id) ?? new Set()).add(data['customer_id']));
      return;
    }
    const kind = isRecord(data['error']) ? String(data['error']['kind']) : answer.text;
    heard.errors.push(kind);
    if (!MAY_BE.includes(kind)) return;
    unknown = kind === 'outcome_unknown';
    await sleep(500);
  }
}

/** Clients that each take the next wish, one call at a time; the calls for one id follow each other directly. */
async function load(next: () => Wish | undefined, port: number): Promise<Heard> {
  const agent = new Agent({ keepAlive: true });
  const heard: Heard = { told: new Map(), calls: 0, failed: [], errors: [], resent: new Set() };
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      for (let wish = next(); wish; wish = next()) await settle(wish, { port, agent }, heard);
    }),
  );
  agent.destroy();
  return heard;
}

/** Repeats each wish once per caller. */
function repeatedly(make: () => Wish | undefined): () => Wish | undefined {
  let wish: Wish | undefined;
  let left = 0;
  return () => {
    if (left === 0) {
      wish = make();
      left = CALLERS;
    }
    left -= 1;
    return wish;
  };
}

/** Ids that do not have exactly the one customer that every client received. */
function wrong(wishes: readonly Wish[], { told }: Heard): string[] {
  return wishes
    .filter(({ id, standIn }) => {
      const all = customersOf(standIn, id);
      return all.length !== 1 || [...(told.get(id) ?? [])].join() !== all.join();
    })
    .map(({ id, at, standIn }) => `${at.kit.name} ${id}: ${customersOf(standIn, id).length}`);
}

const networked = serverEngines.map(({ name }) => name);

describe.skipIf(networked.length === 0)('three replicas behind a proxy, one killed in the middle of its calls,', () => {
  test.concurrent.for(networked)(
    'make one customer per id on %s',
    { timeout: LIMIT_MS },
    async (engine, { onTestFinished }) => {
      const fleet = await startFleet(engine);
      onTestFinished(() => fleet.close());
      const kinds = kits.flatMap(({ name, keepsExternalId }) =>
        Array.from({ length: keepsExternalId ? IDS.kept : IDS.notKept }, () => name),
      );
      // Mixed, so that the kill affects creates of every provider.
      const wishes = kinds.map((_, n) => fleet.wish(kinds[(n * 37) % kinds.length] ?? ''));
      const queue = [...wishes];
      const loading = load(
        repeatedly(() => queue.shift()),
        fleet.balancer.port,
      );
      while (fleet.created() < wishes.length / 3 || fleet.underWay() < 3) await sleep(2);
      fleet.servers[0]?.kill();
      const heard = await loading;

      process.stdout.write(
        `killed on ${engine}: ids ${wishes.length}, calls ${heard.calls}, cut off ${heard.failed.length}, ${JSON.stringify(count(heard.errors))}, sent again by the user ${heard.resent.size}\n`,
      );
      expect(heard.failed.length).toBeGreaterThan(0);
      expect(heard.errors.filter((kind) => !MAY_BE.includes(kind))).toEqual([]);
      expect(wrong(wishes, heard)).toEqual([]);
      const twice = wishes.filter(({ id, at, standIn }) => !at.kit.upserts && createsOf(standIn, id) > 1);
      expect(twice.filter(({ id }) => !heard.resent.has(id))).toEqual([]);
    },
  );
});

describe.skipIf(networked.length === 0)('three replicas behind a proxy, each restarted in turn,', () => {
  test.for(networked)('answer every call on %s', { timeout: LIMIT_MS }, async (engine, { onTestFinished }) => {
    const fleet = await startFleet(engine);
    onTestFinished(() => fleet.close());
    const wishes: Wish[] = [];
    const providers = kits.map(({ name }) => name);
    let over = false;
    const loading = load(
      repeatedly(() => {
        if (over) return undefined;
        const wish = fleet.wish(providers[wishes.length % providers.length] ?? '');
        wishes.push(wish);
        return wish;
      }),
      fleet.balancer.port,
    );
    const restarts = [];
    const creates = async (): Promise<void> => {
      const before = fleet.created();
      while (fleet.created() < before + CLIENTS) await sleep(2);
    };
    for (let index = 0; index < REPLICAS; index += 1) {
      await creates();
      restarts.push(await fleet.restart(index));
    }
    await creates();
    over = true;
    const heard = await loading;

    process.stdout.write(
      `restarted on ${engine}: ids ${wishes.length}, calls ${heard.calls}, failed ${heard.failed.length}, ${JSON.stringify(count(heard.errors))}, connections refused ${fleet.balancer.refused}, stops ${restarts.map(({ ms }) => ms).join(', ')} ms\n`,
    );
    expect(fleet.balancer.failures).toEqual([]);
    expect(heard.failed).toEqual(Array(fleet.balancer.onIdle).fill('502'));
    expect(heard.errors.filter((kind) => kind === 'outcome_unknown' || !MAY_BE.includes(kind))).toEqual([]);
    expect(restarts.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(wrong(wishes, heard)).toEqual([]);
  });
});

function count(words: readonly string[]): Record<string, number> {
  return Object.fromEntries([...new Set(words)].map((word) => [word, words.filter((other) => other === word).length]));
}
