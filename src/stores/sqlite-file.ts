import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  realpathSync,
  rmSync,
  statSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { StoreProblem } from './store.ts';

/** The suffixes of SQLite's additional files. */
const WAL = '-wal';
const SHM = '-shm';

interface OpenFile {
  readonly database: DatabaseSync;
  /** Whether the path still names this file. Costs the look-up of two names. */
  isCurrent(): boolean;
  /**
   * Closes a file that its path no longer names. SQLite then does not remove the additional files at the path; those of the old
   * file are removed, because SQLite would use them as the log of the new one.
   */
  abandon(): void;
}

/**
 * Opens the database in a file, which is created if it does not exist.
 * @throws StoreProblem for a folder or a device.
 */
export function openFile(
  path: string,
  { schema, busyTimeoutMs }: { readonly schema: string; readonly busyTimeoutMs: number },
): OpenFile {
  const file = prepareFile(path);
  const [log, index] = [file + WAL, file + SHM];
  const identity = identityOf(path);
  const database = new DatabaseSync(file, { timeout: busyTimeoutMs });
  try {
    removeLeftovers(database, index);
    database.exec(schema);
  } catch (error) {
    database.close();
    throw error;
  }
  // While the file is open, SQLite keeps this one too.
  const logIdentity = identityOf(log);
  return {
    database,
    isCurrent: () => identityOf(path) === identity && identityOf(log) === logIdentity,
    abandon() {
      database.close();
      if (identityOf(file) === identity || logIdentity === '' || identityOf(log) !== logIdentity) return;
      rmSync(log, { force: true });
      rmSync(index, { force: true });
    },
  };
}

/**
 * Removes the index that a deleted file has left. A server that still has that file open would share its index with the new file,
 * and damage it. While the new file is empty and locked, no process can have its index open.
 */
function removeLeftovers(database: DatabaseSync, index: string): void {
  const pragma = (name: string): unknown => database.prepare(`PRAGMA ${name}`).get()?.[name];
  if (pragma('page_count') !== 0) return;
  database.exec('BEGIN EXCLUSIVE');
  // In WAL mode, another process has already started to use the new file.
  if (pragma('journal_mode') !== 'wal') rmSync(index, { force: true });
  database.exec('COMMIT');
}

/**
 * Makes sure that the file exists and that other users of the machine cannot read it. SQLite creates its additional files with
 * the same mode and follows no links for them. A link in place of the file itself belongs to the operator and is followed.
 * @returns the path with links resolved, beside which SQLite creates its additional files.
 */
function prepareFile(path: string): string {
  makeFolder(dirname(path));
  const found = statSync(path, { throwIfNoEntry: false });
  if (found && !found.isFile()) {
    throw new StoreProblem(
      `The store's path names a ${found.isDirectory() ? 'folder' : 'device'}, not a file.`,
      'Set CUSTOMERS_STORE to sqlite: and the path of a file.',
    );
  }
  // An existing file is never opened here, because closing it would release SQLite's locks of this process.
  // https://sqlite.org/howtocorrupt.html, section 2.2
  if (!found) closeSync(openSync(path, 'a', 0o600));
  const file = realpathSync(path);
  for (const name of [file, file + WAL, file + SHM]) makePrivate(name);
  return file;
}

/**
 * Makes a file of this user private. A file without access for all other users stays unchanged, because the operator may share
 * it with a group.
 */
function makePrivate(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found?.isFile() || found.uid !== process.geteuid?.() || (found.mode & 0o007) === 0) return;
  try {
    chmodSync(path, 0o600);
  } catch {
    // Some file systems have no modes; `isExposed` reports the exposure.
  }
}

/** Whether other users of the machine may read or write the file. Windows has no such modes. */
export function isExposed(path: string): boolean {
  const found = process.geteuid && statSync(path, { throwIfNoEntry: false });
  return found ? (found.mode & 0o006) !== 0 : false;
}

/** The identity of the file at a path, with links resolved; an empty string if there is none. */
function identityOf(path: string): string {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.dev}/${found.ino}` : '';
}

/** A folder and those above it. Not `recursive`: below /proc Node then tries without end. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  makeFolder(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    // Otherwise another process has created it.
    if (!existsSync(folder)) throw error;
  }
}

/** https://sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5;

/** Whether another process has the file locked. */
export function isBusy(error: unknown): boolean {
  return (
    error instanceof Error &&
    'errcode' in error &&
    typeof error.errcode === 'number' &&
    (error.errcode & 0xff) === SQLITE_BUSY
  );
}
