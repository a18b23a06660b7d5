import { randomUUID } from 'node:crypto';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startBalancer } from '../support/balancer.ts';
import { send, serveHttp, structuredIn, toolCall, type HttpAnswer, type HttpServer } from '../support/http-server.ts';
import { isRecord } from '../../src/text.ts';
import { combinations, createsOf, customersOf, type Combination } from '../crashes/cases.ts';
import { sharedEngines } from '../support/stores.ts';
import type { StandIn } from '../support/stand-ins/stand-in.ts';

const REPLICAS = 3;
const CLIENTS = 16;
/** Per provider: DayZero, which knows no key, has the most. */
const IDS = { dayzero: 70, notify: 40, layer: 40 } as const;
/** Clients that want the same customer at once. */
const CALLERS = 3;
/** How long a client asks before it takes an unknown outcome to a person, who has the create sent again. */
const PATIENCE_MS = 20_000;
const LIMIT_MS = 120_000;

/** What a create may say while its fate is open, or while a busy machine keeps the store from answering in time. */
const MAY_BE = ['in_progress', 'outcome_unknown', 'store_unavailable'];

/** One customer that somebody wants. */
interface Wish {
  readonly id: string;
  readonly at: Combination;
  readonly standIn: StandIn;
}

/** What clients heard. */
interface Heard {
  /** Every id with all customers that anybody was told of. */
  readonly told: Map<string, Set<unknown>>;
  calls: number;
  /** Calls without an answer. */
  readonly failed: string[];
  /** Answers that are errors, by kind. */
  readonly errors: string[];
  /** Ids that a person had to have sent again. */
  readonly resent: Set<string>;
}

/** Three servers of all providers on one store, behind a proxy, with stand-ins that take their time. */
async function startFleet(engine: string) {
  const providers = combinations.filter((one) => one.engine.name === engine);
  const started = await Promise.all(
    providers.map(async (at) => {
      const { standIn, environment } = await at.start();
      standIn.fault({ on: 'create', times: Infinity, act: { delayMs: 60 } });
      return { at, standIn, environment };
    }),
  );
  const environment = {
    ...Object.assign({}, ...started.map((one) => one.environment)),
    CUSTOMERS_PROVIDER: providers.map(({ provider }) => provider).join(','),
    CUSTOMERS_STORE: providers[0]?.engine.address ?? '',
    CUSTOMERS_CONFIRM: 'never',
  };
  const servers = await Promise.all(Array.from({ length: REPLICAS }, () => serveHttp(environment)));
  const balancer = await startBalancer(servers.map(({ port }) => port));
  return {
    servers,
    balancer,
    wish: (provider: string): Wish => {
      const { at, standIn } = started.find((one) => one.at.provider === provider) ?? started[0] ?? never();
      return { id: randomUUID(), at, standIn };
    },
    created: () => started.reduce((sum, { standIn }) => sum + standIn.customers.size, 0),
    underWay: () => started.reduce((sum, { standIn }) => sum + standIn.count('create') - standIn.customers.size, 0),
    restart: async (index: number): Promise<{ readonly code: number | null; readonly ms: number }> => {
      const old = servers[index] ?? never();
      const startedAt = performance.now();
      old.child.kill('SIGTERM');
      const { code } = await old.ended;
      const ms = Math.round(performance.now() - startedAt);
      servers[index] = await serveHttp(environment, { port: old.port });
      return { code, ms };
    },
    async close() {
      await balancer.close();
      await Promise.all(servers.map(stop));
      await Promise.all(started.map(({ standIn }) => standIn.close()));
    },
  };
}

function never(): never {
  throw new Error('There is no such server.');
}

async function stop({ child, ended }: HttpServer): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}

