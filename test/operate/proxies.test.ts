import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { request } from 'node:https';
import { request as plainRequest } from 'node:http';
import { text as textOf } from 'node:stream/consumers';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { startLayer } from '../providers/layer/stand-in.ts';
import { message, serve, toolCall } from '../support/http.ts';
import { startIssuer } from '../support/issuer.ts';
import { tenantFile } from '../support/tenants.ts';
import { ending, parsed } from '../support/process.ts';
import { blockIn, find, folder, ROOT, run } from './page.ts';

const HOST = 'customers.example.com';
const AUDIENCE = `https://${HOST}/customers/mcp`;
/** How long a call lasts whose progress must arrive before its end. */
const STREAMED_MS = 1_500;
const [nginx, caddy] = [find('nginx'), find('caddy')];

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

interface Sent {
  readonly path: string;
  readonly body?: unknown;
  readonly token?: string;
}

interface Received {
  readonly status: number;
  readonly challenge: string;
  readonly json: unknown;
  readonly text: string;
  /** From the first part of the body to its end. */
  readonly streamedMs: number;
}

/** A request as a client sends it to the address of the page. */
function send(port: number, tls: boolean, { path, body, token }: Sent) {
  const options = {
    host: '127.0.0.1',
    port,
    path,
    method: body === undefined ? 'GET' : 'POST',
    servername: HOST,
    rejectUnauthorized: false,
    headers: {
      host: HOST,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    },
  };
  return new Promise<Received>((resolve, reject) => {
    const sending = (tls ? request : plainRequest)(options, async (response) => {
      let firstAt = 0;
      response.once('data', () => (firstAt = performance.now()));
      const text = await textOf(response);
      const challenge = String(response.headers['www-authenticate']);
      resolve({
        status: response.statusCode ?? 0,
        challenge,
        json: parsed(text),
        text,
        streamedMs: performance.now() - firstAt,
      });
    });
    sending.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

type Replicas = Awaited<ReturnType<typeof replicas>>;

/** Two replicas with OAuth at the address of the page, for a single business: it is served at /mcp and at its own address. */
async function replicas() {
  const issuer = await startIssuer();
  const { standIn, environment } = await startLayer({ tokenUses: Infinity });
  const file = tenantFile({ acme: { CUSTOMERS_PROVIDER: 'layer' } });
  const settings = {
    CUSTOMERS_TENANTS: file.path,
    ...environment,
    CUSTOMERS_OAUTH_ISSUER: issuer.url,
    CUSTOMERS_OAUTH_AUDIENCE: AUDIENCE,
    CUSTOMERS_ALLOWED_HOSTS: HOST,
  };
  const [one, other] = await Promise.all([serve(settings), serve(settings)]);
  onTestFinished(async () => {
    one.kill();
    other.kill();
    await issuer.close();
    await standIn.close();
    file.remove();
  });
  return { one, other, standIn, token: await issuer.sign({ aud: AUDIENCE, tenant: 'acme' }) };
}

/** Starts a proxy until the end of the test. Resolves when it takes connections. */
async function start(program: string, args: readonly string[], port: number): Promise<void> {
  const child = spawn(program, args, { env: { HOME: folder(), PATH: process.env['PATH'] ?? '' } });
  let errors = '';
  child.stderr.on('data', (chunk) => (errors += String(chunk)));
  const ended = ending(child);
  onTestFinished(async () => {
    child.kill();
    await ended;
  });
  let over = false;
  void ended.then(() => (over = true));
  for (;;) {
    if (over) throw new Error(errors);
    const up = await send(port, false, { path: '/' }).then(
      () => true,
      () => false,
    );
    if (up) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What has to work through every proxy, also after one of the replicas was killed. */
async function check({ one, standIn, token }: Replicas, port: number, tls: boolean): Promise<void> {
  for (const address of ['/mcp', '/mcp/acme']) {
    const refused = await send(port, tls, { path: `/customers${address}`, body: message('tools/list') });
    expect(refused.status).toBe(401);
    // Where the server sends a client, and where RFC 9728 does.
    const named = /resource_metadata="([^"]+)"/.exec(refused.challenge)?.[1] ?? '';
    expect(new URL(named).origin).toBe(`https://${HOST}`);
    for (const path of [new URL(named).pathname, `/.well-known/oauth-protected-resource/customers${address}`])
      expect((await send(port, tls, { path })).json, path).toMatchObject({ resource: AUDIENCE });
  }
  for (const killed of [undefined, one]) {
    // At once, before a health check could notice.
    killed?.kill();
    await killed?.ended;
    for (let n = 0; n < 6; n += 1) {
      const body = toolCall('create_customer', { company_name: `Proxy ${n}`, external_id: `own-${n}` });
      const path = n % 2 === 0 ? '/customers/mcp' : '/customers/mcp/acme';
      const created = await send(port, tls, { path, body, token });
      expect(created.status, created.text).toBe(200);
      expect(created.text).toMatch(/"outcome":"(created|existing)"/);
    }
  }
  standIn.fault({ on: 'create', act: { delayMs: STREAMED_MS } });
  const rows = [{ company_name: 'Stream', external_id: 'own-stream' }];
  const call = { name: 'import_customers', arguments: { rows }, _meta: { progressToken: 1 } };
  const imported = await send(port, tls, { path: '/customers/mcp', body: message('tools/call', call), token });
  expect(imported.text).toMatch(/notifications\/progress.*"created":1/s);
  expect(imported.streamedMs).toBeGreaterThan(STREAMED_MS / 2);
}

describe('nginx', () => {
  /** The whole configuration of a page, on these ports and in this folder. */
  async function configured(block: string): Promise<{ readonly path: string; readonly args: readonly string[] }> {
    const root = folder();
    for (const name of ['body', 'proxy']) mkdirSync(join(root, name));
    const key = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${HOST}`];
    await run('openssl', [...key, '-keyout', join(root, 'customers.key'), '-out', join(root, 'customers.pem')]);
    const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${join(root, 'proxy')};`,
    );
    const body = block.replaceAll('/etc/ssl/', `${root}/`);
    const path = join(root, 'nginx.conf');
    writeFileSync(
      path,
      `daemon off; user ${process.getuid?.() === 0 ? 'root' : 'nobody'}; pid ${root}/pid; error_log stderr; events {} http { access_log off; ${places.join(' ')}\n${body}\n}`,
    );
    return { path, args: ['-p', root, '-c', path, '-e', join(root, 'error.log')] };
  }

  const ofHttp = /^```nginx\n(.*?)^```$/ms.exec(readFileSync(join(ROOT, 'docs/http.md'), 'utf8'))?.[1] ?? '';

  it.skipIf(!nginx).each([
    ['docs/operate.md', blockIn('nginx')],
    ['docs/http.md', ofHttp],
  ])('accepts the configuration in %s', async (_, block) => {
    const { args } = await configured(block);
    const { stderr } = await run(nginx ?? '', ['-t', ...args]);
    expect(stderr).toContain('syntax is ok');
    expect(stderr).not.toContain('[warn]');
  });

  it.skipIf(!nginx)('serves the address of the page, also while a replica is stopped', async () => {
    const started = await replicas();
    const { one, other } = started;
    const port = await freePort();
    const block = blockIn('nginx')
      .replace('listen 443', `listen 127.0.0.1:${port}`)
      .replace('127.0.0.1:3001', `127.0.0.1:${one.port}`)
      .replace('127.0.0.1:3002', `127.0.0.1:${other.port}`);
    const { args } = await configured(block);
    await start(nginx ?? '', args, port);
    await check(started, port, true);
  });
});

describe('Caddy', () => {
  it.skipIf(!caddy)('accepts the configuration', async () => {
    const path = join(folder(), 'Caddyfile');
    writeFileSync(path, blockIn('caddyfile'));
    const { stdout } = await run(caddy ?? '', ['adapt', '--config', path, '--adapter', 'caddyfile', '--validate'], {
      env: { HOME: folder() },
    });
    expect(parsed(stdout)).toHaveProperty('apps');
  });

  it.skipIf(!caddy)('serves the address of the page, also while a replica is stopped', async () => {
    const started = await replicas();
    const { one, other } = started;
    const port = await freePort();
    const root = folder();
    // Without TLS, because Caddy would ask an authority for a certificate.
    const block = blockIn('caddyfile')
      .replace(/^customers\.example\.com \{/m, `http://customers.example.com:${port} {`)
      .replace('127.0.0.1:3001', `127.0.0.1:${one.port}`)
      .replace('127.0.0.1:3002', `127.0.0.1:${other.port}`);
    const path = join(root, 'Caddyfile');
    writeFileSync(path, `{\nadmin off\nauto_https off\nstorage file_system ${root}\n}\n${block}`);
    await start(caddy ?? '', ['run', '--config', path, '--adapter', 'caddyfile'], port);
    await check(started, port, false);
  });
});
