import { constants } from 'node:fs';
import { lstat, open, readFile, rename, rm, stat, type FileHandle } from 'node:fs/promises';
import { dirname, join, basename } from 'node:path';
import { UsageError } from '../errors.ts';

/**
 * The flags that create a file beside the imported one. A symbolic link is never followed, because its target can be a file that the
 * user did not mean to overwrite.
 */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** The text of a file; `undefined` if there is none, or a link in its place. */
export async function readOwnFile(path: string): Promise<string | undefined> {
  const known = await lstat(path).catch(() => undefined);
  return known?.isFile() === true ? readFile(path, 'utf8').catch(() => undefined) : undefined;
}

/** The bytes of the imported file. @throws UsageError if it cannot be read. */
export async function readInput(file: string): Promise<Uint8Array> {
  const known = await stat(file).catch(() => undefined);
  if (known?.isDirectory() === true) throw new UsageError(`${file} is a folder. Specify a file in that folder.`);
  return readFile(file).catch(() => {
    throw new UsageError(`${file} cannot be read. Check the file name.`);
  });
}

/** Removes a file that an earlier import created. */
export async function removeOwnFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch(() => {});
}

/** Replaces a small file. @returns `false` if it cannot be written. */
export async function writeOwnFile(path: string, text: string, source: string): Promise<boolean> {
  try {
    const draft = await openDraft(path, source);
    await draft.handle.writeFile(text);
    await draft.commit();
    return true;
  } catch {
    return false;
  }
}

/** A file that is being written. */
export interface Draft {
  readonly handle: FileHandle;
  commit(): Promise<void>;
}

/**
 * Opens a new file with the permissions of the source. The file grows at its path, where the user can look at it; if that is the
 * path of the source, it replaces the source when it is committed.
 * @throws UsageError for a folder, a link, a file that is open in Excel, or missing permissions.
 */
export async function openDraft(path: string, source: string): Promise<Draft> {
  const known = await lstat(path).catch(() => undefined);
  if (known && !known.isFile()) {
    const kind = known.isDirectory()
      ? 'a folder'
      : known.isSymbolicLink()
        ? 'a link to another file'
        : 'not a regular file';
    throw new UsageError(
      `${path} is ${kind}, so the results cannot be written there. Move it and try again. Nothing was sent.`,
    );
  }
  const { mode, ino, dev } = await stat(source);
  const target = known?.ino === ino && known.dev === dev ? join(dirname(path), `${basename(path)}.new`) : path;
  try {
    // On Windows, a file that Excel has open can be neither written nor replaced.
    if (known) await (await open(path, constants.O_RDWR | constants.O_NOFOLLOW)).close();
    await rm(target, { force: true });
    // The user must be able to correct it, even if the source is read-only.
    const permissions = (mode & 0o666) | 0o200;
    const handle = await open(target, NEW_FILE, permissions);
    await handle.chmod(permissions);
    return {
      handle,
      async commit() {
        await handle.close();
        if (target !== path) await rename(target, path);
      },
    };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new UsageError(
      `${path} cannot be written (${code}). Close it if it is open in Excel, or copy the imported file to a writable folder, and try again. Nothing was sent.`,
    );
  }
}
