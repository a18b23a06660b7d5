import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { isRecord } from '../../src/text.ts';
import { BUILT, connect, standIns, temporaryStore, type Connection, type Environment } from '../support/client.ts';
import { command, until, type Finished } from '../support/process.ts';
import type { StandIn } from '../support/stand-ins/stand-in.ts';

/** What a test has opened, closed after it, last first. */
const ends: (() => unknown)[] = [];
const atEnd = (end: () => unknown): void => void ends.push(end);
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Row = Readonly<Record<string, unknown>>;

/** A provider's rows, and what makes one of them bad. */
interface Case {
  readonly provider: keyof typeof standIns;
  readonly key: string;
  row(n: number): Row;
  readonly unknown: Row;
  readonly wrong: Row;
  /** The name of the customer in the provider's document. */
  readonly name: string;
  readonly badCredentials: Environment;
}

const cases: readonly Case[] = [
  {
    provider: 'layer',
    key: 'external_id',
    row: (n) => ({ external_id: `own-${n}.`, company_name: `Company ${n}`, email: `mail${n}@example.com` }),
    unknown: { e_mail: 'a@example.com' },
    wrong: { company_name: 5 },
    name: 'company_name',
    badCredentials: { LAYER_CLIENT_SECRET: 'wrong' },
  },
  {
    provider: 'dayzero',
    key: 'external_id',
    row: (n) => ({ external_id: `own-${n}.`, name: `Company ${n}`, email: `mail${n}@example.com` }),
    unknown: { e_mail: 'a@example.com' },
    wrong: { credit_limit_cents: 'a lot' },
    name: 'name',
    badCredentials: { DAYZERO_API_TOKEN: 'wrong' },
  },
  {
    provider: 'notify',
    key: 'CustomerCode',
    row: (n) => ({ CustomerCode: `own-${n}.`, Name: `Company ${n}`, Email: `mail${n}@example.com` }),
    unknown: { E_mail: 'a@example.com' },
    wrong: { Country: 'Netherlands' },
    name: 'name',
    badCredentials: { NOTIFY_API_KEY: 'wrong' },
  },
];
const [layer, , notify] = cases;

const ALL = 40;
const BAD = [5, 12, 20, 33];

/** 40 rows, of which four are bad. */
function mixedRows({ key, row, unknown, wrong }: Case): readonly Row[] {
  return Array.from({ length: ALL }, (_, index) => {
    const n = index + 1;
    if (n === 5) return { ...row(n), ...unknown };
    if (n === 12) return { ...row(n), ...wrong };
    if (n === 20) return Object.fromEntries(Object.entries(row(n)).filter(([field]) => field !== key));
    return n === 33 ? { ...row(n), [key]: row(1)[key] } : row(n);
  });
}

/** Tokens that last, so that every request counted is one for a row. */
async function start(provider: Case['provider']): Promise<{ standIn: StandIn; environment: Environment }> {
  return provider === 'layer' ? standIns.layer({ tokenUses: Infinity }) : standIns[provider]();
}

async function server(one: Case, extra: Environment = {}): Promise<{ standIn: StandIn; server: Connection }> {
  const { standIn, environment } = await start(one.provider);
  atEnd(() => standIn.close());
  const connection = await connect({ ...environment, ...extra });
  atEnd(() => connection.close());
  return { standIn, server: connection };
}

/** The rows that an answer names. */
function named(data: Record<string, unknown>): readonly Record<string, unknown>[] {
  return Array.isArray(data['rows']) ? data['rows'].filter(isRecord) : [];
}

/** The names of all customers, sorted: twins show. */
function namesAt({ customers }: StandIn, { name }: Case): readonly string[] {
  return [...customers.values()].map((document) => String(document[name])).sort();
}

function goodNames(): readonly string[] {
  return Array.from({ length: ALL }, (_, index) => index + 1)
    .filter((n) => !BAD.includes(n))
    .map((n) => `Company ${n}`)
    .sort();
}

