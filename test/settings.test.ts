import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { providers } from '../src/providers/registry.ts';
import { connect, errorOf, type Environment } from './support/client.ts';
import { startLayer } from './providers/layer/stand-in.ts';
import { startDayZero } from './providers/dayzero/stand-in.ts';
import { startNotify } from './providers/notify/stand-in.ts';
import { command, SANDBOX } from './support/process.ts';
import { accepted, account, memory, refusal, SECRETS } from './support/refusal.ts';
import type { StandInAccount } from './support/provider-kit.ts';
import { kits } from './support/providers.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'customers-mcp-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('with nothing set', () => {
  it('the server is a sandbox of Layer and announces it everywhere', async () => {
    const connection = await connect({ CUSTOMERS_STORE: '', HOME: folder });
    expect(connection.client.getServerVersion()?.title).toMatch(/Layer.*sandbox/i);
    expect(connection.client.getInstructions()).toMatch(/sandbox.*Layer.*simulated/i);
    expect(connection.stderr()).toMatch(/SANDBOX.*Layer.*simulated/);

    const created = await connection.call('create_customer', { company_name: 'Acme', external_id: 'a-1' });
    expect(created).toMatchObject({ isError: false, data: { outcome: 'created', sandbox: true } });
    expect(JSON.parse(created.text)).toEqual(created.data);
    for (const [tool, args] of [
      ['get_customer', { external_id: 'a-1' }],
      ['search_customer', {}],
      ['update_customer', { external_id: 'a-1', notes: 'x' }],
      ['archive_customer', { external_id: 'a-1' }],
      ['restore_customer', { external_id: 'a-1' }],
    ] as const)
      expect.soft((await connection.call(tool, args)).data['sandbox'], tool).toBe(true);
    for (const args of [{ external_id: 'unknown' }, { nonsense: 1 }, {}]) {
      const answer = await connection.call('get_customer', args);
      expect.soft(errorOf(answer), JSON.stringify(args)).toBeDefined();
      expect.soft(answer.data['sandbox'], JSON.stringify(args)).toBe(true);
    }
    await connection.close();
  });

  it('the store is below the home folder and private to the user', async () => {
    const { code } = await command(['call', 'create_customer', '{"company_name":"Acme","external_id":"a-1"}'], {
      HOME: folder,
    });
    expect(code).toBe(0);
    const [file] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.sqlite'),
    );
    expect(file).toMatch(/customers-mcp.*\.sqlite$/);
    const path = join(folder, file ?? '');
    expect(statSync(join(path, '..')).mode & 0o077).toBe(0);
  });

  it('a server without calls creates no files', async () => {
    await command(['tools'], { HOME: folder });
    expect(
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('sqlite')),
    ).toEqual([]);
  });

  it.each([
    [
      'the variables of every provider',
      Object.fromEntries(
        providers.flatMap(({ variables }) => variables.map(({ name }, n) => [name, n === 0 ? '  ' : ''])),
      ),
    ],
    [
      'the settings of the server',
      {
        CUSTOMERS_PROVIDER: '',
        CUSTOMERS_SANDBOX: '',
        CUSTOMERS_READ_ONLY: '',
        CUSTOMERS_TOOLS: '',
        CUSTOMERS_CONFIRM: '',
        CUSTOMERS_TIMEOUT_MS: '',
        CUSTOMERS_LOG: '',
      },
    ],
    ['variables for secret files', Object.fromEntries(Object.keys(SECRETS).map((name) => [`${name}_FILE`, '']))],
    [
      'the placeholder of a desktop host for an empty field',
      {
        CUSTOMERS_PROVIDER: '${user_config.provider}',
        CUSTOMERS_TOOLS: ' ${user_config.tools} ',
        CUSTOMERS_TIMEOUT_MS: '${user_config.timeout_ms}',
        NOTIFY_API_KEY: '${user_config.notify_api_key}',
        LAYER_CLIENT_SECRET_FILE: '${user_config.file}',
      },
    ],
  ])('empty values count as unset: %s', async (_, blank) => {
    const { code, stderr } = await command([], { ...blank, ...memory });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^customers-mcp: SANDBOX.*Layer.*\n$/);
  });
});

describe('a value that only resembles the placeholder of an empty field', () => {
  it.each(['${user_config.provider}x', 'x${user_config.provider}', '${HOME}', '${user_config.}'])(
    'counts as a value: %s',
    async (name) => {
      expect(await refusal({ ...memory, CUSTOMERS_PROVIDER: name })).toEqual([
        expect.stringContaining('CUSTOMERS_PROVIDER'),
      ]);
    },
  );
});

