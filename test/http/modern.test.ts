import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { isRecord } from '../../src/text.ts';
import {
  ask,
  bearer,
  eventsIn,
  post,
  serve,
  TOKEN,
  toolsIn,
  type Asked,
  type HttpServer,
  type Reply,
} from '../support/http.ts';
import { AUDIENCE, startIssuer } from '../support/issuer.ts';
import { headersFor, MODERN, stated } from '../support/modern.ts';
import { kits } from '../support/providers.ts';

type Json = Record<string, unknown>;

/** A request with the headers of a well-behaved client. */
function send(server: HttpServer, method: string, given: Json = {}, asked: Asked = {}): Promise<Reply> {
  const params = stated(given);
  return post(
    server,
    { jsonrpc: '2.0', id: 1, method, params },
    { ...asked, headers: { ...headersFor(method, params), ...asked.headers } },
  );
}

const SEARCH = { name: 'search_customer', arguments: {} };

describe('a request of 2026-07-28 over HTTP', () => {
  let server: HttpServer;
  beforeAll(async () => {
    server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN });
  });
  afterAll(() => {
    expect(server.stderr()).toMatch(/^customers-mcp: SANDBOX.*\n$/);
    server.kill();
  });

  it.each<readonly [string, NonNullable<Asked['headers']>]>([
    ['no version', { 'mcp-protocol-version': undefined }],
    ['another version', { 'mcp-protocol-version': '2025-11-25' }],
    ['no method', { 'mcp-method': undefined }],
    ['another method', { 'mcp-method': 'tools/list' }],
    ['the method in capitals', { 'mcp-method': 'TOOLS/CALL' }],
    ['no name', { 'mcp-name': undefined }],
    ['another name', { 'mcp-name': 'get_customer' }],
    ['a name that is encoded and another one', { 'mcp-name': '=?base64?Z2V0X2N1c3RvbWVy?=' }],
    ['an encoding in capitals', { 'mcp-name': `=?BASE64?${btoa('search_customer')}?=` }],
    ['a name that is not Base64', { 'mcp-name': '=?base64?search_customer?=' }],
  ])('is refused with %s in its headers', async (_, headers) => {
    const reply = await send(server, 'tools/call', SEARCH, { headers });
    expect(reply).toMatchObject({ status: 400, json: { id: 1, error: { code: -32020 } } });
  });

  it.each<readonly [string, NonNullable<Asked['headers']>]>([
    ['an encoded name', { 'mcp-name': `=?base64?${btoa('search_customer')}?=` }],
    ['blanks around the values', { 'mcp-name': '  search_customer ', 'mcp-method': ' tools/call' }],
    ['a session id and an event id, which are ignored', { 'mcp-session-id': 'made-up', 'last-event-id': '7' }],
  ])('is answered with %s', async (_, headers) => {
    const reply = await send(server, 'tools/call', SEARCH, { headers });
    expect(reply).toMatchObject({ status: 200, json: { result: { structuredContent: { customers: [] } } } });
    expect(reply.headers).not.toHaveProperty('mcp-session-id');
  });

  it('may read a resource whose name needs encoding', async () => {
    const uri = 'customers://layer/external-id/a b€';
    const name = `=?base64?${Buffer.from(uri).toString('base64')}?=`;
    const reply = await send(server, 'resources/read', { uri }, { headers: { 'mcp-name': name } });
    expect(reply).toMatchObject({ status: 200, json: { error: { code: -32602, data: { uri } } } });
  });

  it.each<readonly [string, string, Json, number, number]>([
    ['an unknown method', 'customers/steal', {}, 404, -32601],
    ['a removed method', 'initialize', {}, 404, -32601],
    ['an unknown tool', 'tools/call', { name: 'drop_customers' }, 200, -32602],
    ['an unknown resource', 'resources/read', { uri: 'a:b' }, 200, -32602],
    ['an unknown cursor', 'tools/list', { cursor: 'x' }, 200, -32602],
  ])('has the status that the protocol defines for %s', async (_, method, params, status, code) => {
    expect(await send(server, method, params)).toMatchObject({ status, json: { id: 1, error: { code } } });
  });

  it('is refused with an unknown version in the body and the header', async () => {
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: stated({}, {}, '2099-01-01') };
    const headers = { 'mcp-protocol-version': '2099-01-01', 'mcp-method': 'tools/list' };
    expect(await post(server, body, { headers })).toMatchObject({
      status: 400,
      json: { id: 1, error: { code: -32022, data: { supported: [MODERN], requested: '2099-01-01' } } },
    });
  });

  it.each<readonly [string, unknown]>([
    ['a batch', [{ jsonrpc: '2.0', id: 1, method: 'tools/list', params: stated() }]],
    ['a batch with an older message in it', [{ jsonrpc: '2.0', id: 1, method: 'ping' }]],
    ['null for the id', { jsonrpc: '2.0', id: null, method: 'tools/list', params: stated() }],
    ['a fraction for the id', { jsonrpc: '2.0', id: 1.5, method: 'tools/list', params: stated() }],
    ['another version of JSON-RPC', { jsonrpc: '1.0', id: 1, method: 'tools/list', params: stated() }],
    ['a response', { jsonrpc: '2.0', id: 1, result: {} }],
    ['a text', 'tools/list'],
  ])('is refused as %s', async (_, body) => {
    const reply = await post(server, JSON.stringify(body), { headers: headersFor('tools/list') });
    expect(reply).toMatchObject({ status: 400, json: { error: { code: -32600 } } });
    expect(reply.json['id']).not.toBe(null);
  });

  it('with the header alone lacks what the body must state', async () => {
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    expect(await post(server, body, { headers: headersFor('tools/list') })).toMatchObject({
      status: 400,
      json: { id: 1, error: { code: -32602 } },
    });
  });

  it('may be a notification, which gets no answer', async () => {
    const body = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    expect(await post(server, body, { headers: headersFor(body.method) })).toMatchObject({ status: 202, text: '' });
  });

  it('is refused without a token, by an error without an id', async () => {
    const headers = { ...headersFor('tools/list'), authorization: undefined };
    const reply = await ask(server, {
      body: { jsonrpc: '2.0', id: 1, method: 'tools/list', params: stated() },
      headers,
    });
    expect(reply).toMatchObject({ status: 401, json: { error: { code: -32000 } } });
    expect(reply.json).not.toHaveProperty('id');
  });

  it.each(['GET', 'DELETE'])('may not use %s', async (method) => {
    const headers = { ...bearer(TOKEN), 'mcp-protocol-version': MODERN };
    expect((await ask(server, { method, headers })).status).toBe(405);
  });

  it('may come from a page that the operator allows, with its headers', async () => {
    const headers = {
      origin: 'http://localhost:1234',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'mcp-method,mcp-name,mcp-protocol-version',
    };
    const reply = await ask(server, { method: 'OPTIONS', headers });
    const allowed = String(reply.headers['access-control-allow-headers']).toLowerCase().split(',');
    expect(allowed).toEqual(expect.arrayContaining(['mcp-method', 'mcp-name', 'mcp-protocol-version']));
  });

  it('gets progress in an event stream, with the response at its end', async () => {
    const rows = Array.from({ length: 60 }, (_, n) => ({ external_id: `p-${n}`, company_name: `Firm No ${n}` }));
    const call = { name: 'import_customers', arguments: { rows }, _meta: { progressToken: 7 } };
    const reply = await send(server, 'tools/call', call);
    expect(reply.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    const events = eventsIn(reply).filter(isRecord);
    expect(events.at(-1)).toMatchObject({ id: 1, result: { structuredContent: { counts: { created: 60 } } } });
    const reports = events.slice(0, -1);
    expect(reports.length).toBeGreaterThan(0);
    for (const report of reports)
      expect(report).toMatchObject({ method: 'notifications/progress', params: { progressToken: 7, total: 60 } });
  });
});

