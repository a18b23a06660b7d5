import { request as httpRequest, type Agent, type IncomingHttpHeaders } from 'node:http';
import { connect as connectTo, type Socket } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { isRecord } from '../../src/text.ts';
import type { Environment } from './client.ts';
import { ending, launch, parsed, SANDBOX } from './process.ts';
import { Conversation, watched } from './schema.ts';

/** A token that a server accepts when it is told to. */
export const TOKEN = 'token-hush-0123456789abcdef0123456789';

/** `customers-mcp http` as it was built, on a port that the system picked. */
export interface HttpServer {
  readonly origin: string;
  readonly port: number;
  /** As printed. */
  readonly urls: readonly string[];
  /** What callers must show: the setting, or the token that was generated. */
  readonly token: string;
  readonly pid: number;
  /** How it ended, once it has. */
  readonly ended: ReturnType<typeof ending>;
  stdout(): string;
  stderr(): string;
  /** Ends it at once, or sends it another signal. */
  kill(signal?: NodeJS.Signals): void;
  /** Asks it to stop; resolves when it has. */
  stop(): ReturnType<typeof ending>;
}

/** Starts the server and waits until it says where it is. */
export async function serve(environment: Environment = {}, args: readonly string[] = []): Promise<HttpServer> {
  const settings: Environment = {
    ...('CUSTOMERS_PROVIDER' in environment ? { CUSTOMERS_STORE: 'memory:' } : SANDBOX),
    ...environment,
  };
  const anyPort = args.includes('--port') ? [] : ['--port', '0'];
  const child = launch(['http', ...anyPort, ...args], settings);
  const ended = ending(child);
  let stdout = '';
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += String(text)));
  const makesToken = !('CUSTOMERS_HTTP_TOKEN' in settings || 'CUSTOMERS_OAUTH_ISSUER' in settings);
  const started = new Promise<void>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += String(text);
      // The entry for a client is the last that is printed.
      if (makesToken ? /^}$/m.test(stdout) : /serving MCP at/.test(stdout)) resolve();
    });
  });
  const early = await Promise.race([started, ended]);
  if (early) throw new Error(`the server ended with ${early.code}: ${stderr}`);
  const urls = [...stdout.matchAll(/serving MCP at (\S+)/g)].map(([, url]) => url ?? '');
  const { origin, port } = new URL(urls[0] ?? '');
  return {
    urls,
    origin,
    port: Number(port),
    token: settings['CUSTOMERS_HTTP_TOKEN'] ?? /"Bearer ([^"]+)"/.exec(stdout)?.[1] ?? '',
    pid: child.pid ?? 0,
    ended,
    stdout: () => stdout,
    stderr: () => stderr,
    kill: (signal = 'SIGKILL') => void child.kill(signal),
    stop() {
      child.kill();
      return ended;
    },
  };
}

export interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly host?: string;
  /** An address of this machine. */
  readonly to?: string;
  /** Connections to keep; absent: one of its own for the request. */
  readonly agent?: Agent;
  /** Besides those of a well-behaved client, or in their place; `undefined` takes one away. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** A text or bytes as they are, anything else as JSON. */
  readonly body?: unknown;
}

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON, or an empty object. */
  readonly json: Record<string, unknown>;
}

/** One request. Sends the headers as they are given, Host and Origin too. @throws when the connection fails before the answer is complete. */
export async function ask({ port }: Pick<HttpServer, 'port'>, asked: Asked = {}): Promise<Reply> {
  const { method = 'POST', path = '/mcp', to = '127.0.0.1', agent = false, body } = asked;
  const headers = Object.entries({
    host: `127.0.0.1:${port}`,
    ...(body !== undefined && {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    }),
    ...asked.headers,
  }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]));
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const request = httpRequest({ host: to, port, method, path, agent, setHost: false });
  for (const [name, value] of headers) request.setHeader(name, value);
  // A server that has answered need not read on: what then becomes of the rest of the body is no failure.
  request.on('error', reject).on('response', (response) => {
    request.off('error', reject).on('error', () => {});
    textOf(response).then((text) => {
      const value = parsed(text);
      const json = isRecord(value) ? value : {};
      const reply = { status: response.statusCode ?? 0, headers: response.headers, text, json };
      const conversation = new Conversation();
      conversation.sent(body instanceof Uint8Array || typeof body === 'string' ? parsed(String(body)) : body);
      const messages = 'jsonrpc' in json ? [json] : Array.isArray(value) ? value : eventsIn(reply);
      for (const received of messages) conversation.received(received);
      resolve(reply);
    }, reject);
  });
  if (body === undefined) request.end();
  else request.end(typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body));
  return promise;
}

