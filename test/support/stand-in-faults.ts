import { Readable, pipeline } from 'node:stream';
import { STATUS_CODES } from 'node:http';
import { gzipSync } from 'node:zlib';
import type { ServerResponse } from 'node:http';

/** What a provider answers: a JSON body, or `text` where something other than JSON is wanted. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The same, ready to be written. */
export interface Wire {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/**
 * How a stand-in misbehaves. Without a body, a `status` from 400 up gets the provider's own error body.
 * `stale` answers properly and then kills the socket when the next request comes in on it, unread.
 */
export type Act =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly delayMs: number }
  | { readonly redirect: string }
  | 'reset'
  | 'hang'
  | 'cut'
  | 'cut-chunked'
  | 'html'
  | 'no-id'
  | 'empty'
  | 'extra'
  | 'drip'
  | 'huge'
  | 'gzip'
  | 'redirect'
  | 'array'
  | 'null'
  | 'stale';

/** A misbehaviour waiting for its request. The oldest fault that matches an operation rules it, also while it still skips. */
export interface Fault {
  /** An operation, or `*` for any, the token endpoint included. */
  readonly on: string;
  /** How many requests it hits; 1 if not said, Infinity allowed. */
  readonly times?: number;
  /** How many matching requests go through unharmed first. */
  readonly skip?: number;
  /** `before` (the default): nothing is stored. `after`: the request is carried out, then its answer is spoiled. */
  readonly when?: 'before' | 'after';
  readonly act: Act;
}

/** Acts that end in a proper answer, which must stay true whatever `when` says. */
export function isHonest(act: Act): boolean {
  return act === 'extra' || act === 'stale' || (typeof act === 'object' && 'delayMs' in act);
}

/** A guard, because a JSON object is all that `unknown` can be narrowed to without a cast. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The acts that change what is said; `undefined` for those that change how it travels. */
export function reshape(
  act: Act,
  right: Answer,
  url: string,
  errorBody: (status: number, sentence: string) => unknown,
): Answer | undefined {
  if (typeof act === 'object') {
    if ('redirect' in act) return redirect(act.redirect, url);
    if ('delayMs' in act) return right;
    const { status, body, headers = {} } = act;
    if (typeof body === 'string') return { status, text: body, headers: { 'content-type': 'text/plain', ...headers } };
    if (body !== undefined) return { status, body, headers };
    return status < 400
      ? { status, headers }
      : { status, body: errorBody(status, STATUS_CODES[status] ?? 'Error'), headers };
  }
  const spoken = { ...right, status: right.status === 204 ? 200 : right.status };
  switch (act) {
    case 'html':
      return {
        status: spoken.status < 300 ? spoken.status : 200,
        text: '<!doctype html><title>Sign in</title><p>Please sign in.',
        headers: { 'content-type': 'text/html; charset=utf-8' },
      };
    case 'no-id':
      return { ...right, body: withoutIds(right.body) };
    case 'empty':
      return { ...right, body: undefined };
    case 'extra':
      return { ...right, body: withExtras(right.body) };
    case 'array':
      return { ...spoken, body: right.body === undefined ? [] : [right.body] };
    case 'null':
      return { ...spoken, body: null };
    case 'redirect':
      return redirect('http://127.0.0.1:9/', url);
    default:
      return undefined;
  }
}

/** The acts that change how an answer travels. Does not end `hang`: the server's reset or close does. */
export function transmit(act: Act, response: ServerResponse, wire: Wire): void {
  const socket = response.socket;
  const half = Buffer.from(wire.text).subarray(0, Math.ceil(Buffer.byteLength(wire.text) / 2));
  const status = wire.status === 204 ? 200 : wire.status;
  switch (act) {
    case 'hang':
      return;
    case 'reset':
      socket?.resetAndDestroy();
      return;
    case 'cut':
    case 'cut-chunked':
      if (wire.text === '') {
        // Nothing to halve but the head itself.
        socket?.write(`HTTP/1.1 ${wire.status} ${STATUS_CODES[wire.status] ?? ''}\r\ncontent-ty`, () =>
          socket.destroySoon(),
        );
        return;
      }
      response.writeHead(status, act === 'cut' ? wire.headers : withoutLength(wire.headers));
      response.write(half, () => socket?.destroySoon());
      return;
    case 'drip':
      drip(response, { ...wire, status });
      return;
    case 'huge':
      response.writeHead(status, withoutLength(wire.headers));
      // A reader that gives up half-way is the point, so the broken pipe is no error here.
      pipeline(Readable.from(padded(wire.text)), response, () => undefined);
      return;
    case 'gzip': {
      const bomb = gzipSync([...padded(wire.text)].join(''));
      response.writeHead(status, {
        ...wire.headers,
        'content-encoding': 'gzip',
        'content-length': String(bomb.length),
      });
      response.end(bomb);
      return;
    }
    default:
      send(response, wire);
  }
}

export function send(response: ServerResponse, wire: Wire): void {
  response.writeHead(wire.status, wire.headers);
  response.end(wire.text);
}

function redirect(origin: string, url: string): Answer {
  return { status: 307, headers: { location: origin.replace(/\/$/, '') + url } };
}

function drip(response: ServerResponse, wire: Wire): void {
  const bytes = Buffer.from(wire.text);
  let sent = 0;
  response.writeHead(wire.status, wire.headers);
  response.flushHeaders();
  const timer = setInterval(() => {
    if (sent < bytes.length) response.write(bytes.subarray(sent, ++sent));
    else response.end();
  }, 100);
  response.on('close', () => clearInterval(timer));
}

/** 50 MB in front of the right members, so that a reader without a limit would get through and believe it. */
function* padded(text: string): Generator<string> {
  const chunk = 'x'.repeat(64 * 1024);
  yield '{"padding":"';
  for (let sent = 0; sent < 50 * 1024 * 1024; sent += chunk.length) yield chunk;
  yield text.startsWith('{"') ? `",${text.slice(1)}` : '"}';
}

function withoutLength(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name !== 'content-length'));
}

/** Every `id` at every depth goes, and with it what plays its part in a token answer. */
function withoutIds(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutIds);
  if (!isRecord(value)) return value;
  const kept = Object.entries(value).filter(([name]) => name !== 'id' && name !== 'access_token');
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutIds(member)]));
}

function withExtras(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withExtras);
  if (!isRecord(value)) return value;
  const members = Object.entries(value).map(([name, member]) => [name, withExtras(member)]);
  return { ...Object.fromEntries(members), surprise: 'new', surprise_object: { deep: [1, null] }, surpriseNull: null };
}