describe('a caller of 2026-07-28 with the scope to read', () => {
  it('gets the reading tools, and a challenge for the others', async () => {
    const issuer = await startIssuer();
    onTestFinished(() => issuer.close());
    const server = await serve({ CUSTOMERS_OAUTH_ISSUER: issuer.url, CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE });
    onTestFinished(() => server.kill());
    const headers = bearer(await issuer.sign({ scope: 'customers:read' }));
    expect(toolsIn(await send(server, 'tools/list', {}, { headers }))).toEqual(['search_customer', 'get_customer']);
    const call = { name: 'create_customer', arguments: { company_name: 'Acme' } };
    expect((await send(server, 'tools/call', call, { headers })).status).toBe(403);
  });
});

describe('a caller of 2026-07-28 that closes its connection', () => {
  it.each([
    ['while an event stream runs', { progressToken: 1 }],
    ['before the answer', {}],
  ])('cancels the call %s', async (_, meta) => {
    const [kit] = kits;
    if (!kit) throw new Error('no provider');
    const { standIn, environment } = await kit.start();
    onTestFinished(() => standIn.close());
    const server = await serve({ ...environment, CUSTOMERS_HTTP_TOKEN: TOKEN });
    onTestFinished(() => server.kill());
    standIn.fault({ on: 'create', act: { delayMs: 100 }, times: Infinity });
    const rows = Array.from({ length: 40 }, (__, n) => ({
      ...kit.minimal(`Acme ${n}`, `acme.${n}@acme.example`),
      [kit.externalIdField]: `c-${n}`,
    }));
    const params = stated({ name: 'import_customers', arguments: { rows }, _meta: meta });
    const open = request({
      port: server.port,
      path: '/mcp',
      method: 'POST',
      headers: {
        ...bearer(TOKEN),
        ...headersFor('tools/call', params),
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
    });
    open.on('error', () => {});
    open.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
    await expect.poll(() => standIn.count('create')).toBeGreaterThan(0);
    open.destroy();
    await new Promise((resolve) => setTimeout(resolve, 500));
    const begun = standIn.count('create');
    expect(begun).toBeLessThan(40);
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(standIn.count('create')).toBe(begun);
  });
});
