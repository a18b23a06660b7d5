import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import { providers } from '../src/providers/registry.ts';
import { BUILT, connect, temporaryStore } from './support/client.ts';
import { startLayer } from './providers/layer/stand-in.ts';
import { startDayZero } from './providers/dayzero/stand-in.ts';
import { command, ending, greetedServer, launch, parsed, SANDBOX } from './support/process.ts';
import { ofHttp, ofMachine, ofStdio } from './support/settings.ts';

const names = providers.map(({ name }) => name);
const OLD_NODE = '/usr/bin/node';

describe('customers-mcp --help', () => {
  it.each([['--help'], ['-h'], ['call', '--help'], ['tools', '--help'], ['--help', 'nonsense']])(
    'explains the commands and settings on stdout: %s %s',
    async (...args) => {
      const { code, stdout, stderr } = await command(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const commands = [
        'http',
        'call TOOL',
        'tools',
        'import FILE',
        'doctor',
        '--host',
        '--json',
        '--map',
        '--version',
      ];
      for (const word of [...commands, ...ofStdio, ...ofHttp, ...ofMachine]) expect.soft(stdout).toContain(word);
      expect(stdout.split('\n').filter((line) => line.length > 100)).toEqual([]);
    },
  );

  it('prints the help even if the configuration is invalid', async () => {
    expect((await command(['--help'], { CUSTOMERS_PROVIDER: 'unknown' })).code).toBe(0);
  });
});

describe('customers-mcp --version', () => {
  it.each([['--version'], ['-v'], ['tools', '--version']])(
    'prints the version of the package: %s %s',
    async (...args) => {
      expect(await command(args, { CUSTOMERS_PROVIDER: 'unknown' })).toEqual({
        code: 0,
        signal: null,
        stdout: `${packageJson.version}\n`,
        stderr: '',
      });
    },
  );

  it('is the version that the server reports to clients', async () => {
    const connection = await connect(SANDBOX);
    expect(connection.client.getServerVersion()).toMatchObject({ name: 'customers-mcp', version: packageJson.version });
    await connection.close();
  });
});

describe('a command that does not exist', () => {
  it.each([
    ['an unknown name', ['serve'], "unknown command 'serve'"],
    ['the name of the default', ['stdio'], "unknown command 'stdio'"],
    ['an option', ['--verbose'], "unknown option '--verbose' for command 'stdio'"],
    ['a short option', ['-x'], "unknown option '-x' for command 'stdio'"],
    ['an option of another command', ['tools', '--settle'], "unknown option '--settle' for command 'tools'"],
    ['the same before the command', ['--settle', 'tools'], "unknown option '--settle' for command 'tools'"],
    ['an extra operand after tools', ['tools', 'all'], "unexpected argument 'all' for command 'tools'"],
    ['an extra operand after call', ['call', 'x', '{}', '{}'], "unexpected argument '{}' for command 'call'"],
    ['an option without its value', ['http', '--port'], '--port'],
    ['an option with a value it does not take', ['tools', '--json=yes'], '--json'],
  ])('is refused on stderr with exit 2: %s', async (_, args, named) => {
    const { code, stdout, stderr } = await command(args, SANDBOX);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(named);
    expect(stderr).toContain('--help');
    expect(stderr).not.toMatch(/^\s+at /m);
  });
});

describe('an option before the command', () => {
  it.each([[['--json', 'tools']], [['tools', '--json']]])('is treated like one after it: %j', async (args) => {
    expect(parsed((await command(args, SANDBOX)).stdout)).toHaveProperty('tools');
  });
});

describe('customers-mcp call', () => {
  it('prints the structured result as JSON and exits with 0', async () => {
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

  it('needs no input for a tool without required input', async () => {
    const { code, stdout } = await command(['call', 'search_customer'], SANDBOX);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ customers: [], has_more: false });
  });

  it('prints the same structured result that a client gets', async () => {
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
    ['that the input is invalid', ['call', 'create_customer', '{"surname":"x"}'], 'invalid_input'],
    ['that the input is not an object', ['call', 'search_customer', '[]'], 'invalid_input'],
    ['that the customer does not exist', ['call', 'get_customer', '{"customer_id":"unknown"}'], 'not_found'],
  ])('exits with 1 when the tool reports %s, and prints that result as JSON', async (_, args, kind) => {
    const { code, stdout } = await command(args, SANDBOX);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { kind, message: expect.any(String) } });
  });

  it('requires consent in two steps, because there is no user to ask', async () => {
    const { store, remove } = temporaryStore();
    onTestFinished(remove);
    const environment = { ...SANDBOX, CUSTOMERS_PROVIDER: 'notify', CUSTOMERS_STORE: store };
    await command(['call', 'create_customer', '{"CustomerCode":"a-1","Name":"Acme"}'], environment);
    const first = await command(['call', 'archive_customer', '{"CustomerCode":"a-1"}'], environment);
    expect(first.code).toBe(1);
    const { error } = JSON.parse(first.stdout);
    expect(error).toMatchObject({ kind: 'confirmation_required', confirm: expect.any(String) });
    const again = JSON.stringify({ CustomerCode: 'a-1', confirm: error.confirm });
    const second = await command(['call', 'archive_customer', again], environment);
    expect(second.code).toBe(0);
    expect(JSON.parse(second.stdout)).toMatchObject({ outcome: 'deleted' });
  });

  it.each([
    ['no tool', ['call'], /search_customer/],
    ['a tool that does not exist', ['call', 'delete_everything'], /delete_everything.*search_customer/],
    ['a tool of another provider', ['call', 'link_customer', '{}'], /link_customer/],
    ['input that is not JSON', ['call', 'search_customer', '{limit: 5}'], /JSON/],
    ['truncated input', ['call', 'search_customer', '{"limit":'], /JSON/],
    ['an empty string as input', ['call', 'search_customer', ''], /JSON/],
  ])('exits with 2 and prints nothing on stdout for %s', async (_, args, said) => {
    const { code, stdout, stderr } = await command(args, SANDBOX);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(said);
  });

  it('offers no writing tool in read-only mode', async () => {
    const { code, stderr } = await command(['call', 'create_customer', '{}'], {
      ...SANDBOX,
      CUSTOMERS_READ_ONLY: 'true',
    });
    expect(code).toBe(2);
    expect(stderr).toContain('create_customer');
  });

  it('prints nothing on stderr for a working real account', async () => {
    const { standIn, environment } = await startDayZero();
    onTestFinished(() => standIn.close());
    const { code, stdout, stderr } = await command(['call', 'search_customer'], {
      ...environment,
      CUSTOMERS_STORE: 'memory:',
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({ customers: [], has_more: false, total: 0 });
  });

  it('keeps its log on stderr', async () => {
    const { stdout, stderr } = await command(['call', 'search_customer'], { ...SANDBOX, CUSTOMERS_LOG: 'debug' });
    expect(parsed(stdout)).toBeDefined();
    expect(stderr).toMatch(/^\{"time".*"event":"call".*\}$/m);
  });
});

describe('customers-mcp tools', () => {
  it.each(names)('prints the tools of %s with all their fields as text', async (provider) => {
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

  it('prints limits and choices', async () => {
    const { stdout } = await command(['tools'], { ...SANDBOX, CUSTOMERS_PROVIDER: 'dayzero' });
    expect(stdout).toMatch(/^ +limit .*integer, 1 to 1000/m);
    expect(stdout).toMatch(/^ +search .*string, 1 to 200 characters/m);
    expect(stdout).toMatch(/^ +status .*active \| inactive \| blocked/m);
    expect(stdout).toMatch(/^ +email .*required, string/m);
  });

  it.each(names)('--json prints for %s the exact answer to tools/list', async (provider) => {
    const environment = { ...SANDBOX, CUSTOMERS_PROVIDER: provider };
    const { code, stdout } = await command(['tools', '--json'], environment);
    expect(code).toBe(0);
    const server = await greetedServer(environment);
    const { result } = await server.request('tools/list');
    server.child.kill();
    expect(JSON.stringify(JSON.parse(stdout))).toBe(JSON.stringify(result));
  });

  it('prints only the tools that are offered', async () => {
    const { stdout } = await command(['tools', '--json'], { ...SANDBOX, CUSTOMERS_READ_ONLY: 'true' });
    const { tools } = z.object({ tools: z.array(z.object({ name: z.string() })) }).parse(JSON.parse(stdout));
    expect(tools.map(({ name }) => name).toSorted()).toEqual(['get_customer', 'search_customer']);
  });

  it('sends no request to the provider', async () => {
    const { standIn, environment } = await startLayer();
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
    tooOld ? `is rejected with one sentence (${version})` : `is not tested: ${OLD_NODE} is not a Node older than 22.19`,
    async () => {
      for (const args of [[], ['--help'], ['call', 'search_customer']]) {
        const { code, stdout, stderr } = await command(args, SANDBOX, OLD_NODE);
        expect.soft({ code, stdout }).toEqual({ code: 1, stdout: '' });
        expect.soft(stderr).toMatch(/^customers-mcp needs Node 22\.19 or newer.*\n$/);
        expect.soft(stderr).toContain(version.slice(1));
      }
    },
  );

  it.skipIf(!tooOld)('is reported to an MCP client', async () => {
    const child = launch([], {}, OLD_NODE);
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += String(text)));
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: {} })}\n`);
    expect(await ending(child)).toMatchObject({ code: 1 });
    expect(JSON.parse(stdout)).toMatchObject({ id: 1, error: { message: expect.stringContaining('Node 22.19') } });
  });
});
