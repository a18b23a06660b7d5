import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, errorOf, standIns, type Environment } from './support/client.ts';
import { command, SANDBOX } from './support/process.ts';
import type { StandIn } from './support/stand-ins/stand-in.ts';

/** Values that no output may ever show. */
const SECRETS = {
  LAYER_CLIENT_ID: 'id-hush-1f0c',
  LAYER_CLIENT_SECRET: 'secret-hush-77aa',
  LAYER_ACCESS_TOKEN: 'token-hush-9d2e',
  DAYZERO_API_TOKEN: 'dz_hush-3b61',
  NOTIFY_API_KEY: 'test_hush-c4d8',
} as const;
const BUSINESS = { LAYER_BUSINESS_ID: 'business-1', DAYZERO_BUSINESS_ID: 'business-2' } as const;
const memory = { CUSTOMERS_STORE: 'memory:' } as const;
const layer = {
  ...memory,
  CUSTOMERS_PROVIDER: 'layer',
  LAYER_CLIENT_ID: SECRETS.LAYER_CLIENT_ID,
  LAYER_CLIENT_SECRET: SECRETS.LAYER_CLIENT_SECRET,
  LAYER_BUSINESS_ID: BUSINESS.LAYER_BUSINESS_ID,
} as const;
const dayzero = {
  ...memory,
  CUSTOMERS_PROVIDER: 'dayzero',
  DAYZERO_API_TOKEN: SECRETS.DAYZERO_API_TOKEN,
  DAYZERO_BUSINESS_ID: BUSINESS.DAYZERO_BUSINESS_ID,
} as const;
const notify = { ...memory, CUSTOMERS_PROVIDER: 'notify', NOTIFY_API_KEY: SECRETS.NOTIFY_API_KEY } as const;

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'customers-mcp-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The one message with which the server refuses to start: its problems, a line each. */
async function refusal(environment: Environment): Promise<string[]> {
  const { code, stdout, stderr } = await command([], environment);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  for (const secret of Object.values(SECRETS)) expect(stderr).not.toContain(secret);
  expect(stderr).not.toMatch(/^\s+at /m);
  const [first, ...rest] = stderr.trimEnd().split('\n');
  expect(first).toMatch(/cannot start/);
  expect(rest.at(-1)).toMatch(/--help/);
  const problems = rest.slice(0, -1);
  for (const problem of problems) expect(problem).toMatch(/^ {2}- .+\.$/);
  return problems;
}

/** Starts and ends properly with these settings. */
async function accepted(environment: Environment): Promise<void> {
  const { code, stderr } = await command([], environment);
  expect({ code, stderr: stderr.replace(/^customers-mcp: SANDBOX.*\n/, '') }).toEqual({ code: 0, stderr: '' });
}

describe('with nothing set', () => {
  it('is a sandbox, as Layer, and says so everywhere', async () => {
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
    for (const args of [{ external_id: 'nobody' }, { nonsense: 1 }, {}]) {
      const answer = await connection.call('get_customer', args);
      expect.soft(errorOf(answer), JSON.stringify(args)).toBeDefined();
      expect.soft(answer.data['sandbox'], JSON.stringify(args)).toBe(true);
    }
    await connection.close();
  });

  it('keeps its store below the home folder, closed to others', async () => {
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

  it('leaves nothing behind when it only serves', async () => {
    await command(['tools'], { HOME: folder });
    expect(
      readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.includes('sqlite')),
    ).toEqual([]);
  });

  it.each([
    [
      'the variables of every provider',
      { ...empty(SECRETS), ...empty(BUSINESS), LAYER_BASE_URL: '', NOTIFY_BASE_URL: '  ' },
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
    ['the files of secrets', { LAYER_CLIENT_SECRET_FILE: '', DAYZERO_API_TOKEN_FILE: '', NOTIFY_API_KEY_FILE: '' }],
    [
      'what a desktop host leaves of an empty field',
      {
        CUSTOMERS_PROVIDER: '${user_config.provider}',
        CUSTOMERS_TOOLS: ' ${user_config.tools} ',
        CUSTOMERS_TIMEOUT_MS: '${user_config.timeout_ms}',
        NOTIFY_API_KEY: '${user_config.notify_api_key}',
        LAYER_CLIENT_SECRET_FILE: '${user_config.file}',
      },
    ],
  ])('counts empty texts as unset: %s', async (_, blank) => {
    const { code, stderr } = await command([], { ...blank, ...memory });
    expect(code).toBe(0);
    expect(stderr).toMatch(/^customers-mcp: SANDBOX.*Layer.*\n$/);
  });
});

describe('a value that only resembles an empty field of a desktop host', () => {
  it.each(['${user_config.provider}x', 'x${user_config.provider}', '${HOME}', '${user_config.}'])(
    'is one: %s',
    async (name) => {
      expect(await refusal({ ...memory, CUSTOMERS_PROVIDER: name })).toEqual([
        expect.stringContaining('CUSTOMERS_PROVIDER'),
      ]);
    },
  );
});

describe('a sandbox that was asked for', () => {
  it.each([
    ['layer', 'Layer'],
    ['dayzero', 'DayZero'],
    ['notify', 'Notify'],
  ])('simulates %s without credentials', async (name, title) => {
    const connection = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: name });
    expect(connection.client.getServerVersion()?.title).toMatch(new RegExp(`${title}.*sandbox`));
    expect((await connection.call('search_customer')).data).toMatchObject({
      customers: [],
      has_more: false,
      sandbox: true,
    });
    await connection.close();
  });

  it('sends nothing to the real address even when there are credentials', async () => {
    const { standIn, environment } = await standIns.dayzero();
    const connection = await connect({ ...environment, CUSTOMERS_SANDBOX: 'true' });
    expect((await connection.call('search_customer')).data['sandbox']).toBe(true);
    expect(standIn.count('*')).toBe(0);
    await connection.close();
    await standIn.close();
  });
});

