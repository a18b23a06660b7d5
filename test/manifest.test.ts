import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { getMcpConfigForManifest, MANIFEST_SCHEMAS, unpackExtension, validateManifest } from '@anthropic-ai/mcpb';
import { parseAst } from 'rolldown/parseAst';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { readConfig, Settings } from '../src/config.ts';
import { providers } from '../src/providers/registry.ts';
import { connect, standIns, type Connection, type Environment } from './support/client.ts';
import { parsed } from './support/process.ts';
import { asked, ofHttp, ofStdio } from './support/settings.ts';
import { sharedEngines } from './support/stores.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const OLD_NODE = '/usr/bin/node';

/** A desktop host speaks stdio, so these have no field in its form. */
const ONLY_HTTP = [
  'CUSTOMERS_ALLOWED_HOSTS',
  'CUSTOMERS_ALLOWED_ORIGINS',
  'CUSTOMERS_HTTP_RATE',
  'CUSTOMERS_HTTP_TOKEN',
  'CUSTOMERS_OAUTH_AUDIENCE',
  'CUSTOMERS_OAUTH_ISSUER',
];
/** Read by Node itself, so that the second start is quicker. */
const OF_NODE = 'NODE_COMPILE_CACHE';
/** What may hold a password; of a store's address it is a part. */
const SECRET = /_(SECRET|TOKEN|KEY)$|^CUSTOMERS_STORE$/;

const Manifest = z.object({
  name: z.string(),
  version: z.string(),
  license: z.string(),
  author: z.object({ name: z.string() }),
  icon: z.string(),
  server: z.object({
    entry_point: z.string(),
    mcp_config: z.object({
      command: z.string(),
      args: z.array(z.string()),
      env: z.record(z.string(), z.string()),
    }),
  }),
  tools: z.array(z.unknown()),
  prompts: z.array(z.unknown()),
  compatibility: z.object({ runtimes: z.object({ node: z.string() }) }),
  user_config: z.record(
    z.string(),
    z.object({
      type: z.enum(['string', 'number', 'boolean']),
      title: z.string(),
      description: z.string(),
      sensitive: z.boolean().default(false),
      required: z.boolean().default(false),
      default: z.union([z.string(), z.number(), z.boolean()]).optional(),
      min: z.number().optional(),
      max: z.number().optional(),
    }),
  ),
});

const manifest = Manifest.parse(json('manifest.json'));
const { mcp_config: launched, entry_point: entryPoint } = manifest.server;
const { [OF_NODE]: _, ...variables } = launched.env;
const fields = new Map(Object.entries(manifest.user_config));

function json(file: string): unknown {
  return parsed(readFileSync(join(ROOT, file), 'utf8'));
}

/** The key of the field that fills a variable. */
function keyOf(variable: string): string {
  return variable.replace(/^CUSTOMERS_/, '').toLowerCase();
}