describe('a sandbox that was selected', () => {
  it.each(providers)('simulates $title without credentials', async ({ name, title }) => {
    const connection = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: name });
    expect(connection.client.getServerVersion()?.title).toMatch(new RegExp(`${title}.*sandbox`));
    expect((await connection.call('search_customer')).data).toMatchObject({
      customers: [],
      has_more: false,
      sandbox: true,
    });
    await connection.close();
  });

  it('sends nothing to the real address even if credentials are set', async () => {
    const { standIn, environment } = await startDayZero();
    const connection = await connect({ ...environment, CUSTOMERS_SANDBOX: 'true' });
    expect((await connection.call('search_customer')).data['sandbox']).toBe(true);
    expect(standIn.count('*')).toBe(0);
    await connection.close();
    await standIn.close();
  });
});

describe.concurrent('a real account', () => {
  it('is never announced as a sandbox', async () => {
    const { standIn, environment } = await startLayer();
    const connection = await connect(environment);
    expect(connection.client.getServerVersion()?.title).not.toMatch(/sandbox/i);
    expect(connection.client.getInstructions()).not.toMatch(/sandbox/i);
    expect((await connection.call('search_customer')).data).not.toHaveProperty('sandbox');
    expect((await connection.call('get_customer', { external_id: 'unknown' })).data).not.toHaveProperty('sandbox');
    expect(connection.stderr()).toBe('');
    await connection.close();
    await standIn.close();
  });

  it.each(
    providers.flatMap(({ name, variables }) => {
      const required = variables.filter((variable) => variable.required === true).map((variable) => variable.name);
      const others = providers.filter((other) => other.name !== name).map((other) => account(other.name));
      const of = (title: string, environment: Environment, missing = required) => ({ title, environment, missing });
      return [
        of(`${name} without any variable`, { CUSTOMERS_PROVIDER: name }),
        of(`${name} with the account of another provider`, { ...others[0], CUSTOMERS_PROVIDER: name }),
        ...required.map((one) => of(`${name} without ${one}`, { ...account(name), [one]: ' ' }, [one])),
      ];
    }),
  )('is refused with each missing variable named: $title', async ({ environment, missing }) => {
    expect(namedIn(await refusal(environment))).toEqual(missing.toSorted());
  });

  it('of Layer with an access token needs the business', async () => {
    const problems = await refusal({
      ...memory,
      CUSTOMERS_PROVIDER: 'layer',
      LAYER_ACCESS_TOKEN: SECRETS['LAYER_ACCESS_TOKEN'] ?? '',
    });
    expect(namedIn(problems)).toEqual(['LAYER_BUSINESS_ID']);
  });

  it('reports that an access token of Layer can replace id and secret', async () => {
    expect((await refusal({ CUSTOMERS_PROVIDER: 'layer' })).join('\n')).toContain('LAYER_ACCESS_TOKEN');
  });

  it('needs neither id nor secret with an access token of Layer', async () => {
    await accepted({ ...memory, CUSTOMERS_PROVIDER: 'layer', LAYER_ACCESS_TOKEN: 'x', LAYER_BUSINESS_ID: 'y' });
  });

  it.each(providers.flatMap(({ variables }) => variables.flatMap(({ name }) => [name, `${name}_FILE`])))(
    'is neither guessed from %s alone nor replaced by the sandbox',
    async (name) => {
      const text = (await refusal({ ...memory, [name]: 'word-hush' })).join('\n');
      expect(text).toContain(`CUSTOMERS_PROVIDER is not set, but ${name.replace(/_FILE$/, '')} is.`);
      expect(text).toContain(providers.map((provider) => provider.name).join(', '));
      expect(text).not.toContain('word-hush');
    },
  );

  it.each(['stripe', 'layer,dayzero', 'layer dayzero'])('refuses the unknown provider %j', async (name) => {
    const [problem, ...others] = await refusal({ ...memory, CUSTOMERS_PROVIDER: name });
    expect(problem).toContain('CUSTOMERS_PROVIDER');
    expect(problem).toContain(providers.map((provider) => provider.name).join(', '));
    expect(others).toEqual([]);
  });

  it('accepts the name of a provider in capitals and with spaces around it', async () => {
    await accepted({ ...account('notify'), CUSTOMERS_PROVIDER: ' Notify ' });
  });
});

describe('addresses', () => {
  const variables = providers.flatMap((provider) =>
    provider.variables
      .filter(({ name }) => name.endsWith('_URL'))
      .map(({ name }) => [name, account(provider.name)] as const),
  );
  const wrong = [
    'http://api.example.com',
    'https://someone:word-hush@api.example.com',
    'nonsense',
    'http://10.0.0.1:8080',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'https://someone@api.example.com',
    'ftp://api.example.com',
    'file:///etc/passwd',
    'api.example.com',
    'https://',
    'https://api.example.com/?key=word-hush',
    'https://api.example.com/#part',
  ];

  it.each(variables)(
    'in %s must be safe',
    async (name, environment) => {
      await Promise.all(
        wrong.map(async (address) => {
          const problems = await refusal({ ...environment, [name]: address });
          expect.soft(problems, address).toEqual([expect.stringContaining(name)]);
          expect.soft(problems.join('\n'), address).not.toMatch(/word-hush/);
        }),
      );
    },
    20_000,
  );

  it.each(variables)('in %s can be https anywhere and http on this machine', async (name, environment) => {
    const right = ['https://proxy.example.com/prefix/', 'http://127.0.0.1:8080', 'http://localhost', 'http://[::1]:9/'];
    await Promise.all(right.map((address) => accepted({ ...environment, [name]: address })));
  });
});

