import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, lstat, mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { kit as dayzero } from '../providers/dayzero/index.ts';
import { kit as layer } from '../providers/layer/index.ts';
import { kit as notify } from '../providers/notify/index.ts';
import { BUILT, temporaryStore, type Environment } from '../support/client.ts';
import { command, until, type Finished } from '../support/process.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import type { StandIn } from '../support/stand-in.ts';

// Several runs of the command in one test take their time on a busy machine.
vi.setConfig({ testTimeout: 60_000 });

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Scene {
  readonly standIn: StandIn;
  readonly file: string;
  readonly folder: string;
  readonly settings: Environment;
  /** Writes the file and imports it. */
  run(text: string | Uint8Array, ...args: string[]): Promise<Finished>;
  /** Imports a file that is there. */
  again(file: string, ...args: string[]): Promise<Finished>;
  read(name: string): Promise<string>;
}

/** The customers in the sequence of their external ids: rows are created several at a time. */
function byId({ customers }: StandIn): readonly Record<string, unknown>[] {
  return [...customers.values()].toSorted((a, b) => String(a['external_id']).localeCompare(String(b['external_id'])));
}

/** A folder with a file to import, the command run on it, and a store of its own. */
async function openScene(kit: ProviderKit = notify): Promise<Scene> {
  const { standIn, environment } = await kit.start();
  const { store, folder, remove } = temporaryStore();
  ends.push(async () => {
    remove();
    await standIn.close();
  });
  const file = join(folder, 'customers.csv');
  const settings = { ...environment, CUSTOMERS_STORE: store };
  return {
    standIn,
    file,
    folder,
    settings,
    async run(text, ...args) {
      await writeFile(file, text);
      return command(['import', file, ...args], settings);
    },
    again: (one, ...args) => command(['import', one, ...args], settings),
    read: (name) => readFile(join(folder, name), 'utf8'),
  };
}

const FILE = 'customer code,NAME,invoice E-mail\r\nc1,One,one@example.com\r\nc2,Two,two@example.com\r\n';
const ALL = 40;
const manyRows = (heading: string, row: (n: number) => string): string =>
  [heading, ...Array.from({ length: ALL }, (_, index) => row(index + 1))].join('\n');