describe.each(cases)('import_customers at $provider', (one) => {
  test('creates every good row once, names every bad one, and says how far it is', async () => {
    const { standIn, server: connection } = await server(one);
    const seen: number[] = [];
    const { structuredContent } = await connection.client.callTool(
      { name: 'import_customers', arguments: { rows: mixedRows(one) } },
      undefined,
      {
        onprogress: ({ progress, total }) => {
          expect(total).toBe(ALL);
          seen.push(progress);
        },
      },
    );
    const data = isRecord(structuredContent) ? structuredContent : {};
    expect(data).toMatchObject({ total: ALL, counts: { created: 36, updated: 0, existing: 0, failed: 4, unknown: 0 } });
    expect(data).not.toHaveProperty('next');
    expect(namesAt(standIn, one)).toEqual(goodNames());
    expect(standIn.count('create')).toBe(36);

    expect(named(data).map(({ row }) => row)).toEqual(BAD);
    expect(named(data)).toMatchObject([
      {
        external_id: 'own-5.',
        error: { kind: 'invalid_input', message: expect.stringMatching(/did you mean `email`/i) },
      },
      { external_id: 'own-12.', error: { message: expect.stringContaining(Object.keys(one.wrong).join()) } },
      { error: { message: expect.stringContaining(one.key) } },
      { external_id: 'own-1.', error: { message: expect.stringContaining('row 1 ') } },
    ]);

    expect(seen.length).toBeGreaterThan(5);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(seen.at(-1)).toBeLessThanOrEqual(ALL);
  });

  test('again: sends no create, and leaves what was changed at the provider since', async () => {
    const { standIn, server: connection } = await server(one);
    const rows = mixedRows(one);
    await connection.call('import_customers', { rows });
    const [id = '', document = {}] = [...standIn.customers][7] ?? [];
    standIn.customers.set(id, { ...document, [one.name]: 'Changed there' });
    standIn.requests.length = 0;

    const { data } = await connection.call('import_customers', { rows });
    expect(data['counts']).toMatchObject({ created: 0, updated: 0, existing: 36, failed: 4 });
    expect(named(data).map(({ row }) => row)).toEqual(BAD);
    expect(standIn.count('create') + standIn.count('update')).toBe(0);
    expect(standIn.customers.get(id)?.[one.name]).toBe('Changed there');
  });

  test('stops soon when the credentials are refused', async () => {
    const { standIn, server: connection } = await server(one, one.badCredentials);
    const { data } = await connection.call('import_customers', { rows: mixedRows(one) });
    expect(standIn.customers.size).toBe(0);
    expect(standIn.count('*')).toBeLessThanOrEqual(8);
    expect(named(data).some(({ error }) => isRecord(error) && error['kind'] === 'unauthorized')).toBe(true);
    expect(isRecord(data['counts']) && Number(data['counts']['not_started'])).toBeGreaterThanOrEqual(28);
    expect(data['next']).toContain('same rows');
  });

  test('waits when the provider asks for it, longer than one create may take, too', async () => {
    const { standIn, server: connection } = await server(one, { CUSTOMERS_TIMEOUT_MS: '1500' });
    standIn.fault({ on: 'create', skip: 6, times: 2, act: { status: 429, headers: { 'retry-after': '2' } } });
    const startedAt = performance.now();
    const { data } = await connection.call('import_customers', { rows: mixedRows(one) });
    expect(data['counts']).toMatchObject({ created: 36, failed: 4, not_started: 0 });
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
    expect(namesAt(standIn, one)).toEqual(goodNames());
    expect(standIn.count('create')).toBe(38);
  });
});

describe('an import that was killed', () => {
  test('goes on when it is run again, with every row once', { timeout: 40_000 }, async () => {
    if (!layer) throw new Error('no case');
    const { standIn, environment } = await start('layer');
    atEnd(() => standIn.close());
    const { store, remove } = temporaryStore();
    atEnd(remove);
    const settings = { ...environment, CUSTOMERS_STORE: store };
    const rows = mixedRows(layer);
    standIn.fault({ on: 'create', times: 16, when: 'after', act: { delayMs: 20 } });
    standIn.fault({ on: 'create', times: 4, when: 'after', act: 'hang' });
    const first = await connect(settings);
    const call = first.call('import_customers', { rows }).catch(() => undefined);
    await until(() => standIn.count('create') >= 20);
    process.kill(first.pid, 'SIGKILL');
    await call;
    await first.close();

    const second = await connect(settings);
    atEnd(() => second.close());
    const { data } = await second.call('import_customers', { rows });
    expect(named(data).map(({ row }) => row)).toEqual(BAD);
    expect(data['counts']).toMatchObject({ existing: 16, failed: 4, unknown: 0, not_started: 0 });
    expect(namesAt(standIn, layer)).toEqual(goodNames());
  });
});