describe('a base address', () => {
  const servers = new Map<string, StandInAccount>();
  beforeAll(async () => {
    for (const kit of kits) servers.set(kit.name, await kit.start());
  });
  afterAll(async () => {
    for (const { standIn } of servers.values()) await standIn.close();
  });

  it.each(kits)(
    'of $title works with and without version and slash',
    async ({ name, settings: own, customersPath }) => {
      const { standIn, environment } = servers.get(name) ?? expect.unreachable();
      for (const ending of ['', '/', own.version, `${own.version}/`]) {
        standIn.requests.length = 0;
        const settings = { ...environment, ...memory, [own.baseUrl]: standIn.origin + ending };
        const { code, stdout } = await command(['call', 'search_customer'], settings);
        expect.soft(code, `${ending}: ${stdout}`).toBe(0);
        expect
          .soft(
            standIn.requests.filter(({ operation }) => operation === 'list').map((one) => one.path),
            ending,
          )
          .toEqual([customersPath]);
        expect.soft(standIn.count('unknown'), ending).toBe(0);
      }
    },
  );
});

describe('a secret in a file', () => {
  it.each(kits)('replaces $settings.secret of $title, without the newline', async (kit) => {
    const variable = kit.settings.secret;
    const { standIn, environment } = await kit.start();
    const file = join(folder, 'secret');
    writeFileSync(file, `${environment[variable]}\n`);
    const { [variable]: _, ...rest } = environment;
    const { code, stdout } = await command(['call', 'search_customer'], {
      ...memory,
      ...rest,
      [`${variable}_FILE`]: file,
    });
    expect(code, stdout).toBe(0);
    expect(standIn.count('list')).toBe(1);
    await standIn.close();
  });

  it('must exist', async () => {
    const { NOTIFY_API_KEY: _, ...rest } = account('notify');
    const problems = await refusal({ ...rest, NOTIFY_API_KEY_FILE: join(folder, 'missing') });
    expect(problems).toEqual([expect.stringContaining('NOTIFY_API_KEY_FILE')]);
  });

  it('must not be a folder', async () => {
    const { NOTIFY_API_KEY: _, ...rest } = account('notify');
    expect(await refusal({ ...rest, NOTIFY_API_KEY_FILE: folder })).toEqual([
      expect.stringContaining('NOTIFY_API_KEY_FILE'),
    ]);
  });

  it('must not be empty', async () => {
    const { DAYZERO_API_TOKEN: _, ...rest } = account('dayzero');
    const file = join(folder, 'empty');
    writeFileSync(file, '\n');
    const problems = await refusal({ ...rest, DAYZERO_API_TOKEN_FILE: file });
    expect(problems).toEqual([expect.stringContaining('DAYZERO_API_TOKEN_FILE')]);
  });

  it('must not be combined with the value itself', async () => {
    const file = join(folder, 'secret');
    writeFileSync(file, SECRETS['LAYER_CLIENT_SECRET'] ?? '');
    const problems = await refusal({ ...account('layer'), LAYER_CLIENT_SECRET_FILE: file });
    expect(problems).toEqual([expect.stringMatching(/LAYER_CLIENT_SECRET .*LAYER_CLIENT_SECRET_FILE/)]);
  });
});

