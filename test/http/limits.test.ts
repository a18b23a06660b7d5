import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Environment } from '../support/client.ts';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import {
  ask,
  bearer,
  dial,
  message,
  post,
  serve,
  structuredIn,
  TOKEN,
  toolCall,
  written,
  type HttpServer,
  type Reply,
} from '../support/http.ts';
import { AUDIENCE, startIssuer } from '../support/issuer.ts';
import { parsed } from '../support/process.ts';
import { startProxy } from '../support/proxy.ts';
import type { StandIn } from '../support/stand-in.ts';
import { serverEngines } from '../support/stores.ts';

const PING = message('ping');

describe('concurrent calls', () => {
  let standIn: StandIn;
  let environment: Environment;
  beforeAll(async () => {
    ({ standIn, environment } = await startDayZero());
    environment = { ...environment, CUSTOMERS_HTTP_TOKEN: TOKEN };
  });
  afterAll(() => standIn.close());

  /**
   * More calls than may run at once, in batches; each batch is accepted completely or not at all. The provider answers none
   * before two are refused.
   */
  async function crowd(own: HttpServer, work: (id: number) => unknown): Promise<readonly Reply[]> {
    const batch = (first: number): unknown[] => Array.from({ length: 40 }, (_, index) => work(first + index));
    const crowded = Array.from({ length: 8 }, (_, index) => post(own, batch(index * 40)));
    let refused = 0;
    for (const reply of crowded) void reply.then(({ status }) => (refused += status === 200 ? 0 : 1));
    await expect.poll(() => standIn.count('*'), { timeout: 5_000 }).toBeGreaterThan(0);
    // Requests without work are still answered.
    expect((await post(own, [PING, message('tools/list', {}, 2)])).status).toBe(200);
    await expect.poll(() => refused, { timeout: 10_000 }).toBeGreaterThanOrEqual(2);
    expect(standIn.count('*')).toBeLessThanOrEqual(240);
    standIn.reset();
    return Promise.all(crowded);
  }

  it.each<[string, string, (id: number) => unknown]>([
    ['of tools', 'list', (id) => toolCall('search_customer', {}, id)],
    ['of resources', 'get', (id) => message('resources/read', { uri: `customers://dayzero/id/c-${id}` }, id)],
    [
      'of completions',
      'list',
      (id) =>
        message(
          'completion/complete',
          { ref: { type: 'ref/prompt', name: 'onboard_customer' }, argument: { name: 'name', value: `c-${id}` } },
          id,
        ),
    ],
  ])(
    '%s are limited; further ones are asked to retry',
    async (_, operation, work) => {
      const own = await serve(environment);
      standIn.fault({ on: operation, act: 'hang', times: Infinity });
      const replies = await crowd(own, work);
      const refused = replies.filter(({ status }) => status !== 200);
      expect(refused.map(({ status }) => status)).toEqual([503, 503]);
      expect(refused.map(({ headers }) => headers['retry-after'])).toEqual(['1', '1']);
      expect((await post(own, work(1))).status).toBe(200);
      own.kill();
      standIn.reset();
    },
    20_000,
  );

  it('whose callers disconnect are still finished, and leave no traces in the server', async () => {
    const own = await serve(environment);
    standIn.fault({ on: 'create', act: { delayMs: 500 }, times: 5 });
    const body = (id: number): string =>
      JSON.stringify(
        toolCall('create_customer', { external_id: `h-${id}`, name: `A${id}`, email: `h${id}@example.com` }),
      );
    const sockets = [0, 1, 2, 3, 4].map((id) => {
      const socket = dial(own.port);
      socket.write(written(own, ['POST /mcp HTTP/1.1', `Content-Length: ${body(id).length}`], body(id)));
      return socket;
    });
    await expect.poll(() => standIn.count('create'), { timeout: 4_000 }).toBe(5);
    for (const socket of sockets) socket.resetAndDestroy();
    const replies = await Promise.all([0, 1, 2, 3, 4].map((id) => post(own, body(id))));
    for (const reply of replies) expect.soft(structuredIn(reply)['outcome']).toMatch(/existing|created/);
    expect(standIn.customers.size).toBe(5);
    expect(own.stderr()).toBe('');
    own.kill();
    standIn.reset();
  }, 15_000);
});

