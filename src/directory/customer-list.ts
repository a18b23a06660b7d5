import { CustomerError } from '../errors.ts';
import { isOver, joinCalls, narrow, waitWithin, type Call } from '../http-client/call.ts';
import type { Page, Provider, ProviderCustomer } from '../providers/provider.ts';
import { CustomerIndex } from './customer-index.ts';
import { toEntry } from './entry.ts';
import { startPass, type Pass } from './pass.ts';
import { circleWarning } from './warnings.ts';

/** How long the list counts as fresh after its reading began. */
const FRESH_MS = 60_000;
/** Reserved for scoring and for the answer if the list takes longer than the call. */
const RESERVE_MS = 500;
/** After this time without a call, the memory is freed. */
const IDLE_MS = 15 * 60_000;
/** Limits the memory: a customer takes about 2.2 kB, 5,000 take 12 MB, and 100,000 take 220 MB. */
const MAX_CUSTOMERS = 150_000;
const CANDIDATES = 50;
/** After so many pages in a row without a new customer, the list leads in a circle, even if its cursors are new. */
const MAX_REPEATED = 10;

/**
 * The provider's list of customers, in memory. It is read when it is first needed, once for all callers; if the reading takes
 * longer than the calls that wait for it, the next call continues it. Nothing is written to the store.
 */
export class CustomerList {
  readonly #provider: Provider;
  /** The customers that were read so far. */
  readonly index = new CustomerIndex();
  /** When this process wrote each customer: a page requested earlier shows its earlier state. */
  readonly #written = new Map<string, number>();
  /** The calls that wait for the list. */
  readonly #waiters = new Set<Call>();
  #pass: Pass | undefined;
  #reading: Promise<void> | undefined;
  #freshUntil = Number.NEGATIVE_INFINITY;
  /** When this process last wrote a customer without an answer that shows it. */
  #unreadAt = Number.NEGATIVE_INFINITY;
  /** When the latest complete reading began. */
  #readSince = Number.NEGATIVE_INFINITY;
  #warnings: readonly string[] = [];
  #idle: NodeJS.Timeout | undefined;

  constructor(provider: Provider) {
    this.#provider = provider;
  }