describe.concurrent('an invalid value of a setting', () => {
  it.each([
    ['CUSTOMERS_SANDBOX', 'yes', /true.*false/],
    ['CUSTOMERS_READ_ONLY', '1', /true.*false/],
    ['CUSTOMERS_CONFIRM', 'always', /destructive.*never/],
    ['CUSTOMERS_LOG', 'verbose', /silent.*error.*warn.*info.*debug/],
    ['CUSTOMERS_TIMEOUT_MS', 'soon', /whole number/],
    ['CUSTOMERS_TIMEOUT_MS', '0', /whole number/],
    ['CUSTOMERS_TIMEOUT_MS', '-5', /whole number/],
    ['CUSTOMERS_TIMEOUT_MS', '2500.5', /whole number/],
    ['CUSTOMERS_TIMEOUT_MS', '25s', /whole number/],
    ['CUSTOMERS_TIMEOUT_MS', '1e4', /whole number/],
    ['CUSTOMERS_TOOLS', 'drop_table', /drop_table/],
    ['LAYER_ENVIRONMENT', 'staging', /sandbox.*production/],
  ])('is refused with the permitted values: %s=%s', async (name, value, possible) => {
    const problems = await refusal({ ...account('layer'), [name]: value });
    expect(problems).toEqual([expect.stringContaining(name)]);
    expect(problems[0]).toMatch(possible);
  });

  it.each([
    'mysql://root:word-hush@db/customers',
    'mongodb+srv://x',
    'customers.sqlite',
    'sqlite:',
    ':memory:',
    'MEMORY',
  ])('is refused as a store, because Keyv would silently use memory: %s', async (store) => {
    const problems = await refusal({ ...account('notify'), CUSTOMERS_STORE: store });
    expect(problems).toEqual([expect.stringContaining('CUSTOMERS_STORE')]);
    expect(problems.join('\n')).toMatch(/sqlite:.*memory:/);
    expect(problems.join('\n')).not.toContain('word-hush');
  });
});

describe('several problems', () => {
  it('leave nothing on disk', async () => {
    const file = join(folder, 'customers.sqlite');
    await refusal({ ...account('notify'), CUSTOMERS_STORE: `sqlite:${file}`, CUSTOMERS_LOG: 'loud' });
    expect(existsSync(file)).toBe(false);
  });

  it('are all reported together, each once', async () => {
    const problems = await refusal({
      CUSTOMERS_PROVIDER: 'layer',
      CUSTOMERS_STORE: 'cassandra://somewhere',
      CUSTOMERS_SANDBOX: 'maybe',
      CUSTOMERS_READ_ONLY: 'sometimes',
      CUSTOMERS_CONFIRM: 'ask',
      CUSTOMERS_TIMEOUT_MS: 'long',
      CUSTOMERS_LOG: 'loud',
      CUSTOMERS_TOOLS: 'get_customer,erase_customer',
      LAYER_ENVIRONMENT: 'moon',
      LAYER_BASE_URL: 'http://example.com',
      LAYER_TOKEN_URL: 'nonsense',
      LAYER_CLIENT_SECRET: SECRETS['LAYER_CLIENT_SECRET'] ?? '',
    });
    expect(namedIn(problems)).toEqual([
      'CUSTOMERS_CONFIRM',
      'CUSTOMERS_LOG',
      'CUSTOMERS_READ_ONLY',
      'CUSTOMERS_SANDBOX',
      'CUSTOMERS_STORE',
      'CUSTOMERS_TIMEOUT_MS',
      'CUSTOMERS_TOOLS',
      'LAYER_BASE_URL',
      'LAYER_BUSINESS_ID',
      'LAYER_CLIENT_ID',
      'LAYER_ENVIRONMENT',
      'LAYER_TOKEN_URL',
    ]);
  });

  it.each(['call', 'tools'])('also stop %s', async (name) => {
    const { code, stdout, stderr } = await command([name, ...(name === 'call' ? ['search_customer'] : [])], {
      CUSTOMERS_PROVIDER: 'dayzero',
      CUSTOMERS_LOG: 'loud',
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    for (const variable of ['CUSTOMERS_LOG', 'DAYZERO_API_TOKEN', 'DAYZERO_BUSINESS_ID'])
      expect(stderr).toContain(variable);
  });
});

describe('the time limit of a call', () => {
  it('ends a call to which the provider does not respond', async () => {
    const { standIn, environment } = await startNotify();
    standIn.fault({ on: 'list', act: 'hang' });
    const { code, stdout } = await command(['call', 'search_customer'], {
      ...environment,
      ...memory,
      CUSTOMERS_TIMEOUT_MS: '1000',
    });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { kind: 'unavailable' } });
    await standIn.close();
  });
});

describe('consent', () => {
  it('is not requested if the operator disables it', async () => {
    const ask = { ...SANDBOX, CUSTOMERS_PROVIDER: 'notify' };
    for (const [settings, outcome] of [
      [ask, { error: { kind: 'confirmation_required' } }],
      [{ ...ask, CUSTOMERS_CONFIRM: 'destructive' }, { error: { kind: 'confirmation_required' } }],
      [{ ...ask, CUSTOMERS_CONFIRM: 'never' }, { outcome: 'deleted' }],
    ] as const) {
      const connection = await connect(settings);
      await connection.call('create_customer', { CustomerCode: 'a-1', Name: 'Acme' });
      expect((await connection.call('archive_customer', { CustomerCode: 'a-1' })).data).toMatchObject(outcome);
      await connection.close();
    }
  });
});

/** The variables that the lines of a refusal begin with. */
function namedIn(problems: readonly string[]): readonly string[] {
  return problems.map((problem) => /[A-Z]{3,}(?:_[A-Z]+)+/.exec(problem)?.[0] ?? problem).toSorted();
}