describe('manifest.json', () => {
  it('is one that hosts take', () => {
    const said = vi.spyOn(console, 'log').mockImplementation(() => {});
    onTestFinished(() => void said.mockRestore());
    expect(json('manifest.json')).toMatchObject({ manifest_version: '0.3' });
    expect(MANIFEST_SCHEMAS['0.3'].safeParse(json('manifest.json')).error?.issues).toBeUndefined();
    expect(validateManifest(join(ROOT, 'manifest.json'))).toBe(true);
  });

  it('says of the package what package.json and the licence say', () => {
    const { name, version, license } = packageJson;
    expect(manifest).toMatchObject({ name, version, license });
    expect(manifest.compatibility.runtimes.node).toBe(`${packageJson.engines.node}.0`);
    expect(readFileSync(join(ROOT, 'LICENSE'), 'utf8')).toMatch(new RegExp(`\\(c\\) \\d+ ${manifest.author.name}\\n`));
  });

  it('has an icon of the size that hosts show, and a small one', () => {
    const icon = readFileSync(join(ROOT, manifest.icon));
    expect([icon.readUInt32BE(16), icon.readUInt32BE(20)]).toEqual([512, 512]);
    expect(icon.length).toBeLessThan(30_000);
  });

  it('has each variable that the program reads, but those for HTTP', () => {
    expect(Object.keys(variables).toSorted()).toEqual(ofStdio.names);
    expect(ofHttp.names).toEqual(ONLY_HTTP);
  });

  it.each(providers)('has the variables that $name says are its own', async (provider) => {
    const { names } = await asked((settings) => provider.configure(settings));
    expect(names).toEqual([...provider.variables].toSorted());
  });

  it('fills each variable from the field of its name, and has no other field', () => {
    const expected = Object.keys(variables).map((name) => [name, `\${user_config.${keyOf(name)}}`]);
    expect(variables).toEqual(Object.fromEntries(expected));
    expect([...fields.keys()].toSorted()).toEqual(Object.keys(variables).map(keyOf).toSorted());
  });

  it('calls a field so that a person finds it who is told the name of the variable', () => {
    for (const [key, { title }] of fields)
      expect.soft(title.toLowerCase().replaceAll(/\W+/g, '_').replace(/_$/, '')).toBe(key);
  });

  it('says which provider a field is for, and what to type where only some words are good', () => {
    for (const { title, variables: own } of providers)
      for (const name of own)
        expect.soft(fields.get(keyOf(name))?.description).toMatch(new RegExp(`^Only for ${title}\\b`));
    for (const [name, choices] of choicesOf())
      for (const choice of choices) expect.soft(fields.get(keyOf(name))?.description).toContain(choice);
  });

  it('hides what is secret, and nothing else', () => {
    const hidden = Object.keys(variables).filter((name) => fields.get(keyOf(name))?.sensitive);
    expect(hidden).toEqual(Object.keys(variables).filter((name) => SECRET.test(name)));
  });

  it('requires nothing, and starts in the sandbox', () => {
    expect([...fields].filter(([, { required }]) => required)).toEqual([]);
    expect(fields.get('sandbox')?.default).toBe(true);
    expect(fields.get('sandbox')?.description).toMatch(/turn it off to work on your account/i);
  });

  it('has the defaults and the limits of the program', async () => {
    const { sandbox, providers: names, ...given } = readConfig(new Settings(await filledIn({}, 'placeholder')));
    const { sandbox: _sandbox, providers: _names, ...standard } = readConfig(new Settings({}));
    expect(given).toEqual(standard);
    expect({ sandbox, names }).toEqual({ sandbox: true, names: [providers[0].name] });
    for (const [name, { type, min, max }] of fields) {
      const range = [...ofStdio.ranges].find(([variable]) => keyOf(variable) === name)?.[1];
      expect.soft([name, type === 'number', min, max]).toEqual([name, range !== undefined, range?.[0], range?.[1]]);
    }
  });

  it('lists the tools and prompts that the server has, in words that are right whatever the provider', async () => {
    const { tools, prompts } = await served();
    expect(manifest.tools).toEqual(tools);
    expect(manifest.prompts).toEqual(prompts);
  });
});

