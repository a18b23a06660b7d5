import { createHmac } from 'node:crypto';
import { SignJWT, generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { standIns, type Environment } from '../support/client.ts';
import {
  ask,
  bare,
  bearer,
  challengeIn,
  message,
  post,
  serve,
  structuredIn,
  TOKEN,
  toolCall,
  toolsIn,
  type Asked,
  type HttpServer,
  type Reply,
} from '../support/http.ts';
import { AUDIENCE, claimsOf, forge, startIssuer, type Issuer } from '../support/issuer.ts';
import { parsed } from '../support/process.ts';
import type { StandIn } from '../support/stand-ins/stand-in.ts';

const READING = ['get_customer', 'search_customer'];
const METADATA = '/.well-known/oauth-protected-resource';

/** Asks for something harmless with these headers. */
function knock(server: HttpServer, headers: Asked['headers'] = {}, path = '/mcp'): Promise<Reply> {
  return ask(server, { body: message('tools/list'), headers, path });
}

describe('a caller with the token of the server', () => {
  let server: HttpServer;
  let standIn: StandIn;
  beforeAll(async () => {
    const dayzero = await standIns.dayzero();
    standIn = dayzero.standIn;
    server = await serve({ ...dayzero.environment, CUSTOMERS_HTTP_TOKEN: TOKEN, CUSTOMERS_LOG: 'debug' });
  });
  afterAll(async () => {
    server.kill();
    await standIn.close();
  });

  it.each([
    ['Bearer', `Bearer ${TOKEN}`],
    ['bearer', `bearer ${TOKEN}`],
    ['BEARER and more than one space', `BEARER   ${TOKEN}`],
  ])('comes in: %s', async (_, authorization) => {
    expect((await knock(server, { authorization })).status).toBe(200);
  });

  it.each<[string, Asked['headers'], string | undefined]>([
    ['no token', {}, undefined],
    ['an empty header', { authorization: '' }, undefined],
    ['the word alone', { authorization: 'Bearer ' }, undefined],
    ['the token alone', { authorization: TOKEN }, undefined],
    ['the token as a password', { authorization: `Basic ${btoa(`token:${TOKEN}`)}` }, undefined],
    ['the token in another header', { 'x-api-key': TOKEN, cookie: `token=${TOKEN}` }, undefined],
    ['something behind the token', { authorization: `Bearer ${TOKEN} and more` }, undefined],
    ['two headers, the second of them right', { authorization: ['Bearer nonsense', `Bearer ${TOKEN}`] }, undefined],
    ['another token', { authorization: `Bearer ${TOKEN.replace('hush', 'push')}` }, 'invalid_token'],
    ['the beginning of the token', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }, 'invalid_token'],
    ['more than the token', { authorization: `Bearer ${TOKEN}0` }, 'invalid_token'],
    ['the token in capitals', { authorization: `Bearer ${TOKEN.toUpperCase()}` }, 'invalid_token'],
    ['a session id', { 'mcp-session-id': TOKEN }, undefined],
  ])('is told apart from one with %s', async (_, headers, error) => {
    const reply = await knock(server, headers);
    expect(reply).toMatchObject({ status: 401, json: { jsonrpc: '2.0', id: null, error: { code: -32000 } } });
    expect(reply.headers['www-authenticate']).toMatch(/^Bearer realm="customers-mcp"/);
    expect(challengeIn(reply)['error']).toBe(error);
    expect(reply.text + String(reply.headers['www-authenticate'])).not.toContain('hush');
  });

  it('is not known by a token in the address', async () => {
    for (const query of [`access_token=${TOKEN}`, `token=${TOKEN}`])
      expect.soft((await knock(server, {}, `/mcp?${query}`)).status).toBe(401);
  });

  it('is refused before a byte of the body is looked at', async () => {
    expect((await ask(server, { body: 'no JSON at all' })).status).toBe(401);
  });

  it('is kept from the provider: what goes there is our own credential and nothing of the request', async () => {
    const headers = { ...bearer(TOKEN), 'x-forwarded-for': 'mark-forwarded', cookie: 'mark=cookie', baggage: 'mark=1' };
    const customer = { external_id: 'kept-1', name: 'Acme', email: 'kept@example.com' };
    const reply = await ask(server, { body: toolCall('create_customer', customer), headers });
    expect(structuredIn(reply)).toMatchObject({ outcome: 'created' });
    expect(standIn.count('create')).toBeGreaterThan(0);
    const sent = standIn.requests.map((one) => JSON.stringify([one.headers, one.path, [...one.query], one.rawBody]));
    for (const text of sent) expect.soft(text).not.toMatch(/hush|mark/);
  });

  it('is a digest or a word in the log, never a token, nor is there a word about the customer', async () => {
    const customer = { external_id: 'logged-1', name: 'Ada Lovelace', email: 'ada@example.com' };
    await post(server, toolCall('create_customer', customer));
    await knock(server, { authorization: 'Bearer some-wrong-token-hush' });
    await expect.poll(server.stderr).toContain('401');
    const lines = server.stderr().trimEnd().split('\n').map(parsed);
    expect(lines).toContainEqual(
      expect.objectContaining({ event: 'call', tool: 'create_customer', outcome: 'created', caller: 'token' }),
    );
    expect(lines).toContainEqual(expect.objectContaining({ event: 'refused', status: 401 }));
    expect(server.stderr()).not.toMatch(/hush|Lovelace|ada@|logged-1|127\.0\.0\.1/);
    expect(server.stdout()).not.toContain('hush');
  });

  it('finds no metadata of OAuth, for there is none', async () => {
    expect((await ask(server, { method: 'GET', path: METADATA })).status).toBe(404);
  });
});

