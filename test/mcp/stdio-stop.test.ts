import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryStore, type Environment } from '../support/client.ts';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import {
  bareServer,
  command,
  greetedServer,
  QUIET_END,
  structured,
  tool,
  until,
  type BareServer,
} from '../support/process.ts';
import type { StandIn } from '../support/stand-in.ts';

/** A real account with slow creates, and a store that outlives the server. */
async function slowAccount(): Promise<{ standIn: StandIn; environment: Environment }> {
  const { standIn, environment } = await startDayZero();
  const { store, remove } = temporaryStore();
  onTestFinished(async () => {
    await standIn.close();
    remove();
  });
  return { standIn, environment: { ...environment, CUSTOMERS_STORE: store } };
}

const ACME = { external_id: 'a-1', name: 'Acme', email: 'acme@example.com' };

/** Expects that a create was recorded before the stop: the same call finds the customer and sends nothing. */
async function expectRecorded(standIn: StandIn, environment: Environment): Promise<void> {
  expect(standIn.count('create')).toBe(1);
  expect(standIn.customers.size).toBe(1);
  const { stdout } = await command(['call', 'create_customer', JSON.stringify(ACME)], environment);
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'existing', customer_id: [...standIn.customers.keys()][0] });
  expect(standIn.count('create')).toBe(1);
}

describe('cancelling', () => {
  const cancel = (server: BareServer, requestId: number): void =>
    server.send({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId, reason: 'changed my mind' },
    });

  it('aborts a read without an answer, and the server keeps working', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'list', act: 'hang' });
    const server = await greetedServer(environment);
    const id = server.begin('tools/call', tool('search_customer'));
    await until(() => standIn.count('list') > 0);
    cancel(server, id);
    expect(structured(await server.request('tools/call', tool('search_customer')))).toEqual({
      customers: [],
      has_more: false,
      total: 0,
    });
    // If the read were not aborted, the end would wait for it much longer than the time limit of this test.
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    expect(server.lines.filter((line) => line.includes(`"id":${id},`) || line.includes(`"id":${id}}`))).toEqual([]);
  });

  it('finishes a create in flight, and records it', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'create', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    const id = server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('create') === 1);
    cancel(server, id);
    const again = structured(await server.request('tools/call', tool('create_customer', ACME)));
    expect(again).toMatchObject({ outcome: 'existing', customer: { name: 'Acme' } });
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    await expectRecorded(standIn, environment);
  });

  it('prevents a create from being sent that was still searching for duplicates', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'list', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    const id = server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('list') > 0);
    cancel(server, id);
    await server.request('ping');
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    expect(standIn.count('create')).toBe(0);
  });

  it('of a call that has ended, or never existed, does no harm', async () => {
    const server = await greetedServer();
    cancel(server, 1);
    cancel(server, 999);
    expect(await server.request('ping')).toMatchObject({ result: {} });
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
  });
});

describe('the end', () => {
  const ways: [string, (server: BareServer) => void][] = [
    ['stdin closes', ({ child }) => void child.stdin.end()],
    ['SIGTERM arrives', ({ child }) => void child.kill('SIGTERM')],
    ['SIGINT arrives', ({ child }) => void child.kill('SIGINT')],
    ['SIGHUP arrives', ({ child }) => void child.kill('SIGHUP')],
  ];

  it.each(ways)('is immediate and silent when %s and nothing is in flight', async (_, stop) => {
    const server = await greetedServer();
    await server.request('tools/call', tool('search_customer'));
    stop(server);
    expect(await server.ended).toEqual(QUIET_END);
    expect(server.stderr()).toMatch(/^customers-mcp: SANDBOX.*\n$/);
  });

  it.each(ways)('waits for a create in flight when %s, answers it and records it', async (_, stop) => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'create', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    const id = server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('create') === 1);
    stop(server);
    expect(await server.ended).toEqual(QUIET_END);
    expect(structured(await server.answer(id))).toMatchObject({ outcome: 'created', external_id: 'a-1' });
    await expectRecorded(standIn, environment);
  });

  it.each(ways)('does not wait for a read that hangs when %s', async (_, stop) => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'list', act: 'hang' });
    const server = await greetedServer(environment);
    server.begin('tools/call', tool('search_customer'));
    await until(() => standIn.count('list') > 0);
    stop(server);
    expect(await server.ended).toEqual(QUIET_END);
  });

  it('starts no new work: a create that was still searching for duplicates is not sent', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'list', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('list') > 0);
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual(QUIET_END);
    expect(standIn.count('create')).toBe(0);
  });

  it('comes after the answers to requests from just before stdin closed', async () => {
    const server = await greetedServer();
    const ids = [server.begin('ping'), server.begin('tools/list'), server.begin('tools/call', tool('no_such_tool'))];
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    for (const id of ids) expect(await server.answer(id)).toMatchObject({ id });
  });

  it('also works before the first message', async () => {
    const server = bareServer();
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    expect(server.lines).toEqual([]);
  });

  it('is silent if the client has closed stdout', async () => {
    const server = await greetedServer();
    server.child.stdout.destroy();
    for (let times = 0; times < 5; times += 1) {
      server.begin('tools/list');
      await pause(20);
    }
    expect(await server.ended).toEqual(QUIET_END);
    expect(server.stderr()).toMatch(/^customers-mcp: SANDBOX.*\n$/);
  });

  it('finishes a create even if the client has disappeared', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'create', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('create') === 1);
    server.child.stdout.destroy();
    server.child.stderr.destroy();
    server.child.stdin.destroy();
    expect(await server.ended).toEqual(QUIET_END);
    await expectRecorded(standIn, environment);
  });
});
