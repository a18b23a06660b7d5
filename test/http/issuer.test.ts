import { afterAll, describe, expect, it } from 'vitest';
import { ask, bare, bearer, challengeIn, knock, serve, type HttpServer } from '../support/http.ts';
import { startIssuer, type Issuer } from '../support/issuer.ts';

const MEGABYTE = 1024 * 1024;
const METADATA = '/.well-known/oauth-protected-resource';

describe.concurrent('an issuer', { timeout: 15_000 }, () => {
  const aud = 'customers';
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
    audience = aud,
  ): Promise<{ issuer: Issuer; server: HttpServer }> {
    const issuer = await startIssuer(options);
    const server = await serve({
      CUSTOMERS_OAUTH_ISSUER: configured(issuer),
      CUSTOMERS_OAUTH_AUDIENCE: audience,
    });
    started.push({ issuer, server });
    return { issuer, server };
  }

  it.each(['down', 'html'] as const)(
    'that does not respond (%s) makes callers retry, and is asked again later',
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

  it('that never responds makes callers wait no longer than the timeout', async () => {
    const { issuer, server } = await pairing();
    issuer.behave('silent');
    expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(503);
  });

  it('is not asked before the first token, and not for a caller without one', async () => {
    const { issuer, server } = await pairing();
    await knock(server);
    expect(issuer.requests).toEqual([]);
    await knock(server, bearer(await issuer.sign({ aud })));
    await knock(server, bearer(await issuer.sign({ aud })));
    expect(issuer.requests).toEqual(['/.well-known/oauth-authorization-server', '/keys']);
  });

  it('can have a path, a trailing slash, and the metadata of OpenID Connect', async () => {
    const { issuer, server } = await pairing(
      { path: '/realms/one', discovery: 'openid-configuration' },
      ({ url }) => `${url}/`,
    );
    for (const iss of [issuer.url, `${issuer.url}/`])
      expect((await knock(server, bearer(await issuer.sign({ aud, iss })))).status).toBe(200);
    expect((await knock(server, bearer(await issuer.sign({ aud, iss: new URL(issuer.url).origin })))).status).toBe(401);
  });

  it.each<[string, Record<string, unknown>]>([
    ['names another issuer', { issuer: 'https://other.example.com' }],
    ['has its keys at an unencrypted address', { jwks_uri: 'http://192.0.2.7/keys' }],
    ['has its keys in a file', { jwks_uri: 'file:///etc/passwd' }],
    ['has no key set', { jwks_uri: undefined }],
  ])('whose metadata %s is not trusted', async (_, metadata) => {
    const { issuer, server } = await pairing({ metadata });
    expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(503);
    expect(issuer.requests).not.toContain('/keys');
  });

  it.each([aud, 'api://customers'])(
    "can issue tokens for a name (%s); the server's metadata then contains its address",
    async (name) => {
      const { issuer, server } = await pairing({}, ({ url }) => url, name);
      expect((await knock(server, bearer(await issuer.sign({ aud: name })))).status).toBe(200);
      const metadata = await ask(server, { method: 'GET', path: `${METADATA}/mcp` });
      expect(metadata.json).toMatchObject({ resource: `http://127.0.0.1:${server.port}/mcp` });
    },
  );

  it.each(['endless', MEGABYTE + 1] as const)(
    'that sends metadata of more than a megabyte (%s) counts as unavailable, and its answer is not read completely',
    async (manner) => {
      const { issuer, server } = await pairing();
      issuer.behave(manner);
      expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(503);
      expect(issuer.sent).toBeLessThan(32 * MEGABYTE);
      issuer.behave('well');
      expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(200);
    },
  );

  it.each(['endless', MEGABYTE + 1] as const)(
    'that sends keys of more than a megabyte (%s) counts as unavailable, and its answer is not read completely',
    async (manner) => {
      const { issuer, server } = await pairing();
      issuer.behave(manner, '/keys');
      expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(503);
      expect(issuer.sent).toBeLessThan(32 * MEGABYTE);
      issuer.behave('well');
      expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(200);
    },
  );

  it('can send a megabyte of each', async () => {
    const { issuer, server } = await pairing();
    issuer.behave(MEGABYTE);
    expect((await knock(server, bearer(await issuer.sign({ aud })))).status).toBe(200);
  });

  it('whose key is too weak has its tokens refused', async () => {
    const { issuer, server } = await pairing({ keyBits: 1_024 });
    const reply = await knock(server, bearer(await issuer.sign({ aud })));
    expect(reply.status, reply.text).toBe(401);
    expect(challengeIn(reply)).toMatchObject({ error: 'invalid_token' });
  });

  it('cannot be chosen with a forged Host, which is refused first', async () => {
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