describe('a dry run', () => {
  test('shows the mapping with values, the first customers, and what is new, and creates nothing', async () => {
    const { run, standIn } = await openScene();
    const { code, stdout } = await run(FILE, '--dry-run');
    expect(stdout).toMatch(/customer code +-> +CustomerCode +c1 · c2\n/);
    expect(stdout).toMatch(/invoice E-mail +-> +InvoiceEmail /);
    expect(stdout).toMatch(/row 2\n +CustomerCode +c1\n +Name +One\n/);
    expect(stdout).toContain('2 rows: 2 can be sent, 0 cannot');
    expect(stdout).toContain('2 new, 0 already in Notify');
    expect({ code, creates: standIn.count('create') }).toEqual({ code: 0, creates: 0 });
  });

  test('names the bad rows as the spreadsheet counts them, with exit 1', async () => {
    const { run, standIn } = await openScene();
    const { code, stdout } = await run(
      'Customer_Code,Name,Country\nc1,One,NLD\n,Two,NL\nc3,Three,Atlantis\n',
      '--dry-run',
    );
    expect(stdout).toContain('1 can be sent, 2 cannot');
    expect(stdout).toMatch(/- has no ID \(row 3\)/);
    expect(stdout).toMatch(/- Country "Atlantis" is not a country.*\(row 4\)/);
    expect(stdout).toMatch(/"NLD" became NL \(row 2\)/);
    expect({ code, creates: standIn.count('create') }).toEqual({ code: 1, creates: 0 });
  });

  test.each(kits)('knows what is at $title already, and what looks like it', async (kit) => {
    const { run } = await openScene(kit);
    const rows = 'Customer number,Company,E-mail\n1,Acme,a@acme.example\n2,Beta,b@beta.example\n';
    expect(await run(rows)).toMatchObject({ code: 0 });
    const { stdout } = await run(`${rows}3,Gamma,c@gamma.example\n4,Acme,new@acme.example\n`, '--dry-run');
    expect(stdout).toMatch(/2 new, 2 already in \w+/);
    expect(stdout).toContain('Possible duplicates');
  });

  test.each(kits)('promises what the import at $title then does', async (kit) => {
    const { run, again, file, standIn } = await openScene(kit);
    const heading = 'Customer number,Company,E-mail\n';
    expect(await run(`${heading}1,van den Berg,a@berg.example\n2,Branch 12,b@branch.example\n`)).toMatchObject({
      code: 0,
    });
    await writeFile(
      file,
      [
        `${heading}1,van den Berg,a@berg.example`,
        '3,Vandenberg B.V.,c@other.example',
        '4,Branch 21,d@branch.example',
        '5,Groß Handel,e@gross.example',
        '6,Grosshandel,f@gross.example',
        '',
      ].join('\n'),
    );
    const preview = await again(file, '--dry-run');
    expect(preview.stdout).toMatch(/4 new, 1 already in/);
    expect(preview.stdout).toMatch(/- resembles an existing customer: van den Berg \(row 3\)/);
    expect(preview.stdout).toMatch(/- has the same name or email address as an earlier row: row 5 \(row 6\)/);
    const done = await again(file);
    expect(done.stdout).toMatch(/5 rows: 2 created, 1 existing, 2 failed/);
    expect({ preview: preview.code, done: done.code, customers: standIn.customers.size }).toEqual({
      preview: 1,
      done: 1,
      customers: 4,
    });
    const allowed = await again(file, '--dry-run', '--allow-duplicates');
    expect(allowed).toMatchObject({ code: 0, stdout: expect.stringMatching(/2 new, 3 already in/) });
  });

  test.each(kits.filter(({ keepsExternalId }) => keepsExternalId))(
    'names the customer at $title that has the ID of a row already',
    async (kit) => {
      const { run, settings, file } = await openScene(kit);
      const heading = 'Customer number,Company,E-mail\n';
      expect(await run(`${heading}K7,Jansen,j@jansen.example\n`)).toMatchObject({ code: 0 });
      await writeFile(file, `${heading}K7,Pieters,p@pieters.example\n`);
      const { store, remove } = temporaryStore();
      ends.push(remove);
      const args = ['import', file, '--dry-run'];
      const { code, stdout } = await command(args, { ...settings, CUSTOMERS_STORE: store });
      expect(stdout).toMatch(/1 row: 0 can be sent, 1 cannot/);
      expect(stdout).toMatch(/Cannot be imported\n  - The \w+ "K7" belongs to the [^(]*customer /);
      expect(code).toBe(1);
    },
  );

  test('shows what the import would change about existing customers, where it does', async () => {
    const { run, again, file, standIn } = await openScene(layer);
    const heading = 'Customer number,Company,E-mail,Phone\n';
    expect(await run(`${heading}1,Acme,a@acme.example,030-1234567\n2,Beta,b@beta.example,\n`)).toMatchObject({
      code: 0,
    });
    await writeFile(file, `${heading}1,Acme,a@acme.example,030-7654321\n2,Beta,b@beta.example,030-1111111\n`);
    const { code, stdout } = await again(file, '--dry-run');
    expect(stdout).toMatch(/0 new, 2 already in Layer/);
    expect(stdout).toMatch(
      /Existing customers that the import would change\n  - \w+ is changed: .*1234567 -> .*7654321 \(row 2\)\n  - \w+ is added: .*1111111 \(row 3\)\n/,
    );
    expect({ code, updates: standIn.count('update') }).toEqual({ code: 0, updates: 0 });
    expect(await again(file)).toMatchObject({ code: 0, stdout: expect.stringContaining('2 updated') });
  });

  test.each(kits)('warns if the pages of $title lead in a circle', async (kit) => {
    const { run, standIn } = await openScene(kit);
    for (const cursor of ['b', 'c', 'a', 'b'])
      standIn.fault({ on: 'list', act: { status: 200, body: kit.list([], cursor) } });
    standIn.fault({ on: 'list', times: Infinity, act: { status: 200, body: kit.list([], 'c') } });
    const { stdout } = await run('Customer number,Company,E-mail\n1,Acme,a@acme.example\n', '--dry-run');
    expect(stdout).toMatch(/\w+'s list leads back to an earlier page/);
    expect(standIn.count('list')).toBeLessThan(8);
  });

  test('warns if the provider does not respond', async () => {
    const { run, standIn } = await openScene();
    standIn.fault({ on: '*', times: Infinity, act: { status: 401 } });
    const { stdout } = await run(FILE, '--dry-run');
    expect(stdout).toContain("Not compared with Notify's customers");
    expect(stdout).toContain('at most 2 new, at least 0 already in Notify');
  });
});

describe('an import', () => {
  test.each(kits)('says what it changed, for all rows at $title and for each', async (kit) => {
    const { run, again, file, read } = await openScene(kit);
    const rows = Array.from({ length: 20 }, (_, n) => `K${n},Acme ${n},mailto:a${n}@acme.example,`);
    const text = ['Customer number,Company,E-mail,Phone', ...rows, 'K20,Beta,b@beta.example,Tel. 030 1234567'].join(
      '\n',
    );
    const { code, stdout } = await run(text);
    expect(code, stdout).toBe(0);
    const [, changes = ''] = stdout.split('Changed or doubtful\n');
    expect(changes).toMatch(/- E-mail .*removed.* \(rows 2-21\)\n/);
    expect(changes).toMatch(/- Phone the word before the phone number was removed: .*\(row 22\)\n/);
    const lines = (await read('customers.result.csv')).split('\r\n');
    expect(lines[1]).toMatch(/,created,.*E-mail .* was removed/);
    expect(lines[21]).not.toContain('E-mail');
    // Nothing is written, so nothing is changed.
    expect((await again(file)).stdout).not.toContain('Changed or doubtful');
  });
});

describe('an option without an effect is refused, with what to do', () => {
  test.each([
    [['--sheet', 'Customers'], '--sheet is for workbooks, and customers.csv is not one; remove --sheet'],
    [['--id-from', 'NAME', '--map', 'customer code=CustomerCode'], 'remove one of them'],
    [['--id-from', 'NAME', '--id-from', 'customer code'], '--id-from can be used only once'],
    [['--header-row', '1', '--header-row', '2'], '--header-row can be used only once'],
    [['--header-row', '40'], 'the file has 3 rows'],
  ])('%j', async (args, sentence) => {
    const { run, standIn } = await openScene();
    const { code, stderr } = await run(FILE, ...args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(sentence) });
    expect(standIn.requests).toEqual([]);
  });

  test('but not what an earlier run decided about a workbook', async () => {
    const { again, folder } = await openScene();
    await writeFile(join(folder, 'customers.mapping.json'), JSON.stringify({ notify: { sheet: 'Sheet 2' } }));
    const file = join(folder, 'customers.result.csv');
    await writeFile(file, FILE);
    expect(await again(file, '--dry-run')).toMatchObject({ code: 0 });
  });

  test.each(kits)('and replaces what an earlier run decided about the ID of $title', async (kit) => {
    const { run, again, file } = await openScene(kit);
    const rows = 'A,B,Company,E-mail\n1,x,Acme,a@acme.example\n';
    await run(rows, '--dry-run', '--map', `A=${kit.externalIdField}`);
    expect((await again(file, '--dry-run', '--id-from', 'B')).stdout).toMatch(
      new RegExp(`\\* B +-> +${kit.externalIdField}`),
    );
  });
});

describe('what must be decided', () => {
  const NO_ID = 'First name,Last name,E-mail,Remark here\nJane,Doe,jane@example.com,x\nJohn,Roe,john@example.com,y\n';

  test('is asked for at once, with the command that decides it, and remembered', async () => {
    const { run, again, standIn, file, read } = await openScene(layer);
    const first = await run(NO_ID);
    expect(first).toMatchObject({ code: 2, stdout: '' });
    expect(first.stderr).toContain(`customers-mcp import ${file} --id-from E-mail`);
    expect(standIn.count('create')).toBe(0);
    expect(await again(file, '--id-from', 'email')).toMatchObject({ code: 0 });
    expect(byId(standIn)).toMatchObject([
      { external_id: 'jane@example.com', individual_name: 'Jane Doe' },
      { external_id: 'john@example.com' },
    ]);
    expect(JSON.parse(await read('customers.mapping.json'))).toMatchObject({ layer: { id_from: 'email' } });
    const next = await again(file);
    expect(next).toMatchObject({ code: 0, stdout: expect.stringContaining('2 existing') });
  });

  test('joins, constants and columns that are left out', async () => {
    const { run, standIn } = await openScene();
    const text = 'Code,Voor,Achter,Firma,E-mail\nc1,Jane,Doe,Acme,a@b.example\n';
    const args = ['--map', 'Voor+Achter=Contact', '--map', 'E-mail=', '--set', 'Country=BE'];
    expect(await run(text, ...args)).toMatchObject({ code: 0 });
    const [customer] = [...standIn.customers.values()];
    expect(JSON.stringify(customer)).toContain('Jane Doe');
    expect(JSON.stringify(customer)).toContain('BE');
    expect(JSON.stringify(customer)).not.toContain('a@b.example');
  });

  test.each([
    ['a map of no column', ['--map', 'Nmae=Name'], 'did you mean "Name"?'],
    ['a map without a field', ['--map', 'Name'], 'COLUMN=FIELD'],
    ['a map to no field', ['--map', 'Name=Nickname'], 'no field'],
    ['one field from two maps', ['--map', 'Name=Name', '--map', 'Code=Name'], 'named twice'],
    ['a constant for no field', ['--set', 'Land=NL'], 'no field'],
    ['an id from no column', ['--id-from', 'Number'], '--id-from'],
    ['a row that is none', ['--header-row', 'two'], '--header-row'],
    ['an unknown option', ['--mapp', 'a=b'], '--mapp'],
  ])('refuses %s with exit 2', async (_, args, words) => {
    const { run, standIn } = await openScene();
    const { code, stdout, stderr } = await run('Code,Name\nc1,a\n', ...args);
    expect({ code, stdout, requests: standIn.count('*') }).toEqual({ code: 2, stdout: '', requests: 0 });
    expect(stderr).toContain(words);
  });
});

describe('the result', () => {
  test('opens in Excel as it is: mark, delimiter, no formulas, numbers with their zeros', async () => {
    const { run, read } = await openScene();
    const text = 'CustomerCode;Name;Phone;Extra\r\n00123;Café;+31201234567;=1+1\r\n';
    expect(await run(text)).toMatchObject({ code: 0 });
    const [heading, row] = (await read('customers.result.csv')).split('\r\n');
    expect(heading).toBe('\ufeffCustomerCode;Name;Phone;Extra;import_outcome;import_customer_id;import_message');
    expect(row).toMatch(/^'00123;Café;'\+31201234567;'=1\+1;created;[0-9a-f-]{36};$/);
  });

  test.each(kits)('can be imported again at $title, also when Excel has eaten zeros', async (kit) => {
    const { run, again, read, standIn, folder } = await openScene(kit);
    const name = kit.nameField.field;
    const text = `${kit.externalIdField},${name},email\n00123,Acme,a@acme.example\n00124,Beta,b@beta.example\n00125,,c@gamma.example\n`;
    expect(await run(text)).toMatchObject({ code: 1 });
    expect(standIn.customers.size).toBe(2);
    const result = join(folder, 'customers.result.csv');
    const eaten = (await read('customers.result.csv')).replaceAll(/'?00(12\d)/g, '$1').replace('125,,', '125,Gamma,');
    await writeFile(result, eaten);
    const { stdout } = await again(result);
    expect(stdout).toContain('1 created, 2 existing');
    expect(standIn.customers.size).toBe(3);
    expect(await again(result)).toMatchObject({ stdout: expect.stringContaining('3 existing') });
  });

  test('a row that was imported under another id is refused', async () => {
    const { run, again, read, folder, standIn } = await openScene(layer);
    await run('external_id,company_name\n1,Acme\n');
    const result = join(folder, 'customers.result.csv');
    await writeFile(result, (await read('customers.result.csv')).replace(/^1,/m, '77,'));
    const { code, stdout } = await again(result);
    expect({ code, customers: standIn.customers.size }).toEqual({ code: 1, customers: 1 });
    expect(stdout).toContain('import_customer_id');
  });

  test('rejected rows stand in a file of their own, which can be corrected and imported', async () => {
    const { run, again, read, folder, standIn } = await openScene();
    const { stdout } = await run('CustomerCode,Name,Country\nc1,One,NL\nc2,Two,Atlantis\n');
    expect(stdout).toContain('customers.rejected.csv');
    const rejected = await read('customers.rejected.csv');
    expect(rejected.split('\r\n')).toHaveLength(3);
    expect(rejected).toContain('c2,Two,Atlantis,failed,,"invalid_input: Country ""Atlantis""');
    await writeFile(join(folder, 'customers.rejected.csv'), rejected.replace('Atlantis,failed', 'NL,failed'));
    expect(await again(join(folder, 'customers.rejected.csv'))).toMatchObject({ code: 0 });
    expect(standIn.customers.size).toBe(2);
    expect(await read('customers.result.csv')).toContain('c1,One,NL,created');
  });

  test('has the permissions of the source, and never goes through a link', async () => {
    const { file, again, folder, standIn } = await openScene();
    await writeFile(file, FILE);
    await chmod(file, 0o600);
    const elsewhere = join(folder, 'elsewhere');
    await writeFile(elsewhere, 'precious');
    const result = join(folder, 'customers.result.csv');
    await symlink(elsewhere, result);
    const refused = await again(file);
    expect({ ...refused, creates: standIn.count('create') }).toMatchObject({ code: 2, creates: 0 });
    expect(refused.stderr).toContain('link');
    expect(await readFile(elsewhere, 'utf8')).toBe('precious');
    expect((await lstat(result)).isSymbolicLink()).toBe(true);
    await rm(result);
    expect(await again(file)).toMatchObject({ code: 0 });
    expect((await stat(result)).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'customers.mapping.json'))).mode & 0o777).toBe(0o600);
  });

  test('a place that cannot be written is found before anything is sent', async () => {
    const { run, folder, standIn } = await openScene();
    await mkdir(join(folder, 'customers.result.csv'));
    const { code, stderr } = await run(FILE);
    expect({ code, requests: standIn.count('*') }).toEqual({ code: 2, requests: 0 });
    expect(stderr).toContain('a folder');
  });
});

