import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  ask,
  bare,
  bearer,
  challengeIn,
  dial,
  message,
  post,
  toolCall,
  toolsIn,
  written,
  type Reply,
} from '../support/http.ts';
import { AUDIENCE, startIssuer, type Issuer } from '../support/issuer.ts';
import { at, entries, serveTenants, tokenEntry, tokenOf, type TenantServer } from '../support/tenants.ts';

const SIMULATED = { CUSTOMERS_PROVIDER: 'layer', CUSTOMERS_SANDBOX: true };
const LIST = message('tools/list');

/** The addresses on which a process listens: its own, and one of each connected tenant of the simulation. */
function listeningIn(pid: number): number {
  const LISTEN = '0A';
  const table = readFileSync(`/proc/${pid}/net/tcp`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/));
  const inodes = table.flatMap(([, , , state, , , , , , inode = '']) => (state === LISTEN ? [inode] : []));
  const links = readdirSync(`/proc/${pid}/fd`).map((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      // Closed meanwhile.
      return '';
    }
  });
  return inodes.filter((inode) => links.includes(`socket:[${inode}]`)).length;
}

/** What a caller can tell two answers apart by. */
function seen({ status, text, headers }: Reply): unknown {
  const { date: _, ...others } = headers;
  return { status, text, headers: others };
}

describe('the address of a tenant', () => {
  let server: TenantServer;
  beforeAll(async () => {
    server = await serveTenants(
      entries({
        acme: { title: 'Acme LLC', ...SIMULATED },
        globex: {
          ...SIMULATED,
          tokens: [tokenEntry(tokenOf('globex')), tokenEntry(tokenOf('reader'), ['customers:read'])],
        },
        'a.b-c_d': SIMULATED,
      }),
    );
  });
  afterAll(() => server.end());

  it('is served to its own tokens', async () => {
    for (const tenant of ['acme', 'globex', 'a.b-c_d']) expect((await at(server, tenant, LIST)).status).toBe(200);
  });

  it('is the same 404 for the token of another tenant as for a tenant that does not exist', async () => {
    const foreign = await at(server, 'globex', LIST, tokenOf('acme'));
    const missing = await at(server, 'nobody', LIST, tokenOf('acme'));
    expect(foreign.status).toBe(404);
    expect(seen(foreign)).toEqual(seen(missing));
    expect(foreign.text).not.toMatch(/globex|acme/i);
  });

  it.each([
    'Acme',
    'ACME',
    'acme.',
    'acme%20',
    'acme%00',
    'acme%2f',
    'constructor',
    '__proto__',
    '.',
    'acme;x',
    'acme,globex',
    '*',
  ])('is exact: /mcp/%s leads nowhere', async (name) => {
    const reply = await post(server, LIST, { path: `/mcp/${name}`, headers: bearer(tokenOf('acme')) });
    expect(reply.status).toBe(404);
  });

  it('cannot be left by dots', async () => {
    const body = JSON.stringify(LIST);
    for (const path of [
      '/mcp/acme/../globex',
      '/mcp/globex/../globex',
      '/mcp/acme/%2e%2e/globex',
      '/mcp/acme/..;/globex',
    ]) {
      const answer = await bare(
        server,
        [
          `POST ${path} HTTP/1.1`,
          `Host: 127.0.0.1:${server.port}`,
          `Authorization: Bearer ${tokenOf('acme')}`,
          'Content-Type: application/json',
          'Connection: close',
          `Content-Length: ${body.length}`,
          '',
          body,
        ].join('\r\n'),
      );
      expect(answer, path).toMatch(/^HTTP\/1\.1 404 /);
    }
  });

  it('is refused without a token, or with one of nobody, in the same way whether it exists or not', async () => {
    for (const headers of [{ authorization: undefined }, bearer('x'.repeat(40))]) {
      const [there, nowhere] = await Promise.all(
        ['acme', 'nobody'].map((tenant) => ask(server, { path: `/mcp/${tenant}`, body: LIST, headers })),
      );
      expect(there?.status).toBe(401);
      expect(there && seen(there)).toEqual(nowhere && seen(nowhere));
    }
    for (const method of ['GET', 'DELETE'])
      for (const tenant of ['acme', 'nobody'])
        expect((await ask(server, { method, path: `/mcp/${tenant}` })).status).toBe(405);
  });

  it('is not /mcp while there are several, and the page in a browser names none', async () => {
    expect((await post(server, LIST, { headers: bearer(tokenOf('acme')) })).status).toBe(404);
    const page = await ask(server, { method: 'GET', path: '/' });
    expect(page.status).toBe(200);
    expect(page.text).not.toMatch(/acme|globex/i);
  });

  it('offers to a token with the scope to read only what reads', async () => {
    expect(toolsIn(await at(server, 'globex', LIST, tokenOf('reader')))).toEqual(['search_customer', 'get_customer']);
    const create = toolCall('create_customer', { company_name: 'Acme' });
    expect((await at(server, 'globex', create, tokenOf('reader'))).status).toBe(403);
  });
});

