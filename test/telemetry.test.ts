import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Environment } from './support/client.ts';
import { DAYZERO_BUSINESS_ID, DAYZERO_TOKEN, startDayZero } from './providers/dayzero/stand-in.ts';
import { message, post, serve, TOKEN, toolCall } from './support/http.ts';
import { greetedServer } from './support/process.ts';
import { startRaw } from './support/stand-in-loopback.ts';
import type { StandIn } from './support/stand-in.ts';

const Attributes = z.record(z.string(), z.unknown());
const Span = z.strictObject({
  name: z.string(),
  kind: z.number(),
  attributes: Attributes,
  status: z.object({ code: z.number() }),
  events: z.array(z.unknown()),
  links: z.array(z.string()),
  traceId: z.string(),
  spanId: z.string(),
  parent: z.string().optional(),
});
const Metric = z.strictObject({
  name: z.string(),
  unit: z.string(),
  attributes: Attributes,
  value: z.object({
    count: z.number(),
    sum: z.number(),
    buckets: z.object({ boundaries: z.array(z.number()), counts: z.array(z.number()) }),
  }),
});
const Line = z.union([z.strictObject({ span: Span }), z.strictObject({ metric: Metric })]);

interface Exported {
  readonly spans: readonly z.output<typeof Span>[];
  readonly metrics: readonly z.output<typeof Metric>[];
  /** The complete output as text. */
  readonly text: string;
}

/** A provider, settings of a server that register an SDK, and what the SDK exported until the server ended. */
async function startTraced(): Promise<{
  readonly standIn: StandIn;
  readonly environment: Environment;
  exported(): Exported;
}> {
  const { standIn, environment } = await startDayZero();
  const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-otel-'));
  const file = join(folder, 'otel.jsonl');
  onTestFinished(async () => {
    await standIn.close();
    rmSync(folder, { recursive: true });
  });
  const sdk = new URL('./support/otel.ts', import.meta.url).pathname;
  return {
    standIn,
    environment: {
      ...environment,
      CUSTOMERS_STORE: 'memory:',
      NODE_OPTIONS: `--import=${sdk}`,
      OTEL_FILE: file,
    },
    exported() {
      const text = readFileSync(file, 'utf8');
      const lines = text
        .trim()
        .split('\n')
        .map((line) => Line.parse(JSON.parse(line)));
      return {
        text,
        spans: lines.flatMap((line) => ('span' in line ? [line.span] : [])),
        metrics: lines.flatMap((line) => ('metric' in line ? [line.metric] : [])),
      };
    },
  };
}

const ada = {
  external_id: 'person-77',
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  notes: 'Secret remark',
};
const PERSONAL = [...Object.values(ada), encodeURIComponent(ada.email), DAYZERO_TOKEN, DAYZERO_BUSINESS_ID, TOKEN];

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const ofMeta = { traceparent: `00-${traceId}-00f067aa0ba902b7-01` };
const ofHeader = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' };

/** The body of a search. */
function search(_meta: Record<string, unknown> | undefined) {
  return message('tools/call', { name: 'search_customer', arguments: {}, ...(_meta && { _meta }) });
}

/** Makes these calls over stdio, one after the other, and stops the server. */
async function overStdio(environment: Environment, calls: readonly Record<string, unknown>[]): Promise<string> {
  const server = await greetedServer(environment);
  for (const params of calls) await server.request('tools/call', params);
  server.child.stdin.end();
  expect(await server.ended).toEqual({ code: 0, signal: null });
  return server.stderr();
}

