import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { kindOf } from '../support/answers.ts';
import { BUILT, connect, errorOf, type Connection, type ConnectOptions, type Environment } from '../support/client.ts';
import { command, SANDBOX, until } from '../support/process.ts';
import { startLayer } from '../providers/layer/stand-in.ts';
import { linesIn, trail } from './trail.ts';

let serial = 0;

function create(server: Connection) {
  serial += 1;
  return server.call('create_customer', { company_name: `Rotation ${serial}`, external_id: `own-${serial}` });
}

async function start(environment: Environment, options?: ConnectOptions) {
  const { standIn, environment: account } = await startLayer({ tokenUses: Infinity });
  const server = await connect({ ...account, ...environment }, options);
  onTestFinished(async () => {
    await server.close();
    await standIn.close();
  });
  return { standIn, server };
}

/** What can be in the way of a file; `other` is a file of another owner. */
const obstacles: readonly (readonly [string, string, (path: string, other: string) => void])[] = [
  ['a symbolic link', 'a symbolic link', (path, other) => symlinkSync(other, path)],
  ['a link that leads nowhere', 'a symbolic link', (path, other) => symlinkSync(`${other}.missing`, path)],
  ['a link to a device', 'a symbolic link', (path) => symlinkSync('/dev/full', path)],
  ['a folder', 'not a regular file', (path) => mkdirSync(path)],
];

describe.each(obstacles)('%s in place of the audit trail', (_, reason, obstruct) => {
  it('refuses writes if the trail is required, before anything is sent, and no reads', async () => {
    const { folder, path, required } = trail();
    const other = join(folder, 'other');
    writeFileSync(other, 'of another program\n');
    obstruct(path, other);
    const { standIn, server } = await start(required);
    const refused = await create(server);
    expect(errorOf(refused)).toMatchObject({
      kind: 'store_unavailable',
      message: expect.stringMatching(/audit trail cannot be written.*Nothing was sent.*CUSTOMERS_AUDIT/),
    });
    const rows = await server.call('import_customers', { rows: [{ company_name: 'Row', external_id: 'row-1' }] });
    expect(rows.data, rows.text).toMatchObject({ counts: { created: 0, not_started: 1 } });
    expect((await server.call('search_customer')).isError).toBe(false);
    expect(standIn.count('create')).toBe(0);
    expect(readFileSync(other, 'utf8')).toBe('of another program\n');
    expect(server.stderr()).toContain(`"event":"audit","audit":"${reason}"`);
  });

  it('is one warning otherwise, and writes go on', async () => {
    const { folder, path, environment } = trail();
    const other = join(folder, 'other');
    writeFileSync(other, '');
    obstruct(path, other);
    const { server } = await start(environment);
    for (let n = 0; n < 3; n += 1) {
      const { data } = await create(server);
      expect(data).toMatchObject({ outcome: 'created' });
      expect(JSON.stringify(data)).not.toContain('audit');
    }
    // One when the server starts, one when the first line fails.
    expect(server.stderr().match(/"event":"audit"/g)).toHaveLength(2);
    expect(readFileSync(other, 'utf8')).toBe('');
  });
});

