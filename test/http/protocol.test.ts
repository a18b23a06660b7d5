import { DatabaseSync } from 'node:sqlite';
import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { isRecord } from '../../src/text.ts';
import { temporaryStore, type Environment } from '../support/client.ts';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import { startNotify } from '../providers/notify/stand-in.ts';
import {
  ask,
  bare,
  bearer,
  connectOverHttp,
  eventsIn,
  message,
  post,
  serve,
  structuredIn,
  TOKEN,
  toolCall,
  toolsIn,
  type HttpServer,
} from '../support/http.ts';
import { AUDIENCE, startIssuer } from '../support/issuer.ts';
import { parsed } from '../support/process.ts';

const HELLO = message('initialize', {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'test', version: '1' },
});
const BOTH = 'application/json, text/event-stream';

async function dataOf(client: Client, name: string, args: Record<string, unknown>): Promise<Record<string, unknown>> {
  const { structuredContent } = await client.callTool({ name, arguments: args });
  return isRecord(structuredContent) ? structuredContent : {};
}

describe('a client over HTTP', () => {
  it('can do the same as over stdio: list, create, read, update, delete in two steps', async () => {
    const { standIn, environment } = await startDayZero();
    const server = await serve({ ...environment, CUSTOMERS_HTTP_TOKEN: TOKEN });
    const client = await connectOverHttp(server.urls[0] ?? '', TOKEN);
    expect(client.getServerVersion()).toMatchObject({ name: 'customers-mcp', version: packageJson.version });
    expect(client.getInstructions()).toMatch(/search before you create/i);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toContain('create_customer');

    const acme = { external_id: 'a-1', name: 'Acme', email: 'acme@example.com' };
    const created = await dataOf(client, 'create_customer', acme);
    expect(created).toMatchObject({ outcome: 'created', external_id: 'a-1' });
    expect(await dataOf(client, 'create_customer', acme)).toMatchObject({
      outcome: 'existing',
      customer_id: created['customer_id'],
    });
    expect(await dataOf(client, 'get_customer', { external_id: 'a-1' })).toMatchObject({ customer: { name: 'Acme' } });
    expect(await dataOf(client, 'update_customer', { external_id: 'a-1', notes: 'x' })).toMatchObject({
      outcome: 'updated',
    });
    // The server cannot ask without a session, so consent takes two steps.
    const first = await dataOf(client, 'archive_customer', { external_id: 'a-1' });
    const { confirm, ...error } = isRecord(first['error']) ? first['error'] : {};
    expect(error).toMatchObject({ kind: 'confirmation_required' });
    expect(standIn.count('delete')).toBe(0);
    expect(await dataOf(client, 'archive_customer', { external_id: 'a-1', confirm })).toMatchObject({
      outcome: 'deleted',
    });
    await expect(client.callTool({ name: 'drop_customers' })).rejects.toMatchObject({ code: -32602 });
    await client.close();
    server.kill();
    await standIn.close();
  });

  it('receives progress while an import runs, and the result at its end', async () => {
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN });
    const client = await connectOverHttp(server.urls[0] ?? '', TOKEN);
    const rows = Array.from({ length: 12 }, (_, index) => ({ external_id: `i-${index}`, company_name: `No ${index}` }));
    const heard: number[] = [];
    const { structuredContent } = await client.callTool({ name: 'import_customers', arguments: { rows } }, undefined, {
      onprogress: ({ progress }) => heard.push(progress),
    });
    expect(structuredContent).toMatchObject({ total: 12, counts: { created: 12 } });
    expect(heard.length).toBeGreaterThan(0);
    expect(heard).toEqual(heard.toSorted((a, b) => a - b));
    expect(new Set(heard).size).toBe(heard.length);
    await client.close();
    server.kill();
  });
});