describe.concurrent('a real account', () => {
  it('is never called a sandbox', async () => {
    const { standIn, environment } = await standIns.layer();
    const connection = await connect(environment);
    expect(connection.client.getServerVersion()?.title).not.toMatch(/sandbox/i);
    expect(connection.client.getInstructions()).not.toMatch(/sandbox/i);
    expect((await connection.call('search_customer')).data).not.toHaveProperty('sandbox');
    expect((await connection.call('get_customer', { external_id: 'nobody' })).data).not.toHaveProperty('sandbox');
    expect(connection.stderr()).toBe('');
    await connection.close();
    await standIn.close();
  });

  it.each([
    ['layer', { CUSTOMERS_PROVIDER: 'layer' }, ['LAYER_BUSINESS_ID', 'LAYER_CLIENT_ID', 'LAYER_CLIENT_SECRET']],
    ['dayzero', { CUSTOMERS_PROVIDER: 'dayzero' }, ['DAYZERO_API_TOKEN', 'DAYZERO_BUSINESS_ID']],
    ['notify', { CUSTOMERS_PROVIDER: 'notify' }, ['NOTIFY_API_KEY']],
    ['layer without the secret', { ...layer, LAYER_CLIENT_SECRET: '' }, ['LAYER_CLIENT_SECRET']],
    ['layer without the id', { ...layer, LAYER_CLIENT_ID: ' ' }, ['LAYER_CLIENT_ID']],
    ['layer without the business', { ...layer, LAYER_BUSINESS_ID: '' }, ['LAYER_BUSINESS_ID']],
    [
      'layer with a token but no business',
      { ...memory, CUSTOMERS_PROVIDER: 'layer', LAYER_ACCESS_TOKEN: SECRETS.LAYER_ACCESS_TOKEN },
      ['LAYER_BUSINESS_ID'],
    ],
    ['dayzero without the business', { ...dayzero, DAYZERO_BUSINESS_ID: '' }, ['DAYZERO_BUSINESS_ID']],
    ['dayzero without the token', { ...dayzero, DAYZERO_API_TOKEN: '' }, ['DAYZERO_API_TOKEN']],
    ["another provider's credentials", { ...layer, CUSTOMERS_PROVIDER: 'notify' }, ['NOTIFY_API_KEY']],
  ])('refuses to start for %s, naming each variable that is missing', async (_, environment, missing) => {
    const problems = await refusal(environment);
    expect(problems.map((problem) => /[A-Z]{3,}(?:_[A-Z]+)+/.exec(problem)?.[0]).toSorted()).toEqual(missing);
  });

  it('mentions that a token of Layer stands for id and secret', async () => {
    expect((await refusal({ CUSTOMERS_PROVIDER: 'layer' })).join('\n')).toContain('LAYER_ACCESS_TOKEN');
  });

  it('needs neither id nor secret when it has a token of Layer', async () => {
    await accepted({ ...memory, CUSTOMERS_PROVIDER: 'layer', LAYER_ACCESS_TOKEN: 'x', LAYER_BUSINESS_ID: 'y' });
  });

  it.each([
    ['LAYER_CLIENT_SECRET', { LAYER_CLIENT_SECRET: SECRETS.LAYER_CLIENT_SECRET }],
    ['LAYER_BUSINESS_ID', { LAYER_BUSINESS_ID: BUSINESS.LAYER_BUSINESS_ID }],
    ['LAYER_ENVIRONMENT', { LAYER_ENVIRONMENT: 'production' }],
    ['DAYZERO_API_TOKEN', { DAYZERO_API_TOKEN: SECRETS.DAYZERO_API_TOKEN }],
    ['DAYZERO_USER_EMAIL', { DAYZERO_USER_EMAIL: 'someone@example.com' }],
    ['NOTIFY_API_KEY', { NOTIFY_API_KEY: SECRETS.NOTIFY_API_KEY }],
    ['NOTIFY_BASE_URL', { NOTIFY_BASE_URL: 'https://proxy.example.com' }],
    ['NOTIFY_API_KEY_FILE', { NOTIFY_API_KEY_FILE: '/run/secrets/notify' }],
  ])('is not guessed from %s alone, nor replaced by the sandbox', async (name, given) => {
    const text = (await refusal({ ...memory, ...given })).join('\n');
    expect(text).toContain('CUSTOMERS_PROVIDER');
    expect(text).toContain(name.replace(/_FILE$/, ''));
    expect(text).toMatch(/layer.*dayzero.*notify/);
  });

  it.each(['stripe', 'layer,dayzero', 'layer dayzero'])('refuses %j, which is none of the providers', async (name) => {
    const [problem, ...others] = await refusal({ ...memory, CUSTOMERS_PROVIDER: name });
    expect(problem).toMatch(/CUSTOMERS_PROVIDER.*layer.*dayzero.*notify/);
    expect(others).toEqual([]);
  });

  it('takes the name of a provider in capitals and with spaces around it', async () => {
    await accepted({ ...notify, CUSTOMERS_PROVIDER: ' Notify ' });
  });
});