describe('a caller with a token of the issuer', () => {
  let issuer: Issuer;
  let server: HttpServer;
  let standIn: StandIn;
  let environment: Environment;
  beforeAll(async () => {
    issuer = await startIssuer();
    const dayzero = await standIns.dayzero();
    standIn = dayzero.standIn;
    environment = {
      ...dayzero.environment,
      CUSTOMERS_OAUTH_ISSUER: issuer.url,
      CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE,
      CUSTOMERS_LOG: 'info',
    };
    server = await serve(environment);
  });
  afterAll(async () => {
    server.kill();
    await standIn.close();
    await issuer.close();
  });

  it.each<[string, Record<string, unknown>, Parameters<Issuer['sign']>[1]]>([
    ['as it should be', {}, {}],
    ['of the type JWT', {}, { typ: 'JWT' }],
    ['without a type', {}, { typ: undefined }],
    ['for several audiences, ours among them', { aud: ['https://other.example.com', AUDIENCE] }, {}],
    ['that ran out within the tolerance', { exp: Math.floor(Date.now() / 1_000) - 5 }, {}],
    ['that begins within the tolerance', { nbf: Math.floor(Date.now() / 1_000) + 20 }, {}],
    ['with a list of scopes', { scope: undefined, scp: ['customers:read', 'customers:write'] }, {}],
    ['with scopes in a string that has another name', { scope: undefined, scp: 'customers:read customers:write' }, {}],
    ['with other scopes beside ours', { scope: 'openid customers:read customers:write email' }, {}],
    ['without a key id', {}, { kid: undefined }],
  ])('comes in with one %s', async (_, claims, header) => {
    const reply = await knock(server, bearer(await issuer.sign(claims, header)));
    expect(reply.status, reply.text).toBe(200);
    expect(toolsIn(reply)).toContain('create_customer');
  });

  const soon = (): number => Math.floor(Date.now() / 1_000);
  it.each<[string, (issuer: Issuer) => Promise<string> | string]>([
    ['that ran out', ({ sign }) => sign({ exp: soon() - 60 })],
    ['that never runs out', ({ sign }) => sign({ exp: undefined })],
    ['that runs out in words', ({ sign }) => sign({ exp: 'tomorrow' })],
    ['that begins later', ({ sign }) => sign({ nbf: soon() + 120 })],
    ['for another audience', ({ sign }) => sign({ aud: 'https://other.example.com/mcp' })],
    ['for an audience that begins like ours', ({ sign }) => sign({ aud: `${AUDIENCE}/layer` })],
    ['for nobody', ({ sign }) => sign({ aud: undefined })],
    ['of another issuer', ({ sign }) => sign({ iss: 'https://issuer.example.com' })],
    ['of an issuer that begins like ours', ({ sign, url }) => sign({ iss: `${url}.example.com` })],
    ['of no issuer', ({ sign }) => sign({ iss: undefined })],
    ['that is meant for signing in', ({ sign }) => sign({}, { typ: 'logout+jwt' })],
    ['that is bound to a proof', ({ sign }) => sign({}, { typ: 'dpop+jwt' })],
    ['with an extension we must know', ({ sign }) => sign({}, { crit: ['x'], x: 1 })],
    ['without a signature', ({ url }) => forge({ alg: 'none' }, claimsOf(url), () => '')],
    [
      'without a signature, in other letters',
      ({ url }) => forge({ alg: 'nOnE', kid: 'key-1' }, claimsOf(url), () => ''),
    ],
    [
      'whose signature was cut off',
      async ({ sign }) => {
        const [header, payload] = (await sign()).split('.');
        return `${header}.${payload}.`;
      },
    ],
    [
      'whose claims were changed',
      async ({ sign, url }) => {
        const [header, , signature] = (await sign({ scope: 'customers:read' })).split('.');
        return `${header}.${Buffer.from(JSON.stringify(claimsOf(url))).toString('base64url')}.${signature}`;
      },
    ],
    [
      'signed with the public key as if it were a secret',
      ({ url, key }) =>
        forge({ alg: 'HS256', kid: 'key-1', typ: 'at+jwt' }, claimsOf(url), (text) =>
          createHmac('sha256', key.pem).update(text).digest('base64url'),
        ),
    ],
    [
      'signed with the public key as it stands in the key set',
      ({ url, key }) =>
        forge({ alg: 'HS256', kid: 'key-1' }, claimsOf(url), (text) =>
          createHmac('sha256', JSON.stringify(key.jwk)).update(text).digest('base64url'),
        ),
    ],
    ['signed by another key under the id of ours', ({ url }) => signedByAnother(url, { kid: 'key-1' })],
    ['that brings its own key', ({ url, key }) => signedByAnother(url, { kid: 'key-1', jwk: key.jwk })],
    [
      'that says where its key is',
      ({ url }) => signedByAnother(url, { kid: 'key-1', jku: `${url}/other`, x5u: `${url}/other` }),
    ],
    ['that is no token', () => 'nonsense'],
    ['of five parts', () => 'a.b.c.d.e'],
    ['of empty parts', () => '..'],
  ])('is told apart from one with a token %s', async (_, make) => {
    const reply = await knock(server, bearer(await make(issuer)));
    expect(reply.status, reply.text).toBe(401);
    expect(challengeIn(reply)).toMatchObject({
      error: 'invalid_token',
      resource_metadata: `http://127.0.0.1:${server.port}${METADATA}/mcp`,
      scope: 'customers:read customers:write',
    });
    expect(reply.json).toMatchObject({
      jsonrpc: '2.0',
      error: { message: expect.stringMatching(/token.*not accepted/) },
    });
  });

  it.each(['../../etc/passwd', "' OR 1=1 --", 'key-1\u0000', 'x'.repeat(2_000), '__proto__'])(
    'is told apart from one who invents the key id %j',
    async (kid) => {
      expect((await knock(server, bearer(await issuer.sign({}, { kid })))).status).toBe(401);
    },
  );

  it('is told where to get a token, and what it has to allow', async () => {
    const reply = await knock(server);
    expect(reply.status).toBe(401);
    const { resource_metadata: address = '', ...rest } = challengeIn(reply);
    expect(rest).toEqual({ realm: 'customers-mcp', scope: 'customers:read customers:write' });
    expect(address).toBe(`http://127.0.0.1:${server.port}${METADATA}/mcp`);
    for (const path of [new URL(address).pathname, METADATA]) {
      const metadata = await ask(server, { method: 'GET', path });
      expect.soft(metadata).toMatchObject({
        status: 200,
        json: {
          resource: AUDIENCE,
          authorization_servers: [issuer.url],
          scopes_supported: ['customers:read', 'customers:write'],
          bearer_methods_supported: ['header'],
        },
      });
    }
  });

  it('that shows two tokens is not let in by either', async () => {
    const token = await issuer.sign();
    for (const pair of [
      [`Bearer ${token}`, 'Bearer x'],
      ['Bearer x', `Bearer ${token}`],
    ])
      expect.soft((await knock(server, { authorization: pair })).status).toBe(401);
  });

  it('that may only read sees and calls the reading tools, and nothing else', async () => {
    const headers = bearer(await issuer.sign({ scope: 'customers:read' }));
    expect(toolsIn(await knock(server, headers)).toSorted()).toEqual(READING);
    const read = await ask(server, { body: toolCall('search_customer'), headers });
    expect(structuredIn(read)).toHaveProperty('customers');
    for (const body of [
      toolCall('create_customer', { name: 'Acme' }),
      [toolCall('search_customer', {}, 1), toolCall('create_customer', { name: 'Acme' }, 2)],
      { jsonrpc: '2.0', method: 'tools/call', params: { name: 'create_customer', arguments: { name: 'Acme' } } },
    ]) {
      const reply = await ask(server, { body, headers });
      expect.soft(reply.status).toBe(403);
      expect.soft(challengeIn(reply)).toMatchObject({
        error: 'insufficient_scope',
        scope: expect.stringContaining('customers:write'),
        resource_metadata: expect.stringContaining(METADATA),
      });
    }
    expect(standIn.count('create')).toBe(0);
    const unknown = await ask(server, { body: toolCall('drop_customers'), headers });
    expect(unknown).toMatchObject({ status: 200, json: { error: { code: -32602 } } });
    expect(unknown.text).not.toContain('create_customer');
  });

  it.each([
    ['customers:readX'],
    ['xcustomers:read'],
    ['CUSTOMERS:READ'],
    ['customers:read,customers:write'],
    ['customers:*'],
    ['customers'],
    [''],
    [undefined],
    [['customers:read customers:write']],
    [{ 'customers:read': true }],
  ])('is not let in by the scope %j', async (scope) => {
    const reply = await knock(server, bearer(await issuer.sign({ scope })));
    // A list is not what the standard has under this name; its entries count only one by one.
    expect(reply.status, reply.text).toBe(403);
    expect(challengeIn(reply)).toMatchObject({ error: 'insufficient_scope' });
  });

  it('is named in the log by a digest that is the same each time and another for others', async () => {
    const tokens = await Promise.all([issuer.sign(), issuer.sign(), issuer.sign({ sub: 'other@example.com' })]);
    for (const token of tokens) await ask(server, { body: toolCall('search_customer'), headers: bearer(token) });
    const callers = [...server.stderr().matchAll(/"caller":"([^"]*)"/g)].map(([, caller]) => caller).slice(-3);
    expect(callers[0]).toMatch(/^[0-9a-f]{12}$/);
    expect(callers[1]).toBe(callers[0]);
    expect(callers[2]).not.toBe(callers[0]);
    expect(server.stderr()).not.toMatch(/example\.com|eyJ|a-client/);
  });

  it('comes in with a new key of the issuer as soon as it signs, and no longer with the old one once it is forgotten', async () => {
    const old = await issuer.sign();
    expect((await knock(server, bearer(old))).status).toBe(200);
    await issuer.rotate();
    const fresh = await Promise.all(Array.from({ length: 5 }, () => issuer.sign()));
    const replies = await Promise.all(fresh.map((token) => knock(server, bearer(token))));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await knock(server, bearer(old))).status).toBe(401);
  });

  it('cannot make the server ask the issuer for its keys as often as it likes', async () => {
    const before = issuer.requests.length;
    const token = await issuer.sign({}, { kid: 'invented' });
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 40 }, () => knock(server, bearer(token))));
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(issuer.requests.length - before).toBeLessThanOrEqual(2 + seconds);
  });

  it('gets a token of the issuer by which nothing of it reaches the provider', async () => {
    const token = await issuer.sign();
    await ask(server, { body: toolCall('search_customer'), headers: bearer(token) });
    const sent = JSON.stringify(standIn.requests.map((one) => [one.headers, one.path, one.rawBody]));
    expect(standIn.requests.length).toBeGreaterThan(0);
    expect(sent).not.toMatch(/eyJ/);
  });

  it('is known from keys that are there while the issuer is away', async () => {
    const token = await issuer.sign();
    expect((await knock(server, bearer(token))).status).toBe(200);
    issuer.behave('down');
    onTestFinished(() => issuer.behave('well'));
    expect((await knock(server, bearer(token))).status).toBe(200);
  });
});

