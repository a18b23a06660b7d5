import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { sqliteStore } from '../../src/stores/sqlite.ts';
import type { NewRow } from '../../src/stores/store.ts';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import { BUILT, connect, errorOf, type Connection, type Environment } from '../support/client.ts';

vi.setConfig({ testTimeout: 60_000 });

const root = mkdtempSync(join(tmpdir(), 'customers-mcp-files-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
/** A folder that other users may read, as an operator's often is. */
function newFolder(): string {
  const folder = join(root, String((count += 1)));
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  return folder;
}

const modeOf = (path: string): string => (lstatSync(path).mode & 0o777).toString(8);
const modesIn = (folder: string) =>
  Object.fromEntries(readdirSync(folder).map((name) => [name, modeOf(join(folder, name))]));

/** The built server under the umask that most systems have. */
function serve(environment: Environment): Promise<Connection> {
  const program = { command: '/bin/sh', args: ['-c', 'umask 0022; exec "$0" "$1"', process.execPath, BUILT] };
  return connect({ CUSTOMERS_SANDBOX: 'true', CUSTOMERS_PROVIDER: 'dayzero', ...environment }, { program });
}

const createOf = (name: string) => ({ external_id: name, name: `Firm ${name}`, email: `${name}@firm.example` });
const kindOf = async (server: Connection, create: Record<string, unknown>): Promise<unknown> => {
  const answer = await server.call('create_customer', create);
  return errorOf(answer)?.['kind'] ?? answer.data['outcome'];
};

const rowOf = (key: string): NewRow => ({ key, state: 'PENDING', epoch: 1, data: '{}', leaseMs: 0 });

describe('the files of a SQLite store', () => {
  test('are private in a folder that others may read', async () => {
    const folder = newFolder();
    const server = await serve({ CUSTOMERS_STORE: `sqlite:${join(folder, 'a.sqlite')}` });
    expect(await kindOf(server, createOf('private'))).toBe('created');
    expect(modesIn(folder)).toEqual({ 'a.sqlite': '600', 'a.sqlite-shm': '600', 'a.sqlite-wal': '600' });
    await server.close();
  });

  test('are made private when an older version left them open to others', async () => {
    const folder = newFolder();
    const file = join(folder, 'a.sqlite');
    const other = new DatabaseSync(file);
    other.exec('PRAGMA journal_mode = WAL; CREATE TABLE other (x)');
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o644);
    const server = await serve({ CUSTOMERS_STORE: `sqlite:${file}` });
    expect(await kindOf(server, createOf('older'))).toBe('created');
    expect(modesIn(folder)).toEqual({ 'a.sqlite': '600', 'a.sqlite-shm': '600', 'a.sqlite-wal': '600' });
    await server.close();
    other.close();
  });

  test('keep the mode of an operator who shares them with a group and no other user', async () => {
    const file = join(newFolder(), 'a.sqlite');
    writeFileSync(file, '');
    chmodSync(file, 0o660);
    const store = sqliteStore(file);
    await store.rows.insert(rowOf('a'));
    expect(modeOf(file)).toBe('660');
    expect(await store.warnings?.()).toEqual([]);
    await store.close();
  });

  test('are left as they are when they belong to another user, and that is reported', async () => {
    if (process.getuid?.() !== 0) return;
    const file = join(newFolder(), 'a.sqlite');
    writeFileSync(file, '', { mode: 0o644 });
    chownSync(file, 65_534, 65_534);
    chmodSync(file, 0o644);
    const store = sqliteStore(file);
    await store.rows.insert(rowOf('a'));
    expect(modeOf(file)).toBe('644');
    expect(await store.warnings?.()).toEqual([expect.stringContaining('0600')]);
    await store.close();
  });

  test('may be reached through a link that the operator made, and what is made beside them goes through none', async () => {
    const [links, files] = [newFolder(), newFolder()];
    const [link, file] = [join(links, 'link.sqlite'), join(files, 'real.sqlite')];
    // It names no file yet.
    symlinkSync(file, link);
    const victim = join(newFolder(), 'victim');
    writeFileSync(victim, 'untouched', { mode: 0o644 });
    const store = sqliteStore(link);
    await store.rows.insert(rowOf('a'));
    expect(modesIn(files)).toEqual({ 'real.sqlite': '600', 'real.sqlite-shm': '600', 'real.sqlite-wal': '600' });
    expect(readdirSync(links)).toEqual(['link.sqlite']);
    await store.close();

    for (const suffix of ['-wal', '-shm']) {
      symlinkSync(victim, file + suffix);
      const again = sqliteStore(link);
      // Whether it refuses the link or replaces it: nothing is written through it.
      await again.rows.insert(rowOf(suffix)).catch(() => undefined);
      await again.close();
      rmSync(file + suffix, { force: true });
      expect([readFileSync(victim, 'utf8'), modeOf(victim)]).toEqual(['untouched', '644']);
    }
  });

  test.each(['a b.sqlite', 'a?mode=memory.sqlite', 'a#b.sqlite', 'a%20b.sqlite', 'ü"\'.sqlite'])(
    'have the name %s to the letter',
    async (name) => {
      const folder = newFolder();
      const server = await serve({ CUSTOMERS_STORE: `sqlite:${join(folder, name)}` });
      expect(await kindOf(server, createOf('named'))).toBe('created');
      expect(readdirSync(folder).sort()).toEqual([name, `${name}-shm`, `${name}-wal`]);
      await server.close();
    },
  );

  test('may be below the home folder', async () => {
    const home = newFolder();
    const server = await serve({ HOME: home, CUSTOMERS_STORE: 'sqlite:~/kept here/a.sqlite' });
    expect(await kindOf(server, createOf('home'))).toBe('created');
    expect(modeOf(join(home, 'kept here'))).toBe('700');
    expect(modeOf(join(home, 'kept here', 'a.sqlite'))).toBe('600');
    await server.close();
  });

  test('cannot be a folder or a device, and the answer names that', async () => {
    for (const [path, what] of [
      [newFolder(), 'folder'],
      ['/dev/null', 'device'],
    ] as const) {
      const server = await serve({ CUSTOMERS_STORE: `sqlite:${path}` });
      expect(errorOf(await server.call('create_customer', createOf('folder')))).toMatchObject({
        kind: 'store_unavailable',
        message: expect.stringMatching(new RegExp(`${what}.*CUSTOMERS_STORE`)),
      });
      await server.close();
    }
  });
});

/** Ways in which the file at a path becomes another one, or none. */
const REPLACEMENTS: readonly { readonly how: string; replace(file: string): void }[] = [
  {
    how: 'deleted, with what lies beside it',
    replace: (file) => ['', '-wal', '-shm'].forEach((end) => rmSync(file + end)),
  },
  { how: 'deleted alone', replace: (file) => rmSync(file) },
  { how: 'moved away', replace: (file) => renameSync(file, `${file}.old`) },
  {
    how: 'replaced by another',
    replace(file) {
      const other = new DatabaseSync(`${file}.new`);
      other.exec('CREATE TABLE other (x)');
      other.close();
      renameSync(`${file}.new`, file);
    },
  },
  { how: 'deleted with its folder', replace: (file) => rmSync(dirname(file), { recursive: true }) },
  { how: 'bereft of its log', replace: (file) => rmSync(`${file}-wal`) },
];

describe('a SQLite store that changes under a running server', () => {
  test.each(REPLACEMENTS)(
    'is noticed when it is $how; nothing is sent, then the new file is used',
    async ({ replace }) => {
      const { standIn, environment } = await startDayZero();
      const file = join(newFolder(), 'a.sqlite');
      const server = await connect({ ...environment, CUSTOMERS_STORE: `sqlite:${file}` });
      expect(await kindOf(server, createOf('before'))).toBe('created');
      replace(file);
      // A read goes on without the store, so it must not be the only one to learn of it.
      expect(errorOf(await server.call('search_customer', {}))).toBeUndefined();
      expect(errorOf(await server.call('create_customer', createOf('after')))).toMatchObject({
        kind: 'store_unavailable',
        message: expect.stringMatching(/deleted or replaced.*Try again.*restore/s),
      });
      expect(standIn.count('create')).toBe(1);
      expect(await kindOf(server, createOf('after'))).toBe('created');
      expect(await kindOf(server, createOf('after'))).toBe('existing');
      expect(standIn.count('create')).toBe(2);
      expect(modeOf(file)).toBe('600');
      await server.close();
      await standIn.close();
    },
  );

  test('is one file again for a server that was started afresh and one that was running', async () => {
    const { standIn, environment } = await startDayZero();
    const file = join(newFolder(), 'a.sqlite');
    const shared = { ...environment, CUSTOMERS_STORE: `sqlite:${file}` };
    const old = await connect(shared);
    for (let n = 0; n < 5; n += 1) expect(await kindOf(old, createOf(`before-${n}`))).toBe('created');
    rmSync(file);
    const fresh = await connect(shared);
    expect(await kindOf(fresh, createOf('both'))).toBe('created');
    expect(await kindOf(old, createOf('both'))).toBe('store_unavailable');
    const kinds = await Promise.all(
      Array.from({ length: 20 }, (_, n) => kindOf(n % 2 === 0 ? old : fresh, createOf(`pair-${n >> 1}`))),
    );
    expect(kinds.filter((kind) => kind === 'created')).toHaveLength(10);
    expect(kinds.filter((kind) => kind === 'existing')).toHaveLength(10);
    expect(await kindOf(old, createOf('both'))).toBe('existing');
    expect(standIn.customers.size).toBe(5 + 1 + 10);
    await Promise.all([old.close(), fresh.close()]);
    const database = new DatabaseSync(file);
    expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
    expect(database.prepare('SELECT count(*) AS n FROM intents WHERE state = ?').get('DONE')).toEqual({ n: 11 });
    database.close();
    await standIn.close();
  });

  test('leaves no handle open, however often it is opened again', async () => {
    const file = join(newFolder(), 'a.sqlite');
    const store = sqliteStore(file);
    // The descriptor that lists the folder is closed by the time it is looked at.
    const handles = (): number =>
      readdirSync('/proc/self/fd')
        .map((name) => `/proc/self/fd/${name}`)
        .filter((name) => lstatSync(name, { throwIfNoEntry: false }) && readlinkSync(name).startsWith(file)).length;
    await store.rows.insert(rowOf('a'));
    const open = handles();
    for (let n = 0; n < 20; n += 1) {
      rmSync(file);
      await expect(store.rows.insert(rowOf('a'))).rejects.toThrow('deleted or replaced');
      expect(await store.rows.insert(rowOf('a'))).toBeUndefined();
    }
    rmSync(file);
    writeFileSync(file, 'This is no database. '.repeat(1_000));
    for (let n = 0; n < 20; n += 1) await expect(store.rows.insert(rowOf('a'))).rejects.toThrow();
    rmSync(file);
    expect(await store.rows.insert(rowOf('a'))).toBeUndefined();
    expect(handles()).toBe(open);
    await store.close();
    expect(handles()).toBe(0);
  });
});