/** The header with which a caller shows a token. */
export function bearer(token: string): Record<string, string> {
  return { authorization: `Bearer ${token}` };
}

/** A request of the protocol, as it goes into a body. */
export function message(method: string, params: Record<string, unknown> = {}, id: unknown = 1) {
  return { jsonrpc: '2.0', id, method, params };
}

/** A call of a tool, as it goes into a body. */
export function toolCall(name: string, args: Record<string, unknown> = {}, id: unknown = 1) {
  return message('tools/call', { name, arguments: args }, id);
}

/** Sends a body with the server's token. */
export function post(server: Pick<HttpServer, 'port' | 'token'>, body: unknown, asked: Asked = {}): Promise<Reply> {
  return ask(server, { ...asked, body, headers: { ...bearer(server.token), ...asked.headers } });
}

/** The messages of an event stream, in the sequence in which they came. */
export function eventsIn({ text }: Pick<Reply, 'text'>): unknown[] {
  return text.split('\n').flatMap((line) => (line.startsWith('data: ') ? [parsed(line.slice('data: '.length))] : []));
}

/** Asks for something harmless with these headers alone. */
export function knock(server: HttpServer, headers: Asked['headers'] = {}, path = '/mcp'): Promise<Reply> {
  return ask(server, { body: message('tools/list'), headers, path });
}

/** The structured answer in a reply to tools/call, as JSON or as the last event of a stream. */
export function structuredIn(reply: Pick<Reply, 'json' | 'text'>): Record<string, unknown> {
  const answer = 'result' in reply.json ? reply.json : eventsIn(reply).at(-1);
  const result = isRecord(answer) ? answer['result'] : undefined;
  return isRecord(result) && isRecord(result['structuredContent']) ? result['structuredContent'] : {};
}

/** The names of the tools in a reply to tools/list. */
export function toolsIn({ json }: Reply): string[] {
  const { result } = json;
  const tools = isRecord(result) && Array.isArray(result['tools']) ? result['tools'] : [];
  return tools.flatMap((tool) => (isRecord(tool) ? [String(tool['name'])] : []));
}

/** The parameters of a challenge: `Bearer a="b", c="d"`. */
export function challengeIn({ headers }: Reply): Record<string, string> {
  const header = headers['www-authenticate'] ?? '';
  return Object.fromEntries([...header.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value ?? '']));
}

/** A request to /mcp as text with the server's token, for what no library would send. */
export function written(server: Pick<HttpServer, 'port' | 'token'>, lines: readonly string[], body: string): string {
  const own = [`Host: 127.0.0.1:${server.port}`, `Authorization: Bearer ${server.token}`, 'Connection: close'];
  const types = ['Content-Type: application/json', 'Accept: application/json, text/event-stream'];
  const [first = '', ...rest] = lines;
  return `${[first, ...own, ...types, ...rest].join('\r\n')}\r\n\r\n${body}`;
}

/** Bytes on a bare connection, and all that came back until the server closed it. */
export async function bare({ port }: Pick<HttpServer, 'port'>, bytes: string): Promise<string> {
  const socket = dial(port);
  socket.write(bytes);
  return received(socket);
}

/** A bare connection that has no quarrel with being closed. */
export function dial(port: number): Socket {
  return connectTo(port, '127.0.0.1').on('error', () => {});
}

export function received(socket: Socket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
  return new Promise((resolve) => socket.once('close', () => resolve(text)));
}

/** A real client. */
export async function connectOverHttp(
  url: string,
  token: string,
  extensions?: Readonly<Record<string, object>>,
): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' }, { capabilities: extensions ? { extensions } : {} });
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: bearer(token) } });
  const { watch } = watched(transport);
  await client.connect(transport);
  watch();
  await client.listTools();
  return client;
}
