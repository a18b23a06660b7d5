import { spawn, type ChildProcess } from 'node:child_process';
import { request, type Agent, type IncomingHttpHeaders } from 'node:http';
import { isRecord } from '../../src/text.ts';
import { BUILT, type Environment } from './client.ts';
import { message } from './http.ts';
import { parsed } from './process.ts';

export const HTTP_TOKEN = 'a-token-of-at-least-thirty-two-characters';

/** The built server over HTTP, as an operator launches it. */
export interface HttpServer {
  readonly child: ChildProcess;
  readonly origin: string;
  readonly port: number;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  stderr(): string;
}

/** Launches the server with these variables and no others, and waits until it listens. */
export async function serveHttp(
  environment: Environment,
  { port = 0, node = [] }: { readonly port?: number; readonly node?: readonly string[] } = {},
): Promise<HttpServer> {
  const child = spawn(process.execPath, [...node, BUILT, 'http', '--port', String(port)], {
    env: { PATH: process.env['PATH'] ?? '', CUSTOMERS_HTTP_TOKEN: HTTP_TOKEN, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended: HttpServer['ended'] = new Promise((resolve, reject) => {
    child.once('error', reject).once('close', (code, signal) => resolve({ code, signal }));
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += String(text)));
  let stdout = '';
  const { promise: listening, resolve } = Promise.withResolvers<string>();
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += String(text);
    const origin = /serving MCP at (http:\/\/[^/]+)\//.exec(stdout)?.[1];
    if (origin !== undefined) resolve(origin);
  });
  const failed = ended.then(({ code }) => {
    throw new Error(`The server ended with ${code}: ${stderr}`);
  });
  const origin = await Promise.race([listening, failed]);
  failed.catch(() => {});
  return { child, origin, port: Number(new URL(origin).port), ended, stderr: () => stderr };
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** One request, with the server's token. @throws when the connection fails before the answer is complete. */
export function send(
  url: string,
  { agent, body, headers = {} }: { agent?: Agent; body?: unknown; headers?: Record<string, string> } = {},
): Promise<HttpAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sending = request(
      url,
      {
        method: text === undefined ? 'GET' : 'POST',
        headers: { ...(text !== undefined && POST_HEADERS), ...headers },
        ...(agent && { agent }),
      },
      (response) => {
        let received = '';
        response
          .setEncoding('utf8')
          .on('data', (chunk) => (received += String(chunk)))
          .on('error', reject)
          .on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text: received }));
      },
    );
    sending.on('error', reject).end(text);
  });
}

export const POST_HEADERS = {
  authorization: `Bearer ${HTTP_TOKEN}`,
  accept: 'application/json, text/event-stream',
  'content-type': 'application/json',
} as const;

/** The message that calls a tool. */
export function toolCall(
  name: string,
  args: Record<string, unknown>,
  meta?: Record<string, unknown>,
): Record<string, unknown> {
  return message('tools/call', { name, arguments: args, ...(meta && { _meta: meta }) });
}

/** The structured answer in a response to a tool call, as JSON or as the last event of a stream. */
export function structuredIn({ text }: Pick<HttpAnswer, 'text'>): Record<string, unknown> {
  const data = text.startsWith('{')
    ? text
    : (text
        .match(/^data: (.+)$/gm)
        ?.at(-1)
        ?.slice('data: '.length) ?? '');
  const message = parsed(data);
  const result = isRecord(message) && isRecord(message['result']) ? message['result'] : {};
  return isRecord(result['structuredContent']) ? result['structuredContent'] : {};
}