it('a single tenant is also served at /mcp', async () => {
  const server = await serveTenants(entries({ acme: SIMULATED }));
  onTestFinished(() => server.end());
  expect((await post(server, LIST, { headers: bearer(tokenOf('acme')) })).status).toBe(200);
  expect((await at(server, 'acme', LIST)).status).toBe(200);
});

describe('a caller with a JWT', () => {
  let issuer: Issuer;
  let server: TenantServer;
  beforeAll(async () => {
    issuer = await startIssuer();
    server = await serveTenants(
      { acme: SIMULATED, globex: { ...SIMULATED, tokens: [tokenEntry(tokenOf('globex'))] }, '7': SIMULATED },
      { CUSTOMERS_OAUTH_ISSUER: issuer.url, CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE },
    );
  });
  afterAll(async () => {
    await server.end();
    await issuer.close();
  });

  it.each<[string, Record<string, unknown>, readonly string[]]>([
    ['a text', { tenant: 'acme' }, ['acme']],
    ['a list', { tenant: ['globex', 'acme'] }, ['acme', 'globex']],
    ['a list with other things in it', { tenant: ['acme', 7, null, ['globex'], { globex: true }] }, ['acme']],
    ['no claim', {}, []],
    ['a number', { tenant: 7 }, []],
    ['a nested list', { tenant: [['acme']] }, []],
    ['an object', { tenant: { acme: true } }, []],
    ['a text with several names', { tenant: 'acme globex' }, []],
    ['a pattern', { tenant: '*' }, []],
    ['another case', { tenant: 'ACME' }, []],
    ['another claim', { tenants: ['acme'], org: 'acme' }, []],
    ['a claim that is called __proto__', JSON.parse('{"__proto__": {"tenant": "acme"}}'), []],
  ])('reaches the tenants that its claim names, as %s', async (_, claims, reached) => {
    const token = await issuer.sign(claims);
    for (const tenant of ['acme', 'globex', '7'])
      expect((await at(server, tenant, LIST, token)).status, tenant).toBe(reached.includes(tenant) ? 200 : 404);
  });

  it('may be at a tenant that has tokens as well, and those reach no other', async () => {
    expect((await at(server, 'globex', LIST)).status).toBe(200);
    expect((await at(server, 'acme', LIST, tokenOf('globex'))).status).toBe(404);
  });

  it('learns where to get a token in the same way for every tenant', async () => {
    for (const tenant of ['acme', 'nobody']) {
      const reply = await ask(server, { path: `/mcp/${tenant}`, body: LIST });
      expect(reply.status).toBe(401);
      const { resource_metadata: where = '' } = challengeIn(reply);
      const metadata = await ask(server, { method: 'GET', path: new URL(where).pathname });
      expect(metadata).toMatchObject({ status: 200, json: { authorization_servers: [issuer.url] } });
    }
  });

  it.each(['%0d%0aX-Evil:%201', '%22,x=%22', '%e2%82%ac', '%zz', 'a/'])(
    'learns it in one header also at an address that no tenant can have: /mcp/%s',
    async (name) => {
      const reply = await ask(server, { path: `/mcp/${name}`, body: LIST });
      expect(reply.status).toBe(401);
      expect(reply.headers['x-evil']).toBeUndefined();
      const { resource_metadata: where = '', ...rest } = challengeIn(reply);
      expect(Object.keys(rest)).toEqual(['realm', 'scope']);
      expect(where).toContain(`/mcp/${name.replace('/', '')}`);
      expect(server.stderr()).not.toContain('"bug"');
    },
  );

  it.runIf(process.platform === 'linux')(
    'that disconnects while it is authenticated keeps no tenant connected',
    async () => {
      const own = await serveTenants(
        { acme: SIMULATED, globex: SIMULATED },
        { CUSTOMERS_OAUTH_ISSUER: issuer.url, CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE },
      );
      onTestFinished(() => own.end());
      expect((await at(own, 'globex', LIST, await issuer.sign({ tenant: 'globex' }))).status).toBe(200);
      // The keys have just been fetched, so the server waits a second before it fetches the new one.
      await issuer.rotate();
      const token = await issuer.sign({ tenant: 'acme' });
      const body = JSON.stringify(LIST);
      const socket = dial(own.port);
      socket.write(written({ ...own, token }, ['POST /mcp/acme HTTP/1.1', `Content-Length: ${body.length}`], body));
      await setTimeout(200);
      socket.destroy();
      await expect.poll(() => listeningIn(own.pid), { timeout: 4_000 }).toBe(3);
      own.file.write({ globex: SIMULATED });
      own.kill('SIGHUP');
      await expect.poll(() => listeningIn(own.pid)).toBe(2);
    },
  );

  it('is named by the claim that the operator chose', async () => {
    const own = await serveTenants(
      { acme: SIMULATED },
      {
        CUSTOMERS_OAUTH_ISSUER: issuer.url,
        CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE,
        CUSTOMERS_TENANT_CLAIM: 'https://x.example/org',
      },
    );
    onTestFinished(() => own.end());
    expect((await at(own, 'acme', LIST, await issuer.sign({ 'https://x.example/org': 'acme' }))).status).toBe(200);
    expect((await at(own, 'acme', LIST, await issuer.sign({ tenant: 'acme' }))).status).toBe(404);
  });
});
