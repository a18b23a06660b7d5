import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { isRecord } from '../../src/text.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** One tool call, as raw as it goes over the wire. */
export interface ToolCall {
  readonly name: string;
  readonly arguments: Fields;
}

/** How a server is launched. */
export interface Launch {
  readonly args: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The first request, in place of initialize. */
  readonly first?: { readonly method: string; readonly params: Fields } | undefined;
  /** Where it serves, and with which headers; without it it serves stdio. */
  readonly http?: { readonly url: string; readonly headers: Readonly<Record<string, string>> };
}

/** A launched server that has answered its first request. The same for every server, and as little as a client can do. */
export interface Session {
  readonly pid: number;
  /** From launching the process to that answer. */
  readonly startMs: number;
  /** What it wrote on stderr so far. */
  stderr(): string;
  /** @throws Error when the server answers with an error. */
  request(method: string, params?: Fields): Promise<Fields>;
  /** @throws Error also when the tool failed: a server that answers quickly with an error has won nothing. */
  call(call: ToolCall): Promise<Fields>;
  close(): Promise<void>;
}

/** The parameters of a request of the revision without a handshake. */
export const MODERN: Fields = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  },
};

export const INITIALIZE: Fields = {
  protocolVersion: '2025-11-25',
  capabilities: {},
  clientInfo: { name: 'bench', version: '1' },
};

const START_DEADLINE_MS = 20_000;

/** A process with these variables and no others, and what can be said of it when it ends. */
export function launch({ args, environment }: Launch): {
  readonly child: ChildProcessWithoutNullStreams;
  /** Rejects when the process ends, with what it wrote last. */
  readonly ended: Promise<never>;
  stderr(): string;
  close(): Promise<void>;
} {
  const child = spawn(process.execPath, args, { env: { PATH: process.env['PATH'] ?? '', ...environment } });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr = (stderr + String(text)).slice(-20_000)));
  child.stdin.on('error', () => {});
  const exit = new Promise<number | null>((resolve) => child.once('close', resolve));
  const ended = exit.then((code) => {
    throw new Error(`it ended with ${code}: ${stderr.trim().split('\n').slice(0, 3).join(' ').slice(0, 300)}`);
  });
  ended.catch(() => {});
  return {
    child,
    ended,
    stderr: () => stderr,
    async close() {
      child.kill('SIGKILL');
      await exit;
    },
  };
}

/** The result in a message. */
export function resultOf(message: unknown): Fields {
  if (isRecord(message) && isRecord(message['result'])) return message['result'];
  throw new Error(`no result but ${JSON.stringify(message)?.slice(0, 300)}`);
}

/** The answer to a tool call, if the tool did its work. */
export async function succeeded(answer: Promise<Fields>): Promise<Fields> {
  const result = await answer;
  if (result['isError'] === true) throw new Error(`the tool failed: ${JSON.stringify(result).slice(0, 300)}`);
  return result;
}

/** A server that neither starts nor ends must not hold up the bench. */
export async function inTime<T>(work: Promise<T>, ms: number = START_DEADLINE_MS): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`no answer within ${ms / 1_000} s`)), ms);
  return Promise.race([work, late.promise]).finally(() => clearTimeout(timer));
}