describe('a rate', () => {
  async function limited(environment: Environment): Promise<HttpServer> {
    return serve({ ...environment, CUSTOMERS_HTTP_TOKEN: TOKEN, CUSTOMERS_HTTP_RATE: '10' });
  }

  it('counts each message, states when to retry, and is not consumed by callers without a token', async () => {
    const own = await limited({ CUSTOMERS_LOG: 'info' });
    for (let tries = 0; tries < 15; tries += 1) await ask(own, { body: PING });
    const batch = Array.from({ length: 9 }, (_, id) => message('ping', {}, id));
    expect((await post(own, batch)).status).toBe(200);
    expect((await post(own, PING)).status).toBe(200);
    const reply = await post(own, PING);
    expect(reply).toMatchObject({
      status: 429,
      json: { error: { message: expect.stringMatching(/Too many messages/) } },
    });
    expect(Number(reply.headers['retry-after'])).toBeGreaterThan(0);
    expect(Number(reply.headers['retry-after'])).toBeLessThanOrEqual(60);
    await expect.poll(own.stderr).toContain('429');
    const lines = own.stderr().trimEnd().split('\n').map(parsed);
    expect(lines).toContainEqual(expect.objectContaining({ event: 'refused', status: 429, caller: 'token' }));
    expect((await ask(own, { method: 'GET', path: '/healthz' })).status).toBe(200);
    own.kill();
  });

  it.each(serverEngines.map((engine) => [engine.name, engine.address] as const))(
    'is shared by all processes on %s, and kept per process while the store is down',
    async (_, address) => {
      const { hostname, port } = new URL(address);
      const proxy = await startProxy(Number(port), hostname);
      const store = new URL(address);
      store.host = `127.0.0.1:${proxy.port}`;
      const issuer = await startIssuer();
      const environment = {
        CUSTOMERS_STORE: store.href,
        CUSTOMERS_HTTP_RATE: '10',
        CUSTOMERS_OAUTH_ISSUER: issuer.url,
        CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE,
      };
      const [one, other] = await Promise.all([serve(environment), serve(environment)]);
      // New callers, because the counters outlive the test.
      const [first, second] = await Promise.all([
        issuer.sign({ sub: randomUUID() }),
        issuer.sign({ sub: randomUUID() }),
      ]);
      const statusesOf = async (token: string, servers: readonly HttpServer[]): Promise<number[]> => {
        const statuses: number[] = [];
        for (let turn = 0; turn < 12; turn += 1) {
          const server = servers[turn % servers.length] ?? one;
          statuses.push((await ask(server, { body: PING, headers: bearer(token) })).status);
        }
        return statuses;
      };
      const tenOfTwelve = [...Array.from({ length: 10 }, () => 200), 429, 429];
      expect(await statusesOf(first, [one, other])).toEqual(tenOfTwelve);

      await proxy.set('refuse');
      proxy.cut();
      const startedAt = performance.now();
      expect(await statusesOf(second, [one])).toEqual(tenOfTwelve);
      expect(await statusesOf(second, [other])).toEqual(tenOfTwelve);
      expect(performance.now() - startedAt).toBeLessThan(15_000);
      expect((await ask(one, { method: 'GET', path: '/readyz' })).status).toBe(503);
      await proxy.set('forward');
      await expect
        .poll(async () => (await ask(one, { method: 'GET', path: '/readyz' })).status, { timeout: 5_000 })
        .toBe(200);
      for (const server of [one, other]) server.kill();
      await Promise.all([proxy.close(), issuer.close()]);
    },
    30_000,
  );
});

describe('a share', () => {
  it('of a quarter is left to each caller, whatever another has in flight', async () => {
    const { standIn, environment } = await startDayZero();
    const issuer = await startIssuer();
    const oauth = { CUSTOMERS_OAUTH_ISSUER: issuer.url, CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE };
    const own = await serve({ ...environment, ...oauth });
    const [greedy, modest] = await Promise.all(['greedy', 'modest'].map((sub) => issuer.sign({ sub })));
    standIn.fault({ on: 'list', act: { delayMs: 600 }, times: Infinity });
    const batch = (size: number): unknown[] =>
      Array.from({ length: size }, (_, id) => toolCall('search_customer', {}, id));
    const send = (token: string | undefined, size: number): Promise<Reply> =>
      post(own, batch(size), { headers: bearer(token ?? '') });
    const crowd = Promise.all(Array.from({ length: 6 }, () => send(greedy, 40)));
    await expect.poll(() => standIn.count('list'), { timeout: 5_000 }).toBeGreaterThan(0);
    const [first, more] = await Promise.all([send(modest, 40), pause(50).then(() => send(greedy, 40))]);
    expect(first?.status).toBe(200);
    // The one that has more than its share waits, now that another is there.
    expect(more?.status).toBe(503);
    expect((await crowd).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200]);
    own.kill();
    await Promise.all([standIn.close(), issuer.close()]);
  }, 20_000);

  it('of the rate is used up by the rows of an import, each like a message', async () => {
    const own = await serve({
      CUSTOMERS_SANDBOX: 'true',
      CUSTOMERS_STORE: 'memory:',
      CUSTOMERS_HTTP_TOKEN: TOKEN,
      CUSTOMERS_HTTP_RATE: '30',
    });
    const rows = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ external_id: `r-${index}`, company_name: `Firm ${index}` }));
    expect((await post(own, toolCall('import_customers', { rows: rows(20) }))).status).toBe(200);
    expect((await post(own, toolCall('import_customers', { rows: rows(20) }))).status).toBe(429);
    expect((await post(own, PING)).status).toBe(429);
    own.kill();
  });
});

describe('a message that needs no more than kindness', () => {
  it.each([null, { cursor: null }])('is answered like any other with params %j', async (params) => {
    const own = await serve({ CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: 'memory:', CUSTOMERS_HTTP_TOKEN: TOKEN });
    const reply = await post(own, { jsonrpc: '2.0', id: 1, method: 'tools/list', params });
    expect(reply).toMatchObject({ status: 200, json: { result: { tools: expect.any(Array) } } });
    own.kill();
  });
});
