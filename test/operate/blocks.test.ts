import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { createClient } from '@redis/client';
import { Client } from 'pg';
import { describe, expect, it, onTestFinished } from 'vitest';
import { linesIn } from '../audit/trail.ts';
import { serve } from '../support/http.ts';
import { command, ending, launch, SANDBOX, until } from '../support/process.ts';
import { POSTGRES_URL, REDIS_URL, sharedEngines } from '../support/stores.ts';
import { blockIn, blocks, blocksIn, find, folder, run } from './page.ts';

const has = (engine: string): boolean => sharedEngines.some(({ name }) => name === engine);
const [systemd, logrotate] = [find('systemd-analyze'), find('logrotate')];
const settings = Object.fromEntries(
  blockIn('env')
    .trim()
    .split('\n')
    .map((line) => /^(\w+)=(.*)$/.exec(line)?.slice(1) ?? [line]),
);

it('has only blocks that a test checks', () => {
  const checked = ['sh', 'env', 'ini', 'nginx', 'caddyfile', 'promql', 'jsonl', 'logrotate', 'redis', 'sql'];
  expect([...new Set(blocks.map(({ language }) => language))].toSorted()).toEqual(checked.toSorted());
});

describe('the systemd unit', () => {
  const unit = blockIn('ini');

  it.skipIf(!systemd)('is one that systemd accepts, and leaves little exposed', async () => {
    const file = join(folder(), 'customers-mcp@.service');
    writeFileSync(file, unit.replace('/usr/bin/node', process.execPath));
    const instance = file.replace('@', '@3001');
    const verified = await run(systemd ?? '', ['verify', instance]);
    expect(verified.stdout + verified.stderr).toBe('');
    const { stdout } = await run(systemd ?? '', ['security', '--offline=true', '--no-pager', file]);
    expect(Number(/exposure level for .*: ([\d.]+)/.exec(stdout)?.[1])).toBeLessThan(2.5);
  });

  it('starts the server with its settings and credentials', async () => {
    const credentials = folder();
    for (const [, name = ''] of unit.matchAll(/^LoadCredential=([\w-]+):/gm))
      writeFileSync(join(credentials, name), name === 'store' ? 'memory:' : 'x'.repeat(40));
    const own = Object.fromEntries(
      [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [
        name,
        value.replace('%d', credentials).replace('/var/log/customers-mcp', credentials),
      ]),
    );
    const [, args = ''] = /^ExecStart=\/usr\/bin\/node \/opt\/customers-mcp\/dist\/main\.js (.*)$/m.exec(unit) ?? [];
    expect(args).toBe('http --port %i');
    const child = launch(args.replace('%i', '0').split(' '), { ...settings, ...own });
    onTestFinished(() => void child.kill('SIGKILL'));
    let [out, errors] = ['', ''];
    child.stdout.on('data', (chunk) => (out += String(chunk)));
    child.stderr.on('data', (chunk) => (errors += String(chunk)));
    const ended = ending(child);
    await Promise.race([until(() => out.includes('serving MCP at')), ended]);
    expect(errors).toBe('');
    expect(out).not.toContain('Token generated');
    child.kill('SIGTERM');
    expect(await ended).toEqual({ code: 0, signal: null });
  });

  it('passes on the settings that the page gives and no unknown one', async () => {
    const { code, stderr } = await command(['tools'], {
      ...settings,
      LAYER_CLIENT_SECRET: 'x',
      CUSTOMERS_STORE: 'memory:',
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
  });
});

describe('a command', () => {
  /** Commands that need a machine of their own are replaced and only write down what they were given. */
  const REPLACED = ['systemctl', 'podman', 'pg_dump'];

  it.each(blocksIn('sh'))('succeeds: %s', async (script) => {
    const root = folder();
    const bin = join(root, 'bin');
    for (const path of [bin, join(root, 'etc'), join(root, 'var/backups')]) mkdirSync(path, { recursive: true });
    for (const name of REPLACED) {
      writeFileSync(join(bin, name), `#!/bin/sh\necho "${name} $*" >> "${root}/called"\n`);
      chmodSync(join(bin, name), 0o755);
    }
    const store = join(root, 'var/lib/customers-mcp/customers.sqlite');
    mkdirSync(dirname(store), { recursive: true });
    const server = await serve({ ...SANDBOX, CUSTOMERS_STORE: `sqlite:${store}` });
    onTestFinished(() => server.kill());
    const local = script
      .replaceAll(/(?<=[ '"])\/(etc|var)\//g, `${root}/$1/`)
      .replaceAll('http://127.0.0.1:$port/', `${server.origin}/`)
      .replaceAll('http://127.0.0.1:3001/', `${server.origin}/`);
    await run('/bin/sh', ['-euc', local], {
      env: {
        PATH: `${bin}:${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
        CUSTOMERS_STORE: 'postgres://x',
      },
    });
    if (script.startsWith('node ')) expect(existsSync(join(root, 'var/backups/customers.sqlite'))).toBe(true);
    if (script.includes('http-token\n'))
      expect(readFileSync(join(root, 'etc/customers-mcp/http-token'), 'utf8').trim().length).toBeGreaterThan(31);
  });

  it.skipIf(!has('postgres') || !find('pg_dump'))('backs PostgreSQL up without the counters', async () => {
    const server = await serve({ ...SANDBOX, CUSTOMERS_STORE: POSTGRES_URL });
    await server.stop();
    const line = blocksIn('sh').find((script) => script.startsWith('pg_dump')) ?? '';
    const file = join(folder(), 'customers.dump');
    const script = line.replace('/var/backups/customers.dump', file);
    await run('/bin/sh', ['-euc', script], { env: { ...process.env, CUSTOMERS_STORE: POSTGRES_URL } });
    const { stdout } = await run('pg_restore', ['--list', file]);
    expect(stdout).toMatch(/TABLE DATA public customers_mcp_intents/);
    expect(stdout).toMatch(/TABLE public customers_mcp_callers/);
    expect(stdout).not.toMatch(/TABLE DATA public customers_mcp_callers/);
  });
});

it.skipIf(!logrotate)('the rotation is one that logrotate accepts', async () => {
  const root = folder();
  const file = join(root, 'rotate');
  writeFileSync(file, blockIn('logrotate').replace('/var/log/customers-mcp', root), { mode: 0o644 });
  const { stderr } = await run(logrotate ?? '', ['-d', file]);
  expect(stderr).not.toMatch(/error/i);
});

it('the lines of the audit trail are like real ones', () => {
  expect(linesIn(blockIn('jsonl'))).toMatchObject([{ event: 'consent' }, { event: 'write' }]);
});

it.skipIf(!has('redis'))('a user of Redis has two passwords while one is replaced', async () => {
  const user = `customers-${randomUUID().slice(0, 8)}`;
  const admin = await createClient({ url: REDIS_URL }).connect();
  onTestFinished(async () => {
    await admin.sendCommand(['ACL', 'DELUSER', user]);
    admin.destroy();
  });
  const accepted: string[][] = [];
  for (const line of blockIn('redis').trim().split('\n')) {
    await admin.sendCommand(line.replace(' customers ', ` ${user} `).split(' '));
    const works = async (password: string): Promise<boolean> => {
      const client = createClient({ url: REDIS_URL, username: user, password, socket: { reconnectStrategy: false } });
      client.on('error', () => {});
      return client.connect().then(
        () => (client.destroy(), true),
        () => false,
      );
    };
    const passwords = ['the-old-password', 'the-new-password'];
    const tried = await Promise.all(passwords.map(works));
    accepted.push(passwords.filter((_, index) => tried[index]));
  }
  expect(accepted).toEqual([['the-old-password'], ['the-old-password', 'the-new-password'], ['the-new-password']]);
});

it.skipIf(!has('postgres'))('two users of PostgreSQL use one store in turn', async () => {
  const name = `operate_${randomUUID().slice(0, 8)}`;
  const admin = new Client({ connectionString: POSTGRES_URL });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(POSTGRES_URL);
  url.pathname = `/${name}`;
  const own = new Client({ connectionString: url.href });
  await own.connect();
  onTestFinished(async () => {
    await own.end();
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    for (const suffix of ['_a', '_b', '']) await admin.query(`DROP ROLE IF EXISTS ${name}${suffix}`);
    await admin.end();
  });
  await own.query(blockIn('sql').replaceAll(/\bcustomers(?=\b|_)/g, name));
  const outcomes = [];
  for (const [suffix, password] of [
    ['a', 'the-first-password'],
    ['b', 'the-second-password'],
  ]) {
    url.username = `${name}_${suffix}`;
    url.password = password ?? '';
    const create = ['call', 'create_customer', '{"company_name":"Rotation","external_id":"own-1"}'];
    const { stdout, stderr } = await command(create, { ...SANDBOX, CUSTOMERS_STORE: url.href });
    outcomes.push(/"outcome": "(\w+)"/.exec(stdout)?.[1] ?? stdout + stderr);
  }
  expect(outcomes).toEqual(['created', 'existing']);
});