describe('an audit trail', () => {
  it('at a device that is full refuses writes', async () => {
    const { server, standIn } = await start({ CUSTOMERS_AUDIT: 'file:/dev/full', CUSTOMERS_AUDIT_REQUIRED: 'true' });
    expect(kindOf(await create(server))).toBe('store_unavailable');
    expect(standIn.count('create')).toBe(0);
  });

  it('in a folder that is missing refuses writes until it is there', async () => {
    const { folder } = trail();
    const path = join(folder, 'later', 'audit.jsonl');
    const { server } = await start({ CUSTOMERS_AUDIT: `file:${path}`, CUSTOMERS_AUDIT_REQUIRED: 'true' });
    expect(kindOf(await create(server))).toBe('store_unavailable');
    mkdirSync(join(folder, 'later'));
    expect(kindOf(await create(server))).toBe('created');
    expect(linesIn(readFileSync(path, 'utf8')).map(({ event }) => event)).toContain('intent');
  });

  it('in a folder without permission refuses writes', async () => {
    const { folder, required } = trail();
    chmodSync(folder, 0o500);
    // Root may write everywhere.
    const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, BUILT];
    const isRoot = process.getuid?.() === 0;
    const { server, standIn } = await start(
      required,
      isRoot ? { program: { command: 'setpriv', args: asNobody } } : {},
    );
    expect(kindOf(await create(server))).toBe('store_unavailable');
    expect(standIn.count('create')).toBe(0);
    expect(server.stderr()).toContain('"event":"audit","audit":"EACCES"');
    chmodSync(folder, 0o700);
  });

  it('on a disk that fills up never reports a write as failed that happened, and keeps its lines whole', async () => {
    const { path, required } = trail();
    // A limit on the size of files, in blocks of 512 bytes, ends a write in the middle as a full disk does.
    const script = `ulimit -f 8; exec "${process.execPath}" "${BUILT}"`;
    const { server, standIn } = await start(required, { program: { command: '/bin/sh', args: ['-c', script] } });
    const answers = [];
    for (let n = 0; n < 20; n += 1) answers.push(await create(server));
    const created = answers.filter((answer) => kindOf(answer) === 'created');
    expect(created).toHaveLength(standIn.count('create'));
    expect(created.length).toBeLessThan(20);
    expect(answers.filter((answer) => kindOf(answer) === 'store_unavailable')).toHaveLength(20 - created.length);
    const [last = '', ...whole] = readFileSync(path, 'utf8').split('\n').toReversed();
    expect(linesIn(whole.join('\n')).length).toBeGreaterThan(3);
    // Only the line at the very end is cut off, and the next line after a restart does not continue it.
    expect(() => JSON.parse(last)).toThrow();
    const { server: next } = await start(required);
    expect(kindOf(await create(next))).toBe('created');
    const after = readFileSync(path, 'utf8').trim().split('\n');
    expect(linesIn(after.slice(-2).join('\n')).map(({ event }) => event)).toEqual(['intent', 'write']);
  });

  it('that breaks after the write was sent is a warning in the answer', async () => {
    const { path, folder, required, lines } = trail();
    const { server, standIn } = await start(required);
    standIn.fault({ on: 'create', act: { delayMs: 500 } });
    const creating = create(server);
    await until(() => standIn.count('create') === 1);
    expect(lines().map(({ event }) => event)).toEqual(['intent']);
    renameSync(path, join(folder, 'gone'));
    mkdirSync(path);
    const { data } = await creating;
    expect(data).toMatchObject({ outcome: 'created', warnings: [expect.stringMatching(/did not record/)] });
    expect(kindOf(await create(server))).toBe('store_unavailable');
    expect(standIn.count('create')).toBe(1);
  });

  it('that was rotated goes on in a new file', async () => {
    const { path, folder, environment, lines } = trail();
    const { server } = await start(environment);
    await create(server);
    renameSync(path, join(folder, 'audit.jsonl.1'));
    await create(server);
    await create(server);
    expect(linesIn(readFileSync(join(folder, 'audit.jsonl.1'), 'utf8'))).toHaveLength(1);
    expect(lines()).toHaveLength(2);
  });

  it('that was there keeps what it holds, its permissions too', async () => {
    const { path, folder, environment, text } = trail();
    writeFileSync(path, '{"earlier":true}', { mode: 0o640 });
    linkSync(path, join(folder, 'same'));
    const { server } = await start(environment);
    await create(server);
    expect(text()).toMatch(/^\{"earlier":true\}\n\{"time".*\}\n$/);
    expect(readFileSync(join(folder, 'same'), 'utf8')).toBe(text());
  });

  it('of two servers has every line whole', async () => {
    const { environment, lines } = trail();
    const { standIn, server } = await start(environment);
    const { server: other } = await start(environment);
    const rows = (name: string) =>
      Array.from({ length: 100 }, (_, n) => ({ company_name: `Row ${name}-${n}`, external_id: `${name}-${n}` }));
    const calls = [server, other].flatMap((one, index) => [
      ...Array.from({ length: 20 }, () => create(one)),
      one.call('import_customers', { rows: rows(String(index)) }),
    ]);
    for (const { isError, text } of await Promise.all(calls)) expect(isError, text).toBe(false);
    expect(standIn.customers.size).toBe(120);
    expect(lines()).toHaveLength(240);
    expect(new Set(lines().map((line) => line.write_id)).size).toBe(240);
  });

  it('of customers-mcp import has a line for each row, and of call one', async () => {
    const { folder, environment, lines } = trail();
    writeFileSync(join(folder, 'new.csv'), 'external_id,company_name\nown-1,First\nown-2,Second\n');
    const settings = { ...SANDBOX, ...environment };
    expect((await command(['import', join(folder, 'new.csv')], settings)).code).toBe(0);
    await command(['call', 'create_customer', '{"company_name":"Third"}'], settings);
    const found = lines().map(({ tool, row, outcome }) => [tool, row, outcome]);
    expect(found.toSorted(([, a = 9], [, b = 9]) => Number(a) - Number(b))).toEqual([
      ['import_customers', 2, 'created'],
      ['import_customers', 3, 'created'],
      ['create_customer', undefined, 'created'],
    ]);
  });

  it('is checked by doctor, which does not make the file', async () => {
    const { path, environment, text } = trail();
    const settings = { ...SANDBOX, ...environment };
    expect((await command(['doctor'], settings)).stdout).toContain('ok   audit: It can be written.');
    expect(text()).toBe('');
    mkdirSync(path);
    const report = await command(['doctor'], settings);
    expect(report).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('BAD  audit: It cannot be written: not a'),
    });
  });

  it.each([
    { given: { CUSTOMERS_AUDIT: 'syslog' }, says: /CUSTOMERS_AUDIT must be stderr, or file:/ },
    { given: { CUSTOMERS_AUDIT: 'file:audit.jsonl' }, says: /with an absolute path/ },
    { given: { CUSTOMERS_AUDIT: 'file:' }, says: /with an absolute path/ },
    { given: { CUSTOMERS_AUDIT_REQUIRED: 'true' }, says: /CUSTOMERS_AUDIT is not set/ },
    { given: { CUSTOMERS_AUDIT: 'stderr', CUSTOMERS_AUDIT_REQUIRED: 'maybe' }, says: /must be one of true, false/ },
  ])('with the settings $given is a configuration error beside the others', async ({ given, says }) => {
    const { code, stderr } = await command(['tools'], { ...SANDBOX, ...given, CUSTOMERS_TIMEOUT_MS: 'soon' });
    expect(code).toBe(2);
    expect(stderr).toMatch(says);
    expect(stderr).toContain('CUSTOMERS_TIMEOUT_MS');
  });
});