describe('addresses', () => {
  const variables = [
    ['LAYER_BASE_URL', layer],
    ['LAYER_TOKEN_URL', layer],
    ['DAYZERO_BASE_URL', dayzero],
    ['NOTIFY_BASE_URL', notify],
  ] as const;
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
    'in %s may only be safe ones',
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

  it.each(variables)('in %s may be https anywhere and http on this machine', async (name, environment) => {
    const right = ['https://proxy.example.com/prefix/', 'http://127.0.0.1:8080', 'http://localhost', 'http://[::1]:9/'];
    await Promise.all(right.map((address) => accepted({ ...environment, [name]: address })));
  });
});

describe('a base address', () => {
  let servers: Record<'layer' | 'dayzero' | 'notify', { standIn: StandIn; environment: Environment }>;
  beforeAll(async () => {
    servers = { layer: await standIns.layer(), dayzero: await standIns.dayzero(), notify: await standIns.notify() };
  });
  afterAll(async () => {
    for (const { standIn } of Object.values(servers)) await standIn.close();
  });

  it.each([
    ['layer', 'LAYER_BASE_URL', '/v1', /^\/v1\/businesses\/[^/]+\/customers$/],
    ['dayzero', 'DAYZERO_BASE_URL', '/api/v1', /^\/api\/v1\/customers$/],
    ['notify', 'NOTIFY_BASE_URL', '/v2', /^\/v2\/customers$/],
  ] as const)('of %s works with and without version and slash', async (name, variable, version, path) => {
    const { standIn, environment } = servers[name];
    for (const ending of ['', '/', version, `${version}/`]) {
      standIn.requests.length = 0;
      const settings = { ...environment, ...memory, [variable]: standIn.origin + ending };
      const { code, stdout } = await command(['call', 'search_customer'], settings);
      expect.soft(code, `${ending}: ${stdout}`).toBe(0);
      expect
        .soft(
          standIn.requests.filter(({ operation }) => operation === 'list').map((one) => one.path),
          ending,
        )
        .toEqual([expect.stringMatching(path)]);
      expect.soft(standIn.count('unknown'), ending).toBe(0);
    }
  });
});