describe('server.json', () => {
  const Package = z.strictObject({
    registryType: z.literal('npm'),
    identifier: z.string(),
    version: z.string(),
    transport: z.strictObject({ type: z.literal('stdio') }),
    environmentVariables: z.array(
      z.strictObject({
        name: z.string(),
        description: z.string(),
        format: z.enum(['string', 'number', 'boolean']),
        isRequired: z.literal(false).optional(),
        isSecret: z.boolean().optional(),
        default: z.string().optional(),
        choices: z.array(z.string()).optional(),
      }),
    ),
  });
  const Server = z.strictObject({
    $schema: z.literal('https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'),
    name: z.string().regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
    title: z.string().max(100),
    description: z.string().max(100),
    version: z.string(),
    packages: z.tuple([Package]),
  });
  const server = Server.parse(json('server.json'));
  const [only] = server.packages;

  it('says of the package what package.json says', () => {
    const { name, version, mcpName } = packageJson;
    expect(server).toMatchObject({ name: mcpName, version });
    expect(only).toMatchObject({ identifier: name, version });
  });

  it('has the variables of the manifest, in the same words', () => {
    const expected = Object.keys(variables).map((name) => {
      const { type, description, sensitive, default: standard } = fields.get(keyOf(name)) ?? {};
      const choices = choicesOf().get(name);
      return {
        name,
        description,
        format: type,
        ...(sensitive && { isSecret: true }),
        ...(standard !== undefined && { default: String(standard) }),
        ...(choices && type !== 'boolean' && { choices }),
      };
    });
    expect(only.environmentVariables).toEqual(expected);
  });
});

