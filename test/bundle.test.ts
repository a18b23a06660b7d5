import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { unpackExtension } from '@anthropic-ai/mcpb';
import { parseAst } from 'rolldown/parseAst';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import packageJson from '../package.json' with { type: 'json' };
import { providers } from '../src/providers/registry.ts';
import { connect, type Connection, type Environment } from './support/client.ts';
import {
  connectableStandIn,
  filledIn,
  keyOf,
  launched,
  manifest,
  ROOT,
  type Form,
  type Left,
} from './support/manifest.ts';
import { toolsOf } from './support/snapshots.ts';
import { sharedEngines } from './support/stores.ts';

const OLD_NODE = '/usr/bin/node';
const entryPoint = manifest.server.entry_point;

describe('the bundle', () => {
  let folder = '';
  let unpacked = '';
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'customers mcp '));
    unpacked = join(folder, 'Claude Extensions', 'customers');
    const bundle = join(folder, 'customers-mcp.mcpb');
    const { status, stderr } = spawnSync(process.execPath, ['scripts/bundle.ts', bundle], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    expect(await unpackExtension({ mcpbPath: bundle, outputDir: unpacked, silent: true })).toBe(true);
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Launches the bundle as a host does for a completed form, on a machine on which it has not run before. */
  async function launch(form: Form, left: Left = 'placeholder') {
    const home = mkdtempSync(join(folder, 'home '));
    const env: Environment = {
      ...(await filledIn(form, left, unpacked)),
      PATH: dirname(process.execPath),
      HOME: home,
      XDG_STATE_HOME: '',
    };
    const args = launched.args.map((arg) => arg.replace('${__dirname}', unpacked));
    return { command: launched.command, args, env, home };
  }

  async function open(form: Form, left?: Left): Promise<Connection> {
    const { env, ...program } = await launch(form, left);
    const connection = await connect(env, { program });
    onTestFinished(() => connection.close());
    return connection;
  }

  it('consists of one script and its data files', () => {
    const files = readdirSync(unpacked, { recursive: true, encoding: 'utf8' })
      .map((file) => file.replaceAll('\\', '/'))
      .filter((file) => file.includes('.') || file.startsWith('LICEN'));
    expect(files.filter((file) => !file.startsWith('compiled')).toSorted()).toEqual(
      ['LICENSE', 'LICENSES.txt', entryPoint, 'manifest.json', manifest.icon].toSorted(),
    );
    expect(launched.args).toEqual([`\${__dirname}/${entryPoint}`]);
    expect(readFileSync(join(unpacked, 'LICENSES.txt'), 'utf8')).toMatch(/@redis\/client/);
    // A chunk outside the script would be missing after the installation.
    const script = readFileSync(join(unpacked, entryPoint), 'utf8');
    const loaded = parseAst(script).body.flatMap((node) =>
      node.type === 'ImportDeclaration' ? node.source.value : [],
    );
    expect(loaded).toEqual(['node:module']);
    expect(script).not.toMatch(/\b(import|require)\s*\(\s*["'`]\.{1,2}\//);
  });

  it.each(['placeholder', 'empty', 'absent'] as const)(
    'works with an empty form, when empty fields are left %s',
    async (left) => {
      const connection = await open({}, left);
      expect(connection.client.getServerVersion()).toMatchObject({
        version: packageJson.version,
        title: expect.stringMatching(/Layer.*sandbox/),
      });
      expect((await connection.client.listTools()).tools).toHaveLength(toolsOf('layer').length);
      const created = await connection.call('create_customer', { external_id: 'crm-1', company_name: 'Acme' });
      expect(created.data).toMatchObject({ outcome: 'created', sandbox: true });
      const found = await connection.call('get_customer', { external_id: 'crm-1' });
      expect(found.data).toMatchObject({ customer: { company_name: 'Acme' }, sandbox: true });
      const { messages } = await connection.client.getPrompt({ name: 'onboard_customer', arguments: {} });
      expect(JSON.stringify(messages)).toContain('create_customer');
    },
  );

  it('keeps its customers across restarts', async () => {
    const { env, home, ...program } = await launch({});
    for (const outcome of ['created', 'existing']) {
      const connection = await connect(env, { program });
      const { data } = await connection.call('create_customer', { external_id: 'crm-1', company_name: 'Acme' });
      expect(data).toMatchObject({ outcome });
      await connection.close();
    }
    expect(readdirSync(home, { recursive: true, encoding: 'utf8' }).join()).toContain('customers.sqlite');
  });

  it('uses the compile cache from the second start on', async () => {
    const { command, args, env } = await launch({});
    expect(spawnSync(command, args, { env, input: '' }).status).toBe(0);
    expect(readdirSync(join(unpacked, 'compiled'), { recursive: true }).length).toBeGreaterThan(1);
  });

  it('simulates the selected provider, even if its key is set', async () => {
    const connection = await open({ provider: 'notify', notify_api_key: 'live_key' });
    expect(connection.client.getServerVersion()?.title).toMatch(/Notify.*sandbox/);
    const { data } = await connection.call('create_customer', {
      CustomerCode: 'crm-1',
      Name: 'Acme',
      Address: 'Main Street 1',
      City: 'Utrecht',
      Country: 'NL',
    });
    expect(data).toMatchObject({ outcome: 'created', external_id: 'crm-1', sandbox: true });
  });

  it.each(providers)('works with an account at $title', async ({ name, title }) => {
    const standIn = await connectableStandIn(name);
    const form = Object.entries(standIn.environment).map(([variable, value]) => [keyOf(variable), value]);
    const connection = await open({ ...Object.fromEntries(form), sandbox: false });
    expect(connection.client.getServerVersion()?.title).toBe(`${title} customers`);
    expect((await connection.call('search_customer')).data).toMatchObject({ customers: [] });
    expect(standIn.standIn.count('list')).toBe(1);
    expect(connection.stderr()).toBe('');
  });

  it('starts for an account with only its credentials', async () => {
    const connection = await open({
      sandbox: false,
      provider: 'dayzero',
      dayzero_api_token: 'dz_token',
      dayzero_business_id: 'business-1',
    });
    expect(connection.client.getServerVersion()?.title).toBe('DayZero customers');
  });

  it.each(['placeholder', 'empty', 'absent'] as const)(
    'refuses to start for an account without credentials, and names them, when empty fields are left %s',
    async (left) => {
      const { command, args, env } = await launch({ sandbox: false, provider: 'dayzero' }, left);
      const { status, stdout, stderr } = spawnSync(command, args, { env, input: '', encoding: 'utf8' });
      expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
      expect(stderr.match(/[A-Z]+_[A-Z_]+ is not set/g)).toEqual([
        'DAYZERO_API_TOKEN is not set',
        'DAYZERO_BUSINESS_ID is not set',
      ]);
    },
  );

  it.each(sharedEngines)('keeps its records in $name', async ({ name, address }) => {
    const store = name === 'sqlite' ? `sqlite:${join(folder, 'a store.sqlite')}` : address;
    const external_id = randomUUID();
    for (const outcome of ['created', 'existing']) {
      const connection = await open({ store });
      const { data } = await connection.call('create_customer', { external_id, company_name: `Acme ${external_id}` });
      expect(data).toMatchObject({ outcome });
    }
  });

  it('contains everything for serving over HTTP', async () => {
    const { command, args, env } = await launch({});
    const child = spawn(command, [...args, 'http', '--port', '0'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (text) => resolve(String(text)));
      child.once('exit', (code) => reject(new Error(`The server ended with ${code}.`)));
    });
    expect(printed).toMatch(/serving MCP at http:\/\/127\.0\.0\.1:\d+\/mcp/);
    child.removeAllListeners('exit').kill();
  });

  const version = existsSync(OLD_NODE) ? execFileSync(OLD_NODE, ['--version'], { encoding: 'utf8' }).trim() : '';
  const tooOld = /^v(1\d|20|21)\./.test(version);
  it.runIf(tooOld)(
    tooOld
      ? `reports that an old Node is too old (${version})`
      : `is not tested on an old Node: ${OLD_NODE} is not one`,
    async () => {
      const { args, env } = await launch({});
      const { status, stdout, stderr } = spawnSync(OLD_NODE, args, { env, input: '', encoding: 'utf8' });
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toMatch(/^customers-mcp needs Node 22\.19 or newer; this is Node [\d.]+\. .*\n$/);
    },
  );
});
