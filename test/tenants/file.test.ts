import { createHash } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { command } from '../support/process.ts';
import { entries, tenantFile, tokenEntry, tokenOf } from '../support/tenants.ts';
import { TOKEN } from '../support/http.ts';

const LAYER = { CUSTOMERS_PROVIDER: 'layer', LAYER_BUSINESS_ID: 'b-1', LAYER_ACCESS_TOKEN: 'hush' };

/** The problems with which the server refuses to start. */
async function problemsOf(content: unknown, environment: Record<string, string> = {}): Promise<string[]> {
  const { path, remove } = tenantFile(content);
  onTestFinished(remove);
  const { code, stdout, stderr } = await command(['http', '--port', '0'], {
    CUSTOMERS_STORE: 'memory:',
    CUSTOMERS_TENANTS: path,
    ...environment,
  });
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).not.toContain('hush');
  return stderr.split('\n').flatMap((line) => (line.startsWith('  - ') ? [line.slice(4)] : []));
}

describe('a file of tenants', () => {
  it('is refused with all problems of all entries in one message', async () => {
    const problems = await problemsOf({
      ...entries({
        acme: { ...LAYER, LAYER_BUSINESS_ID: '' },
        globex: { CUSTOMERS_PROVIDER: 'notify', NOTIFY_API_KEI: 'hush' },
        initech: { CUSTOMERS_PROVIDER: 'layer,notify' },
        nothing: {},
        store: { ...LAYER, CUSTOMERS_STORE: 'memory:', CUSTOMERS_HTTP_TOKEN: 'hush' },
        titled: { ...LAYER, title: ' ' },
        wrong: { ...LAYER, CUSTOMERS_TIMEOUT_MS: '1', CUSTOMERS_TOOLS: 'drop_customer', LAYER_ENVIRONMENT: ['x'] },
      }),
      'Big Corp': LAYER,
      __proto__x: LAYER,
      list: [],
      untold: LAYER,
      tokens: {
        ...LAYER,
        tokens: [
          { sha256: 'hush' },
          { ...tokenEntry('x'), scopes: ['customers:all'] },
          'hush',
          { ...tokenEntry('y'), tenant: 'acme' },
        ],
      },
    });
    const of = (tenant: string): string[] =>
      problems.flatMap((line) => (line.startsWith(`Tenant "${tenant}": `) ? [line.slice(tenant.length + 11)] : []));
    expect(of('acme')).toEqual(['LAYER_BUSINESS_ID is not set.']);
    expect(of('globex')).toEqual([
      'NOTIFY_API_KEI is not a setting; the nearest is NOTIFY_API_KEY.',
      'NOTIFY_API_KEY is not set.',
    ]);
    expect(of('initech')).toEqual([expect.stringMatching(/CUSTOMERS_PROVIDER must be one of/)]);
    expect(of('nothing')).toEqual(['CUSTOMERS_PROVIDER is not set.']);
    expect(of('store')).toEqual([
      expect.stringMatching(/CUSTOMERS_STORE is a setting of the whole server/),
      expect.stringMatching(/CUSTOMERS_HTTP_TOKEN is a setting of the whole server/),
    ]);
    expect(of('titled')).toEqual(['title must be a text.']);
    expect(of('wrong')).toEqual([
      'LAYER_ENVIRONMENT must be a text.',
      expect.stringMatching(/CUSTOMERS_TIMEOUT_MS must be a whole number/),
      expect.stringMatching(/CUSTOMERS_TOOLS names "drop_customer"/),
    ]);
    expect(of('Big Corp')).toEqual([expect.stringMatching(/a name consists of/), expect.stringMatching(/no tokens/)]);
    expect(of('__proto__x')[0]).toMatch(/a name consists of/);
    expect(of('list')).toEqual(['must be an object of settings.']);
    expect(of('untold')).toEqual([expect.stringMatching(/no tokens.*no caller/)]);
    expect(of('tokens')).toEqual([
      expect.stringMatching(/tokens\[0\]\.sha256 must be.*--new-token/),
      expect.stringMatching(/tokens\[1\]\.scopes must be a list of customers:read and customers:write/),
      expect.stringMatching(/tokens\[2\]\.sha256 must be/),
      expect.stringMatching(/tokens\[3\] has an unknown member "tenant"/),
    ]);
  });

  it.each<[string, unknown, RegExp]>([
    ['is not JSON', '{"acme": ', /must name a JSON file/],
    ['is a list', '[]', /must name a JSON file/],
    ['is empty', '{}', /without a tenant/],
    ['is not UTF-8', Buffer.from('{"acme": {"title": "Caf\xe9"}}', 'latin1'), /must name a JSON file in UTF-8/],
    [
      'has a tenant twice',
      `{"acme": {}, ${JSON.stringify(entries({ acme: LAYER, globex: LAYER })).slice(1)}`,
      /has "acme" twice in the same object/,
    ],
    [
      'has a setting twice',
      JSON.stringify(entries({ acme: LAYER })).replace('"LAYER_BUSINESS_ID"', '"LAYER_BUSINESS\\u005fID":"{[", $&'),
      /has "LAYER_BUSINESS_ID" twice in the same object/,
    ],
    [
      'has one token twice in an entry',
      { acme: { ...LAYER, tokens: [tokenEntry(TOKEN), tokenEntry(TOKEN, ['customers:read'])] } },
      /Tenant "acme": tokens has the same token twice/,
    ],
    [
      'has one token in two entries',
      { acme: { ...LAYER, tokens: [tokenEntry(TOKEN)] }, globex: { ...LAYER, tokens: [tokenEntry(TOKEN)] } },
      /Tenants "acme" and "globex" share a token/,
    ],
  ])('is refused if it %s', async (_, content, problem) => {
    expect(await problemsOf(content)).toEqual([expect.stringMatching(problem)]);
  });

  it('is refused with shared tokens together with what else is wrong in their entries', async () => {
    const tokens = [tokenEntry(TOKEN)];
    const server = { HTTPS_PROXY: 'http://x', CUSTOMERS_ACCOUNT: 'x' };
    expect(await problemsOf({ acme: { ...LAYER, ...server, tokens }, globex: { ...LAYER, tokens } })).toEqual([
      'Tenants "acme" and "globex" share a token.',
      'Tenant "acme": HTTPS_PROXY is a setting of the whole server; set it in the environment.',
      'Tenant "acme": CUSTOMERS_ACCOUNT cannot be set for a tenant, whose name is that of its account.',
    ]);
  });

  it('is refused beside a token for all, and a missing file as well', async () => {
    expect(await problemsOf(entries({ acme: LAYER }), { CUSTOMERS_HTTP_TOKEN: TOKEN })).toEqual([
      expect.stringMatching(/CUSTOMERS_HTTP_TOKEN and CUSTOMERS_TENANTS are mutually exclusive/),
    ]);
    expect(await problemsOf({}, { CUSTOMERS_TENANTS: '/nowhere/tenants.json' })).toEqual([
      'CUSTOMERS_TENANTS names a file that cannot be read.',
    ]);
  });

  it("repeats the server's own problems once, not for each tenant", async () => {
    const problems = await problemsOf(entries({ acme: LAYER, globex: LAYER }), { CUSTOMERS_CONFIRM: 'maybe' });
    expect(problems).toEqual([expect.stringMatching(/^CUSTOMERS_CONFIRM must be one of/)]);
  });

  it('is only for the commands that serve or check several businesses', async () => {
    const { path, remove } = tenantFile(entries({ acme: LAYER }));
    onTestFinished(remove);
    const { code, stderr } = await command(['call', 'search_customer'], { CUSTOMERS_TENANTS: path });
    expect(code).toBe(2);
    expect(stderr).toMatch(/only customers-mcp http and customers-mcp doctor/);
  });
});

