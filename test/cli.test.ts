import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { BUILT, connect, standIns, temporaryStore } from './support/client.ts';
import { command, greetedServer, parsed, SANDBOX } from './support/process.ts';

const providers = ['layer', 'dayzero', 'notify'] as const;
const OLD_NODE = '/usr/bin/node';

describe('customers-mcp --help', () => {
  it.each([['--help'], ['-h'], ['call', '--help'], ['tools', '--help'], ['--help', 'nonsense']])(
    'explains the commands and settings on stdout: %s %s',
    async (...args) => {
      const { code, stdout, stderr } = await command(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      for (const word of ['call TOOL', 'tools', '--json', '--version', 'CUSTOMERS_PROVIDER', 'LAYER_CLIENT_SECRET'])
        expect.soft(stdout).toContain(word);
    },
  );

  it('helps even when the settings are wrong', async () => {
    expect((await command(['--help'], { CUSTOMERS_PROVIDER: 'nobody' })).code).toBe(0);
  });
});

describe('customers-mcp --version', () => {
  it.each([['--version'], ['-v'], ['tools', '--version']])(
    'prints the version of the package: %s %s',
    async (...args) => {
      expect(await command(args, { CUSTOMERS_PROVIDER: 'nobody' })).toEqual({
        code: 0,
        signal: null,
        stdout: `${packageJson.version}\n`,
        stderr: '',
      });
    },
  );

  it('is the version that the server gives to clients', async () => {
    const connection = await connect(SANDBOX);
    expect(connection.client.getServerVersion()).toMatchObject({ name: 'customers-mcp', version: packageJson.version });
    await connection.close();
  });
});

describe('a command that does not exist', () => {
  it.each([
    ['a word', ['serve'], 'serve'],
    ['an option', ['--verbose'], '--verbose'],
    ['a short option', ['-x'], '-x'],
    ['an option of another command', ['tools', '--dry-run'], '--dry-run'],
    ['a word too many after tools', ['tools', 'create_customer'], 'tools'],
    ['a word too many after call', ['call', 'search_customer', '{}', '{}'], 'call'],
    ['an option with a value it does not take', ['tools', '--json=yes'], '--json'],
  ])('is refused on stderr with exit 2: %s', async (_, args, named) => {
    const { code, stdout, stderr } = await command(args, SANDBOX);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(named);
    expect(stderr).toContain('--help');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('customers-mcp call', () => {
  it('prints the structured answer as JSON and exits 0', async () => {
    const { code, stdout, stderr } = await command(
      ['call', 'create_customer', '{"company_name":"Acme","external_id":"a-1"}'],
      SANDBOX,
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'created',
      external_id: 'a-1',
      customer: { company_name: 'Acme' },
      sandbox: true,
    });
    expect(stderr).toMatch(/^customers-mcp: SANDBOX.*\n$/);
  });

  it('needs no input where a tool needs none', async () => {
    const { code, stdout } = await command(['call', 'search_customer'], SANDBOX);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ customers: [], has_more: false });
  });

  it('prints the same structured answer that a client gets', async () => {
    const { store, remove } = temporaryStore();
    onTestFinished(remove);
    const environment = { ...SANDBOX, CUSTOMERS_STORE: store };
    const { stdout } = await command(
      ['call', 'create_customer', '{"email":"a@example.com","external_id":"a"}'],
      environment,
    );
    const read = await command(['call', 'get_customer', '{"external_id":"a"}'], environment);
    const connection = await connect(environment);
    const { data } = await connection.call('get_customer', { external_id: 'a' });
    await connection.close();
    expect(JSON.parse(read.stdout)).toEqual(data);
    expect(JSON.parse(stdout)).toMatchObject({ customer_id: data['customer_id'], customer: data['customer'] });
  });

  it.each([
    ['that the input is wrong', ['call', 'create_customer', '{"surname":"x"}'], 'invalid_input'],
    ['that the input is no object', ['call', 'search_customer', '[]'], 'invalid_input'],
    ['that nothing is there', ['call', 'get_customer', '{"customer_id":"nobody"}'], 'not_found'],
  ])('exits 1 when the tool answers %s, and prints that answer as JSON', async (_, args, kind) => {
    const { code, stdout } = await command(args, SANDBOX);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { kind, message: expect.any(String) } });
  });

  it('asks for consent in two steps, as there is nobody to ask', async () => {
    const { store, remove } = temporaryStore();
    onTestFinished(remove);
    const environment = { ...SANDBOX, CUSTOMERS_PROVIDER: 'notify', CUSTOMERS_STORE: store };
    await command(['call', 'create_customer', '{"CustomerCode":"a-1","Name":"Acme"}'], environment);
    const first = await command(['call', 'archive_customer', '{"CustomerCode":"a-1"}'], environment);
    expect(first.code).toBe(1);
    expect(JSON.parse(first.stdout)).toMatchObject({ error: { kind: 'confirmation_required', confirm: 'Acme' } });
    const second = await command(['call', 'archive_customer', '{"CustomerCode":"a-1","confirm":"Acme"}'], environment);
    expect(second.code).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject({ outcome: 'deleted' });
  });

  it.each([
    ['no tool', ['call'], /search_customer/],
    ['a tool that does not exist', ['call', 'delete_everything'], /delete_everything.*search_customer/],
    ['a tool of another provider', ['call', 'link_customer', '{}'], /link_customer/],
    ['input that is not JSON', ['call', 'search_customer', '{limit: 5}'], /JSON/],
    ['input that is cut off', ['call', 'search_customer', '{"limit":'], /JSON/],
    ['no input but an empty text', ['call', 'search_customer', ''], /JSON/],
  ])('exits 2 and prints nothing on stdout when it is given %s', async (_, args, said) => {
    const { code, stdout, stderr } = await command(args, SANDBOX);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(said);
  });

  it('offers no writing tool when it is read-only', async () => {
    const { code, stderr } = await command(['call', 'create_customer', '{}'], {
      ...SANDBOX,
      CUSTOMERS_READ_ONLY: 'true',
    });
    expect(code).toBe(2);
    expect(stderr).toContain('create_customer');
  });

  it('says nothing on stderr about a real account that is fine', async () => {
    const { standIn, environment } = await standIns.dayzero();
    onTestFinished(() => standIn.close());
    const { code, stdout, stderr } = await command(['call', 'search_customer'], {
      ...environment,
      CUSTOMERS_STORE: 'memory:',
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ customers: [], has_more: false });
  });

  it('keeps its log on stderr', async () => {
    const { stdout, stderr } = await command(['call', 'search_customer'], { ...SANDBOX, CUSTOMERS_LOG: 'debug' });
    expect(parsed(stdout)).toBeDefined();
    expect(stderr).toMatch(/^\{"time".*"event":"call".*\}$/m);
  });
});