describe('the protocol', () => {
  let server: HttpServer;
  beforeAll(async () => {
    server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN });
  });
  afterAll(() => {
    expect(server.stderr()).toMatch(/^customers-mcp: SANDBOX.*\n$/);
    server.kill();
  });

  it('needs no session: a call is answered without a handshake, and there is no session id', async () => {
    const hello = await post(server, HELLO);
    expect(hello).toMatchObject({ status: 200, json: { result: { protocolVersion: '2025-11-25' } } });
    expect(hello.headers['mcp-session-id']).toBeUndefined();
    expect(hello.headers['content-type']).toMatch(/^application\/json/);
    const made = { 'mcp-session-id': 'made-up', 'mcp-protocol-version': '2025-11-25' };
    expect((await post(server, toolCall('search_customer'), { headers: made })).status).toBe(200);
  });

  it('answers with JSON, and with an event stream only if progress is requested', async () => {
    const plain = await post(server, toolCall('search_customer'));
    expect(plain.headers['content-type']).toMatch(/^application\/json/);
    const body = message('tools/call', { name: 'search_customer', arguments: {}, _meta: { progressToken: 'p' } });
    const streamed = await post(server, body);
    expect(streamed.status).toBe(200);
    expect(streamed.headers['content-type']).toMatch(/^text\/event-stream/);
    expect(eventsIn(streamed).at(-1)).toMatchObject({ id: 1, result: { structuredContent: { customers: [] } } });
  });

  it('silently accepts notifications and responses without a request', async () => {
    for (const body of [
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } },
      { jsonrpc: '2.0', id: 9, result: {} },
      [{ jsonrpc: '2.0', method: 'notifications/initialized' }],
    ])
      expect.soft(await post(server, body)).toMatchObject({ status: 202, text: '' });
  });

  it('answers an unknown method with a JSON-RPC error, not an HTTP error', async () => {
    for (const method of ['customers/drop', 'server/discover'])
      expect
        .soft(await post(server, message(method)))
        .toMatchObject({ status: 200, json: { error: { code: -32601 } } });
  });

  it.each<[what: string, more: Record<string, unknown>]>([
    ['null for the parameters', { params: null }],
    ['null for the metadata', { params: { _meta: null } }],
    ['null for the progress token', { params: { _meta: { progressToken: null } } }],
    ['a member that JSON-RPC does not know', { trace: 1 }],
    ['a result beside its method', { result: {} }],
    ['a task to run it in', { params: { task: { ttl: 1 } } }],
    ['a task that it belongs to', { params: { _meta: { 'io.modelcontextprotocol/related-task': 7 } } }],
  ])('answers a request like any other with %s', async (_, more) => {
    for (const method of ['tools/list', 'ping'])
      expect
        .soft(await post(server, { ...message(method), ...more }))
        .toMatchObject({ status: 200, json: { id: 1, result: {} } });
  });

  it.each<[what: string, body: Record<string, unknown>, code: number]>([
    ['a list for its metadata', message('tools/list', { _meta: [] }), -32602],
    ['a progress token that no notification may carry', message('ping', { _meta: { progressToken: {} } }), -32602],
    ['half of the handshake', message('initialize', { protocolVersion: '2025-11-25' }), -32602],
    ['a list for its parameters', { ...message('tools/list'), params: [] }, -32600],
    ['no method', { jsonrpc: '2.0', id: 1 }, -32600],
  ])('refuses a request under its id with %s, alone and in a batch', async (_, body, code) => {
    const expected = { status: 400, json: { id: 1, error: { code, message: expect.stringMatching(/\.$/) } } };
    expect(await post(server, body)).toMatchObject(expected);
    expect(await post(server, [message('ping', {}, 2), body])).toMatchObject(expected);
  });

  it('answers a handshake only if it comes alone', async () => {
    expect(await post(server, [HELLO, message('ping', {}, 2)])).toMatchObject({
      status: 400,
      json: { error: { code: -32600 } },
    });
  });

  it.each<[string, Record<string, string | undefined>, number]>([
    ['that is known', { 'mcp-protocol-version': '2025-06-18' }, 200],
    ['that is not known', { 'mcp-protocol-version': '1999-01-01' }, 400],
    ['that is nonsense', { 'mcp-protocol-version': 'x' }, 400],
  ])('checks the revision in the header: one %s', async (_, headers, status) => {
    expect((await post(server, toolCall('search_customer'), { headers })).status).toBe(status);
  });

  it.each<[string, Record<string, string | undefined>, number]>([
    ['both types of answer', { accept: BOTH }, 200],
    ['no type of answer', { accept: undefined }, 406],
    ['HTML', { accept: 'text/html' }, 406],
    ['JSON alone', { accept: 'application/json' }, 406],
    ['a charset with it', { 'content-type': 'application/json; charset=utf-8' }, 200],
    ['no type', { 'content-type': undefined }, 415],
    ['text', { 'content-type': 'text/plain' }, 415],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['JSON labeled as text', { 'content-type': 'text/plain; application/json' }, 415],
  ])('checks Content-Type and Accept: %s', async (_, headers, status) => {
    for (const body of [HELLO, toolCall('search_customer')])
      expect.soft((await post(server, body, { headers })).status).toBe(status);
  });

  it.each(['GET', 'DELETE', 'PUT', 'PATCH', 'HEAD', 'PROPFIND'])('does not support %s', async (method) => {
    const reply = await ask(server, { method, headers: { ...bearer(TOKEN), accept: 'text/event-stream' } });
    expect(reply).toMatchObject({ status: 405, headers: { allow: 'POST' } });
  });

  it.each([
    'TRACE /mcp HTTP/1.1',
    'CONNECT 127.0.0.1:1 HTTP/1.1',
    'OPTIONS * HTTP/1.1',
    'POST mcp HTTP/1.1',
    'GET / HTTP/9',
  ])('rejects %s', async (line) => {
    const reply = await bare(server, `${line}\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    expect(reply).toMatch(/^(HTTP\/1\.1 (2\d\d|4\d\d) |$)/);
  });

  it('is served only at its path', async () => {
    for (const path of ['/mcp', '/mcp/', '/mcp?x=1'])
      expect.soft((await post(server, HELLO, { path })).status).toBe(200);
    for (const path of ['/mcp/layer', '/MCP', '/mcp/..', '/mcp/%2e%2e/', '//mcp', '/sse', '/.env', '/mcp%00'])
      expect.soft(await post(server, HELLO, { path }), path).toMatchObject({ status: 404 });
  });
});

describe('the page for users', () => {
  it('explains the server, the sandbox, and how to connect, and contains neither token nor customer data', async () => {
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN });
    await post(server, toolCall('create_customer', { external_id: 'p-1', company_name: 'Acme <b>' }));
    const { status, text, headers } = await ask(server, { method: 'GET', path: '/' });
    expect({ status, type: headers['content-type'] }).toMatchObject({
      status: 200,
      type: expect.stringMatching(/html/),
    });
    for (const word of [
      'customers-mcp',
      packageJson.version,
      'Sandbox',
      'Claude Code',
      'Cursor',
      'VS Code',
      'Inspector',
    ])
      expect.soft(text).toContain(word);
    expect(text).toContain(`http://127.0.0.1:${server.port}/mcp`);
    expect(text).not.toMatch(/hush|Acme|<script/);
    const host = await ask(server, { method: 'GET', path: '/', headers: { 'x-forwarded-proto': '"><script>' } });
    expect(host.text).not.toContain('<script');
    for (const [proto, scheme] of [
      ['https, http', 'https'],
      ['HTTPS', 'https'],
      ['http,https', 'http'],
    ]) {
      const page = await ask(server, { method: 'GET', path: '/', headers: { 'x-forwarded-proto': proto } });
      expect.soft(page.text, proto).toContain(`${scheme}://127.0.0.1:${server.port}/mcp`);
    }
    server.kill();
  });

  it('does not mention a sandbox for a real account', async () => {
    const { standIn, environment } = await startNotify();
    const server = await serve({ ...environment, CUSTOMERS_HTTP_TOKEN: TOKEN });
    const { text } = await ask(server, { method: 'GET', path: '/' });
    expect(text).toContain('Notify');
    expect(text).not.toMatch(/Sandbox|simulated/);
    expect(text).not.toContain(environment['NOTIFY_API_KEY']);
    server.kill();
    await standIn.close();
  });
});

