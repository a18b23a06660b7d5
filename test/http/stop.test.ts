import { existsSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sqliteStore } from '../../src/identity/stores/sqlite.ts';
import { standIns, temporaryStore, type Environment } from '../support/client.ts';
import { POST_HEADERS, send, serveHttp, structuredIn, toolCall, type HttpServer } from '../support/http-server.ts';
import { until } from '../support/process.ts';
import type { StandIn } from '../support/stand-ins/stand-in.ts';

const LIMIT_MS = 30_000;
const STOPPED = { code: 0, signal: null };
/** What a stop may take besides its longest call: to hear that nothing comes any more, to answer, to let go. */
const GRACE_MS = 4_000;
const acme = { external_id: 'a-1', name: 'Acme', email: 'acme@example.com' };

async function start(
  environment: Environment = {},
): Promise<{ readonly server: HttpServer; readonly standIn: StandIn; readonly url: string }> {
  const { standIn, environment: provider } = await standIns.dayzero();
  const server = await serveHttp({ ...provider, CUSTOMERS_STORE: 'memory:', ...environment });
  onTestFinished(async () => {
    server.child.kill('SIGKILL');
    await standIn.close();
  });
  return { server, standIn, url: `${server.origin}/mcp` };
}

/** A caller with one connection that it keeps. */
function keeper(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return agent;
}

/** A bare connection, and all that came back on it. */
async function wire(port: number): Promise<{ readonly socket: Socket; received(): string }> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  let received = '';
  socket.on('data', (text) => (received += String(text))).on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  onTestFinished(() => void socket.destroy());
  return { socket, received: () => received };
}

