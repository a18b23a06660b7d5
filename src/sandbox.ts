import { createServer, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Keyv } from 'keyv';
import { isRecord } from './text.ts';

/** A request as a sandbox sees it. `segments` are the decoded parts of the path. */
export interface SandboxRequest {
  readonly method: string;
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  readonly origin: string;
}

export interface SandboxReply {
  readonly status: number;
  readonly body?: unknown;
  readonly contentType?: string;
}

/** One provider's documented API, simulated: same statuses, same checks, same error bodies. */
export type SandboxHandler = (request: SandboxRequest, customers: SandboxCustomers) => Promise<SandboxReply>;

export type SandboxCustomer = Readonly<Record<string, unknown>> & { readonly id: string };

/** The simulated provider's customers, kept in the store so that they survive a restart. */
export class SandboxCustomers {
  readonly #store: Keyv;
  readonly #prefix: string;

  constructor(store: Keyv, provider: string) {
    this.#store = store;
    this.#prefix = `sandbox/${provider}/`;
  }

  async get(id: string): Promise<SandboxCustomer | undefined> {
    return asKept(await this.#store.get(this.#prefix + id))?.customer;
  }

  async put(customer: SandboxCustomer): Promise<void> {
    const key = this.#prefix + customer.id;
    const since = asKept(await this.#store.get(key))?.since ?? nextInstant();
    await this.#store.set(key, { since, customer });
  }

  async delete(id: string): Promise<void> {
    await this.#store.delete(this.#prefix + id);
  }

  /** All of them, oldest first. */
  async all(): Promise<SandboxCustomer[]> {
    const found: Kept[] = [];
    // Past Keyv, which would decode what others keep in the same store, and give up where that is damaged.
    for await (const [key, raw] of this.#store.store.iterator?.() ?? []) {
      if (!String(key).startsWith(this.#prefix)) continue;
      const kept = asKept((await this.#store.decode(raw))?.value);
      if (kept) found.push(kept);
    }
    return found.sort((a, b) => a.since - b.since).map(({ customer }) => customer);
  }
}

interface Kept {
  readonly since: number;
  readonly customer: SandboxCustomer;
}

function asKept(value: unknown): Kept | undefined {
  if (!isRecord(value) || typeof value['since'] !== 'number' || !isRecord(value['customer'])) return undefined;
  const { id } = value['customer'];
  return typeof id === 'string' ? { since: value['since'], customer: { ...value['customer'], id } } : undefined;
}

let lastInstant = 0;

/** The present time in ms, later at every call, so that sorting by it gives the order of creation. */
function nextInstant(): number {
  lastInstant = Math.max(Date.now(), lastInstant + 1);
  return lastInstant;
}

/** The JSON value of a text, or `undefined` when it is none. */
export function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return undefined;
  }
}

const SENTENCE = 'The sandbox cannot use its store, so nothing was done. Check CUSTOMERS_STORE.';
/** In the shape of every provider's errors; 501 says that nothing was done. */
const BROKEN: SandboxReply = {
  status: 501,
  body: { detail: SENTENCE, errors: [{ type: 'Sandbox', description: SENTENCE }] },
};

/** Serves a sandbox on loopback, at a port that the system picks. */
export async function startSandbox(
  handle: SandboxHandler,
  customers: SandboxCustomers,
): Promise<{ origin: string; close(): Promise<void> }> {
  let origin = '';
  // One request after the other: between a check and its write nothing else may happen.
  let turn: Promise<unknown> = Promise.resolve();
  const server = createServer((incoming, outgoing) => {
    turn = turn
      .then(async () => {
        const url = new URL(incoming.url ?? '/', origin);
        const request: SandboxRequest = {
          method: incoming.method ?? 'GET',
          segments: url.pathname.split('/').filter(Boolean).map(decodeURIComponent),
          query: url.searchParams,
          headers: incoming.headers,
          body: await text(incoming),
          origin,
        };
        const { status, body, contentType = 'application/json' } = await handle(request, customers).catch(() => BROKEN);
        outgoing.writeHead(status, body === undefined ? {} : { 'content-type': contentType });
        outgoing.end(body === undefined ? undefined : JSON.stringify(body));
      })
      .catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the sandbox has no port');
  origin = `http://127.0.0.1:${address.port}`;
  server.unref();
  return {
    origin,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
