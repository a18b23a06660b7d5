import { existsSync } from 'node:fs';
import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { sqliteStore } from '../../src/stores/sqlite.ts';
import { temporaryStore, type Environment } from '../support/client.ts';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import {
  ask,
  bearer,
  message,
  post,
  serve,
  structuredIn,
  TOKEN,
  toolCall,
  type HttpServer,
  type Reply,
} from '../support/http.ts';
import { until } from '../support/process.ts';
import type { StandIn } from '../support/stand-in.ts';

const LIMIT_MS = 30_000;
const STOPPED = { code: 0, signal: null };
/** How long a stop may take after its longest call: to wait for silence, to answer, and to close connections. */
const GRACE_MS = 4_000;
const acme = { external_id: 'a-1', name: 'Acme', email: 'acme@example.com' };

async function start(
  environment: Environment = {},
): Promise<{ readonly server: HttpServer; readonly standIn: StandIn }> {
  const { standIn, environment: provider } = await startDayZero();
  const server = await serve({ ...provider, CUSTOMERS_HTTP_TOKEN: TOKEN, ...environment });
  onTestFinished(async () => {
    server.kill();
    await standIn.close();
  });
  return { server, standIn };
}

/** A caller with one persistent connection. */
function keeper(): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  return agent;
}

function ready(server: HttpServer, agent: Agent): Promise<Reply> {
  return ask(server, { method: 'GET', path: '/readyz', agent });
}