/** The bytes of a tool call. */
function written(name: string, args: Record<string, unknown>): string {
  const body = JSON.stringify(toolCall(name, args));
  const headers = { host: '127.0.0.1', ...POST_HEADERS, 'content-length': String(body.length) };
  const lines = Object.entries(headers).map(([key, value]) => `${key}: ${value}\r\n`);
  return `POST /mcp HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

function refused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(false)).once('error', () => resolve(true));
    socket.once('connect', () => socket.destroy());
  });
}

describe('a server that is asked to stop', () => {
  it(
    'refuses new connections, finishes what runs and what is on its way, and ends well',
    async () => {
      const { server, standIn, url } = await start();
      const watcher = keeper();
      expect((await send(`${server.origin}/readyz`, { agent: watcher })).status).toBe(200);
      const half = await wire(server.port);
      const bytes = written('create_customer', { ...acme, external_id: 'late', email: 'late@example.com' });
      half.socket.write(bytes.slice(0, -20));
      standIn.fault({ on: 'create', times: 1, act: { delayMs: 2_000 } });
      const running = send(url, { agent: keeper(), body: toolCall('create_customer', acme) });
      await until(() => standIn.count('create') === 1);

      const stoppedAt = performance.now();
      server.child.kill('SIGTERM');
      while (!(await refused(server.port))) await sleep(1);
      expect(performance.now() - stoppedAt).toBeLessThan(500);
      const ready = await send(`${server.origin}/readyz`, { agent: watcher });
      expect(ready).toMatchObject({ status: 503, headers: { connection: 'close' }, text: '{"status":"stopping"}' });
      half.socket.write(bytes.slice(-20));

      const answer = await running;
      expect(answer).toMatchObject({ status: 200, headers: { connection: 'close' } });
      expect(structuredIn(answer)).toMatchObject({ outcome: 'created', external_id: 'a-1' });
      await until(() => half.received().includes('"created"'));
      expect(half.received()).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(await server.ended).toEqual(STOPPED);
      expect(performance.now() - stoppedAt).toBeLessThan(2_000 + GRACE_MS);
      expect(standIn.customers.size).toBe(2);
      expect(server.stderr()).toBe('');
    },
    LIMIT_MS,
  );

  it.each([
    ['a read that never ends', 'list', 'search_customer', { limit: 5 }, 'unavailable'],
    ['a create that never ends', 'create', 'create_customer', acme, 'outcome_unknown'],
  ])(
    'cuts %s when its time is over, says so, and ends well',
    async (_what, operation, tool, args, kind) => {
      const { server, standIn, url } = await start({ CUSTOMERS_TIMEOUT_MS: '3000' });
      standIn.fault({ on: operation, times: Infinity, act: 'hang' });
      const calledAt = performance.now();
      const running = send(url, { agent: keeper(), body: toolCall(tool, args) });
      await until(() => standIn.count(operation) === 1);
      server.child.kill('SIGTERM');
      expect(structuredIn(await running)).toMatchObject({ error: { kind } });
      expect(await server.ended).toEqual(STOPPED);
      expect(performance.now() - calledAt).toBeLessThan(3_000 + GRACE_MS);
    },
    LIMIT_MS,
  );

  it(
    'cuts a request that never arrives whole, and ends well',
    async () => {
      const { server } = await start({ CUSTOMERS_TIMEOUT_MS: '2000' });
      const { socket, received } = await wire(server.port);
      socket.write(written('create_customer', acme).slice(0, -20));
      const stoppedAt = performance.now();
      server.child.kill('SIGTERM');
      expect(await server.ended).toEqual(STOPPED);
      expect(performance.now() - stoppedAt).toBeLessThan(2_000 + GRACE_MS);
      expect(received()).toBe('');
    },
    LIMIT_MS,
  );

  it(
    'ends a stream of events with its answer',
    async () => {
      const { server, standIn, url } = await start();
      standIn.fault({ on: 'create', act: { delayMs: 1_500 } });
      const running = send(url, {
        agent: keeper(),
        body: toolCall('create_customer', acme, { progressToken: 'p-1' }),
      });
      await until(() => standIn.count('create') === 1);
      server.child.kill('SIGTERM');
      const answer = await running;
      expect(answer.headers['content-type']).toBe('text/event-stream');
      expect(structuredIn(answer)).toMatchObject({ outcome: 'created' });
      expect(await server.ended).toEqual(STOPPED);
    },
    LIMIT_MS,
  );

  it(
    'does not wait for connections on which nothing happens',
    async () => {
      const { server, url } = await start();
      const agents = [keeper(), keeper(), keeper()];
      await Promise.all(agents.map((agent) => send(url, { agent, body: toolCall('search_customer', {}) })));
      const silent = await wire(server.port);
      const stoppedAt = performance.now();
      server.child.kill('SIGTERM');
      expect(await server.ended).toEqual(STOPPED);
      expect(performance.now() - stoppedAt).toBeLessThan(GRACE_MS);
      expect(silent.received()).toBe('');
    },
    LIMIT_MS,
  );

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'is not hurried by a second %s',
    async (signal) => {
      const { server, standIn, url } = await start();
      standIn.fault({ on: 'create', act: { delayMs: 1_000 } });
      const running = send(url, { agent: keeper(), body: toolCall('create_customer', acme) });
      await until(() => standIn.count('create') === 1);
      server.child.kill(signal);
      await sleep(100);
      server.child.kill(signal);
      expect(structuredIn(await running)).toMatchObject({ outcome: 'created' });
      expect(await server.ended).toEqual(STOPPED);
    },
    LIMIT_MS,
  );

  it(
    'closes its store: the file is whole, and another can open it',
    async () => {
      const { store, remove } = temporaryStore();
      onTestFinished(remove);
      const { server, standIn, url } = await start({ CUSTOMERS_STORE: store });
      standIn.fault({ on: 'create', act: { delayMs: 500 } });
      const running = send(url, { agent: keeper(), body: toolCall('create_customer', acme) });
      await until(() => standIn.count('create') === 1);
      server.child.kill('SIGTERM');
      const { customer_id: customerId } = structuredIn(await running);
      expect(await server.ended).toEqual(STOPPED);

      const file = store.slice('sqlite:'.length);
      // SQLite takes its journal away when the last connection is closed, and not when the process just ends.
      expect(existsSync(`${file}-wal`)).toBe(false);
      const other = sqliteStore(file);
      const data = { op: '', externalId: '', fields: {} };
      const claim = await other.ledger.claim('v1/another', { owner: 'me', leaseMs: 1, data, reopen: false });
      expect(claim.kind).toBe('owned');
      await other.close();

      const next = await start({ CUSTOMERS_STORE: store, DAYZERO_BASE_URL: standIn.origin });
      const again = await send(next.url, { agent: keeper(), body: toolCall('create_customer', acme) });
      expect(structuredIn(again)).toMatchObject({ outcome: 'existing', customer_id: customerId });
      expect(standIn.customers.size).toBe(1);
    },
    LIMIT_MS,
  );
});