describe('the probes', () => {
  it('answer without a token', async () => {
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN });
    expect(await ask(server, { method: 'GET', path: '/healthz' })).toMatchObject({
      status: 200,
      text: '{"status":"ok"}',
    });
    expect(await ask(server, { method: 'GET', path: '/readyz' })).toMatchObject({
      status: 200,
      text: '{"status":"ok"}',
    });
    server.kill();
  });

  it('differ while the store is down: the server is alive and not ready', async () => {
    const store = 'redis://someone:word-hush@127.0.0.1:1';
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN, CUSTOMERS_STORE: store });
    expect((await ask(server, { method: 'GET', path: '/healthz' })).status).toBe(200);
    const ready = await ask(server, { method: 'GET', path: '/readyz' });
    expect(ready).toMatchObject({ status: 503, json: { status: 'store_unavailable' } });
    expect(server.stderr() + ready.text).not.toContain('hush');
    server.kill();
  });

  it('write to the store once a second at most, however often a caller asks', async () => {
    const { store, remove } = temporaryStore();
    onTestFinished(remove);
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN, CUSTOMERS_STORE: store });
    const database = new DatabaseSync(store.slice('sqlite:'.length), { readOnly: true });
    // Each check of the store increments the epoch of the same row.
    const writes = (): number =>
      Number(database.prepare("SELECT epoch FROM intents WHERE key = 'v1/ping'").get()?.['epoch']);
    const before = writes();
    const startedAt = performance.now();
    await ask(server, { method: 'GET', path: '/readyz' });
    const ofOneLook = writes() - before;
    expect(ofOneLook).toBeGreaterThan(0);
    for (let times = 0; times < 10; times += 1) {
      const replies = await Promise.all(
        Array.from({ length: 20 }, () => ask(server, { method: 'GET', path: '/readyz' })),
      );
      expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 200));
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    expect((writes() - before) / ofOneLook).toBeLessThanOrEqual(1 + seconds);
    database.close();
    server.kill();
  });

  it('end with the server, which first answers the calls in flight', async () => {
    const { standIn, environment } = await startDayZero();
    const server = await serve({ ...environment, CUSTOMERS_HTTP_TOKEN: TOKEN });
    standIn.fault({ on: 'create', act: { delayMs: 1_500 } });
    const call = post(server, toolCall('create_customer', { external_id: 's-1', name: 'A', email: 'a@example.com' }));
    await expect.poll(() => standIn.count('create')).toBe(1);
    const stopped = server.stop();
    expect(structuredIn(await call)).toMatchObject({ outcome: 'created' });
    expect(await stopped).toEqual({ code: 0, signal: null });
    await standIn.close();
  }, 15_000);
});

