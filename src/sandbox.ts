import { createServer, type IncomingHttpHeaders } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Keyv } from 'keyv';
import { isRecord } from './text.ts';

/** A request to a sandbox. `segments` are the decoded parts of the path. */
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

/** A simulation of one provider's documented API, with the same statuses, checks and error bodies. */
export type SandboxHandler = (request: SandboxRequest, customers: SandboxCustomers) => Promise<SandboxReply>;

export type SandboxCustomer = Readonly<Record<string, unknown>> & { readonly id: string };

/** Counts the writes of all processes that share a store. */
export interface WriteCounter {
  current(): Promise<number>;
  next(): Promise<number>;
}

/**
 * The simulated provider's customers. The store keeps them across restarts; a copy in memory saves reading all of them for each
 * request. The copy is valid until another process writes.
 */
export class SandboxCustomers {
  readonly #store: Keyv;
  readonly #writes: WriteCounter;
  readonly #prefix: string;
  #loaded: { readonly version: number; readonly rows: Rows } | undefined;

  /** `place` is the part of the store for these customers. */
  constructor(store: Keyv, writes: WriteCounter, place: string) {
    this.#store = store;
    this.#writes = writes;
    this.#prefix = `sandbox/${place}/`;
  }

  async get(id: string): Promise<SandboxCustomer | undefined> {
    return (await this.#rows()).get(id)?.customer;
  }

  /** All customers, oldest first. */
  async all(): Promise<SandboxCustomer[]> {
    return oldestFirst((await this.#rows()).all());
  }

  /**
   * The customers with this value in a field, oldest first. Indexed, so the time does not grow with the number of customers.
   */
  async having(field: string, value: unknown): Promise<SandboxCustomer[]> {
    return oldestFirst((await this.#rows()).having(field, value));
  }

  async put(customer: SandboxCustomer): Promise<void> {
    const since = (await this.#rows()).get(customer.id)?.since ?? nextInstant();
    const kept = { since, customer };
    await this.#write(
      () => this.#store.set(this.#prefix + customer.id, kept),
      (rows) => rows.put(kept),
    );
  }

  async delete(id: string): Promise<void> {
    await this.#write(
      () => this.#store.delete(this.#prefix + id),
      (rows) => rows.delete(id),
    );
  }

  async #rows(): Promise<Rows> {
    // The version is read before the rows, so that a write in between makes the copy stale and is noticed.
    const version = await this.#writes.current();
    if (this.#loaded?.version !== version) this.#loaded = { version, rows: await this.#load() };
    return this.#loaded.rows;
  }

  /** Changes the store, and the copy in memory too unless another process has written meanwhile. */
  async #write(change: () => Promise<unknown>, apply: (rows: Rows) => void): Promise<void> {
    const before = this.#loaded;
    this.#loaded = undefined;
    await change();
    // The change is already stored, so a failing counter must not turn it into an error.
    const version = await this.#writes.next().catch(() => undefined);
    if (before === undefined || version !== before.version + 1) return;
    apply(before.rows);
    this.#loaded = { version, rows: before.rows };
  }

  async #load(): Promise<Rows> {
    const rows = new Rows();
    // Bypasses Keyv, which would also decode unrelated entries of the store and fail at a damaged one.
    for await (const [key, raw] of this.#store.store.iterator?.() ?? []) {
      if (!String(key).startsWith(this.#prefix)) continue;
      const kept = asKept((await this.#store.decode(raw))?.value);
      if (kept) rows.put(kept);
    }
    return rows;
  }
}

/** Customers by id, with an index for each field that was queried. */
class Rows {
  readonly #byId = new Map<string, Kept>();
  readonly #byField = new Map<string, Map<unknown, Set<Kept>>>();

  get(id: string): Kept | undefined {
    return this.#byId.get(id);
  }

  all(): readonly Kept[] {
    return [...this.#byId.values()];
  }

  having(field: string, value: unknown): readonly Kept[] {
    let index = this.#byField.get(field);
    if (!index) {
      index = new Map();
      for (const kept of this.#byId.values()) enter(index, kept, field);
      this.#byField.set(field, index);
    }
    return [...(index.get(value) ?? [])];
  }

  put(kept: Kept): void {
    this.delete(kept.customer.id);
    this.#byId.set(kept.customer.id, kept);
    for (const [field, index] of this.#byField) enter(index, kept, field);
  }

  delete(id: string): void {
    const kept = this.#byId.get(id);
    if (!kept) return;
    this.#byId.delete(id);
    for (const [field, index] of this.#byField) index.get(kept.customer[field])?.delete(kept);
  }
}

function enter(index: Map<unknown, Set<Kept>>, kept: Kept, field: string): void {
  const value = kept.customer[field];
  const others = index.get(value);
  if (others) others.add(kept);
  else index.set(value, new Set([kept]));
}

function oldestFirst(rows: readonly Kept[]): SandboxCustomer[] {
  return rows.toSorted((a, b) => a.since - b.since).map(({ customer }) => customer);
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

/** The current time in ms, strictly increasing, so that sorting by it gives the order of creation. */
function nextInstant(): number {
  lastInstant = Math.max(Date.now(), lastInstant + 1);
  return lastInstant;
}

/** A page of at most `limit` rows, starting at `cursor`; `undefined` if either is invalid. */
export function pageOf(
  rows: readonly SandboxCustomer[],
  query: URLSearchParams,
  { size, maxSize }: { readonly size: number; readonly maxSize: number },
): { readonly rows: readonly SandboxCustomer[]; readonly nextCursor: string | null } | undefined {
  const limit = Number(query.get('limit') ?? size);
  const from = Number(query.get('cursor') ?? 0);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > maxSize || !Number.isSafeInteger(from)) return undefined;
  const end = from + limit;
  return { rows: rows.slice(from, end), nextCursor: end < rows.length ? String(end) : null };
}

/** Compares customers by one field, as text. */
export function byField(field: string): (a: SandboxCustomer, b: SandboxCustomer) => number {
  return (a, b) => String(a[field] ?? '').localeCompare(String(b[field] ?? ''));
}

/** The JSON value of a text, or `undefined` if it is not JSON. */
export function parseJson(source: string): unknown {
  try {
    return JSON.parse(source);
  } catch {
    return undefined;
  }
}

const SENTENCE = 'The sandbox cannot access its store, so nothing was done. Check CUSTOMERS_STORE.';
/** Readable as an error of every provider; 501 means that nothing was done. */
const BROKEN: SandboxReply = {
  status: 501,
  body: { detail: SENTENCE, errors: [{ type: 'Sandbox', description: SENTENCE }] },
};

/** Serves a sandbox on loopback, at a port that the system chooses. */
export async function startSandbox(
  handle: SandboxHandler,
  customers: SandboxCustomers,
): Promise<{ origin: string; close(): Promise<void> }> {
  let origin = '';
  // One request at a time, because no other request may come between a check and its write.
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