describe('a secret in a file', () => {
  it.each([
    ['layer', 'LAYER_CLIENT_SECRET'],
    ['dayzero', 'DAYZERO_API_TOKEN'],
    ['notify', 'NOTIFY_API_KEY'],
  ] as const)('serves %s in place of %s, without the end of its line', async (name, variable) => {
    const { standIn, environment } = await standIns[name]();
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
    const { NOTIFY_API_KEY: _, ...rest } = notify;
    const problems = await refusal({ ...rest, NOTIFY_API_KEY_FILE: join(folder, 'missing') });
    expect(problems).toEqual([expect.stringContaining('NOTIFY_API_KEY_FILE')]);
  });

  it('must not be a folder', async () => {
    const { NOTIFY_API_KEY: _, ...rest } = notify;
    expect(await refusal({ ...rest, NOTIFY_API_KEY_FILE: folder })).toEqual([
      expect.stringContaining('NOTIFY_API_KEY_FILE'),
    ]);
  });

  it('must not be empty', async () => {
    const { DAYZERO_API_TOKEN: _, ...rest } = dayzero;
    const file = join(folder, 'empty');
    writeFileSync(file, '\n');
    const problems = await refusal({ ...rest, DAYZERO_API_TOKEN_FILE: file });
    expect(problems).toEqual([expect.stringContaining('DAYZERO_API_TOKEN_FILE')]);
  });

  it('must not come with the value itself', async () => {
    const file = join(folder, 'secret');
    writeFileSync(file, SECRETS.LAYER_CLIENT_SECRET);
    const problems = await refusal({ ...layer, LAYER_CLIENT_SECRET_FILE: file });
    expect(problems).toEqual([expect.stringMatching(/LAYER_CLIENT_SECRET .*LAYER_CLIENT_SECRET_FILE/)]);
  });
});

describe.concurrent('a value that a setting does not know', () => {
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
  ])('is refused with what is possible: %s=%s', async (name, value, possible) => {
    const problems = await refusal({ ...layer, [name]: value });
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
  ])('is refused as a store, where Keyv would quietly use memory: %s', async (store) => {
    const problems = await refusal({ ...notify, CUSTOMERS_STORE: store });
    expect(problems).toEqual([expect.stringContaining('CUSTOMERS_STORE')]);
    expect(problems.join('\n')).toMatch(/memory:.*sqlite:/);
    expect(problems.join('\n')).not.toContain('word-hush');
  });
});

describe('several problems', () => {
  it('leaves nothing on disk when the start is refused', async () => {
    const file = join(folder, 'customers.sqlite');
    await refusal({ ...notify, CUSTOMERS_STORE: `sqlite:${file}`, CUSTOMERS_LOG: 'loud' });
    expect(existsSync(file)).toBe(false);
  });

  it('are all told at once, each once', async () => {
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
      LAYER_CLIENT_SECRET: SECRETS.LAYER_CLIENT_SECRET,
    });
    const named = problems.map((problem) => /[A-Z]{3,}(?:_[A-Z]+)+/.exec(problem)?.[0]);
    expect(named.toSorted()).toEqual([
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

  it.each(['call', 'tools'])('stop %s as well', async (name) => {
    const { code, stdout, stderr } = await command([name, ...(name === 'call' ? ['search_customer'] : [])], {
      CUSTOMERS_PROVIDER: 'dayzero',
      CUSTOMERS_LOG: 'loud',
    });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    for (const variable of ['CUSTOMERS_LOG', 'DAYZERO_API_TOKEN', 'DAYZERO_BUSINESS_ID'])
      expect(stderr).toContain(variable);
  });
});

describe('the budget of a call', () => {
  it('ends a call that the provider does not answer', async () => {
    const { standIn, environment } = await standIns.notify();
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
  it('is not asked for when the operator wants it so', async () => {
    const ask = { ...SANDBOX, CUSTOMERS_PROVIDER: 'notify' };
    for (const [settings, outcome] of [
      [ask, { error: { kind: 'confirmation_required', confirm: 'Acme' } }],
      [{ ...ask, CUSTOMERS_CONFIRM: 'destructive' }, { error: { kind: 'confirmation_required', confirm: 'Acme' } }],
      [{ ...ask, CUSTOMERS_CONFIRM: 'never' }, { outcome: 'deleted' }],
    ] as const) {
      const connection = await connect(settings);
      await connection.call('create_customer', { CustomerCode: 'a-1', Name: 'Acme' });
      expect((await connection.call('archive_customer', { CustomerCode: 'a-1' })).data).toMatchObject(outcome);
      await connection.close();
    }
  });
});

function empty(variables: Readonly<Record<string, string>>): Environment {
  return Object.fromEntries(Object.keys(variables).map((name) => [name, '']));
}
