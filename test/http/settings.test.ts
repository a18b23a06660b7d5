import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { readHttpConfig } from '../../src/http/config.ts';
import { Settings } from '../../src/settings.ts';
import type { Environment } from '../support/client.ts';
import { ask, bearer, message, post, serve, TOKEN, toolsIn } from '../support/http.ts';
import { command, parsed, SANDBOX } from '../support/process.ts';
import { listen, shut } from '../support/stand-in-loopback.ts';

const ISSUER = 'https://issuer.example.com';
const AUDIENCE = 'https://customers.example.com/mcp';

/** The message with which the server refuses to start, as one line per problem. */
async function refusal(environment: Environment, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await command(['http', '--port', '0', ...args], { ...SANDBOX, ...environment });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).not.toContain('hush');
  expect(stderr).not.toMatch(/^\s+at /m);
  return stderr.split('\n').filter((line) => line.startsWith('  - '));
}

describe.concurrent('customers-mcp http', () => {
  it('prints its address as soon as it accepts connections', async () => {
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN });
    expect(server.stdout()).toBe(`customers-mcp: serving MCP at http://127.0.0.1:${server.port}/mcp\n`);
    expect((await post(server, message('tools/list'))).status).toBe(200);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
  });

  it('announces the sandbox on stderr, and logs nothing else at the default level', async () => {
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN });
    await post(server, message('tools/list'));
    await ask(server, { body: message('tools/list') });
    await server.stop();
    expect(server.stderr()).toMatch(/^customers-mcp: SANDBOX\. Layer is simulated.*\n$/);
  });

  it('generates a token if none is set, and prints a working client configuration', async () => {
    const [server, other] = await Promise.all([serve(), serve()]);
    expect(server.token).toMatch(/^[\w-]{43}$/);
    expect(other.token).not.toBe(server.token);
    const entry = parsed(server.stdout().slice(server.stdout().indexOf('{')));
    const customers = { type: 'http', url: server.urls[0], headers: { Authorization: `Bearer ${server.token}` } };
    expect(entry).toEqual({ mcpServers: { customers } });
    expect((await post(server, message('ping'))).status).toBe(200);
    expect((await ask(server, { body: message('ping'), headers: bearer(other.token) })).status).toBe(401);
    for (const one of [server, other]) one.kill();
    expect(server.stderr()).not.toContain(server.token);
  });

  it.each(['localhost', '::1', '127.8.9.10'])('generates one on %s, which is loopback', async (host) => {
    const server = await serve({}, ['--host', host]);
    expect(server.urls).toEqual([`http://${host.includes(':') ? `[${host}]` : host}:${server.port}/mcp`]);
    const reply = await ask(server, { path: '/healthz', method: 'GET', to: host });
    expect(reply.status).toBe(200);
    server.kill();
  });

  it('refuses other addresses while no token is set', async () => {
    const problems = await refusal({}, '--host', '0.0.0.0');
    expect(problems).toEqual([expect.stringContaining('CUSTOMERS_HTTP_TOKEN')]);
  });

  it.each(['0.0.0.0', '::', 'customers.example.com', '192.0.2.7', '0', '127.0.0.1.example.com'])(
    'treats %s as reachable from other machines',
    (host) => {
      const [problem, ...others] = problemsWith({}, host);
      expect(problem).toContain(host);
      for (const name of ['CUSTOMERS_HTTP_TOKEN', 'CUSTOMERS_OAUTH_ISSUER', 'CUSTOMERS_OAUTH_AUDIENCE'])
        expect.soft(problem).toContain(name);
      expect(others).toEqual([]);
    },
  );

  it('serves other machines if a token is required, at the address that they use', async () => {
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN, CUSTOMERS_ALLOWED_HOSTS: 'mcp.example.com' }, [
      '--host',
      '0.0.0.0',
    ]);
    const here = Object.values(networkInterfaces())
      .flatMap((all) => all ?? [])
      .find(({ internal, family }) => !internal && family === 'IPv4')?.address;
    const to = here ?? '127.0.0.1';
    const host = { host: 'mcp.example.com' };
    expect((await post(server, message('ping'), { to, headers: host })).status).toBe(200);
    expect((await ask(server, { body: message('ping'), to, headers: host })).status).toBe(401);
    server.kill();
    expect(server.stdout()).not.toContain(TOKEN);
  });

  it("serves only the tools that CUSTOMERS_READ_ONLY permits, whatever the caller's scope", async () => {
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: TOKEN, CUSTOMERS_READ_ONLY: 'true' });
    expect(toolsIn(await post(server, message('tools/list'))).toSorted()).toEqual(['get_customer', 'search_customer']);
    const reply = await post(server, message('tools/call', { name: 'create_customer', arguments: {} }));
    expect(reply).toMatchObject({ status: 200, json: { error: { code: -32602 } } });
    server.kill();
  });
});