describe('spans', () => {
  it('show a call and its requests to the provider, as parts of the trace of the client', async () => {
    const { standIn, environment, exported } = await startTraced();
    await overStdio(environment, [{ name: 'create_customer', arguments: ada, _meta: ofMeta }]);
    const { spans } = exported();
    const { hostname, port } = new URL(standIn.origin);
    const call = spans.find(({ kind }) => kind === SpanKind.SERVER);
    expect(call).toEqual({
      name: 'tools/call create_customer',
      kind: SpanKind.SERVER,
      attributes: {
        'mcp.method.name': 'tools/call',
        'gen_ai.operation.name': 'execute_tool',
        'gen_ai.tool.name': 'create_customer',
        'network.transport': 'pipe',
        'jsonrpc.request.id': '2',
      },
      status: { code: SpanStatusCode.UNSET },
      events: [],
      links: [],
      traceId,
      spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
      parent: '00f067aa0ba902b7',
    });
    const requests = spans.filter(({ kind }) => kind === SpanKind.CLIENT);
    expect(requests).toEqual(
      standIn.requests.map(({ method }) => ({
        name: method,
        kind: SpanKind.CLIENT,
        attributes: {
          'http.request.method': method,
          'server.address': hostname,
          'server.port': Number(port),
          // The path and the query may contain an external id or an email.
          'url.full': `${standIn.origin}/REDACTED`,
          'http.response.status_code': method === 'POST' ? 201 : 200,
        },
        status: { code: SpanStatusCode.UNSET },
        events: [],
        links: [],
        traceId,
        spanId: expect.any(String),
        parent: call?.spanId,
      })),
    );
    expect(standIn.requests.map(({ headers }) => headers['traceparent'])).toEqual(
      requests.map(({ spanId }) => `00-${traceId}-${spanId}-01`),
    );
    expect(spans).toHaveLength(1 + standIn.requests.length);
    expect(standIn.requests.length).toBeGreaterThan(1);
  });

  it('over HTTP belong to the trace of the message, or else to that of the HTTP request', async () => {
    const { standIn, environment, exported } = await startTraced();
    const server = await serve({ ...environment, CUSTOMERS_HTTP_TOKEN: TOKEN });
    onTestFinished(() => server.kill());
    for (const [headers, meta] of [
      [{}, ofMeta],
      [ofHeader, undefined],
      [ofHeader, ofMeta],
      [{}, undefined],
    ] as const)
      expect((await post(server, search(meta), { headers })).status).toBe(200);
    expect(await server.stop()).toEqual({ code: 0, signal: null });

    const { spans } = exported();
    const calls = spans.filter(({ kind }) => kind === SpanKind.SERVER);
    expect(calls.map(({ attributes }) => attributes['network.transport'])).toEqual(['tcp', 'tcp', 'tcp', 'tcp']);
    expect(calls.map((span) => [span.parent, span.links])).toEqual([
      ['00f067aa0ba902b7', []],
      ['b7ad6b7169203331', []],
      ['00f067aa0ba902b7', ['b7ad6b7169203331']],
      [undefined, []],
    ]);
    expect(calls.slice(0, 3).map((span) => span.traceId)).toEqual([
      traceId,
      ofHeader.traceparent.slice(3, 35),
      traceId,
    ]);
    const asked = spans.filter(({ kind }) => kind === SpanKind.CLIENT);
    expect(asked.map(({ parent }) => parent)).toEqual(calls.map(({ spanId }) => spanId));
    expect(standIn.requests).toHaveLength(4);
  });

  it('show the other methods as well, and why one was refused', async () => {
    const { environment, exported } = await startTraced();
    const server = await greetedServer(environment);
    const requests: [string, Record<string, unknown>][] = [
      ['tools/list', {}],
      ['resources/list', {}],
      ['resources/read', { uri: 'customers://nowhere/hush' }],
      ['tools/call', { name: 'hush' }],
    ];
    for (const [method, params] of requests) await server.request(method, { ...params, _meta: ofMeta });
    server.child.stdin.end();
    await server.ended;
    const { spans } = exported();
    expect(spans.map(({ name, attributes, parent }) => [name, attributes['error.type'], parent])).toEqual([
      ['tools/list', undefined, '00f067aa0ba902b7'],
      ['resources/list', undefined, '00f067aa0ba902b7'],
      ['resources/read', '-32002', '00f067aa0ba902b7'],
      ['tools/call', '-32602', '00f067aa0ba902b7'],
    ]);
    expect(JSON.stringify(spans)).not.toContain('hush');
  });

  it('state what failed: the tool, the provider, or the connection to it', async () => {
    const { standIn, environment, exported } = await startTraced();
    standIn.fault({ on: 'list', act: { status: 503 } });
    const again = { name: 'search_customer', arguments: { limit: 5 } };
    const missing = { name: 'get_customer', arguments: { customer_id: 'unknown' } };
    await overStdio(environment, [again, missing]);
    const gone = await startRaw('refuse');
    onTestFinished(() => gone.close());
    await overStdio({ ...environment, DAYZERO_BASE_URL: gone.origin }, [again]);

    const seen = exported().spans.map(({ name, attributes, status }) => [
      name,
      attributes['error.type'],
      attributes['http.response.status_code'],
      attributes['http.request.resend_count'],
      status.code,
    ]);
    const { ERROR, UNSET } = SpanStatusCode;
    expect(seen).toEqual([
      ['GET', '503', 503, undefined, ERROR],
      ['GET', undefined, 200, 1, UNSET],
      ['tools/call search_customer', undefined, undefined, undefined, UNSET],
      ['GET', '404', 404, undefined, ERROR],
      ['tools/call get_customer', 'tool_error', undefined, undefined, ERROR],
      ['GET', 'connection refused', undefined, undefined, ERROR],
      ['GET', 'connection refused', undefined, 1, ERROR],
      ['GET', 'connection refused', undefined, 2, ERROR],
      ['tools/call search_customer', 'tool_error', undefined, undefined, ERROR],
    ]);
  });
});