describe('several providers', () => {
  let server: HttpServer;
  beforeAll(async () => {
    server = await serve({ CUSTOMERS_SANDBOX: 'true', CUSTOMERS_PROVIDER: 'layer,notify' });
  });
  afterAll(() => server.kill());

  it('are each printed with their address, and with a client configuration', () => {
    expect(server.urls.map((url) => new URL(url).pathname)).toEqual(['/mcp/layer', '/mcp/notify']);
    const entry = parsed(server.stdout().slice(server.stdout().indexOf('{')));
    const servers = isRecord(entry) && isRecord(entry['mcpServers']) ? Object.values(entry['mcpServers']) : [];
    expect(servers.map((one) => (isRecord(one) ? one['url'] : undefined))).toEqual(server.urls);
  });

  it('are each served at their own address, with their own fields and customers', async () => {
    const title = async (path: string): Promise<unknown> => (await post(server, HELLO, { path })).json['result'];
    expect(await title('/mcp/layer')).toMatchObject({ serverInfo: { title: 'Layer customers (sandbox)' } });
    expect(await title('/mcp/notify')).toMatchObject({ serverInfo: { title: 'Notify customers (sandbox)' } });
    const create = toolCall('create_customer', { CustomerCode: 'a-1', Name: 'Acme' });
    expect(structuredIn(await post(server, create, { path: '/mcp/notify' }))).toMatchObject({ outcome: 'created' });
    expect(structuredIn(await post(server, create, { path: '/mcp/layer' }))).toHaveProperty(
      'error.kind',
      'invalid_input',
    );
    const found = await post(server, toolCall('search_customer'), { path: '/mcp/layer' });
    expect(structuredIn(found)['customers']).toEqual([]);
    expect(toolsIn(await post(server, message('tools/list'), { path: '/mcp/layer' }))).toContain('restore_customer');
  });

  it('are listed at /mcp, which serves none of them', async () => {
    for (const path of ['/mcp', '/mcp/dayzero']) {
      const reply = await post(server, HELLO, { path });
      expect.soft(reply.status).toBe(404);
      expect.soft(reply.text).toMatch(/\/mcp\/layer.*\/mcp\/notify/);
    }
    const { text } = await ask(server, { method: 'GET', path: '/' });
    for (const url of server.urls) expect.soft(text).toContain(url);
  });

  it('all require the token', async () => {
    for (const path of ['/mcp/layer', '/mcp/notify'])
      expect.soft((await ask(server, { body: HELLO, path })).status).toBe(401);
  });

  it('are each a separate OAuth resource', async () => {
    const issuer = await startIssuer();
    const own = await serve({
      CUSTOMERS_SANDBOX: 'true',
      CUSTOMERS_PROVIDER: 'layer,notify',
      CUSTOMERS_OAUTH_ISSUER: issuer.url,
      CUSTOMERS_OAUTH_AUDIENCE: 'customers',
    });
    for (const url of own.urls) {
      const { pathname } = new URL(url);
      const reply = await ask(own, { body: HELLO, path: pathname });
      const metadata = `/.well-known/oauth-protected-resource${pathname}`;
      expect.soft(reply.headers['www-authenticate']).toContain(`http://127.0.0.1:${own.port}${metadata}"`);
      expect.soft((await ask(own, { method: 'GET', path: metadata })).json).toMatchObject({ resource: url });
    }
    own.kill();
    await issuer.close();
  });
});

