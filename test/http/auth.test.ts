import { createHmac } from 'node:crypto';
import { SignJWT, generateKeyPair } from 'jose';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Environment } from '../support/client.ts';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import {
  ask,
  bearer,
  challengeIn,
  knock,
  post,
  serve,
  structuredIn,
  TOKEN,
  toolCall,
  toolsIn,
  type Asked,
  type HttpServer,
} from '../support/http.ts';
import { AUDIENCE, claimsOf, forge, startIssuer, type Issuer } from '../support/issuer.ts';
import { parsed } from '../support/process.ts';
import type { StandIn } from '../support/stand-in.ts';

const READING = ['get_customer', 'search_customer'];
const METADATA = '/.well-known/oauth-protected-resource';

describe('a caller with the server token', () => {
  let server: HttpServer;
  let standIn: StandIn;
  beforeAll(async () => {
    const dayzero = await startDayZero();
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
  ])('is accepted: %s', async (_, authorization) => {
    expect((await knock(server, { authorization })).status).toBe(200);
  });

  it('may use either of two tokens while one replaces the other', async () => {
    const next = `${TOKEN}-next`;
    const own = await serve({ CUSTOMERS_HTTP_TOKEN: `${next},${TOKEN}` });
    for (const token of [next, TOKEN])
      expect((await knock(own, { authorization: `Bearer ${token}` })).status).toBe(200);
    for (const token of [`${next}${TOKEN}`, `${TOKEN}-other`])
      expect((await knock(own, { authorization: `Bearer ${token}` })).status).toBe(401);
    own.kill();
    await expect(serve({ CUSTOMERS_HTTP_TOKEN: `${next},short` })).rejects.toThrow(/commas separate several tokens/);
  });

  it.each<[string, Asked['headers'], string | undefined]>([
    ['no token', {}, undefined],
    ['an empty header', { authorization: '' }, undefined],
    ['the word alone', { authorization: 'Bearer ' }, undefined],
    ['the token alone', { authorization: TOKEN }, undefined],
    ['the token as a password', { authorization: `Basic ${btoa(`token:${TOKEN}`)}` }, undefined],
    ['the token in another header', { 'x-api-key': TOKEN, cookie: `token=${TOKEN}` }, undefined],
    ['text after the token', { authorization: `Bearer ${TOKEN} and more` }, undefined],
    ['two headers, the second of them right', { authorization: ['Bearer nonsense', `Bearer ${TOKEN}`] }, undefined],
    ['another token', { authorization: `Bearer ${TOKEN.replace('hush', 'push')}` }, 'invalid_token'],
    ['a prefix of the token', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }, 'invalid_token'],
    ['the token with a suffix', { authorization: `Bearer ${TOKEN}0` }, 'invalid_token'],
    ['the token in capitals', { authorization: `Bearer ${TOKEN.toUpperCase()}` }, 'invalid_token'],
    ['a session id', { 'mcp-session-id': TOKEN }, undefined],
  ])('is distinguished from one with %s', async (_, headers, error) => {
    const reply = await knock(server, headers);
    expect(reply).toMatchObject({ status: 401, json: { jsonrpc: '2.0', error: { code: -32000 } } });
    expect(reply.headers['www-authenticate']).toMatch(/^Bearer realm="customers-mcp"/);
    expect(challengeIn(reply)['error']).toBe(error);
    expect(reply.text + String(reply.headers['www-authenticate'])).not.toContain('hush');
  });

  it('is not accepted with a token in the URL', async () => {
    for (const query of [`access_token=${TOKEN}`, `token=${TOKEN}`])
      expect.soft((await knock(server, {}, `/mcp?${query}`)).status).toBe(401);
  });

  it('is refused before the body is read', async () => {
    expect((await ask(server, { body: 'no JSON at all' })).status).toBe(401);
  });

  it("is hidden from the provider, which receives only the server's own credentials", async () => {
    const headers = { ...bearer(TOKEN), 'x-forwarded-for': 'mark-forwarded', cookie: 'mark=cookie', baggage: 'mark=1' };
    const customer = { external_id: 'kept-1', name: 'Acme', email: 'kept@example.com' };
    const reply = await ask(server, { body: toolCall('create_customer', customer), headers });
    expect(structuredIn(reply)).toMatchObject({ outcome: 'created' });
    expect(standIn.count('create')).toBeGreaterThan(0);
    const sent = standIn.requests.map((one) => JSON.stringify([one.headers, one.path, [...one.query], one.rawBody]));
    for (const text of sent) expect.soft(text).not.toMatch(/hush|mark/);
  });

  it('appears in the log as a digest or a word, without the token and without customer data', async () => {
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

  it.each([
    METADATA,
    `${METADATA}/mcp`,
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
  ])('finds no OAuth metadata at %s, and learns what the server accepts', async (path) => {
    const reply = await ask(server, { method: 'GET', path });
    expect(reply).toMatchObject({ status: 404, json: { jsonrpc: '2.0', error: { code: -32000 } } });
    expect(reply.text).toMatch(/not use OAuth.*Authorization: Bearer <token>/);
  });

  it.each(['/authorize', '/token', '/register'])('learns the same at %s, where it asks next', async (path) => {
    const reply = await ask(server, { path, body: {} });
    expect(reply).toMatchObject({ status: 404, json: { jsonrpc: '2.0', error: { code: -32000 } } });
    expect(reply.text).toMatch(/not use OAuth.*Authorization: Bearer <token>/);
  });

  it('learns how to send a token if it sends none', async () => {
    const { json } = await knock(server);
    expect(json).toMatchObject({ error: { message: 'Missing bearer token. Send Authorization: Bearer <token>.' } });
  });
});

describe('a caller with a token of the issuer', () => {
  let issuer: Issuer;
  let server: HttpServer;
  let standIn: StandIn;
  let environment: Environment;
  beforeAll(async () => {
    issuer = await startIssuer();
    const dayzero = await startDayZero();
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
    ['that is valid', {}, {}],
    ['of the type JWT', {}, { typ: 'JWT' }],
    ['without a type', {}, { typ: undefined }],
    ['for several audiences, ours among them', { aud: ['https://other.example.com', AUDIENCE] }, {}],
    ['that expired within the clock skew', { exp: Math.floor(Date.now() / 1_000) - 5 }, {}],
    ['that becomes valid within the clock skew', { nbf: Math.floor(Date.now() / 1_000) + 20 }, {}],
    ['with a list of scopes', { scope: undefined, scp: ['customers:read', 'customers:write'] }, {}],
    ['with scopes in a string under another name', { scope: undefined, scp: 'customers:read customers:write' }, {}],
    ['with other scopes beside ours', { scope: 'openid customers:read customers:write email' }, {}],
    ['without a key id', {}, { kid: undefined }],
  ])('is accepted with one %s', async (_, claims, header) => {
    const reply = await knock(server, bearer(await issuer.sign(claims, header)));
    expect(reply.status, reply.text).toBe(200);
    expect(toolsIn(reply)).toContain('create_customer');
  });

  const soon = (): number => Math.floor(Date.now() / 1_000);
  it.each<[string, (issuer: Issuer) => Promise<string> | string]>([
    ['that expired', ({ sign }) => sign({ exp: soon() - 60 })],
    ['that never expires', ({ sign }) => sign({ exp: undefined })],
    ['whose expiry is a text', ({ sign }) => sign({ exp: 'tomorrow' })],
    ['that is not valid yet', ({ sign }) => sign({ nbf: soon() + 120 })],
    ['for another audience', ({ sign }) => sign({ aud: 'https://other.example.com/mcp' })],
    ['for an audience with ours as a prefix', ({ sign }) => sign({ aud: `${AUDIENCE}/layer` })],
    ['for no audience', ({ sign }) => sign({ aud: undefined })],
    ['of another issuer', ({ sign }) => sign({ iss: 'https://issuer.example.com' })],
    ['of an issuer with ours as a prefix', ({ sign, url }) => sign({ iss: `${url}.example.com` })],
    ['of no issuer', ({ sign }) => sign({ iss: undefined })],
    ['of a type for another purpose', ({ sign }) => sign({}, { typ: 'logout+jwt' })],
    ['that is bound to a proof', ({ sign }) => sign({}, { typ: 'dpop+jwt' })],
    ['with an unknown critical extension', ({ sign }) => sign({}, { crit: ['x'], x: 1 })],
    ['without a signature', ({ url }) => forge({ alg: 'none' }, claimsOf(url), () => '')],
    [
      'without a signature, in another case',
      ({ url }) => forge({ alg: 'nOnE', kid: 'key-1' }, claimsOf(url), () => ''),
    ],
    [
      'whose signature is missing',
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
      'signed with the public key as it appears in the key set',
      ({ url, key }) =>
        forge({ alg: 'HS256', kid: 'key-1' }, claimsOf(url), (text) =>
          createHmac('sha256', JSON.stringify(key.jwk)).update(text).digest('base64url'),
        ),
    ],
    ['signed by another key under the id of ours', ({ url }) => signedByAnother(url, { kid: 'key-1' })],
    ['that contains its own key', ({ url, key }) => signedByAnother(url, { kid: 'key-1', jwk: key.jwk })],
    [
      'that contains a link to its key',
      ({ url }) => signedByAnother(url, { kid: 'key-1', jku: `${url}/other`, x5u: `${url}/other` }),
    ],
    ['that is not a JWT', () => 'nonsense'],
    ['of five parts', () => 'a.b.c.d.e'],
    ['of empty parts', () => '..'],
  ])('is distinguished from one with a token %s', async (_, make) => {
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
    'is distinguished from one that invents the key id %j',
    async (kid) => {
      expect((await knock(server, bearer(await issuer.sign({}, { kid })))).status).toBe(401);
    },
  );

  it('learns where to get a token, and the required scopes', async () => {
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

  it.each(['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'])(
    'finds the metadata at the address of the audience, behind a proxy that sends %s',
    async (header) => {
      const reply = await knock(server, { [header]: 'a-proxy.example.com' });
      const { origin } = new URL(AUDIENCE);
      expect(challengeIn(reply)).toMatchObject({ resource_metadata: `${origin}${METADATA}/mcp` });
    },
  );

  it('that sends two tokens is not accepted with either', async () => {
    const token = await issuer.sign();
    for (const pair of [
      [`Bearer ${token}`, 'Bearer x'],
      ['Bearer x', `Bearer ${token}`],
    ])
      expect.soft((await knock(server, { authorization: pair })).status).toBe(401);
  });

  it('that may only read sees and calls only the reading tools', async () => {
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
  ])('is not accepted with the scope %j', async (scope) => {
    const reply = await knock(server, bearer(await issuer.sign({ scope })));
    // The standard defines no list under this name; each entry counts as one scope.
    expect(reply.status, reply.text).toBe(403);
    expect(challengeIn(reply)).toMatchObject({ error: 'insufficient_scope' });
  });

  it('is identified in the log by a digest that is stable and unique', async () => {
    const tokens = await Promise.all([issuer.sign(), issuer.sign(), issuer.sign({ sub: 'other@example.com' })]);
    for (const token of tokens) await ask(server, { body: toolCall('search_customer'), headers: bearer(token) });
    const callers = [...server.stderr().matchAll(/"caller":"([^"]*)"/g)].map(([, caller]) => caller).slice(-3);
    expect(callers[0]).toMatch(/^[0-9a-f]{12}$/);
    expect(callers[1]).toBe(callers[0]);
    expect(callers[2]).not.toBe(callers[0]);
    expect(server.stderr()).not.toMatch(/example\.com|eyJ|a-client/);
  });

  it('is not identified as another whose names are the same words', async () => {
    for (const claims of [
      { sub: 'emmy noether', client_id: 'agent' },
      { sub: 'emmy', client_id: 'noether agent' },
    ])
      await ask(server, { body: toolCall('search_customer'), headers: bearer(await issuer.sign(claims)) });
    const callers = [...server.stderr().matchAll(/"caller":"([^"]*)"/g)].map(([, caller]) => caller).slice(-2);
    expect(new Set(callers).size).toBe(2);
  });

  it('is accepted with a new key of the issuer at once, and no longer with an old key that the issuer has removed', async () => {
    const old = await issuer.sign();
    expect((await knock(server, bearer(old))).status).toBe(200);
    await issuer.rotate();
    const fresh = await Promise.all(Array.from({ length: 5 }, () => issuer.sign()));
    const replies = await Promise.all(fresh.map((token) => knock(server, bearer(token))));
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect((await knock(server, bearer(old))).status).toBe(401);
  });

  it("cannot make the server fetch the issuer's keys without a limit", async () => {
    const before = issuer.requests.length;
    const token = await issuer.sign({}, { kid: 'invented' });
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: 40 }, () => knock(server, bearer(token))));
    const seconds = (performance.now() - startedAt) / 1_000;
    expect(issuer.requests.length - before).toBeLessThanOrEqual(2 + seconds);
  });

  it('has a token that never reaches the provider', async () => {
    const token = await issuer.sign();
    await ask(server, { body: toolCall('search_customer'), headers: bearer(token) });
    const sent = JSON.stringify(standIn.requests.map((one) => [one.headers, one.path, one.rawBody]));
    expect(standIn.requests.length).toBeGreaterThan(0);
    expect(sent).not.toMatch(/eyJ/);
  });

  it('is verified with cached keys while the issuer is down', async () => {
    const token = await issuer.sign();
    expect((await knock(server, bearer(token))).status).toBe(200);
    issuer.behave('down');
    onTestFinished(() => issuer.behave('well'));
    expect((await knock(server, bearer(token))).status).toBe(200);
  });
});

async function signedByAnother(url: string, header: Record<string, unknown>): Promise<string> {
  const { privateKey } = await generateKeyPair('RS256');
  return new SignJWT(claimsOf(url)).setProtectedHeader({ alg: 'RS256', typ: 'at+jwt', ...header }).sign(privateKey);
}