describe('customers-mcp import', () => {
  /** A file, and the command run on it with a SQLite store of its own. */
  async function desk(provider: 'layer' | 'notify' = 'notify') {
    const { standIn, environment } = await start(provider);
    const { store, folder, remove } = temporaryStore();
    atEnd(async () => {
      remove();
      await standIn.close();
    });
    const file = join(folder, 'customers.csv');
    return {
      standIn,
      file,
      result: join(folder, 'customers.result.csv'),
      settings: { ...environment, CUSTOMERS_STORE: store },
      async run(text: string | Uint8Array, ...args: string[]): Promise<Finished> {
        await writeFile(file, text);
        return command(['import', file, ...args], { ...environment, CUSTOMERS_STORE: store });
      },
    };
  }

  const FILE = 'customer code,NAME,invoice E-mail\r\nc1,One,one@example.com\r\nc2,Two,two@example.com\r\n';

  test('a dry run shows which column is which field, and sends nothing', async () => {
    const { run, standIn } = await desk();
    const { code, stdout } = await run(FILE, '--dry-run');
    expect(stdout).toMatch(/customer code +-> +CustomerCode\n/);
    expect(stdout).toMatch(/NAME +-> +Name\n/);
    expect(stdout).toMatch(/invoice E-mail +-> +InvoiceEmail\n/);
    expect(stdout).toContain('2 rows: 2 can be sent, 0 cannot');
    expect({ code, requests: standIn.count('*') }).toEqual({ code: 0, requests: 0 });
  });

  test('a dry run names the bad rows, with exit 1', async () => {
    const { run, standIn } = await desk();
    const { code, stdout } = await run('Customer_Code,Name,Country\nc1,One,NLD\n,Two,NL\nc3,Three,NL\n', '--dry-run');
    expect(stdout).toContain('1 can be sent, 2 cannot');
    expect(stdout).toMatch(/^row 1 \(c1\): invalid_input: Country/m);
    expect(stdout).toMatch(/^row 2: invalid_input: CustomerCode/m);
    expect({ code, requests: standIn.count('*') }).toEqual({ code: 1, requests: 0 });
  });

  test('creates the rows; its result file can be fed back in', async () => {
    const { run, standIn, result, settings } = await desk();
    const { code, stdout, stderr } = await run(FILE);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('2 rows: 2 created');
    expect(stdout).toContain(result);
    const text = await readFile(result, 'utf8');
    const [heading, first] = text.split('\r\n');
    expect(heading).toBe('customer code,NAME,invoice E-mail,import_outcome,import_customer_id,import_message');
    expect(first).toMatch(/^c1,One,one@example\.com,created,[0-9a-f-]{36},$/);

    const again = await command(['import', result], settings);
    expect({ code: again.code, creates: standIn.count('create') }).toEqual({ code: 0, creates: 2 });
    expect(again.stdout).toContain('2 existing');
    expect(await readFile(result, 'utf8')).toBe(text.replaceAll(',created,', ',existing,'));
  });

  test('a column that is no field is refused with the nearest one, before anything is sent', async () => {
    const { run, standIn } = await desk();
    const text = 'CustomerCode,Naam,Remark\nc1,One,nice\n';
    const { code, stdout, stderr } = await run(text);
    expect({ code, stdout, requests: standIn.count('*') }).toEqual({ code: 2, stdout: '', requests: 0 });
    expect(stderr).toContain('--map "Naam=Name"');
    const mapped = await run(text, '--map', 'Naam=name', '--map', 'Remark=');
    expect(mapped).toMatchObject({ code: 0, stderr: '' });
    expect([...standIn.customers.values()]).toMatchObject([{ customerCode: 'c1', name: 'One' }]);
  });

  test.each([
    ['bytes that are not UTF-8', Uint8Array.from([0x4e, 0x61, 0x6d, 0x65, 0x0a, 0xe9, 0x0a]), [], 'UTF-8'],
    ['no rows', 'CustomerCode,Name\n', [], 'no rows'],
    ['an empty file', '', [], 'no rows'],
    ['a column twice', 'Name,Name\na,b\n', [], 'two columns'],
    ['two columns for one field', 'Name,name\na,b\n', [], 'more than one column'],
    ['too many cells', 'CustomerCode,Name\nc1,a,b\n', [], 'row 1'],
    ['a map of no column', 'CustomerCode,Name\nc1,a\n', ['--map', 'Naam=Name'], '--map'],
    ['a map without a field', 'CustomerCode,Name\nc1,a\n', ['--map', 'Name'], '--map'],
    ['a map to no field', 'CustomerCode,Name\nc1,a\n', ['--map', 'Name=Nickname'], 'no field'],
  ])('refuses %s with exit 2', async (_, text, args, word) => {
    const { run, standIn } = await desk();
    const { code, stdout, stderr } = await run(text, ...args);
    expect({ code, stdout, requests: standIn.count('*') }).toEqual({ code: 2, stdout: '', requests: 0 });
    expect(stderr).toContain(word);
  });

  test('refuses a file that is not there, and none at all', async () => {
    const { settings, file } = await desk();
    expect(await command(['import', file], settings)).toMatchObject({ code: 2, stdout: '' });
    expect(await command(['import'], settings)).toMatchObject({ code: 2, stdout: '' });
  });

  test('reads what spreadsheets write: a byte-order mark, semicolons, quoted newlines, empty lines', async () => {
    const { run, standIn } = await desk('layer');
    const text =
      '\ufeffExternal ID;Company Name;Notes;Tags\r\n"a;1";"Müller, ""Söhne""";"first\r\nsecond";"[{""key"":""k"",""value"":""v""}]"\r\n;;;\r\n007;Bond;;\r\n';
    const { code, stdout } = await run(text);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('2 rows: 2 created') });
    expect([...standIn.customers.values()]).toMatchObject([
      {
        external_id: 'a;1',
        company_name: 'Müller, "Söhne"',
        memo: expect.stringMatching(/^first\r?\nsecond$/),
        transaction_tags: [{ key: 'k', value: 'v' }],
      },
      { external_id: '007', company_name: 'Bond' },
    ]);
  });

  test('a file of one column needs no separator', async () => {
    const { run, standIn } = await desk();
    expect(await run('Customer Code\nc1\nc2\n')).toMatchObject({ code: 0 });
    expect(standIn.customers.size).toBe(2);
  });

  test('exit 1 when a row fails; the others are created', async () => {
    const { run, standIn, result } = await desk();
    const { code, stdout } = await run('CustomerCode,Name,Email\nc1,One,no address\nc2,Two,two@example.com\n');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^row 1 \(c1\): invalid_input/m);
    expect(stdout).not.toContain('row 2');
    expect(standIn.customers.size).toBe(1);
    expect(await readFile(result, 'utf8')).toMatch(/c1,One,no address,failed,,"?invalid_input: /);
  });

  test('is refused where nothing may be written', async () => {
    const { settings, file, standIn } = await desk();
    await writeFile(file, FILE);
    for (const extra of [{ CUSTOMERS_READ_ONLY: 'true' }, { CUSTOMERS_TOOLS: 'get_customer' }]) {
      const { code, stderr } = await command(['import', file], { ...settings, ...extra });
      expect({ code, requests: standIn.count('*') }).toEqual({ code: 2, requests: 0 });
      expect(stderr).toContain('CUSTOMERS_READ_ONLY');
    }
  });

  test('asked to stop, it sees through what was sent, writes the results, and goes on next time', async () => {
    if (!notify) throw new Error('no case');
    const { settings, file, result, standIn } = await desk();
    const rows = Array.from({ length: ALL }, (_, index) => Object.values(notify.row(index + 1)).join(','));
    await writeFile(file, ['CustomerCode,Name,Email', ...rows].join('\n'));
    standIn.fault({ on: 'create', times: ALL, when: 'after', act: { delayMs: 50 } });
    const child = spawn(process.execPath, [BUILT, 'import', file], { env: settings });
    const closed = once(child, 'close');
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    await until(() => standIn.count('create') >= 8);
    child.kill('SIGTERM');
    expect(await closed).toEqual([1, null]);
    expect(stdout).toContain('not started');
    expect(stdout).toContain('Run the same command again');
    const text = await readFile(result, 'utf8');
    expect(text.split(',created,').length - 1).toBe(standIn.customers.size);

    const again = await command(['import', file], settings);
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(namesAt(standIn, notify)).toHaveLength(ALL);
    expect(standIn.count('create')).toBe(ALL);
  });
});