describe('customers-mcp tools', () => {
  it.each(providers)('prints for people the tools of %s with all their fields', async (provider) => {
    const environment = { ...SANDBOX, CUSTOMERS_PROVIDER: provider };
    const { code, stdout } = await command(['tools'], environment);
    expect(code).toBe(0);
    expect(parsed(stdout)).toBeUndefined();
    const sections = stdout.split(/\n(?=[a-z_]+ - )/);
    const connection = await connect(environment);
    const { tools } = await connection.client.listTools();
    await connection.close();
    for (const { name, title, description, inputSchema } of tools) {
      const section = sections.find((one) => one.startsWith(`${name} - ${title}`)) ?? '';
      expect.soft(section.replaceAll(/\s+/g, ' '), name).toContain(description);
      for (const [field, schema] of Object.entries(inputSchema.properties ?? {})) {
        const { description: words = '' } = z.object({ description: z.string().optional() }).parse(schema);
        const line = section.split('\n').find((one) => one.startsWith(`    ${field} `)) ?? '';
        expect.soft(line, `${name}.${field}`).toContain(words);
        expect.soft(line.includes('required'), `${name}.${field}`).toBe(inputSchema.required?.includes(field) ?? false);
      }
    }
    expect(sections.length).toBe(tools.length + 1);
    const prose = stdout.split('\n').filter((line) => /^ {2}\S/.test(line));
    expect(prose.filter((line) => line.length > 100)).toEqual([]);
  });

  it('tells people limits and choices', async () => {
    const { stdout } = await command(['tools'], { ...SANDBOX, CUSTOMERS_PROVIDER: 'dayzero' });
    expect(stdout).toMatch(/^ +limit .*integer, 1 to 1000/m);
    expect(stdout).toMatch(/^ +search .*string, 1 to 200 characters/m);
    expect(stdout).toMatch(/^ +status .*active \| inactive \| blocked/m);
    expect(stdout).toMatch(/^ +email .*required, email/m);
  });

  it.each(providers)('--json prints for %s what tools/list answers, word for word', async (provider) => {
    const environment = { ...SANDBOX, CUSTOMERS_PROVIDER: provider };
    const { code, stdout } = await command(['tools', '--json'], environment);
    expect(code).toBe(0);
    const server = await greetedServer(environment);
    const { result } = await server.request('tools/list');
    server.child.kill();
    expect(JSON.stringify(JSON.parse(stdout))).toBe(JSON.stringify(result));
  });

  it('shows only what is offered', async () => {
    const { stdout } = await command(['tools', '--json'], { ...SANDBOX, CUSTOMERS_READ_ONLY: 'true' });
    const { tools } = z.object({ tools: z.array(z.object({ name: z.string() })) }).parse(JSON.parse(stdout));
    expect(tools.map(({ name }) => name).toSorted()).toEqual(['get_customer', 'search_customer']);
  });

  it('reaches no provider', async () => {
    const { standIn, environment } = await standIns.layer();
    onTestFinished(() => standIn.close());
    expect((await command(['tools'], { ...environment, CUSTOMERS_STORE: 'memory:' })).code).toBe(0);
    expect(standIn.count('*')).toBe(0);
  });
});

describe('a reader that goes away', () => {
  it.each([[['--help']], [['tools', '--json']], [['call', 'search_customer']]])('ends %j quietly', async (args) => {
    const child = spawn(process.execPath, [BUILT, ...args], { env: { PATH: process.env['PATH'] ?? '', ...SANDBOX } });
    child.stdin.end();
    child.stdout.destroy();
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += String(text)));
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect(code).toBe(0);
    expect(stderr.replace(/^customers-mcp: SANDBOX.*\n/, '')).toBe('');
  });
});

describe('a Node that is too old', () => {
  const version = existsSync(OLD_NODE) ? execFileSync(OLD_NODE, ['--version'], { encoding: 'utf8' }).trim() : '';
  const [major = 0, minor = 0] = version.slice(1).split('.').map(Number);
  const tooOld = version !== '' && (major < 22 || (major === 22 && minor < 19));

  it.skipIf(!tooOld)(
    tooOld ? `is told so in one sentence (${version})` : `is not tried: ${OLD_NODE} is not a Node older than 22.19`,
    async () => {
      for (const args of [[], ['--help'], ['call', 'search_customer']]) {
        const { code, stdout, stderr } = await command(args, SANDBOX, OLD_NODE);
        expect.soft({ code, stdout }).toEqual({ code: 1, stdout: '' });
        expect.soft(stderr).toMatch(/^customers-mcp needs Node 22\.19 or newer.*\n$/);
        expect.soft(stderr).toContain(version.slice(1));
      }
    },
  );
});
