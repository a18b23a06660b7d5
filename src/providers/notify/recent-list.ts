import { CustomerError } from '../../errors.ts';
import { isOver, narrow, type Call } from '../../http-client/call.ts';
import type { Nearby, Page, ProviderCustomer } from '../provider.ts';

/** How long one read of the list may take, ms. */
const TIMEOUT_MS = 2_000;
/** How long a complete read counts as current, ms; then the whole list is read again. */
const FRESH_MS = 60_000;
/** The maximum number of customers kept in memory. */
const MAX_KEPT = 20_000;
/** The first page is small, because usually only a few customers are new. */
const FIRST_PAGE = 25;
const MAX_PAGE = 250;

type Search = (query: { readonly Limit: number; readonly From: string | undefined }, call: Call) => Promise<Page>;

/**
 * The customers of the list, which shows the newest first. Within a minute after a complete read, the list is read only as far as
 * the first known customer.
 */
export class RecentList {
  readonly #search: Search;
  #known = new Map<string, ProviderCustomer>();
  #readAt = Number.NEGATIVE_INFINITY;

  constructor(search: Search) {
    this.#search = search;
  }

  /** All customers, or those that could be read in time. */
  async read(call: Call): Promise<Nearby> {
    const isFresh = performance.now() - this.#readAt < FRESH_MS;
    const known = isFresh ? this.#known : new Map<string, ProviderCustomer>();
    const startedAt = performance.now();
    const found = new Map<string, ProviderCustomer>();
    const complete = await this.#readNew(found, known, narrow(call, { withinMs: TIMEOUT_MS }));
    const customers = new Map([...known, ...found]);
    if (complete && known.size === 0) {
      this.#known = customers.size <= MAX_KEPT ? new Map(customers) : new Map();
      this.#readAt = startedAt;
    }
    // Other reads may have added theirs meanwhile.
    if (complete) for (const [id, customer] of found) known.set(id, customer);
    return { customers: [...customers.values()], complete, remembered: true };
  }

  /** `false` if the list could not be read as far as a known customer or its end. */
  async #readNew(
    found: Map<string, ProviderCustomer>,
    known: ReadonlyMap<string, ProviderCustomer>,
    call: Call,
  ): Promise<boolean> {
    const cursors = new Set<string>();
    let From: string | undefined;
    for (let Limit = known.size > 0 ? FIRST_PAGE : MAX_PAGE; !isOver(call); Limit = MAX_PAGE) {
      const page = await this.#search({ Limit, From }, call).catch((error: unknown) => {
        if (error instanceof CustomerError) return undefined;
        throw error;
      });
      if (!page) return false;
      for (const customer of page.customers) found.set(customer.id, customer);
      if (page.customers.some(({ id }) => known.has(id))) return true;
      if (page.nextCursor === undefined) return page.warnings.length === 0;
      From = page.nextCursor;
      if (cursors.has(From)) return false;
      cursors.add(From);
    }
    return false;
  }
}
