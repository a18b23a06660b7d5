import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ask,
  bare,
  bearer,
  message,
  post,
  serve,
  TOKEN,
  written,
  type HttpServer,
  type Reply,
} from '../support/http.ts';

const MEGABYTE = 1024 * 1024;
const PING = message('ping');
const ALLOWED = {
  CUSTOMERS_HTTP_TOKEN: TOKEN,
  CUSTOMERS_ALLOWED_HOSTS: 'mcp.example.com, other.example.com:8443',
  CUSTOMERS_ALLOWED_ORIGINS: 'https://chat.example.com, http://tool.example.com:8080',
};

let server: HttpServer;
beforeAll(async () => {
  server = await serve(ALLOWED);
});
afterAll(() => {
  // None of the requests has caused an internal error.
  expect(server.stderr()).toMatch(/^customers-mcp: SANDBOX.*\n$/);
  server.kill();
});

describe('a Host', () => {
  it.each([
    '127.0.0.1',
    '127.0.0.1:1',
    'localhost',
    'LocalHost:3000',
    '[::1]',
    '[::1]:3000',
    'mcp.example.com',
    'MCP.Example.COM',
    'mcp.example.com:443',
    'other.example.com:8443',
  ])('that is allowed is accepted: %s', async (host) => {
    expect((await post(server, PING, { headers: { host } })).status).toBe(200);
  });

  it.each([
    'evil.example.com',
    'evil.example.com:80',
    'other.example.com',
    'other.example.com:9999',
    'mcp.example.com.',
    'localhost.',
    'localhost.evil.example.com',
    '127.0.0.1.evil.example.com',
    'evil.mcp.example.com',
    'mcp.example.com.evil.example.com',
    '192.0.2.7',
    '0.0.0.0',
    '[::ffff:192.0.2.7]',
    '127.0.0.1, evil.example.com',
    'evil.example.com@127.0.0.1',
    '127.0.0.1:80@evil.example.com',
    '127.0.0.1/evil',
    '127.0.0.1?evil',
    '127.0.0.1#evil',
    '127.0.0.1\\evil',
    '127.0.0.1" x="',
    '',
    ' ',
  ])('that is not allowed is refused: %j', async (host) => {
    for (const path of ['/mcp', '/', '/nothing']) {
      const asked = { headers: { host, ...bearer(TOKEN) }, path };
      const reply = await ask(server, path === '/mcp' ? { ...asked, body: PING } : { ...asked, method: 'GET' });
      // Node itself refuses an invalid host name.
      expect.soft([400, 403], `${path} ${reply.text}`).toContain(reply.status);
      expect.soft(reply.text).not.toContain('evil');
    }
  });

  it('is required, even from a client with an older HTTP version', async () => {
    const rest = `Authorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`;
    for (const version of ['1.0', '1.1'])
      expect.soft(await bare(server, `POST /mcp HTTP/${version}\r\n${rest}`)).toMatch(/^HTTP\/1\.1 40[03] /);
  });

  it("is not overridden by a proxy's headers or by a target in absolute form", async () => {
    const forwarded = { 'x-forwarded-host': 'evil.example.com', forwarded: 'host=evil.example.com' };
    const reply = await ask(server, { path: '/', method: 'GET', headers: forwarded });
    expect(reply.status).toBe(200);
    expect(reply.text).not.toContain('evil');
    const body = JSON.stringify(PING);
    const length = `Content-Length: ${body.length}`;
    const absolute = written(server, ['POST http://evil.example.com/mcp HTTP/1.1', length], body);
    expect(await bare(server, absolute)).toMatch(/^HTTP\/1\.1 40[03] /);
    const twice = written(server, ['POST /mcp HTTP/1.1', length, 'Host: evil.example.com'], body);
    expect(await bare(server, twice)).toMatch(/^HTTP\/1\.1 40[03] /);
  });

  it('is ignored for a probe that calls the server by its address', async () => {
    for (const path of ['/healthz', '/readyz'])
      expect.soft((await ask(server, { method: 'GET', path, headers: { host: '10.1.2.3:3000' } })).status).toBe(200);
  });
});

describe('an Origin', () => {
  it.each([
    'http://localhost',
    'http://localhost:6274',
    'http://127.0.0.1:9',
    'http://[::1]:9',
    'https://chat.example.com',
    'HTTPS://Chat.Example.com',
    'http://tool.example.com:8080',
  ])('that is allowed is accepted, and its page may read the answer: %s', async (origin) => {
    const reply = await post(server, PING, { headers: { origin } });
    expect(reply.status).toBe(200);
    expect(reply.headers).toMatchObject({
      'access-control-allow-origin': origin,
      vary: expect.stringMatching(/Origin/i),
    });
    expect(reply.headers['access-control-allow-credentials']).toBeUndefined();
    const headers = {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    };
    const preflight = await ask(server, { method: 'OPTIONS', headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-headers']).toMatch(/authorization/i);
    // With which clients end a session.
    expect(preflight.headers['access-control-allow-methods']).toContain('DELETE');
  });

  it.each([
    'https://evil.example.com',
    'http://chat.example.com',
    'https://chat.example.com:444',
    'https://chat.example.com.evil.example.com',
    'https://evil.chat.example.com',
    'https://chat.example.com@evil.example.com',
    'http://tool.example.com',
    'http://localhost.evil.example.com',
    'http://localhost@evil.example.com',
    'https://chat.example.com, https://evil.example.com',
    'https://chat.example.com/path',
    'null',
    'file://',
    '*',
    '',
  ])('that is not allowed is refused: %j', async (origin) => {
    for (const [method, path] of [
      ['POST', '/mcp'],
      ['OPTIONS', '/mcp'],
      ['GET', '/'],
    ] as const) {
      const reply = await ask(server, {
        method,
        path,
        headers: { origin, ...bearer(TOKEN) },
        ...(method === 'POST' && { body: PING }),
      });
      expect.soft(reply.status, method).toBe(403);
      expect.soft(reply.headers['access-control-allow-origin'], method).toBeUndefined();
    }
  });

  it('is refused before the token is checked', async () => {
    expect((await ask(server, { body: PING, headers: { origin: 'https://evil.example.com' } })).status).toBe(403);
  });
});

describe('every answer', () => {
  it.each<[string, () => Promise<Reply>]>([
    ['200', () => post(server, PING)],
    ['202', () => post(server, { jsonrpc: '2.0', method: 'notifications/initialized' })],
    ['401', () => ask(server, { body: PING })],
    ['403', () => post(server, PING, { headers: { origin: 'https://evil.example.com' } })],
    ['404', () => ask(server, { method: 'GET', path: '/nothing' })],
    ['405', () => ask(server, { method: 'GET' })],
    ['413', () => post(server, ' '.repeat(MEGABYTE + 1))],
    ['200', () => ask(server, { method: 'GET', path: '/' })],
    ['200', () => ask(server, { method: 'GET', path: '/healthz' })],
  ])('has headers that prevent browsers from using it: %s', async (status, get) => {
    const { headers, ...reply } = await get();
    expect(String(reply.status)).toBe(status);
    expect(headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-frame-options': expect.any(String),
      'referrer-policy': 'no-referrer',
      'content-security-policy': expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/),
    });
    expect(headers['x-powered-by'] ?? headers['server']).toBeUndefined();
  });
});