  /** Why the list is incomplete, although it was read to its end. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /** Records a write of this process. Without the customer's new state, the list is read again. */
  noteWrite(customer: ProviderCustomer | undefined): void {
    if (!this.#isUsed()) return;
    if (!customer || customer.partial) this.#unreadAt = performance.now();
    else if (customer.state === 'deleted') this.noteDeletion(customer.id);
    else {
      this.index.put(toEntry(this.#provider, customer));
      this.#written.set(customer.id, performance.now());
    }
  }

  noteDeletion(id: string): void {
    if (!this.#isUsed()) return;
    this.index.delete(id);
    this.#written.set(id, performance.now());
  }

  #isUsed(): boolean {
    return this.index.size > 0 || this.#pass !== undefined || this.isFresh();
  }

  /** Whether the list was read to its end within the last minute, and no write of this process since is unread. */
  isFresh(): boolean {
    return performance.now() < this.#freshUntil && this.#unreadAt < this.#readSince;
  }

  /** Updates the list. @returns whether it was read to its end within the last minute. */
  async refresh(call: Call, text?: string): Promise<boolean> {
    this.#keepAwake();
    if (this.isFresh()) {
      await this.#readNewest(call);
      if (this.isFresh()) return true;
    }
    // If the list is too long for the call, the provider's own filters may still find the customer.
    const listed = new AbortController();
    const signal = AbortSignal.any([call.signal, listed.signal]);
    const candidates = text === undefined ? undefined : this.#readCandidates(text, { ...call, signal });
    await this.#wait(call);
    const isRead = this.isFresh();
    if (isRead) listed.abort();
    else await candidates;
    return isRead;
  }

  /** Waits until the list is read, or the call ends. */
  async #wait(call: Call): Promise<void> {
    const waiter = narrow(call, { reserveMs: RESERVE_MS });
    this.#waiters.add(waiter);
    const isJoined = this.#reading !== undefined;
    try {
      await waitWithin(waiter, this.#read());
      // The reading that this call joined may have ended with the calls before it.
      if (isJoined && this.#pass && !isOver(waiter)) await waitWithin(waiter, this.#read());
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** The present reading of the list, or a new one. */
  #read(): Promise<void> {
    this.#reading ??= this.#readList().finally(() => (this.#reading = undefined));
    // A failure after the last call has stopped waiting is ignored.
    this.#reading.catch(() => {});
    return this.#reading;
  }

  /** Reads pages as long as a call waits. */
  async #readList(): Promise<void> {
    const now = performance.now();
    if (this.#pass && now - this.#pass.readAt > FRESH_MS) this.#pass = undefined;
    if (!this.#pass) this.#warnings = [];
    const pass = (this.#pass ??= startPass(now));
    for (;;) {
      const call = joinCalls(this.#waiters);
      if (isOver(call)) return;
      const askedAt = performance.now();
      let page: Page;
      try {
        page = await this.#provider.listCustomers(pass.cursor, call);
      } catch (error) {
        // The time is over, or the cursor has expired: the next call continues, or starts again.
        if (isOver(call) || (isUnavailable(error) && pass.seen.size > 0)) return;
        this.#pass = undefined;
        throw error;
      }
      this.#take(page, pass, askedAt);
      pass.readAt = askedAt;
      const { nextCursor } = page;
      if (nextCursor === undefined || pass.cursors.has(nextCursor) || pass.repeated >= MAX_REPEATED) {
        if (nextCursor !== undefined) pass.warnings.add(circleWarning(this.#provider.title));
        this.#end(pass, page.hasMore);
        return;
      }
      pass.cursors.add(nextCursor);
      pass.cursor = nextCursor;
      if (this.index.size >= MAX_CUSTOMERS) {
        pass.warnings.add(`Only the first ${MAX_CUSTOMERS} customers are searched.`);
        this.#end(pass, false);
        return;
      }
    }
  }

  #take(page: Page, pass: Pass, askedAt: number): void {
    for (const warning of page.warnings) pass.warnings.add(warning);
    pass.repeated = page.customers.some(({ id }) => !pass.seen.has(id)) ? 0 : pass.repeated + 1;
    for (const customer of page.customers) {
      pass.seen.add(customer.id);
      this.#put(customer, askedAt);
    }
  }

  /** Adds a customer, unless this process wrote it after the page was requested. @returns whether it is new. */
  #put(customer: ProviderCustomer, askedAt: number): boolean {
    if ((this.#written.get(customer.id) ?? Number.NEGATIVE_INFINITY) > askedAt) return false;
    const isNew = !this.index.has(customer.id);
    if (customer.state === 'deleted') this.index.delete(customer.id);
    else this.index.put(toEntry(this.#provider, customer));
    return isNew;
  }

  #end(pass: Pass, hasMore: boolean): void {
    const now = performance.now();
    this.#pass = undefined;
    this.#warnings = [...pass.warnings];
    if (hasMore) return;
    for (const { id } of this.index.entries())
      if (!pass.seen.has(id) && (this.#written.get(id) ?? Number.NEGATIVE_INFINITY) < pass.startedAt)
        this.index.delete(id);
    for (const [id, at] of this.#written) if (at < pass.startedAt) this.#written.delete(id);
    // Otherwise a list that takes minutes to read would never be fresh.
    this.#freshUntil = Math.max(pass.startedAt + FRESH_MS, now + FRESH_MS / 6);
    this.#readSince = pass.startedAt;
  }

  /** Reads the customers that others have created meanwhile, if the provider lists the newest first. */
  async #readNewest(call: Call): Promise<void> {
    if (!this.#provider.traits.newestFirst) return;
    const now = performance.now();
    const query = { [this.#provider.traits.limitField]: CANDIDATES };
    // The list stays valid for its minute, even if the provider does not answer.
    const page = await this.#provider
      .searchCustomers(query, narrow(call, { reserveMs: RESERVE_MS }))
      .catch(() => undefined);
    if (!page) return;
    if (!page.hasMore) {
      const pass = startPass(now);
      this.#take(page, pass, now);
      this.#end(pass, false);
      return;
    }
    const isNew = page.customers.map((customer) => this.#put(customer, now));
    // There may be more than one page of new customers.
    if (isNew.every(Boolean)) this.#freshUntil = Number.NEGATIVE_INFINITY;
  }

  /** Adds the customers that the provider's own filters find; failures are ignored. */
  async #readCandidates(text: string, call: Call): Promise<void> {
    const { nameFilter, externalIdFilter, exactFilters, limitField } = this.#provider.traits;
    const [longest = ''] = (text.match(/[\p{L}\p{N}]+/gu) ?? []).toSorted((a, b) => b.length - a.length);
    const exact = Object.keys(exactFilters).filter((filter) => exactFilters[filter] !== 'names');
    const queries = [
      ...(nameFilter === undefined || longest === '' ? [] : [{ [nameFilter]: longest }]),
      ...(externalIdFilter === undefined ? exact : [externalIdFilter]).map((filter) => ({ [filter]: text })),
    ];
    const askedAt = performance.now();
    const limits = narrow(call, { reserveMs: RESERVE_MS });
    const pages = await Promise.allSettled(
      queries.map((query) => this.#provider.searchCustomers({ [limitField]: CANDIDATES, ...query }, limits)),
    );
    for (const page of pages)
      for (const customer of page.status === 'fulfilled' ? page.value.customers : []) this.#put(customer, askedAt);
  }

  #keepAwake(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#forget(), IDLE_MS).unref();
  }

  #forget(): void {
    if (this.#waiters.size > 0) return;
    this.index.clear();
    this.#written.clear();
    this.#pass = undefined;
    this.#freshUntil = Number.NEGATIVE_INFINITY;
  }
}

/** Whether the client stopped reading, which it does shortly before the deadline; the pages read until then stay. */
function isUnavailable(error: unknown): boolean {
  return error instanceof CustomerError && error.kind === 'unavailable';
}
