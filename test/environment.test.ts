import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { providers } from '../src/providers/registry.ts';
import { Settings } from '../src/settings.ts';
import { BUILT, type Environment } from './support/client.ts';
import { startNotify } from './providers/notify/stand-in.ts';
import { command, SANDBOX } from './support/process.ts';
import { accepted, account, refusal } from './support/refusal.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'customers-mcp-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe.concurrent('an unknown variable', () => {
  it.each([
    ['CUSTOMERS_READONLY', 'CUSTOMERS_READ_ONLY'],
    ['CUSTOMERS_STORE_URL', 'CUSTOMERS_STORE'],
    ['CUSTOMERS_TIMEOUT', 'CUSTOMERS_TIMEOUT_MS'],
    ['CUSTOMERS_HTTP_TOKENS', 'CUSTOMERS_HTTP_TOKEN'],
    ['CUSTOMERS_LOGS_FILE', 'CUSTOMERS_LOG_FILE'],
    ['LAYER_BUSINES_ID', 'LAYER_BUSINESS_ID'],
    ['LAYER_ENVIROMENT', 'LAYER_ENVIRONMENT'],
    ['DAYZERO_BUSINESSID', 'DAYZERO_BUSINESS_ID'],
    ['NOTIFY_APIKEY', 'NOTIFY_API_KEY'],
    ['NOTIFY_API_KEY_FIEL', 'NOTIFY_API_KEY_FILE'],
  ])('is refused with the nearest name, for every provider: %s', async (name, nearest) => {
    const [problem, ...others] = await refusal({ ...account('dayzero'), [name]: 'word-hush' });
    expect(problem).toContain(`${name} `);
    expect(problem).toMatch(new RegExp(`\\b${nearest}\\.$`));
    expect(problem).not.toContain('word-hush');
    expect(others).toEqual([]);
  });

  it.each(['CUSTOMERS_REGION', 'CUSTOMERS_HTTP_PATH'])(
    'is refused even if a later version may know it: %s',
    async (name) => {
      expect(await refusal({ ...SANDBOX, [name]: 'x' })).toEqual([expect.stringContaining(`${name} `)]);
    },
  );

  it('is reported together with the other problems', async () => {
    const problems = await refusal({ CUSTOMERS_PROVIDER: 'notify', CUSTOMERS_READONLY: 'true', CUSTOMERS_LOG: 'loud' });
    expect(problems.join('\n')).toMatch(/CUSTOMERS_LOG must[^]*NOTIFY_API_KEY is not set[^]*CUSTOMERS_READONLY /);
  });

  it.each([
    ['that belongs to another program', { NOTIFY_SOCKET: '/run/systemd/notify', LAYER_CACHE: '1', CUSTOMERS: 'many' }],
    ['that is empty', { CUSTOMERS_READONLY: '', NOTIFY_APIKEY: ' ' }],
    ['that a desktop host left empty', { CUSTOMERS_READONLY: '${user_config.readonly}' }],
    ['with which the test suite is run', { CUSTOMERS_TEST_STORES: 'required', CUSTOMERS_TEST_BROWSER: 'required' }],
    ['that only a server over HTTP reads', { CUSTOMERS_HTTP_RATE: 'fast' }],
  ])('is accepted if it is one %s', async (_, environment) => {
    await accepted({ ...account('notify'), ...environment });
  });
});

describe('the default store', () => {
  it('requires a home folder, and reports if there is none', async () => {
    expect(await refusal({ ...SANDBOX, CUSTOMERS_STORE: '', HOME: '' })).toEqual([
      expect.stringMatching(/home folder.*CUSTOMERS_STORE/),
    ]);
  });

  it.each(['memory:', 'sqlite:/tmp/never-opened.sqlite'])('is not needed if the store is %s', async (store) => {
    await accepted({ ...SANDBOX, CUSTOMERS_STORE: store, HOME: '' });
  });

  it.skipIf(process.getuid?.() !== 0)('is the only thing that fails without a home folder', () => {
    // A user id without an account: the system knows no home folder, and Node throws.
    const run = (environment: Environment) =>
      spawnSync(process.execPath, [BUILT, 'tools', '--json'], { env: environment, uid: 54_321, encoding: 'utf8' });
    expect(run({ CUSTOMERS_STORE: 'memory:' })).toMatchObject({ status: 0 });
    expect(run({})).toMatchObject({ status: 2, stderr: expect.stringMatching(/home folder.*CUSTOMERS_STORE/) });
  });
});

describe('a store below the home folder', () => {
  it.each(['sqlite:~/customers.sqlite', 'sqlite://~/customers.sqlite'])('can be written as %s', async (store) => {
    const { code } = await command(['call', 'create_customer', '{"company_name":"Acme","external_id":"a-1"}'], {
      ...SANDBOX,
      CUSTOMERS_STORE: store,
      HOME: folder,
    });
    expect(code).toBe(0);
    expect(readdirSync(folder)).toContain('customers.sqlite');
  });

  it('is refused if there is no home folder', async () => {
    expect(await refusal({ ...SANDBOX, CUSTOMERS_STORE: 'sqlite:~/customers.sqlite', HOME: '' })).toEqual([
      expect.stringMatching(/home folder.*CUSTOMERS_STORE/),
    ]);
  });
});

describe('CUSTOMERS_ACCOUNT', () => {
  const definition = providers.find(({ name }) => name === 'notify');
  const accountOf = (key: string, name?: string) =>
    definition?.configure(new Settings({ NOTIFY_API_KEY: key }), name)().account;

  it('names the account of a provider that identifies it only by its key, so that records survive a new key', () => {
    expect(accountOf('test_new', 'acme')).toBe(accountOf('test_old', 'acme'));
    expect(accountOf('test_new')).not.toBe(accountOf('test_old'));
    expect(new Set([accountOf('test_old'), accountOf('test_old', 'acme'), accountOf('test_old', 'globex')]).size).toBe(
      3,
    );
  });

  it('separates the records of two names', async () => {
    const { standIn, environment } = await startNotify();
    const file = join(folder, 'customers.sqlite');
    const fields = JSON.stringify({ CustomerCode: 'a-1', Name: 'Acme' });
    const counts: unknown[] = [];
    for (const name of ['acme', 'globex', 'acme', '']) {
      const settings = { ...environment, CUSTOMERS_STORE: `sqlite:${file}`, CUSTOMERS_ACCOUNT: name };
      await command(['call', 'create_customer', fields], settings);
      const database = new DatabaseSync(file);
      counts.push(database.prepare('SELECT count(*) AS rows FROM intents').get()?.['rows']);
      database.close();
    }
    await standIn.close();
    expect(counts).toEqual([1, 2, 2, 3]);
  });
});
