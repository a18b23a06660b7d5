import { setTimeout as pause } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  bare,
  dial,
  message,
  post,
  received,
  serve,
  structuredIn,
  TOKEN,
  toolCall,
  written,
  type HttpServer,
  type Reply,
} from '../support/http.ts';

const MEGABYTE = 1024 * 1024;
const PING = message('ping');

let server: HttpServer;
beforeAll(async () => {
  server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN });
});
afterAll(() => {
  // None of the requests has caused an internal error.
  expect(server.stderr()).toMatch(/^customers-mcp: SANDBOX.*\n$/);
  server.kill();
});

describe('a body', () => {
  it('may have a megabyte, and not more', async () => {
    const padded = (size: number): string => JSON.stringify(PING).padEnd(size);
    expect((await post(server, padded(MEGABYTE))).status).toBe(200);
    const reply = await post(server, padded(MEGABYTE + 1));
    expect(reply).toMatchObject({ status: 413, json: { error: { message: expect.stringContaining('1048576') } } });
  });

  it('of 5 MB is refused, with or without a Content-Length', async () => {
    const five = 'x'.repeat(5 * MEGABYTE);
    const kept = { connection: 'keep-alive' };
    expect((await post(server, five, { headers: kept })).status).toBe(413);
    expect((await post(server, five, { headers: { ...kept, 'transfer-encoding': 'chunked' } })).status).toBe(413);
    expect((await post(server, PING)).status).toBe(200);
  });

  it('is refused by its Content-Length, without waiting for the body', async () => {
    const headers = ['POST /mcp HTTP/1.1', 'Content-Length: 5000000'];
    expect(await bare(server, written(server, headers, '{'))).toMatch(/^HTTP\/1\.1 413 /);
  });

  it.each<[string, string | Uint8Array, number]>([
    ['nothing', '', 400],
    ['words', 'hello', 400],
    ['half of it', '{"jsonrpc":"2.0","id":1,', 400],
    ['bytes that are not UTF-8', Buffer.from('{"jsonrpc":"2.0","id":1,"method":"ping\xff"}', 'latin1'), 400],
    ['a compressed message', gzipSync(JSON.stringify(PING)), 400],
    ['null', 'null', 400],
    ['a number', '1', 400],
    ['a string', '"ping"', 400],
    ['an empty object', '{}', 400],
    ['an empty batch', '[]', 400],
    ['a batch of batches', '[[]]', 400],
    ['another version of JSON-RPC', '{"jsonrpc":"1.0","id":1,"method":"ping"}', 400],
    ['a method that is not a string', '{"jsonrpc":"2.0","id":1,"method":{}}', 400],
    ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"ping"}', 400],
  ])('that is not a message is refused: %s', async (_, body, status) => {
    const reply = await post(server, body);
    expect(reply).toMatchObject({ status, json: { jsonrpc: '2.0', error: { code: expect.any(Number) } } });
    expect(reply.text).not.toMatch(/\bat .*\.js|node_modules|ZodError/);
  });

  it('with a hundred thousand levels does no harm, wherever the nesting is', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const shapes = [
      deep,
      `{"a":`.repeat(100_000) + '1' + '}'.repeat(100_000),
      `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":${deep}}}`,
      `{"jsonrpc":"2.0","id":${deep},"method":"ping"}`,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_customer","arguments":${deep}}}`,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_customer","arguments":{"limit":${deep}}}}`,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"create_customer","arguments":{"company_name":"A","tags":${deep}}}}`,
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"import_customers","arguments":{"rows":[{"x":${deep}}]}}}`,
    ];
    for (const body of shapes) {
      const reply = await post(server, body);
      expect.soft([200, 400], body.slice(0, 80)).toContain(reply.status);
      expect.soft(JSON.stringify(structuredIn(reply))).not.toContain('internal');
    }
    expect((await post(server, PING)).status).toBe(200);
  });

  it('with names that are special in JavaScript is ordinary data', async () => {
    const call = (args: string): Promise<Reply> =>
      post(
        server,
        `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_customer","arguments":${args},"constructor":{"prototype":{"polluted":1}}}}`,
      );
    for (const args of ['{"constructor":1}', '{"toString":1}'])
      expect.soft(structuredIn(await call(args))).toMatchObject({ error: { kind: 'invalid_input' } });
    // Dropped or refused, but never used: this limit would be refused.
    const proto = structuredIn(await call('{"__proto__":{"limit":-5}}'));
    expect(proto['customers'] ?? proto['error']).toBeDefined();
    expect(JSON.stringify(proto)).not.toContain('limit');
    expect(structuredIn(await call('{}'))).toHaveProperty('customers');
    for (const name of ['__proto__', 'constructor', 'toString'])
      expect.soft((await post(server, toolCall(name))).json).toMatchObject({ error: { code: -32602 } });
    for (const method of ['__proto__', 'constructor', 'toString'])
      expect.soft((await post(server, message(method))).json).toMatchObject({ error: { code: -32601 } });
  });

  it('that breaks off leaves no traces, not even in the log', async () => {
    const sockets = Array.from({ length: 20 }, () => dial(server.port));
    for (const socket of sockets)
      socket.write(written(server, ['POST /mcp HTTP/1.1', 'Content-Length: 100'], '{"jsonrpc":'));
    await pause(200);
    for (const socket of sockets) socket.resetAndDestroy();
    await pause(100);
    expect((await post(server, PING)).status).toBe(200);
    expect(server.stderr()).not.toContain('bug');
  });
});