/** A raw connection, and everything that was received on it. */
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
  const headers = {
    host: '127.0.0.1',
    ...bearer(TOKEN),
    accept: 'application/json, text/event-stream',
    'content-type': 'application/json',
    'content-length': String(body.length),
  };
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
    'refuses new connections, finishes what runs and what is on its way, and exits with 0',
    async () => {
      const { server, standIn } = await start();
      const watcher = keeper();
      expect((await ready(server, watcher)).status).toBe(200);
      const half = await wire(server.port);
      const bytes = written('create_customer', {
        ...acme,
        external_id: 'late',
        name: 'Late',
        email: 'late@example.com',
      });
      half.socket.write(bytes.slice(0, -20));
      standIn.fault({ on: 'create', times: 1, act: { delayMs: 2_000 } });
      const running = post(server, toolCall('create_customer', acme), { agent: keeper() });
      await until(() => standIn.count('create') === 1);

      const stoppedAt = performance.now();
      server.kill('SIGTERM');
      while (!(await refused(server.port))) await sleep(1);
      expect(performance.now() - stoppedAt).toBeLessThan(500);
      expect(await ready(server, watcher)).toMatchObject({
        status: 503,
        headers: { connection: 'close' },
        text: '{"status":"stopping"}',
      });
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

  it(
    'loses no connection that it has not accepted yet',
    async () => {
      const { server } = await start();
      // While the process is stopped, the system accepts connections for it and queues them.
      server.kill('SIGSTOP');
      const waiting = Array.from({ length: 40 }, () => wire(server.port));
      for (const { socket } of await Promise.all(waiting))
        socket.write('GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
      server.kill('SIGTERM');
      server.kill('SIGCONT');
      expect(await server.ended).toEqual(STOPPED);
      const answers = await Promise.all(waiting.map(async (one) => (await one).received()));
      for (const answer of answers) expect.soft(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    },
    LIMIT_MS,
  );

  it.each([
    ['a read that never ends', 'list', 'search_customer', { limit: 5 }, 'unavailable'],
    ['a create that never ends', 'create', 'create_customer', acme, 'outcome_unknown'],
  ])(
    'aborts %s when its time is over, answers it, and exits with 0',
    async (_what, operation, tool, args, kind) => {
      const { server, standIn } = await start({ CUSTOMERS_TIMEOUT_MS: '3000' });
      standIn.fault({ on: operation, times: Infinity, act: 'hang' });
      const calledAt = performance.now();
      const running = post(server, toolCall(tool, args), { agent: keeper() });
      await until(() => standIn.count(operation) === 1);
      server.kill('SIGTERM');
      expect(structuredIn(await running)).toMatchObject({ error: { kind } });
      expect(await server.ended).toEqual(STOPPED);
      expect(performance.now() - calledAt).toBeLessThan(3_000 + GRACE_MS);
    },
    LIMIT_MS,
  );

  it(
    'aborts a request that never arrives completely, and exits with 0',
    async () => {
      const { server } = await start({ CUSTOMERS_TIMEOUT_MS: '2000' });
      const { socket, received } = await wire(server.port);
      socket.write(written('create_customer', acme).slice(0, -20));
      const stoppedAt = performance.now();
      server.kill('SIGTERM');
      expect(await server.ended).toEqual(STOPPED);
      expect(performance.now() - stoppedAt).toBeLessThan(2_000 + GRACE_MS);
      expect(received()).toBe('');
    },
    LIMIT_MS,
  );

  it(
    'ends an event stream with its answer',
    async () => {
      const { server, standIn } = await start();
      standIn.fault({ on: 'create', act: { delayMs: 1_500 } });
      const running = post(
        server,
        message('tools/call', { name: 'create_customer', arguments: acme, _meta: { progressToken: 'p-1' } }),
        { agent: keeper() },
      );
      await until(() => standIn.count('create') === 1);
      server.kill('SIGTERM');
      const answer = await running;
      expect(answer.headers['content-type']).toBe('text/event-stream');
      expect(structuredIn(answer)).toMatchObject({ outcome: 'created' });
      expect(await server.ended).toEqual(STOPPED);
    },
    LIMIT_MS,
  );

  it(
    'does not wait for idle connections',
    async () => {
      const { server } = await start();
      const agents = [keeper(), keeper(), keeper()];
      await Promise.all(agents.map((agent) => post(server, toolCall('search_customer'), { agent })));
      const silent = await wire(server.port);
      const stoppedAt = performance.now();
      server.kill('SIGTERM');
      expect(await server.ended).toEqual(STOPPED);
      expect(performance.now() - stoppedAt).toBeLessThan(GRACE_MS);
      expect(silent.received()).toBe('');
    },
    LIMIT_MS,
  );

  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'does not stop sooner after a second %s',
    async (signal) => {
      const { server, standIn } = await start();
      standIn.fault({ on: 'create', act: { delayMs: 1_000 } });
      const running = post(server, toolCall('create_customer', acme), { agent: keeper() });
      await until(() => standIn.count('create') === 1);
      server.kill(signal);
      await sleep(100);
      server.kill(signal);
      expect(structuredIn(await running)).toMatchObject({ outcome: 'created' });
      expect(await server.ended).toEqual(STOPPED);
    },
    LIMIT_MS,
  );

  it(
    'closes its store: the file is complete, and another process can open it',
    async () => {
      const { store, remove } = temporaryStore();
      onTestFinished(remove);
      const { server, standIn } = await start({ CUSTOMERS_STORE: store });
      standIn.fault({ on: 'create', act: { delayMs: 500 } });
      const running = post(server, toolCall('create_customer', acme), { agent: keeper() });
      await until(() => standIn.count('create') === 1);
      server.kill('SIGTERM');
      const { customer_id: customerId } = structuredIn(await running);
      expect(await server.ended).toEqual(STOPPED);

      const file = store.slice('sqlite:'.length);
      // SQLite removes its journal when the last connection is closed, and not when the process merely ends.
      expect(existsSync(`${file}-wal`)).toBe(false);
      const other = sqliteStore(file);
      const row = { key: 'v1/another', state: 'PENDING', epoch: 1, data: '{}', leaseMs: 1 };
      expect(await other.rows.insert(row)).toBeUndefined();
      await other.close();

      const next = await start({ CUSTOMERS_STORE: store, DAYZERO_BASE_URL: standIn.origin });
      const again = await post(next.server, toolCall('create_customer', acme), { agent: keeper() });
      expect(structuredIn(again)).toMatchObject({ outcome: 'existing', customer_id: customerId });
      expect(standIn.customers.size).toBe(1);
    },
    LIMIT_MS,
  );
});