describe('concurrent callers', () => {
  it('each get their own answers, two hundred at once with the same id', async () => {
    const issuer = await startIssuer();
    const { standIn, environment } = await startDayZero();
    const settings: Environment = {
      ...environment,
      CUSTOMERS_OAUTH_ISSUER: issuer.url,
      CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE,
      CUSTOMERS_LOG: 'info',
    };
    const server = await serve(settings);
    const tokens = [await issuer.sign({ sub: 'one' }), await issuer.sign({ sub: 'two' })];
    const wishes = Array.from({ length: 200 }, (_, index) => ({
      external_id: `x-${index}`,
      name: `No ${index}`,
      email: `x${index}@example.com`,
    }));
    // Answers arrive in another order than the calls, some of them as streams.
    for (const index of wishes.keys()) standIn.fault({ on: 'create', act: { delayMs: (index % 7) * 15 } });
    const replies = await Promise.all(
      wishes.map((wish, index) => {
        const _meta = index % 3 === 0 ? { progressToken: 1 } : {};
        const body = message('tools/call', { name: 'create_customer', arguments: wish, _meta });
        return ask(server, { body, headers: bearer(tokens[index % 2] ?? '') });
      }),
    );
    const answers = replies.map((reply) => (eventsIn(reply).length > 0 ? eventsIn(reply).at(-1) : reply.json));
    expect(answers).toEqual(
      wishes.map((wish) =>
        expect.objectContaining({
          id: 1,
          result: expect.objectContaining({
            structuredContent: expect.objectContaining({
              outcome: 'created',
              external_id: wish.external_id,
              customer: expect.objectContaining({ name: wish.name, email: wish.email }),
            }),
          }),
        }),
      ),
    );
    expect(standIn.customers.size).toBe(200);
    const callers = [...server.stderr().matchAll(/"caller":"([^"]*)"/g)].map(([, caller]) => caller);
    expect(callers).toHaveLength(200);
    expect(new Set(callers).size).toBe(2);
    expect(server.stderr()).not.toMatch(/Warning|"level":"(error|warn)"/);
    server.kill();
    await Promise.all([standIn.close(), issuer.close()]);
  }, 30_000);
});