describe('customers-mcp http --new-token', () => {
  it('prints a token and its entry, which contains the hash alone', async () => {
    const { code, stdout } = await command(['http', '--new-token', 'acme']);
    expect(code).toBe(0);
    const token = /: (\S{43})\n/.exec(stdout)?.[1] ?? '';
    const entry: unknown = JSON.parse(stdout.slice(stdout.indexOf('{')));
    const sha256 = createHash('sha256').update(token).digest('hex');
    expect(entry).toEqual({ acme: { tokens: [{ sha256, scopes: ['customers:read', 'customers:write'] }] } });
    expect((await command(['http', '--new-token', 'acme'])).stdout).not.toContain(token);
  });

  it.each(['Acme', '', '../acme', 'a/b'])('refuses %j, which no tenant is called', async (name) => {
    expect(await command(['http', '--new-token', name])).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('customers-mcp doctor with tenants', () => {
  it('checks the store once and each account, and settles the open creates of each', async () => {
    const { path, remove } = tenantFile(
      entries({
        acme: { CUSTOMERS_PROVIDER: 'layer', CUSTOMERS_SANDBOX: true },
        globex: { CUSTOMERS_PROVIDER: 'notify', CUSTOMERS_SANDBOX: true },
      }),
    );
    onTestFinished(remove);
    const { code, stdout } = await command(['doctor', '--settle', '--json'], {
      CUSTOMERS_STORE: 'memory:',
      CUSTOMERS_TENANTS: path,
    });
    expect(code).toBe(0);
    const { healthy, findings } = JSON.parse(stdout);
    expect(healthy).toBe(true);
    expect(findings).toEqual(
      expect.arrayContaining([
        { check: 'settings', ok: true, found: '2 tenants, store memory' },
        expect.objectContaining({ tenant: 'acme', check: 'credentials', ok: true }),
        expect.objectContaining({ tenant: 'globex', check: 'open creates', ok: true }),
      ]),
    );
    expect(tokenOf('acme')).not.toBe(tokenOf('globex'));
  });
});
