import { afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { Proxies } from '../../src/http-client/proxies.ts';
import { startCall } from '../../src/http-client/call.ts';
import { HttpClient } from '../../src/http-client/client.ts';
import { idOf } from '../support/answers.ts';
import { connect, errorOf, type Connection, type Environment } from '../support/client.ts';
import { bearer, knock, serve } from '../support/http.ts';
import { DOMAIN, startHttpProxy, startTls, type HttpProxy } from '../support/http-proxy.ts';
import { startIssuer } from '../support/issuer.ts';
import { kits } from '../support/providers.ts';
import { accepted, account, refusal } from '../support/refusal.ts';
import { startRaw, type StandIn } from '../support/stand-in.ts';

const portOf = (origin: string): number => Number(new URL(origin).port);
/** The address of a proxy with a secret that no output may contain. */
const withPassword = (url: string): string => url.replace('://', '://jo:pa%73s-hush@');
const HUSH = /hush|jo:|am86/;

describe.each(kits)('$title behind a proxy', (kit) => {
  const api = `https://api.${DOMAIN}`;
  let standIn: StandIn;
  let proxy: HttpProxy;
  let server: Connection;
  let settings: Environment;
  let serial = 0;
  const someone = () => kit.minimal(`Noether Rings ${(serial += 1)}`, `emmy.${serial}@noether.example`);

  beforeAll(async () => {
    const account = await kit.start();
    standIn = account.standIn;
    const tls = await startTls(portOf(standIn.origin));
    proxy = await startHttpProxy(tls.port);
    const elsewhere = Object.entries(account.environment).map(([name, value]) => [
      name,
      value.replace(standIn.origin, api),
    ]);
    settings = { ...Object.fromEntries(elsewhere), NODE_EXTRA_CA_CERTS: tls.ca, CUSTOMERS_LOG: 'debug' };
    server = await connect({ ...settings, HTTPS_PROXY: withPassword(proxy.url) });
    return async () => {
      await server.close();
      await Promise.all([proxy, tls, standIn].map((one) => one.close()));
    };
  });
  afterEach(() => {
    proxy.behave('well');
    standIn.reset();
    expect(server.stderr()).not.toMatch(HUSH);
  });

  it('is reached through a tunnel, with what the proxy wants, and a new one for each create', async () => {
    const ids = [];
    for (let creates = 0; creates < 3; creates += 1) ids.push(idOf(await server.call('create_customer', someone())));
    for (const id of ids) expect(idOf(await server.call('get_customer', { customer_id: id }))).toBe(id);
    const authorization = `Basic ${Buffer.from('jo:pass-hush').toString('base64')}`;
    expect(new Set(proxy.asked.map(({ line }) => line))).toEqual(new Set([`CONNECT api.${DOMAIN}:443`]));
    expect(new Set(proxy.asked.map((asked) => asked.authorization))).toEqual(new Set([authorization]));
    expect(proxy.asked.length).toBeGreaterThanOrEqual(3);
    for (const { headers } of standIn.requests) expect(headers).not.toHaveProperty('proxy-authorization');
  });

  it.each(['https_proxy', 'HTTP_PROXY', 'http_proxy'])('is reached through the proxy in %s as well', async (name) => {
    const other = await connect({ ...settings, [name]: proxy.url.replace('http://', '') });
    onTestFinished(() => other.close());
    idOf(await other.call('create_customer', someone()));
    expect(standIn.count('create')).toBe(1);
  });

  it.each([[407], [502], [403], ['reset']] as const)(
    'is not reached when the proxy refuses (%s): nothing was sent, and the setting is named',
    async (manner) => {
      const fresh = await connect({ ...settings, HTTPS_PROXY: withPassword(proxy.url) });
      onTestFinished(() => fresh.close());
      proxy.behave(manner);
      for (const [tool, args] of [['create_customer', someone()] as const, ['search_customer', {}] as const]) {
        const answer = await fresh.call(tool, args);
        expect(errorOf(answer), answer.text).toMatchObject({ kind: 'unavailable' });
        expect(answer.text).toMatch(/through the proxy in HTTPS_PROXY \(.*\)\. Nothing was sent/);
        if (typeof manner === 'number') expect(answer.text).toContain(String(manner));
        expect(answer.text + fresh.stderr()).not.toMatch(HUSH);
      }
      expect(standIn.count('*')).toBe(0);
    },
  );

  it('is not reached when there is no proxy at its address', async () => {
    const nothing = await startRaw('refuse');
    const other = await connect({ ...settings, https_proxy: withPassword(nothing.origin) });
    onTestFinished(async () => {
      await other.close();
      await nothing.close();
    });
    const answer = await other.call('create_customer', someone());
    expect(errorOf(answer), answer.text).toMatchObject({ kind: 'unavailable' });
    expect(answer.text).toContain('https_proxy (connection refused)');
    expect(answer.text).not.toMatch(HUSH);
  });

  it('leaves open whether it ran what was lost in the tunnel', async () => {
    const id = idOf(await server.call('create_customer', someone()));
    standIn.fault({ on: 'update', act: 'reset', times: Infinity });
    const args = { customer_id: id, [kit.change.field]: kit.change.value };
    const answer = await server.call('update_customer', args);
    expect(errorOf(answer), answer.text).toMatchObject({ kind: 'outcome_unknown' });
    standIn.fault({ on: 'create', act: 'reset', times: Infinity });
    const lost = await server.call('create_customer', someone());
    expect(errorOf(lost), lost.text).toMatchObject({ kind: 'outcome_unknown' });
  });

  it('on this machine is reached without one, and so is the sandbox', async () => {
    const dead = { HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9' };
    const account = await kit.start();
    const direct = await connect({ ...account.environment, ...dead });
    const sandbox = await connect({ CUSTOMERS_PROVIDER: kit.name, CUSTOMERS_SANDBOX: 'true', ...dead });
    onTestFinished(async () => {
      await Promise.all([direct.close(), sandbox.close()]);
      await account.standIn.close();
    });
    for (const connection of [direct, sandbox]) idOf(await connection.call('create_customer', someone()));
  });

  it('is reached without one where NO_PROXY it', async () => {
    proxy.asked.length = 0;
    const other = await connect({ ...settings, HTTPS_PROXY: proxy.url, NO_PROXY: `localhost,.${DOMAIN}` });
    onTestFinished(() => other.close());
    const answer = await other.call('search_customer');
    expect(errorOf(answer), answer.text).toMatchObject({ kind: 'unavailable' });
    expect(answer.text).not.toContain('proxy');
    expect(proxy.asked).toEqual([]);
  });
});

describe('a proxy that needs no tunnel', () => {
  /** A client of a plain address behind it, and the stand-in to which it leads. */
  async function plain(manner: Parameters<HttpProxy['behave']>[0] = 'well') {
    const [kit] = kits;
    const { standIn } = await (kit ?? expect.unreachable()).start();
    const proxy = await startHttpProxy(portOf(standIn.origin));
    proxy.behave(manner);
    const proxies: Proxies = {
      http: { setting: 'HTTP_PROXY', url: withPassword(proxy.url) },
      https: undefined,
      exceptions: '',
    };
    const client = new HttpClient({
      title: 'Test',
      baseUrl: `http://api.${DOMAIN}`,
      credentials: 'KEY',
      address: 'URL',
      secrets: [],
      parseError: () => ({}),
      proxies,
    });
    onTestFinished(async () => {
      await client.close();
      await Promise.all([proxy.close(), standIn.close()]);
    });
    return { client, proxy, standIn };
  }
  const read = { effect: 'read', method: 'GET', path: '/customers' } as const;
  const create = { effect: 'create', method: 'POST', path: '/customers', json: {} } as const;
  const call = () => startCall(new AbortController().signal, 3_000);

  it('gets requests in absolute form, each create on a connection of its own', async () => {
    const { client, proxy, standIn } = await plain();
    for (const request of [create, create, create]) await client.send(request, call()).catch(() => {});
    expect(proxy.asked.map(({ line }) => line)).toEqual(Array(3).fill(`POST http://api.${DOMAIN}/customers`));
    expect(new Set(proxy.asked.map(({ connection }) => connection)).size).toBe(3);
    expect(standIn.count('*')).toBe(3);
  });

  it('that wants other credentials has passed nothing on', async () => {
    const { client, standIn } = await plain(407);
    for (const request of [read, create])
      await expect(client.send(request, call())).rejects.toMatchObject({
        kind: 'unavailable',
        message: expect.stringMatching(/HTTP_PROXY \(it answered 407\)\. Nothing was sent/),
      });
    expect(standIn.count('*')).toBe(0);
  });

  it.each(['reset', 502] as const)('may have passed on what ends so: %s', async (manner) => {
    const { client } = await plain(manner);
    await expect(client.send(create, call())).rejects.toMatchObject({ kind: 'outcome_unknown' });
    await expect(client.send(read, call())).rejects.toMatchObject({ kind: 'unavailable' });
  });
});

describe('an issuer behind a proxy', () => {
  it('is asked for its keys through it', async () => {
    const url = `https://issuer.${DOMAIN}`;
    const issuer = await startIssuer({ metadata: { issuer: url, jwks_uri: `${url}/keys` } });
    const tls = await startTls(portOf(issuer.url));
    const proxy = await startHttpProxy(tls.port);
    const server = await serve({
      CUSTOMERS_OAUTH_ISSUER: url,
      CUSTOMERS_OAUTH_AUDIENCE: 'customers',
      HTTPS_PROXY: withPassword(proxy.url),
      NODE_EXTRA_CA_CERTS: tls.ca,
    });
    onTestFinished(async () => {
      server.kill();
      await Promise.all([issuer, tls, proxy].map((one) => one.close()));
    });
    const token = bearer(await issuer.sign({ aud: 'customers', iss: url }));
    proxy.behave(407);
    const refused = await knock(server, token);
    expect(refused).toMatchObject({ status: 503 });
    expect(JSON.stringify(refused)).toContain('HTTPS_PROXY fails (it answered 407)');
    expect(JSON.stringify(refused) + server.stderr()).not.toMatch(HUSH);
    proxy.behave('well');
    expect((await knock(server, token)).status).toBe(200);
    expect(new Set(proxy.asked.map(({ line }) => line))).toEqual(new Set([`CONNECT issuer.${DOMAIN}:443`]));
  });
});

describe('the setting of a proxy', () => {
  it.each(['socks5://proxy.example:1080', 'ftp://proxy.example', 'http://', 'http://jo:%ZZhush@proxy.example', 'a b'])(
    'is refused, and not shown, when it is %j',
    async (value) => {
      const problems = await refusal({ ...account('dayzero'), HTTPS_PROXY: value });
      expect(problems).toEqual([expect.stringMatching(/HTTPS_PROXY must be the http or https address of a proxy/)]);
      expect(problems.join('')).not.toContain('hush');
    },
  );

  it.each(['http://proxy.example:3128', 'proxy.example:3128', 'https://jo:pass@proxy.example', ''])(
    'is accepted when it is %j',
    async (value) => {
      await accepted({ ...account('notify'), HTTPS_PROXY: value, no_proxy: '*' });
    },
  );

  it('matters to no sandbox', async () => {
    await accepted({ CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: 'memory:', HTTPS_PROXY: 'socks5://proxy.example' });
  });
});