describe('a run', () => {
  test('creates what is good, fails what is not, and exits with 1 then', async () => {
    const { run, standIn, read } = await openScene();
    const { code, stdout } = await run(
      'CustomerCode,Name,Email\nc1,One,a@b.example; c@d.example\nc2,Two,two@example.com\n',
    );
    expect(code).toBe(1);
    expect(stdout).toMatch(/2 rows: 1 created, 1 failed/);
    expect(stdout).toMatch(/Email contains 2 email addresses.*\(row 2\)/);
    expect(standIn.customers.size).toBe(1);
    expect(await read('customers.result.csv')).toMatch(/failed,,"?invalid_input: Email/);
  });

  test('lists and yes-or-no values are taken from columns with the names of their fields', async () => {
    const { run, standIn } = await openScene(layer);
    const text =
      '\ufeffExternal ID;Company Name;Notes;Tags\r\n"a;1";"Müller, ""Söhne""";"first\r\nsecond";"[{""key"":""k"",""value"":""v""}]"\r\n;;;\r\n007;Bond;;\r\n';
    expect(await run(text)).toMatchObject({ code: 0, stdout: expect.stringContaining('2 rows: 2 created') });
    expect(byId(standIn)).toMatchObject([
      { external_id: '007', company_name: 'Bond' },
      {
        external_id: 'a;1',
        memo: expect.stringMatching(/^first\r?\nsecond$/),
        transaction_tags: [{ key: 'k', value: 'v' }],
      },
    ]);
  });

  test('money is never mapped by itself', async () => {
    const { run, standIn } = await openScene(dayzero);
    const { stdout } = await run('Customer number,Name,Email,Credit Limit\n1,Acme,a@acme.example,1000\n');
    expect(stdout).toMatch(/Left out\n +Credit Limit/);
    expect(JSON.stringify([...standIn.customers.values()])).not.toContain('1000');
  });

  test('a possible duplicate is refused unless the person insists', async () => {
    const { run, again, file, standIn } = await openScene(dayzero);
    await run('external_id,name,email\n1,Acme,a@acme.example\n');
    const text = 'external_id,name,email\n1,Acme,a@acme.example\n2,Acme Two,a@acme.example\n';
    expect(await run(text)).toMatchObject({ code: 1, stdout: expect.stringContaining('1 existing, 1 failed') });
    expect(await again(file, '--allow-duplicates')).toMatchObject({ code: 0 });
    expect(standIn.customers.size).toBe(2);
  });

  test('ends if the provider asks for a pause of two months, and prints when to continue', async () => {
    const { run, standIn } = await openScene();
    standIn.fault({ on: 'create', times: Infinity, act: { status: 429, headers: { 'retry-after': '5000000' } } });
    const { code, stdout } = await run(manyRows('CustomerCode,Name', (n) => `c${n},Name ${n}`));
    expect({ code, few: standIn.count('create') <= 4 }).toEqual({ code: 1, few: true });
    expect(stdout).toContain(`${ALL} not started`);
    expect(stdout).toContain('5000000 s');
    expect(stdout).toContain('Run the same command again');
  });

  test('asked to stop, it sees through what was sent, counts nothing unsent as failed, and goes on next time', async () => {
    const { settings, file, read, standIn, again } = await openScene();
    await writeFile(
      file,
      manyRows('CustomerCode,Name,Email', (n) => `c${n},Name ${n},m${n}@example.com`),
    );
    standIn.fault({ on: 'create', times: ALL, when: 'after', act: { delayMs: 50 } });
    const child = spawn(process.execPath, [BUILT, 'import', file], { env: settings });
    const closed = once(child, 'close');
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
    await until(() => standIn.count('create') >= 8);
    child.kill('SIGTERM');
    expect(await closed).toEqual([1, null]);
    expect(stdout).toContain('not started');
    expect(stdout).not.toContain('failed');
    expect(stdout).toContain('Run the same command again');
    expect((await read('customers.result.csv')).split(',created,').length - 1).toBe(standIn.customers.size);

    expect(await again(file)).toMatchObject({ code: 0, stderr: '' });
    expect(standIn.count('create')).toBe(ALL);
    expect(standIn.customers.size).toBe(ALL);
  });

  test(
    'killed, it has left a result that grew, and the next run makes no customer twice',
    { timeout: 60_000 },
    async () => {
      const { settings, file, standIn, again } = await openScene();
      await writeFile(
        file,
        manyRows('CustomerCode,Name,Email', (n) => `c${n},Name ${n},m${n}@example.com`),
      );
      standIn.fault({ on: 'create', times: ALL, when: 'after', act: { delayMs: 100 } });
      const child = spawn(process.execPath, [BUILT, 'import', file], { env: settings });
      const closed = once(child, 'close');
      await until(() => standIn.count('create') >= 12);
      child.kill('SIGKILL');
      await closed;
      const { stdout } = await again(file);
      expect(stdout).toContain(`${ALL} rows`);
      expect(standIn.customers.size).toBe(ALL);
    },
  );

  test('is refused where nothing may be written', async () => {
    const { settings, file, standIn } = await openScene();
    await writeFile(file, FILE);
    for (const extra of [{ CUSTOMERS_READ_ONLY: 'true' }, { CUSTOMERS_TOOLS: 'get_customer' }]) {
      const { code, stderr } = await command(['import', file], { ...settings, ...extra });
      expect({ code, requests: standIn.count('*') }).toEqual({ code: 2, requests: 0 });
      expect(stderr).toContain('CUSTOMERS_READ_ONLY');
    }
  });
});