/** Asks for one customer until it is there, through whatever happens. */
async function settle({ id, at }: Wish, origin: string, agent: Agent, heard: Heard): Promise<void> {
  const startedAt = performance.now();
  let unknown = false;
  for (;;) {
    const resend: boolean = unknown && performance.now() - startedAt > PATIENCE_MS;
    if (resend) heard.resent.add(id);
    const args: Record<string, unknown> = { ...at.create(id), ...(resend && { resend }) };
    heard.calls += 1;
    const answer: HttpAnswer | string = await send(`${origin}/mcp/${at.provider}`, {
      agent,
      body: toolCall('create_customer', args),
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

/** Clients that each take the next wish, one call at a time; the callers of one id come one right behind the other. */
async function load(next: () => Wish | undefined, origin: string): Promise<Heard> {
  const agent = new Agent({ keepAlive: true });
  const heard: Heard = { told: new Map(), calls: 0, failed: [], errors: [], resent: new Set() };
  await Promise.all(
    Array.from({ length: CLIENTS }, async () => {
      for (let wish = next(); wish; wish = next()) await settle(wish, origin, agent, heard);
    }),
  );
  agent.destroy();
  return heard;
}

/** Each wish as often as there are callers for it. */
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

/** Ids of which there is not exactly the one customer that everybody was told of. */
function wrong(wishes: readonly Wish[], { told }: Heard): string[] {
  return wishes
    .filter(({ id, standIn }) => {
      const all = customersOf(standIn, id);
      return all.length !== 1 || [...(told.get(id) ?? [])].join() !== all.join();
    })
    .map(({ id, at, standIn }) => `${at.provider} ${id}: ${customersOf(standIn, id).length}`);
}

const networked = sharedEngines.filter(({ name }) => name !== 'sqlite').map(({ name }) => name);

describe.skipIf(networked.length === 0)('three replicas behind a proxy, one killed in the middle of its calls,', () => {
  test.concurrent.for(networked)(
    'make one customer per id on %s',
    { timeout: LIMIT_MS },
    async (engine, { onTestFinished }) => {
      const fleet = await startFleet(engine);
      onTestFinished(() => fleet.close());
      const kinds = Object.entries(IDS).flatMap(([provider, count]) => Array.from({ length: count }, () => provider));
      // Taken in turn, so that the kill meets creates of every provider.
      const wishes = kinds.map((_, n) => fleet.wish(kinds[(n * 37) % kinds.length] ?? ''));
      const queue = [...wishes];
      const loading = load(
        repeatedly(() => queue.shift()),
        fleet.balancer.origin,
      );
      while (fleet.created() < wishes.length / 3 || fleet.underWay() < 3) await sleep(2);
      fleet.servers[0]?.child.kill('SIGKILL');
      const heard = await loading;

      process.stdout.write(
        `killed on ${engine}: ids ${wishes.length}, calls ${heard.calls}, cut off ${heard.failed.length}, ${JSON.stringify(count(heard.errors))}, sent again by a person ${heard.resent.size}\n`,
      );
      expect(heard.failed.length).toBeGreaterThan(0);
      expect(heard.errors.filter((kind) => !MAY_BE.includes(kind))).toEqual([]);
      expect(wrong(wishes, heard)).toEqual([]);
      const twice = wishes.filter(({ id, at, standIn }) => at.provider !== 'layer' && createsOf(standIn, id) > 1);
      expect(twice.filter(({ id }) => !heard.resent.has(id))).toEqual([]);
    },
  );
});

describe.skipIf(networked.length === 0)('three replicas behind a proxy, each restarted in turn,', () => {
  test.for(networked)('answer every call on %s', { timeout: LIMIT_MS }, async (engine, { onTestFinished }) => {
    const fleet = await startFleet(engine);
    onTestFinished(() => fleet.close());
    const wishes: Wish[] = [];
    const providers = Object.keys(IDS);
    let over = false;
    const loading = load(
      repeatedly(() => {
        if (over) return undefined;
        const wish = fleet.wish(providers[wishes.length % providers.length] ?? '');
        wishes.push(wish);
        return wish;
      }),
      fleet.balancer.origin,
    );
    const restarts = [];
    for (let index = 0; index < REPLICAS; index += 1) {
      await sleep(500);
      restarts.push(await fleet.restart(index));
    }
    await sleep(500);
    over = true;
    const heard = await loading;

    process.stdout.write(
      `restarted on ${engine}: ids ${wishes.length}, calls ${heard.calls}, failed ${heard.failed.length}, ${JSON.stringify(count(heard.errors))}, connections refused ${fleet.balancer.refused}, stops ${restarts.map(({ ms }) => ms).join(', ')} ms\n`,
    );
    expect([...heard.failed, ...fleet.balancer.failures]).toEqual([]);
    expect(heard.errors.filter((kind) => kind === 'outcome_unknown' || !MAY_BE.includes(kind))).toEqual([]);
    expect(restarts.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(fleet.balancer.refused).toBeGreaterThan(0);
    expect(wrong(wishes, heard)).toEqual([]);
  });
});

function count(words: readonly string[]): Record<string, number> {
  return Object.fromEntries([...new Set(words)].map((word) => [word, words.filter((other) => other === word).length]));
}
