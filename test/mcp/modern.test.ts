import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { isRecord } from '../../src/text.ts';
import { connect } from '../support/client.ts';
import {
  answerIn,
  CAPABILITIES_KEY,
  MODERN,
  overEach,
  stated,
  VERSION_KEY,
  type ModernClient,
} from '../support/modern.ts';
import { bareServer, parsed, SANDBOX, structured, tool } from '../support/process.ts';
import { kits } from '../support/providers.ts';

type Json = Record<string, unknown>;

const HELLO = { protocolVersion: MODERN, capabilities: {}, clientInfo: { name: 'test', version: '1' } };
const VIEWS = { extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: ['text/html;profile=mcp-app'] } } };
const SERVER_KEY = 'io.modelcontextprotocol/serverInfo';

function resultOf(response: Json): Json {
  expect(response).not.toHaveProperty('error');
  return isRecord(response['result']) ? response['result'] : {};
}

/** The names and the text of every member that only the modern revision has. */
const MODERN_MEMBERS = /"(resultType|ttlMs|cacheScope|io\.modelcontextprotocol\/serverInfo|requestState)"/;

describe.each(overEach)('the protocol of 2026-07-28 over %s', (_, open) => {
  let client: ModernClient;
  beforeAll(async () => {
    client = await open(SANDBOX);
  });
  afterAll(() => client.close());

  it('needs no handshake: the server describes itself on request', async () => {
    const result = resultOf(await client.request('server/discover'));
    expect(result).toMatchObject({
      resultType: 'complete',
      supportedVersions: [MODERN],
      instructions: expect.stringMatching(/search before you create/i),
      _meta: { [SERVER_KEY]: { name: 'customers-mcp', version: packageJson.version } },
    });
    expect(result['capabilities']).toEqual({ tools: {}, resources: {}, prompts: {}, completions: {} });
  });

  it('lists the same tools as the older revisions, byte for byte', async () => {
    const { tools } = resultOf(await client.request('tools/list'));
    const handshake = await connect(SANDBOX);
    onTestFinished(() => handshake.close());
    expect(JSON.stringify(tools)).toBe(JSON.stringify((await handshake.client.listTools()).tools));
  });

  it.each<[string, Json, number | undefined]>([
    ['server/discover', {}, 300_000],
    ['tools/list', {}, 300_000],
    ['prompts/list', {}, 300_000],
    ['resources/list', {}, 300_000],
    ['resources/templates/list', {}, 300_000],
    ['resources/read', { uri: 'customers://layer/fields' }, 0],
    ['prompts/get', { name: 'onboard_customer' }, undefined],
    ['tools/call', { name: 'search_customer', arguments: {} }, undefined],
    [
      'completion/complete',
      { ref: { type: 'ref/prompt', name: 'clean_up_duplicates' }, argument: { name: 'name', value: '' } },
      undefined,
    ],
  ])('states for %s how long the result may be reused, if at all', async (method, params, ttlMs) => {
    const result = resultOf(await client.request(method, params));
    expect(result).toMatchObject({ resultType: 'complete', _meta: { [SERVER_KEY]: { name: 'customers-mcp' } } });
    const { ttlMs: stays, cacheScope } = result;
    expect([stays, cacheScope]).toEqual([ttlMs, ttlMs === undefined ? undefined : 'private']);
  });

  it.each([
    'initialize',
    'ping',
    'logging/setLevel',
    'resources/subscribe',
    'subscriptions/listen',
    'constructor',
    'customers/steal',
  ])('has no method %s', async (method) => {
    expect(await client.request(method)).toMatchObject({ error: { code: -32601 } });
  });

  it.each<[what: string, method: string, params: Json, data?: Json]>([
    ['tool', 'tools/call', { name: 'drop_customers', arguments: {} }],
    ['prompt', 'prompts/get', { name: 'steal_customers' }],
    ['cursor', 'tools/list', { cursor: 'page-2' }],
    ['resource', 'resources/read', { uri: 'customers://other/1' }, { uri: 'customers://other/1' }],
    ['customer', 'resources/read', { uri: 'customers://layer/id/none' }, { uri: 'customers://layer/id/none' }],
  ])('reports an unknown %s as invalid parameters', async (_what, method, params, data) => {
    expect(await client.request(method, params)).toMatchObject({ error: { code: -32602, ...(data && { data }) } });
  });

  it('accepts null for the cursor', async () => {
    expect(resultOf(await client.request('tools/list', { cursor: null }))).toHaveProperty('tools');
  });

  it('shows views to the clients that state it with the request, and remembers nothing', async () => {
    const withViews = resultOf(await client.request('tools/list', {}, VIEWS));
    const without = resultOf(await client.request('tools/list'));
    expect(JSON.stringify(withViews['tools'])).toContain('ui://customers/view.html');
    expect(JSON.stringify(without['tools'])).not.toContain('ui://');
  });
});