describe('a batch', () => {
  it('may contain up to fifty messages', async () => {
    const batch = (length: number): unknown[] => Array.from({ length }, (_, id) => message('ping', {}, id));
    const { status, text } = await post(server, batch(50));
    expect({ status, answers: JSON.parse(text).length }).toEqual({ status: 200, answers: 50 });
    for (const length of [51, 1_000]) {
      const reply = await post(server, batch(length));
      expect.soft(reply).toMatchObject({ status: 400, json: { error: { code: -32600 } } });
    }
  });

  it('with a repeated id or a cancellation is answered at once', async () => {
    const twice = post(server, [message('ping', {}, 7), message('ping', {}, 7)]);
    expect([200, 400]).toContain((await twice).status);
    const cancelled = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } };
    const taken = post(server, [toolCall('search_customer'), cancelled]);
    const reply = await Promise.race([taken, pause(3_000, undefined)]);
    expect(reply?.status).toBe(200);
  });
});

describe('a smuggled request', () => {
  const body = JSON.stringify(PING);
  it.each([
    ['a length and chunks', [`Content-Length: ${body.length}`, 'Transfer-Encoding: chunked']],
    ['two lengths', [`Content-Length: ${body.length}`, 'Content-Length: 3']],
    ['a length that is not a number', ['Content-Length: 1x']],
    ['a negative length', ['Content-Length: -1']],
    ['chunks in disguise', ['Transfer-Encoding: xchunked']],
    ['chunks twice', ['Transfer-Encoding: chunked, identity']],
    ['a space before the colon', ['Content-Length : 3']],
    ['a folded line', ['X-Folded: a\r\n b: c', 'Content-Length: 1\n0']],
  ])('is refused and its connection closed: %s', async (_, lines) => {
    const smuggled = 'GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';
    const reply = await bare(server, written(server, ['POST /mcp HTTP/1.1', ...lines], `0\r\n\r\n${smuggled}`));
    expect(reply).toMatch(/^HTTP\/1\.1 400 /);
    expect(reply.match(/HTTP\/1\.1/g)).toHaveLength(1);
  });

  it('is refused when its headers are too large', async () => {
    const reply = await bare(server, written(server, ['POST /mcp HTTP/1.1', `X-Large: ${'x'.repeat(20_000)}`], ''));
    expect(reply).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe.concurrent('a connection', { timeout: 45_000 }, () => {
  it('with slow headers, or without any data, is closed after ten seconds', async ({ expect: own }) => {
    const slow = dial(server.port);
    slow.write(`POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\n`);
    const dripping = setInterval(() => slow.write('X-Slow: 1\r\n'), 500);
    const startedAt = performance.now();
    const [reply, nothing] = await Promise.all([received(slow), received(dial(server.port))]);
    clearInterval(dripping);
    own(reply).toMatch(/^HTTP\/1\.1 408 /);
    own(nothing).toMatch(/^(HTTP\/1\.1 408 |$)/);
    own(performance.now() - startedAt).toBeLessThan(20_000);
  });

  it('with a slow body is closed after half a minute, without an internal error', async ({ expect: own }) => {
    const slow = dial(server.port);
    slow.write(written(server, ['POST /mcp HTTP/1.1', 'Content-Length: 1000'], '{'));
    const dripping = setInterval(() => slow.write(' '), 1_000);
    const startedAt = performance.now();
    own(await received(slow)).toMatch(/^HTTP\/1\.1 408 /);
    clearInterval(dripping);
    own(performance.now() - startedAt).toBeGreaterThan(25_000);
    own(server.stderr()).not.toContain('bug');
  });

  it('that is idle does not affect others, even three hundred of them', async ({ expect: own }) => {
    const idle = Array.from({ length: 300 }, () => dial(server.port));
    await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    own((await post(server, PING)).status).toBe(200);
    for (const socket of idle) socket.destroy();
  });

  it('is kept open for 75 seconds for further requests', async ({ expect: own }) => {
    const socket = dial(server.port);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
    const request = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`;
    // Two pipelined requests, and one more after a while.
    socket.write(request + request);
    while (text.match(/"ok"/g)?.length !== 2) await pause(10);
    await pause(6_000);
    socket.write(request);
    while (text.match(/"ok"/g)?.length !== 3) await pause(10);
    own(text).toMatch(/keep-alive: timeout=7\d/i);
    socket.destroy();
  });
});
