import type { Readable, Writable } from 'node:stream';
import type { Environment } from '../settings.ts';
import { cleanText } from '../text.ts';

/** The parts of the process that a command can use. */
export interface Terminal {
  readonly environment: Environment;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  /** Resolves when the process is asked to stop. */
  readonly stopped: Promise<unknown>;
  /** From now on, SIGHUP runs this instead of asking the process to stop. */
  onHangup(run: () => void): void;
}

/**
 * Prints a text and resolves to the exit code once it is written, so that the process can end. A closed reader is not a failure.
 * Escapes and invisible characters, which ids, headings and file names can contain, are removed.
 */
export function print(stream: Writable, text: string, code: number): Promise<number> {
  return new Promise((resolve) => {
    stream.write(cleanText(text, Number.POSITIVE_INFINITY), () => resolve(code));
  });
}

/** Aborted when the process is asked to stop. */
export function stopSignal({ stopped }: Terminal): AbortSignal {
  const stopping = new AbortController();
  void stopped.then(() => stopping.abort());
  return stopping.signal;
}

/** Wraps a text into indented lines that fit a terminal of 100 columns. */
export function wrapped(text: string, indent: string): string[] {
  const room = new RegExp(`\\S.{0,${95 - indent.length}}(?=\\s|$)|\\S+`, 'g');
  return (text.match(room) ?? []).map((line) => indent + line);
}

/** A left column, padded to its widest cell, and a right column that is wrapped beside it. */
export function table(rows: readonly (readonly [left: string, right: string])[], indent: string): string[] {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows.flatMap(([left, right]) => {
    const [first = '', ...rest] = wrapped(right, indent + ' '.repeat(width));
    return [`${indent}${left.padEnd(width)}${first.trimStart()}`.trimEnd(), ...rest];
  });
}

/** Whether to print colors on stdout: as the user's variables state (https://no-color.org), otherwise on a terminal. */
export function wantsColors({ environment, stdout }: Terminal): boolean {
  const { FORCE_COLOR: forced = '', NO_COLOR: unwanted = '' } = environment;
  if (unwanted !== '') return false;
  return forced === '' ? stdout.isTTY === true : forced !== '0';
}