describe('the bundle', () => {
  let folder = '';
  let unpacked = '';
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'customers mcp '));
    unpacked = join(folder, 'Claude Extensions', 'customers');
    const bundle = join(folder, 'customers-mcp.mcpb');
    const { status, stderr } = spawnSync(process.execPath, ['test/support/bundle.ts', bundle], {
      cwd: ROOT,
      encoding: 'utf8',
    });
    expect(status, stderr).toBe(0);
    expect(await unpackExtension({ mcpbPath: bundle, outputDir: unpacked, silent: true })).toBe(true);
  }, 60_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What a host launches for a filled form, on a machine where nothing of ours has run before. */
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

  it('is one script, and what belongs to it', () => {
    const files = readdirSync(unpacked, { recursive: true, encoding: 'utf8' })
      .map((file) => file.replaceAll('\\', '/'))
      .filter((file) => file.includes('.') || file.startsWith('LICEN'));
    expect(files.filter((file) => !file.startsWith('compiled')).toSorted()).toEqual(
      ['LICENSE', 'LICENSES.txt', entryPoint, 'manifest.json', manifest.icon].toSorted(),
    );
    expect(launched.args).toEqual([`\${__dirname}/${entryPoint}`]);
    expect(readFileSync(join(unpacked, 'LICENSES.txt'), 'utf8')).toMatch(/@redis\/client/);
    // A part that was left outside would be missing where it is installed.
    const script = readFileSync(join(unpacked, entryPoint), 'utf8');
    const loaded = parseAst(script).body.flatMap((node) =>
      node.type === 'ImportDeclaration' ? node.source.value : [],
    );
    expect(loaded).toEqual(['node:module']);
    expect(script).not.toMatch(/\b(import|require)\s*\(\s*["'`]\.{1,2}\//);
  });

  it.each(['placeholder', 'empty', 'absent'] as const)(
    'works with nothing filled in, when empty fields are left %s',
    async (left) => {
      const connection = await open({}, left);
      expect(connection.client.getServerVersion()).toMatchObject({
        version: packageJson.version,
        title: expect.stringMatching(/Layer.*sandbox/),
      });
      expect((await connection.client.listTools()).tools).toHaveLength(7);
      const created = await connection.call('create_customer', { external_id: 'crm-1', company_name: 'Acme' });
      expect(created.data).toMatchObject({ outcome: 'created', sandbox: true });
      const found = await connection.call('get_customer', { external_id: 'crm-1' });
      expect(found.data).toMatchObject({ customer: { company_name: 'Acme' }, sandbox: true });
      const { messages } = await connection.client.getPrompt({ name: 'onboard_customer', arguments: {} });
      expect(JSON.stringify(messages)).toContain('create_customer');
    },
  );

  it('keeps its customers from one start to the next', async () => {
    const { env, home, ...program } = await launch({});
    for (const outcome of ['created', 'updated']) {
      const connection = await connect(env, { program });
      const { data } = await connection.call('create_customer', { external_id: 'crm-1', company_name: 'Acme' });
      expect(data).toMatchObject({ outcome });
      await connection.close();
    }
    expect(readdirSync(home, { recursive: true, encoding: 'utf8' }).join()).toContain('customers.sqlite');
  });

  it('has its script compiled from the second start on', async () => {
    const { command, args, env } = await launch({});
    expect(spawnSync(command, args, { env, input: '' }).status).toBe(0);
    expect(readdirSync(join(unpacked, 'compiled'), { recursive: true }).length).toBeGreaterThan(1);
  });

  it('simulates the provider that was chosen, also when its key is there', async () => {
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

  it.each(providers)('works on an account at $title', async ({ name, title }) => {
    const standIn = await connectableStandIn(name);
    const form = Object.entries(standIn.environment).map(([variable, value]) => [keyOf(variable), value]);
    const connection = await open({ ...Object.fromEntries(form), sandbox: false });
    expect(connection.client.getServerVersion()?.title).toBe(`${title} customers`);
    expect((await connection.call('search_customer')).data).toMatchObject({ customers: [] });
    expect(standIn.standIn.count('list')).toBe(1);
    expect(connection.stderr()).toBe('');
  });

  it('starts for an account without more than its credentials', async () => {
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

  it.each(sharedEngines)('keeps what it must remember in $name', async ({ name, address }) => {
    const store = name === 'sqlite' ? `sqlite:${join(folder, 'a store.sqlite')}` : address;
    const external_id = randomUUID();
    for (const outcome of ['created', 'updated']) {
      const connection = await open({ store });
      const { data } = await connection.call('create_customer', { external_id, company_name: 'Acme' });
      expect(data).toMatchObject({ outcome });
    }
  });

  it('has everything in it for serving over HTTP', async () => {
    const { command, args, env } = await launch({});
    const child = spawn(command, [...args, 'http', '--port', '0'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = await new Promise<string>((resolve, reject) => {
      child.stdout.once('data', (text) => resolve(String(text)));
      child.once('exit', (code) => reject(new Error(`It ended with ${code}.`)));
    });
    expect(printed).toMatch(/serving MCP at http:\/\/127\.0\.0\.1:\d+\/mcp/);
    child.removeAllListeners('exit').kill();
  });

  const version = existsSync(OLD_NODE) ? execFileSync(OLD_NODE, ['--version'], { encoding: 'utf8' }).trim() : '';
  const tooOld = /^v(1\d|20|21)\./.test(version);
  it.runIf(tooOld)(
    tooOld ? `says to an old Node that it is too old (${version})` : `is not tried on an old Node: ${OLD_NODE} is none`,
    async () => {
      const { args, env } = await launch({});
      const { status, stdout, stderr } = spawnSync(OLD_NODE, args, { env, input: '', encoding: 'utf8' });
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      expect(stderr).toMatch(/^customers-mcp needs Node 22\.19 or newer; this is Node [\d.]+\. .*\n$/);
    },
  );
});

/** What a person filled in, by the keys of the fields. */
type Form = Readonly<Record<string, string | number | boolean>>;
/** What a host passes on for a field without a value: its placeholder, an empty text, or nothing. Each has been seen. */
type Left = 'placeholder' | 'empty' | 'absent';

/** The environment that a host makes of a form. */
async function filledIn(form: Form, left: Left, directory = ''): Promise<Environment> {
  const { data } = MANIFEST_SCHEMAS['0.3'].safeParse(json('manifest.json'));
  if (!data) throw new Error('The manifest is none.');
  const config = await getMcpConfigForManifest({
    manifest: data,
    extensionPath: directory,
    systemDirs: {},
    userConfig: { ...form },
    pathSeparator: '/',
  });
  const entries = Object.entries(config?.env ?? {});
  const unfilled = ([, value]: [string, string]): boolean => value.includes('${user_config.');
  if (left === 'placeholder') expect(entries.filter(unfilled)).not.toEqual([]);
  return Object.fromEntries(
    left === 'placeholder'
      ? entries
      : left === 'absent'
        ? entries.filter((entry) => !unfilled(entry))
        : entries.map(([name, value]) => [name, unfilled([name, value]) ? '' : value]),
  );
}

/** The words that a variable may be, where it may not be anything. */
function choicesOf(): ReadonlyMap<string, readonly string[]> {
  const words = [...ofStdio.choices].filter(([, choices]) => !choices.includes('true'));
  const switches = [...ofStdio.choices].filter(([, choices]) => choices.includes('true')).map(([name]) => name);
  for (const name of switches) expect(fields.get(keyOf(name))?.type).toBe('boolean');
  return new Map([...words, ['CUSTOMERS_PROVIDER', providers.map(({ name }) => name)]]);
}

async function connectableStandIn(name: string) {
  const start = Object.entries(standIns).find(([one]) => one === name)?.[1];
  if (!start) throw new Error(`There is no stand-in for ${name}.`);
  const started = await start();
  onTestFinished(() => started.standIn.close());
  return started;
}

/** One text, by the title of the provider whose server says it. */
type Said = ReadonlyMap<string, readonly string[]>;

/** The tools and prompts of all providers, as a manifest has them: each once. */
async function served() {
  const tools = new Map<string, Map<string, string[]>>();
  const prompts = new Map<string, { description: string; args: string[]; text: Map<string, string[]> }>();
  for (const { name, title } of providers) {
    const { environment } = await connectableStandIn(name);
    const { client, close } = await connect(environment);
    const listed = (await client.listPrompts()).prompts;
    const [, externalId] = listed.find((one) => one.name === 'onboard_customer')?.arguments ?? [];
    const plain = (text: string): string =>
      text
        .replaceAll(`${title} customer`, 'customer')
        .replaceAll(title, 'the provider')
        .replaceAll(externalId?.name ?? '', 'external_id');
    for (const tool of (await client.listTools()).tools) {
      const said = tools.get(tool.name) ?? new Map<string, string[]>();
      tools.set(tool.name, said.set(title, plain(tool.description ?? '').split(/(?<=\.) /)));
    }
    for (const { name: prompt, description = '', arguments: args = [] } of listed) {
      const given = args.map((one) => [one.name, `\${arguments.${plain(one.name)}}`]);
      const { messages } = await client.getPrompt({ name: prompt, arguments: Object.fromEntries(given) });
      const [message] = messages;
      const text = message?.content.type === 'text' ? message.content.text : '';
      const said = prompts.get(prompt)?.text ?? new Map<string, string[]>();
      said.set(title, plain(text).split('\n'));
      prompts.set(prompt, { description: plain(description), args: args.map((one) => plain(one.name)), text: said });
    }
    await close();
  }
  return {
    tools: [...tools].map(([name, said]) => ({ name, description: together(said).join(' ') })),
    prompts: [...prompts].map(([name, { description, args, text }]) => ({
      name,
      description,
      arguments: args,
      text: together(text).join('\n'),
    })),
  };
}

/** What all providers say, and at its place who says something else. */
function together(said: Said): string[] {
  const all = [...said.values()];
  const shared = (part: string): boolean =>
    all.length === providers.length && all.every((parts) => parts.includes(part));
  const own = [...said].flatMap(([title, parts]) => {
    const rest = parts.filter((part) => !shared(part));
    const indent = /^ */.exec(rest[0] ?? '')?.[0] ?? '';
    return rest.length === 0 ? [] : [`${indent}${title}: ${rest.map((part) => part.trim()).join(' ')}`];
  });
  const [first = []] = all;
  const at = first.findIndex((part) => !shared(part));
  const common = first.filter(shared);
  return at < 0 ? [...common, ...own] : [...common.slice(0, at), ...own, ...common.slice(at)];
}
