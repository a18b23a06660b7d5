import { createHmac } from 'node:crypto';
import { constants } from 'node:fs';
import { access, lstat, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Log } from './log.ts';
import { TimeoutError, withTimeout } from './stores/timeout.ts';

/** Where the lines go. */
export type AuditTarget = { readonly kind: 'stderr' } | { readonly kind: 'file'; readonly path: string };

/** A line of the audit trail. A closed list, so that a line names fields of a customer and never contains their values. */
export interface AuditLine {
  /** `intent`: about to be sent; `write`: how it ended; `consent`: the answer to a question about it. */
  readonly event: 'intent' | 'write' | 'consent';
  /** Common to the lines of one write. */
  readonly write_id: string;
  /** The client's own id of the request. */
  readonly request_id?: string | number;
  /** The business, if the server serves several. */
  readonly tenant?: string;
  /** The caller over HTTP: a digest, never a name. */
  readonly caller?: string;
  readonly tool: string;
  readonly provider: string;
  readonly sandbox?: true;
  readonly customer_id?: string;
  readonly archived_customer_id?: string;
  readonly external_id_hash?: string;
  /** The row of an import. */
  readonly row?: number;
  readonly fields?: readonly string[];
  readonly outcome?: string;
  /** The error kind. */
  readonly error?: string;
}

/** How the trail reaches what the runtime has. */
export interface AuditParts {
  readonly target: AuditTarget;
  /** Whether a write that cannot be recorded is refused. */
  readonly required: boolean;
  readonly log: Log;
  /** Calls `done` when the text is written or cannot be. */
  readonly stderr: (text: string, done: (error?: Error | null) => void) => unknown;
  /** The key of the hashes, which all processes on the store share. */
  readonly key: () => Promise<Buffer>;
}

type Append = (text: string) => Promise<void>;

/** How long a call waits for its line. */
const TIMEOUT_MS = 5_000;

/** An append-only record of writes and consents. Lines that wait at the same time are written and flushed together. */
export class AuditTrail {
  readonly required: boolean;
  readonly #parts: AuditParts;
  readonly #file: AuditFile | undefined;
  readonly #append: Append;
  #key: Buffer | undefined;
  #waiting: { readonly lines: string[]; readonly written: Promise<void> } | undefined;
  #last: Promise<void> = Promise.resolve();
  #failing = false;

  constructor(parts: AuditParts) {
    const { target, required, stderr } = parts;
    this.required = required;
    this.#parts = parts;
    this.#file = target.kind === 'file' ? new AuditFile(target.path) : undefined;
    this.#append = this.#file ? (text) => this.#file?.append(text) ?? Promise.resolve() : toStream(stderr);
  }

  /** Writes a line and flushes it. `false` if that failed, which the log states once until a line is written again. */
  async write(line: AuditLine): Promise<boolean> {
    try {
      await withTimeout(TIMEOUT_MS, this.#enqueue(`${JSON.stringify({ time: new Date().toISOString(), ...line })}\n`));
      this.#failing = false;
      return true;
    } catch (error) {
      if (!this.#failing) this.#parts.log.warn('audit', { audit: reasonOf(error) });
      this.#failing = true;
      return false;
    }
  }

  /**
   * A hash with which lines about the same external id can be found, and from which the id cannot be guessed without the store's
   * key. `undefined` while the store does not answer.
   */
  async hash(parts: readonly string[]): Promise<string | undefined> {
    try {
      this.#key ??= await this.#parts.key();
      return createHmac('sha256', this.#key)
        .update(JSON.stringify(['audit', ...parts]))
        .digest('hex');
    } catch {
      return undefined;
    }
  }

  /** Why lines cannot be written at present, as far as that shows without writing one; `undefined` if nothing is wrong. */
  problem(): Promise<string | undefined> {
    return this.#file?.problem() ?? Promise.resolve(undefined);
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file?.close();
  }

  #enqueue(line: string): Promise<void> {
    this.#waiting ??= this.#begin();
    this.#waiting.lines.push(line);
    return this.#waiting.written;
  }

  #begin() {
    const lines: string[] = [];
    const written = this.#last.then(() => {
      this.#waiting = undefined;
      return this.#append(lines.join(''));
    });
    this.#last = written.catch(() => {});
    return { lines, written };
  }
}

function toStream(stderr: AuditParts['stderr']): Append {
  return (text) =>
    new Promise((resolve, reject) => {
      stderr(text, (error) => (error ? reject(error) : resolve()));
    });
}

/** Appends with one system call per text, so that lines of several processes on one file stay whole. */
const FLAGS = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
const PRIVATE = 0o600;
const NEWLINE = 0x0a;

/** A file that only grows. It is opened again when another file is at its path, as after a rotation. */
class AuditFile {
  readonly #path: string;
  #opened: { readonly handle: FileHandle; readonly ino: number; readonly dev: number } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  async append(text: string): Promise<void> {
    const handle = await this.#current();
    try {
      for (let rest = Buffer.from(text); rest.length > 0;) {
        const { bytesWritten } = await handle.write(rest);
        rest = rest.subarray(bytesWritten);
      }
      await handle.sync();
    } catch (error) {
      // The last line may be cut off; opening the file again notices that.
      await this.close();
      throw error;
    }
  }

  async problem(): Promise<string | undefined> {
    try {
      const known = await this.#known();
      await access(known ? this.#path : dirname(this.#path), constants.W_OK);
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.handle.close().catch(() => {});
  }

  async #current(): Promise<FileHandle> {
    const known = await this.#known();
    if (this.#opened && known?.ino === this.#opened.ino && known.dev === this.#opened.dev) return this.#opened.handle;
    await this.close();
    const handle = await open(this.#path, FLAGS, PRIVATE);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw new Error(NO_FILE);
      if (stats.size > 0 && (await lastByte(handle, stats.size)) !== NEWLINE) await handle.write('\n');
      this.#opened = { handle, ino: stats.ino, dev: stats.dev };
      return handle;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** The file at the path. @throws Error for anything but a file, such as a symbolic link. */
  async #known() {
    const known = await lstat(this.#path).catch((error: unknown) => {
      if (reasonOf(error) === 'ENOENT') return undefined;
      throw error;
    });
    if (known?.isSymbolicLink()) throw new Error('a symbolic link');
    if (known && !known.isFile()) throw new Error(NO_FILE);
    return known;
  }
}

const NO_FILE = 'not a regular file';

async function lastByte(handle: FileHandle, size: number): Promise<number | undefined> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return bytesRead === 1 ? buffer[0] : undefined;
}

/** The system's code, or the message of an error of this file; a message of the system would contain the path. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if (error instanceof TimeoutError) return 'no answer within the time limit';
  return 'code' in error ? String(error.code) : error.message;
}
