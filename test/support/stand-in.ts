import { createServer } from 'node:http';
import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { hasMediaType } from './stand-in-checks.ts';
import { isHonest, reshape, send, transmit } from './stand-in-faults.ts';
import { listen, shut } from './stand-in-loopback.ts';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer, Fault, Wire } from './stand-in-faults.ts';

export { hasMediaType, oddName, paginate } from './stand-in-checks.ts';
export { isRecord } from './stand-in-faults.ts';
export { startRaw } from './stand-in-loopback.ts';
export type { Act, Answer, Fault } from './stand-in-faults.ts';

/** A request as it arrived. `path` is raw: neither decoded nor normalised, so `..` and `%2F` can be seen. */
export interface Recorded {
  /** The API's name for it; `unknown` where no path or no method fits. */
  readonly operation: string;
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** JSON as its value, a form as an object of texts; undefined where there is none or it cannot be read. */
  readonly body: unknown;
  readonly rawBody: string;
  readonly at: number;
}

/** A provider played on loopback, for tests that want the wire and not a mock of it. */
export interface StandIn {
  readonly origin: string;
  /** Every request in order of arrival, the token endpoint too. */
  readonly requests: Recorded[];
  /** By id, as the API shows them, oldest first. Tests may put in, replace and delete; the documents themselves are never changed in place. */
  readonly customers: Map<string, Record<string, unknown>>;
  /** How many requests of this operation arrived; `*` counts all. */
  count(operation: string): number;
  fault(fault: Fault): void;
  /** Forgets customers, requests and faults, and drops what is still hanging or delayed. Sockets at rest and tokens live on. */
  reset(): void;
  close(): Promise<void>;
}

/** A request with the values of its path's groups, decoded. */
export interface Call extends Recorded {
  readonly params: readonly string[];
}

export interface Route {
  readonly operation: string;
  readonly method: string;
  readonly path: RegExp;
  /** Must finish within one tick: a rehearsed answer is undone right after it. */
  answer(call: Call): Answer;
}

/** What one provider adds to the shared server. */
export interface Api {
  readonly mediaType: string;
  readonly errorMediaType: string;
  readonly customers: Map<string, Record<string, unknown>>;
  readonly routes: readonly Route[];
  errorBody(status: number, sentence: string): unknown;
}

/** Thrown by a route to refuse a request. */
export class Refusal extends Error {
  readonly answer: Answer;
  constructor(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}) {
    super(`refused with ${status}`);
    this.answer = { status, body, headers };
  }
}

/** Serves one provider's API, recording everything and misbehaving when told to. */
export async function serve(api: Api): Promise<StandIn> {
  const requests: Recorded[] = [];
  const sockets = new Set<Socket>();
  const stale = new WeakSet<Socket>();
  let faults: { readonly fault: Fault; skip: number; times: number }[] = [];
  let era = newEra();

  function carryOut(call: Recorded): Answer {
    const onPath = api.routes.filter(({ path }) => path.test(call.path));
    const route = onPath.find(({ method }) => method === call.method);
    if (onPath.length === 0) return { status: 404, body: api.errorBody(404, 'No such path') };
    if (!route)
      return {
        status: 405,
        body: api.errorBody(405, 'Method not allowed'),
        headers: { allow: onPath.map(({ method }) => method).join(', ') },
      };
    try {
      return route.answer({ ...call, params: (route.path.exec(call.path) ?? []).slice(1).map(decode) });
    } catch (error) {
      if (error instanceof Refusal) return error.answer;
      return { status: 500, body: api.errorBody(500, `The stand-in itself failed: ${String(error)}`) };
    }
  }

  /** The right answer to a request that is then not carried out. */
  function rehearse(call: Recorded): Answer {
    const before = [...api.customers];
    const answer = carryOut(call);
    api.customers.clear();
    for (const [id, document] of before) api.customers.set(id, document);
    return answer;
  }

  function takeFault(operation: string): Fault | undefined {
    const entry = faults.find(({ fault }) => fault.on === '*' || fault.on === operation);
    if (!entry) return undefined;
    if (entry.skip > 0) {
      entry.skip -= 1;
      return undefined;
    }
    entry.times -= 1;
    if (entry.times <= 0) faults = faults.filter((other) => other !== entry);
    return entry.fault;
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (stale.has(request.socket)) {
      request.socket.resetAndDestroy();
      return;
    }
    const call = await read(request, api.routes);
    const { signal } = era;
    requests.push(call);
    const fault = takeFault(call.operation);
    if (!fault) return send(response, toWire(api, carryOut(call)));
    const { act, when = 'before' } = fault;
    const wait = typeof act === 'object' && 'delayMs' in act ? act.delayMs : 0;
    if (when === 'before') await pause(wait, undefined, { signal });
    const right = when === 'after' || isHonest(act) ? carryOut(call) : rehearse(call);
    if (when === 'after') await pause(wait, undefined, { signal });
    if (act === 'stale') stale.add(request.socket);
    if (act === 'hang' || act === 'drip') signal.addEventListener('abort', () => request.socket.destroy());
    transmit(act, response, toWire(api, reshape(act, right, request.url ?? '/', api.errorBody) ?? right));
  }

  const server = createServer((request, response) => {
    // Only a request that breaks off, or a reset in the middle of a delay, ends here.
    handle(request, response).catch(() => request.socket.destroy());
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const origin = await listen(server);
  return {
    origin,
    requests,
    customers: api.customers,
    count: (operation) =>
      operation === '*' ? requests.length : requests.filter((request) => request.operation === operation).length,
    fault: (fault) => void faults.push({ fault, skip: fault.skip ?? 0, times: fault.times ?? 1 }),
    reset() {
      api.customers.clear();
      requests.length = 0;
      faults = [];
      era.abort();
      era = newEra();
    },
    close() {
      era.abort();
      return shut(server, sockets);
    },
  };
}

function newEra(): AbortController {
  const era = new AbortController();
  setMaxListeners(0, era.signal);
  return era;
}

async function read(request: IncomingMessage, routes: readonly Route[]): Promise<Recorded> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const rawBody = Buffer.concat(chunks).toString('utf8');
  const method = request.method ?? '';
  const [path = '', ...search] = (request.url ?? '').split('?');
  const operation = routes.find((route) => route.method === method && route.path.test(path))?.operation ?? 'unknown';
  const query = new URLSearchParams(search.join('?'));
  return {
    operation,
    method,
    path,
    query,
    headers: request.headers,
    body: parse(request.headers, rawBody),
    rawBody,
    at: Date.now(),
  };
}

function parse(headers: IncomingHttpHeaders, rawBody: string): unknown {
  if (rawBody === '') return undefined;
  if (hasMediaType(headers, 'application/x-www-form-urlencoded'))
    return Object.fromEntries(new URLSearchParams(rawBody));
  try {
    return JSON.parse(rawBody);
  } catch {
    return undefined;
  }
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function toWire(api: Api, { status, body, text, headers = {} }: Answer): Wire {
  const written = text ?? (body === undefined ? '' : JSON.stringify(body));
  if (status === 204) return { status, headers, text: '' };
  const type = status < 400 ? api.mediaType : api.errorMediaType;
  return {
    status,
    text: written,
    headers: { 'content-type': type, 'content-length': String(Buffer.byteLength(written)), ...headers },
  };
}
