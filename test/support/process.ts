import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { isRecord } from '../../src/text.ts';
import { BUILT, type Environment } from './client.ts';
import { Conversation } from './schema.ts';

/** How a command ended, and all that it printed. */
export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A sandbox that leaves nothing behind. */
export const SANDBOX: Environment = { CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: 'memory:' };

/** Runs the built command to its end, with these variables and no others, and nothing on stdin. */
export async function command(
  args: readonly string[],
  environment: Environment = {},
  node: string = process.execPath,
): Promise<Finished> {
  const child = launch(args, environment, node);
  child.stdin.end();
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += String(text)));
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += String(text)));
  const { code, signal } = await ending(child);
  return { code, signal, stdout, stderr };
}

/** How a server ends that was asked to. */
export const QUIET_END = { code: 0, signal: null };

/** The built server over bare pipes, for what a well-behaved client would never do or never show. */
export interface BareServer {
  readonly child: ChildProcessWithoutNullStreams;
  /** Every line on stdout so far, as it was. */
  readonly lines: readonly string[];
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stderr(): string;
  /** A line on stdin: a text as it is, anything else as JSON. */
  send(line: unknown): void;
  /** Sends a request without waiting for its answer; returns its id. */
  begin(method: string, params?: Record<string, unknown>): number;
  /** The message that answers a request. */
  answer(id: number): Promise<Record<string, unknown>>;
  request(method: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
}

/** Launches the server. It has seen no message yet. */
export function bareServer(environment: Environment = SANDBOX): BareServer {
  const child = launch([], environment, process.execPath);
  const lines: string[] = [];
  const conversation = new Conversation();
  const answers = new Map<unknown, PromiseWithResolvers<Record<string, unknown>>>();
  const slot = (id: unknown): PromiseWithResolvers<Record<string, unknown>> => {
    const known = answers.get(id) ?? Promise.withResolvers<Record<string, unknown>>();
    answers.set(id, known);
    return known;
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(line);
    const message = parsed(line);
    conversation.received(message);
    if (isRecord(message) && ('result' in message || 'error' in message)) slot(message['id']).resolve(message);
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += String(text)));
  // Writing to a server that has ended is part of some tests.
  child.stdin.on('error', () => {});
  let lastId = 0;
  const server: BareServer = {
    child,
    lines,
    ended: ending(child),
    stderr: () => stderr,
    send(line) {
      const text = typeof line === 'string' ? line : JSON.stringify(line);
      conversation.sent(parsed(text));
      child.stdin.write(`${text}\n`);
    },
    begin(method, params = {}) {
      lastId += 1;
      server.send({ jsonrpc: '2.0', id: lastId, method, params });
      return lastId;
    },
    answer: (id) => slot(id).promise,
    request: (method, params) => server.answer(server.begin(method, params)),
  };
  return server;
}

/** The same, after the handshake. */
export async function greetedServer(environment: Environment = SANDBOX): Promise<BareServer> {
  const server = bareServer(environment);
  await server.request('initialize', {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  });
  server.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
  return server;
}

/** The structured answer in a response to tools/call. */
export function structured(message: Record<string, unknown>): Record<string, unknown> {
  const { result } = message;
  return isRecord(result) && isRecord(result['structuredContent']) ? result['structuredContent'] : {};
}

/** The parameters of a call of a tool. */
export function tool(name: string, args: Record<string, unknown> = {}): Record<string, unknown> {
  return { name, arguments: args };
}

/** Waits until something holds; a test that waits in vain ends by its own time limit. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(5);
}

/** The JSON value of a text, or `undefined`. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The built command, started with these variables and no others. */
export function launch(
  args: readonly string[],
  environment: Environment,
  node: string = process.execPath,
): ChildProcessWithoutNullStreams {
  return spawn(node, [BUILT, ...args], { env: { PATH: process.env['PATH'] ?? '', ...environment } });
}

/** How a process ended, once it has. */
export function ending(
  child: ChildProcessWithoutNullStreams,
): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve({ code, signal }));
  });
}