/** The problems of the HTTP settings alone. */
function problemsWith(environment: Environment, host = '127.0.0.1'): readonly string[] {
  const settings = new Settings(environment);
  readHttpConfig(settings, host, 0);
  return settings.problems;
}

describe.concurrent('invalid HTTP settings', () => {
  it.each<[string, Environment, readonly RegExp[]]>([
    [
      'a short token',
      { CUSTOMERS_HTTP_TOKEN: 'hush-0123456789-0123456789-0123' },
      [/HTTP_TOKEN must have at least 32/],
    ],
    ['no token between commas', { CUSTOMERS_HTTP_TOKEN: ',,' }, [/HTTP_TOKEN must have at least 32/]],
    ['a token with spaces', { CUSTOMERS_HTTP_TOKEN: `hush ${'0'.repeat(40)}` }, [/HTTP_TOKEN contains characters/]],
    [
      'a token that is not ASCII',
      { CUSTOMERS_HTTP_TOKEN: `hush${'é'.repeat(40)}` },
      [/HTTP_TOKEN contains characters/],
    ],
    ['an issuer without its audience', { CUSTOMERS_OAUTH_ISSUER: ISSUER }, [/OAUTH_AUDIENCE is not set.*OAUTH_ISSUER/]],
    [
      'an audience without its issuer',
      { CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE },
      [/OAUTH_ISSUER is not set.*OAUTH_AUDIENCE/],
    ],
    [
      'both ways to authenticate',
      { CUSTOMERS_HTTP_TOKEN: TOKEN, CUSTOMERS_OAUTH_ISSUER: ISSUER, CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE },
      [/CUSTOMERS_HTTP_TOKEN and CUSTOMERS_OAUTH_ISSUER are mutually exclusive/],
    ],
    [
      'an issuer without TLS',
      { CUSTOMERS_OAUTH_ISSUER: 'http://issuer.example.com', CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE },
      [/CUSTOMERS_OAUTH_ISSUER must be an https address/],
    ],
    [
      'an issuer with a password in it',
      { CUSTOMERS_OAUTH_ISSUER: 'https://someone:hush@issuer.example.com', CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE },
      [/CUSTOMERS_OAUTH_ISSUER must be an https address/],
    ],
    ['a host that is a URL', { CUSTOMERS_ALLOWED_HOSTS: 'https://mcp.example.com' }, [/CUSTOMERS_ALLOWED_HOSTS must/]],
    ['any host', { CUSTOMERS_ALLOWED_HOSTS: '*' }, [/CUSTOMERS_ALLOWED_HOSTS must/]],
    [
      'a wildcard for hosts',
      { CUSTOMERS_ALLOWED_HOSTS: 'a.example.com, *.example.com' },
      [/CUSTOMERS_ALLOWED_HOSTS must/],
    ],
    ['an origin without a scheme', { CUSTOMERS_ALLOWED_ORIGINS: 'chat.example.com' }, [/ALLOWED_ORIGINS must/]],
    ['an origin with a path', { CUSTOMERS_ALLOWED_ORIGINS: 'https://chat.example.com/' }, [/ALLOWED_ORIGINS must/]],
    ['any origin', { CUSTOMERS_ALLOWED_ORIGINS: '*' }, [/ALLOWED_ORIGINS must/]],
    ['the null origin', { CUSTOMERS_ALLOWED_ORIGINS: 'null' }, [/ALLOWED_ORIGINS must/]],
    ['no rate', { CUSTOMERS_HTTP_RATE: '0' }, [/CUSTOMERS_HTTP_RATE must be a whole number from 1/]],
    ['a rate in words', { CUSTOMERS_HTTP_RATE: 'fast' }, [/CUSTOMERS_HTTP_RATE must be a whole number/]],
  ])('are refused by name: %s', (_, environment, expected) => {
    const problems = problemsWith(environment);
    expect(problems).toEqual(expected.map((pattern) => expect.stringMatching(pattern)));
    expect(problems.join('\n')).not.toContain('hush');
  });

  it('prevent the start, and several are reported in one message', async () => {
    const faults = { CUSTOMERS_ALLOWED_HOSTS: '*', CUSTOMERS_HTTP_RATE: '-1', CUSTOMERS_LOG: 'loud' };
    const problems = await refusal({ ...faults, CUSTOMERS_HTTP_TOKEN: 'hush', CUSTOMERS_PROVIDER: 'layer,stripe' });
    const names = ['ALLOWED_HOSTS', 'HTTP_TOKEN', 'HTTP_RATE', 'LOG', 'PROVIDER'];
    expect(problems).toEqual(names.map((name) => expect.stringContaining(`CUSTOMERS_${name}`)));
  });

  it('are reported together with the missing credentials of each provider', async () => {
    const problems = await refusal(
      { CUSTOMERS_SANDBOX: '', CUSTOMERS_PROVIDER: 'dayzero,notify' },
      '--host',
      '0.0.0.0',
    );
    expect(problems.join('\n')).toMatch(/HTTP_TOKEN[^]*DAYZERO_API_TOKEN[^]*DAYZERO_BUSINESS_ID[^]*NOTIFY_API_KEY/);
  });

  it('are not reported if the token comes from a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const file = join(folder, 'token');
    writeFileSync(file, `${TOKEN}\n`);
    const server = await serve({ CUSTOMERS_HTTP_TOKEN: '', CUSTOMERS_HTTP_TOKEN_FILE: file });
    expect((await ask(server, { body: message('ping'), headers: bearer(TOKEN) })).status).toBe(200);
    server.kill();
    writeFileSync(file, '\n');
    expect(await refusal({ CUSTOMERS_HTTP_TOKEN_FILE: file })).toEqual([
      expect.stringMatching(/CUSTOMERS_HTTP_TOKEN_FILE names an empty file/),
    ]);
    expect(await refusal({ CUSTOMERS_HTTP_TOKEN_FILE: join(folder, 'missing') }, '--host', '0.0.0.0')).toEqual([
      expect.stringMatching(/CUSTOMERS_HTTP_TOKEN_FILE names a file that cannot be read/),
    ]);
  });

  it('are ignored by a server over stdio', async () => {
    expect((await command([], { ...SANDBOX, CUSTOMERS_HTTP_TOKEN: 'short', CUSTOMERS_ALLOWED_HOSTS: '*' })).code).toBe(
      0,
    );
  });
});