describe.concurrent('an issuer', { timeout: 15_000 }, () => {
  const started: { readonly issuer: Issuer; readonly server: HttpServer }[] = [];
  afterAll(async () => {
    for (const { server, issuer } of started) {
      server.kill();
      await issuer.close();
    }
  });
  async function pairing(
    options: Parameters<typeof startIssuer>[0] = {},
    configured = (issuer: Issuer): string => issuer.url,
  ): Promise<{ issuer: Issuer; server: HttpServer }> {
    const issuer = await startIssuer(options);
    const server = await serve({
      CUSTOMERS_OAUTH_ISSUER: configured(issuer),
      CUSTOMERS_OAUTH_AUDIENCE: 'customers',
    });
    started.push({ issuer, server });
    return { issuer, server };
  }
  const aud = 'customers';

  it.each(['down', 'html'] as const)(
    'that does not answer when it must (%s) makes callers wait, and is asked again later',
    async (manner) => {
      const { issuer, server } = await pairing();
      issuer.behave(manner);
      const token = await issuer.sign({ aud });
      const reply = await knock(server, bearer(token));
      expect(reply).toMatchObject({ status: 503, headers: { 'retry-after': expect.stringMatching(/^\d+$/) } });
      expect(reply.headers['www-authenticate']).toBeUndefined();
      issuer.behave('well');
      expect((await knock(server, bearer(token))).status).toBe(200);
    },
  );

  it('that is silent makes callers wait no longer than its time', async () => {
    const { issuer, server } = await pairing();
    issuer.behave('silent');
    expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(503);
  });

  it('is not asked before the first token, nor for a caller without one', async () => {
    const { issuer, server } = await pairing();
    await knock(server);
    expect(issuer.requests).toEqual([]);
    await knock(server, bearer(await issuer.sign({ aud })));
    await knock(server, bearer(await issuer.sign({ aud })));
    expect(issuer.requests).toEqual(['/.well-known/oauth-authorization-server', '/keys']);
  });

  it('may have a path, a slash at its end, and the metadata of OpenID Connect', async () => {
    const { issuer, server } = await pairing(
      { path: '/realms/one', discovery: 'openid-configuration' },
      ({ url }) => `${url}/`,
    );
    for (const iss of [issuer.url, `${issuer.url}/`])
      expect((await knock(server, bearer(await issuer.sign({ aud, iss })))).status).toBe(200);
    expect((await knock(server, bearer(await issuer.sign({ aud, iss: new URL(issuer.url).origin })))).status).toBe(401);
  });

  it.each<[string, Record<string, unknown>]>([
    ['speaks for another', { issuer: 'https://other.example.com' }],
    ['has its keys in the clear somewhere else', { jwks_uri: 'http://192.0.2.7/keys' }],
    ['has its keys in a file', { jwks_uri: 'file:///etc/passwd' }],
    ['says nothing of keys', { jwks_uri: undefined }],
  ])('whose metadata %s is not believed', async (_, metadata) => {
    const { issuer, server } = await pairing({ metadata });
    expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(503);
    expect(issuer.requests).not.toContain('/keys');
  });

  it('gives tokens for a name as well as for an address; the metadata then tells the address', async () => {
    const { issuer, server } = await pairing();
    expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(200);
    const metadata = await ask(server, { method: 'GET', path: `${METADATA}/mcp` });
    expect(metadata.json).toMatchObject({ resource: `http://127.0.0.1:${server.port}/mcp` });
  });

  it('cannot be named by a Host that was made up, for that one is refused first', async () => {
    const { server } = await pairing();
    for (const host of [
      'evil.example.com',
      '127.0.0.1", error="x',
      'someone@127.0.0.1',
      '127.0.0.1/x',
      '127.0.0.1?x',
    ]) {
      const reply = await bare(server, `GET ${METADATA} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
      expect(reply, host).toMatch(/^HTTP\/1\.1 (400|403) /);
      expect(reply, host).not.toContain('"resource"');
    }
  });
});

async function signedByAnother(url: string, header: Record<string, unknown>): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256');
  return new SignJWT(claimsOf(url)).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', ...header }).sign(privateKey);
}