describe('a request to the provider', () => {
  it("propagates the trace context, but not the caller's baggage", async () => {
    const { standIn, environment } = await startTraced();
    // No letters of hexadecimal ids.
    const baggage = 'user=grete,plan=secret';
    const call = { name: 'search_customer', arguments: {} };
    await overStdio(environment, [{ ...call, _meta: { ...ofMeta, tracestate: 'vendor=1', baggage } }]);
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN, ...environment });
    onTestFinished(() => server.kill());
    const headers = { ...ofHeader, tracestate: 'vendor=1', baggage };
    await post(server, toolCall('search_customer', {}), { headers });
    expect(standIn.requests).toHaveLength(2);
    for (const { headers: sent } of standIn.requests) {
      expect(sent).toMatchObject({ traceparent: expect.any(String), tracestate: 'vendor=1' });
      expect(sent).not.toHaveProperty('baggage');
      expect(JSON.stringify(sent)).not.toContain('grete');
    }
  });
});

describe('metrics', () => {
  it('are the durations of calls and requests, in seconds and with the recommended bucket boundaries', async () => {
    const { standIn, environment, exported } = await startTraced();
    const { hostname, port } = new URL(standIn.origin);
    await overStdio(environment, [
      { name: 'create_customer', arguments: ada },
      { name: 'search_customer', arguments: {} },
      { name: 'search_customer', arguments: {} },
      { name: 'search_customer', arguments: { no_such_argument: 1 } },
    ]);
    const { metrics } = exported();
    const tool = {
      'mcp.method.name': 'tools/call',
      'gen_ai.operation.name': 'execute_tool',
      'network.transport': 'pipe',
    };
    const server = { 'server.address': hostname, 'server.port': Number(port) };
    expect(metrics.map(({ name, unit, attributes, value }) => [name, unit, attributes, value.count])).toEqual(
      expect.arrayContaining([
        ['mcp.server.operation.duration', 's', { ...tool, 'gen_ai.tool.name': 'create_customer' }, 1],
        ['mcp.server.operation.duration', 's', { ...tool, 'gen_ai.tool.name': 'search_customer' }, 2],
        [
          'mcp.server.operation.duration',
          's',
          { ...tool, 'gen_ai.tool.name': 'search_customer', 'error.type': 'tool_error' },
          1,
        ],
        [
          'http.client.request.duration',
          's',
          { ...server, 'http.request.method': 'POST', 'http.response.status_code': 201 },
          1,
        ],
        [
          'http.client.request.duration',
          's',
          { ...server, 'http.request.method': 'GET', 'http.response.status_code': 200 },
          standIn.requests.length - 1,
        ],
      ]),
    );
    expect(metrics).toHaveLength(5);
    const steps = Object.fromEntries(metrics.map(({ name, value }) => [name, value.buckets.boundaries]));
    expect(steps).toEqual({
      'mcp.server.operation.duration': [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300],
      'http.client.request.duration': [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
    });
    for (const { value } of metrics) expect(value.sum).toBeLessThan(10);
  });
});

describe('what is exported', () => {
  it('contains no customer data and no secret, whatever happens', async () => {
    const { standIn, environment, exported } = await startTraced();
    standIn.fault({ on: 'create', act: { status: 422, body: { detail: `${ada.name} is odd` } } });
    standIn.fault({ on: 'list', skip: 3, act: 'reset' });
    const calls: [string, Record<string, unknown>][] = [
      ['create_customer', ada],
      ['create_customer', ada],
      ['search_customer', { search: ada.name }],
      ['get_customer', { external_id: ada.external_id }],
      ['update_customer', { external_id: ada.external_id, notes: 'Secret remark, again' }],
      ['archive_customer', { external_id: ada.external_id }],
      ['get_customer', { [ada.name]: ada.email }],
      [ada.name, {}],
    ];
    const server = await serve({ ...environment, CUSTOMERS_HTTP_TOKEN: TOKEN });
    onTestFinished(() => server.kill());
    for (const [name, args] of calls) await post(server, toolCall(name, args));
    await server.stop();
    const { text, spans } = exported();
    expect(spans.filter(({ kind }) => kind === SpanKind.SERVER)).toHaveLength(calls.length);
    expect(standIn.requests.length).toBeGreaterThan(6);
    for (const word of PERSONAL) expect.soft(text, word).not.toContain(word);
  });
});

describe('without an SDK', () => {
  it('nothing is propagated and nothing is printed', async () => {
    const { standIn, environment } = await startDayZero();
    onTestFinished(() => standIn.close());
    const bare = { ...environment, CUSTOMERS_STORE: 'memory:' };
    const stderr = await overStdio(bare, [{ name: 'create_customer', arguments: ada, _meta: ofMeta }]);
    expect(stderr).toBe('');
    const server = await serve({ ...bare, CUSTOMERS_HTTP_TOKEN: TOKEN });
    onTestFinished(() => server.kill());
    expect((await post(server, search(ofMeta), { headers: ofHeader })).status).toBe(200);
    await server.stop();
    expect(server.stderr()).toBe('');
    expect(standIn.requests.length).toBeGreaterThan(2);
    expect(standIn.requests.filter(({ headers }) => 'traceparent' in headers || 'tracestate' in headers)).toEqual([]);
  });
});
