import { createHash } from 'node:crypto';
import type { Keyv } from 'keyv';
import { CustomerError } from '../errors.ts';
import type { Call } from '../http-client/call.ts';
import type { Provider, ProviderCustomer } from '../providers/provider.ts';
import { quietly } from './cache.ts';
import type { Ledger } from './ledger.ts';

/** The ids that select a customer; at least one of them is set. */
export interface CustomerRef {
  readonly customerId: string | undefined;
  readonly externalId: string | undefined;
}

const DAY_MS = 24 * 60 * 60 * 1_000;

/** The key of an external id of one account. Ids are compared byte for byte, and tenants never share a key. */
export function identityKey(provider: Pick<Provider, 'name' | 'account'>, externalId: string): string {
  return accountPrefix(provider) + externalIdHash(externalId);
}

/** The last part of an external id's key. */
export function externalIdHash(externalId: string): string {
  return createHash('sha256').update(externalId).digest('hex');
}

const ASK_WHICH = 'Ask the user which customer it is.';

/** The beginning of the keys of all accounts. */
export const ALL_ACCOUNTS = 'v1/';

/** The prefix of all keys of one account. */
export function accountPrefix({ name, account }: Pick<Provider, 'name' | 'account'>): string {
  return `${ALL_ACCOUNTS}${name}/${account}/`;
}

/** The present prefix of an account's keys, then those under its former names. */
export function accountPrefixes(
  account: Pick<Provider, 'name' | 'account' | 'formerAccounts'>,
): readonly [string, ...string[]] {
  const { name, formerAccounts = [] } = account;
  return [accountPrefix(account), ...formerAccounts.map((former) => accountPrefix({ name, account: former }))];
}

/** The prefix in a key of an account. */
export function accountOfKey(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}

/**
 * Maps external ids to provider ids. A cached id saves the look-up, and is dropped when the provider answers 404 or returns
 * another external id.
 */
export class IdMap {
  readonly #provider: Provider;
  readonly #ledger: Ledger;
  readonly #cache: Keyv;

  constructor(provider: Provider, ledger: Ledger, cache: Keyv) {
    this.#provider = provider;
    this.#ledger = ledger;
    this.#cache = cache;
  }

  /**
   * Runs `use` with the provider's id of a customer. A stale id (`use` throws `not_found`) is dropped and looked up once more.
   * `known` is the customer, if the look-up returned it.
   * @throws CustomerError `not_found` if no customer has this external id.
   */
  async withId<T>(ref: CustomerRef, call: Call, use: (id: string, known?: ProviderCustomer) => Promise<T>): Promise<T> {
    if (ref.customerId !== undefined) return use(ref.customerId);
    const externalId = ref.externalId ?? '';
    // The ledger is as fast as the cache, and always correct.
    const cached = this.#keeps ? undefined : await this.#cached(externalId);
    if (cached !== undefined) {
      try {
        return await use(cached);
      } catch (error) {
        if (!(error instanceof CustomerError) || error.kind !== 'not_found') throw error;
        await this.forget(externalId);
      }
    }
    const found = await this.#lookUp(externalId, call);
    if (found === undefined || found.id === cached) throw this.#notFound(externalId);
    await this.remember(externalId, found.id);
    return use(found.id, found.customer);
  }

  /**
   * Reads a customer, and checks that it still has this external id.
   * @throws CustomerError `not_found`, also for a deleted customer unless `evenDeleted` is set, because its external id is
   * free.
   */
  async read(ref: CustomerRef, call: Call, { evenDeleted = false } = {}): Promise<ProviderCustomer> {
    return this.withId(ref, call, async (id, known) => {
      const read = known && !known.partial ? known : await this.#provider.getCustomer(id, call);
      if (ref.customerId !== undefined) return this.withExternalId(read);
      const customer = this.#keeps ? { ...read, externalId: ref.externalId } : read;
      const renamed = customer.externalId !== undefined && customer.externalId !== ref.externalId;
      if (renamed || (customer.state === 'deleted' && !evenDeleted)) throw this.#notFound(ref.externalId ?? '');
      return customer;
    });
  }

  /**
   * The external ids of customers by customer id, if the ledger keeps them; customers without one are omitted.
   * @throws CustomerError `store_unavailable`.
   */
  async externalIds(customerIds: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (!this.#keeps || customerIds.length === 0) return new Map();
    const intents = await this.#ledger.findByCustomerId(accountPrefix(this.#provider), customerIds);
    return new Map(intents.map(({ data }) => [data.customerId ?? '', data.externalId]));
  }

  /** Customers with their external ids from the ledger; without them while the store is down. */
  async withExternalIds(customers: readonly ProviderCustomer[]): Promise<readonly ProviderCustomer[]> {
    const recorded = await this.externalIds(customers.map(({ id }) => id)).catch(() => new Map<string, string>());
    return customers.map((customer) => {
      const externalId = recorded.get(customer.id);
      return externalId === undefined ? customer : { ...customer, externalId };
    });
  }

  /** The same for one customer. */
  async withExternalId(customer: ProviderCustomer): Promise<ProviderCustomer> {
    const [shown = customer] = await this.withExternalIds([customer]);
    return shown;
  }

  async remember(externalId: string, id: string): Promise<void> {
    if (this.#keeps) return;
    // Jitter, so that entries of the same time do not expire together.
    await quietly(() =>
      this.#cache.set(identityKey(this.#provider, externalId), id, DAY_MS * (0.9 + Math.random() * 0.2)),
    );
  }

  async forget(externalId: string): Promise<void> {
    await quietly(() => this.#cache.delete(identityKey(this.#provider, externalId)));
  }

  get #keeps(): boolean {
    return this.#provider.traits.externalIdKeptBy === 'ledger';
  }

  async #cached(externalId: string): Promise<string | undefined> {
    const id = await quietly(() => this.#cache.get<unknown>(identityKey(this.#provider, externalId)));
    // A value that cannot be in a path is not an id: a damaged entry counts as a miss.
    return typeof id === 'string' && !['', '.', '..'].includes(id) ? id : undefined;
  }

  async #lookUp(externalId: string, call: Call): Promise<{ id: string; customer?: ProviderCustomer } | undefined> {
    if (!this.#keeps) {
      const [customer] = (await this.#provider.findByExternalId?.(externalId, call)) ?? [];
      return customer && { id: customer.id, customer };
    }
    const intent = await this.#ledger.get(identityKey(this.#provider, externalId));
    return intent?.data.customerId === undefined ? undefined : { id: intent.data.customerId };
  }

  #notFound(externalId: string): CustomerError {
    const { title, traits } = this.#provider;
    const what = `No ${title} customer has the ${traits.externalIdField} ${JSON.stringify(externalId)}.`;
    const text = 'Use search_customer with find set to the name, the email or this ID.';
    const link = { tool: 'link_customer', text: 'Then use link_customer to link the two.' };
    const advice = [
      { tool: 'search_customer', text, otherwise: ASK_WHICH },
      ...(traits.externalIdKeptBy === 'ledger' ? [link] : []),
    ];
    return new CustomerError('not_found', what, { advice });
  }
}