describe('a request over stdio', () => {
  it.each<[what: string, params: Json, code: number, data?: Json]>([
    ['an unknown version', stated({}, {}, '2099-01-01'), -32022, { supported: [MODERN], requested: '2099-01-01' }],
    [
      'a version with a handshake',
      stated({}, {}, '2025-11-25'),
      -32022,
      { supported: [MODERN], requested: '2025-11-25' },
    ],
    ['a version that is no text', stated({}, {}, 7), -32602],
    ['no capabilities', { _meta: { [VERSION_KEY]: MODERN } }, -32602],
    ['capabilities that are a list', { _meta: { [VERSION_KEY]: MODERN, [CAPABILITIES_KEY]: [] } }, -32602],
  ])('is refused with %s', async (_, params, code, data) => {
    const server = bareServer();
    onTestFinished(() => void server.child.kill());
    for (const method of ['server/discover', 'tools/list', 'nothing/like/it'])
      expect(await server.request(method, params)).toMatchObject({ error: { code, ...(data && { data }) } });
  });

  it('is served in the revision that it states, in any sequence on one connection', async () => {
    const server = bareServer();
    onTestFinished(() => void server.child.kill());
    const [first, hello, second, old, third, ping] = await Promise.all([
      server.request('tools/list', stated()),
      server.request('initialize', HELLO),
      server.request('tools/call', stated(tool('search_customer'))),
      server.request('tools/list'),
      server.request('server/discover', stated()),
      server.request('ping'),
    ]);
    expect(resultOf(hello)).toMatchObject({ protocolVersion: '2025-11-25' });
    expect(resultOf(old)['tools']).toEqual(resultOf(first)['tools']);
    expect(ping).toMatchObject({ result: {} });
    for (const answer of [first, second, third]) expect(JSON.stringify(answer)).toMatch(MODERN_MEMBERS);
    for (const answer of [hello, old, ping]) expect(JSON.stringify(answer)).not.toMatch(MODERN_MEMBERS);
    // Without the modern members, the method does not exist.
    expect(await server.request('server/discover')).toMatchObject({ error: { code: -32601 } });
  });

  it('gets no answer after it was canceled, and nothing further is begun for it', async () => {
    const [kit] = kits;
    if (!kit) throw new Error('no provider');
    const { standIn, environment } = await kit.start();
    onTestFinished(() => standIn.close());
    const server = bareServer({ ...environment, CUSTOMERS_STORE: 'memory:' });
    onTestFinished(() => void server.child.kill());
    const rows = Array.from({ length: 40 }, (_, n) => ({
      ...kit.minimal(`Acme ${n}`, `acme.${n}@acme.example`),
      [kit.externalIdField]: `c-${n}`,
    }));
    standIn.fault({ on: 'create', act: { delayMs: 100 }, times: Infinity });
    const id = server.begin('tools/call', stated(tool('import_customers', { rows })));
    await expect.poll(() => standIn.count('create')).toBeGreaterThan(0);
    server.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id } });
    const after = await server.request('tools/call', stated(tool('get_customer', { customer_id: 'none' })));
    expect(resultOf(after)).toMatchObject({ isError: true });
    const begun = standIn.count('create');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(standIn.count('create')).toBe(begun);
    expect(begun).toBeLessThan(40);
    expect(server.lines.map(parsed).filter((line) => isRecord(line) && line['id'] === id)).toEqual([]);
  });

  it('is answered when the client closes stdin behind it', async () => {
    const server = bareServer();
    const id = server.begin('tools/call', stated(tool('create_customer', { company_name: 'Acme' })));
    server.child.stdin.end();
    expect(structured(await server.answer(id))).toHaveProperty('sandbox', true);
    expect((await server.ended).code).toBe(0);
  });

  it('without a valid id gets an answer without one', async () => {
    const server = bareServer();
    onTestFinished(() => void server.child.kill());
    for (const id of [null, {}, true]) server.send({ jsonrpc: '2.0', id, method: 'tools/list', params: stated() });
    server.send({ jsonrpc: '2.0', method: 'tools/list', params: stated() });
    await server.request('server/discover', stated());
    const answers = server.lines.map(parsed).filter((line) => isRecord(line) && isRecord(line['error']));
    expect(answers).toHaveLength(3);
    for (const answer of answers) {
      expect(answer).toMatchObject({ error: { code: -32600 } });
      expect(answer).not.toHaveProperty('id');
    }
  });

  it('with a fraction for its id is refused under it, because the client waits for that number', async () => {
    const server = bareServer();
    onTestFinished(() => void server.child.kill());
    server.send({ jsonrpc: '2.0', id: 1.5, method: 'tools/list', params: stated() });
    await server.request('server/discover', stated());
    expect(server.lines.map(parsed)).toContainEqual(
      expect.objectContaining({ id: 1.5, error: expect.objectContaining({ code: -32600 }) }),
    );
  });
});

describe('progress', () => {
  it('of an import is reported on stdio under the token of the request, and the answer comes last', async () => {
    const server = bareServer();
    onTestFinished(() => void server.child.kill());
    const rows = Array.from({ length: 60 }, (_, n) => ({ external_id: `p-${n}`, company_name: `Firm No ${n}` }));
    const call = { ...tool('import_customers', { rows }), _meta: { progressToken: 'mine' } };
    const answer = await server.request('tools/call', stated(call));
    expect(answerIn(resultOf(answer)).data).toMatchObject({ total: 60, counts: { created: 60 } });
    const messages = server.lines.map(parsed).filter(isRecord);
    const reports = messages.filter(({ method }) => method === 'notifications/progress');
    expect(reports.length).toBeGreaterThan(0);
    for (const { params } of reports) expect(params).toMatchObject({ progressToken: 'mine', total: 60 });
    expect(messages.at(-1)).toEqual(answer);
  });
});