describe.concurrent('an address on which it cannot listen', () => {
  it('is reported if another process listens on it', async () => {
    const other = createServer();
    onTestFinished(() => shut(other, []));
    const { port } = new URL(await listen(other));
    const { code, stdout, stderr } = await command(['http', '--port', port], SANDBOX);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(new RegExp(`cannot listen on 127\\.0\\.0\\.1, port ${port}: the port is in use.*--port`));
  });

  it('is reported if it does not exist', async () => {
    const problems = await refusal({ CUSTOMERS_HTTP_TOKEN: TOKEN }, '--host', '192.0.2.7');
    expect(problems).toEqual([expect.stringMatching(/cannot listen on 192\.0\.2\.7.*EADDRNOTAVAIL.*--host/)]);
  });

  it.each(['http', '65536', '-1', ''])('is a usage error with --port=%s', async (port) => {
    const { code, stdout, stderr } = await command(['http', `--port=${port}`], SANDBOX);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--port');
  });

  it('is a usage error with an empty --host', async () => {
    const { code, stdout, stderr } = await command(['http', '--port=0', '--host='], {
      ...SANDBOX,
      CUSTOMERS_HTTP_TOKEN: TOKEN,
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('--host');
  });

  it.each([
    ['--host', ['tools', '--host', '0.0.0.0']],
    ['--port', ['call', 'search_customer', '--port', '1']],
    ['--json', ['http', '--json']],
    ['http', ['http', 'now']],
  ])('is no option of other commands, nor are theirs its own: %s', async (named, args) => {
    const { code, stderr } = await command(args, SANDBOX);
    expect(code).toBe(2);
    expect(stderr).toContain(named);
  });
});
