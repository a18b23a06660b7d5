import { createHash } from 'node:crypto';
import { Keyv, type KeyvStorageAdapter } from 'keyv';
import { CustomerError } from '../errors.ts';
import type { Call } from '../http-client.ts';
import type { Provider, ProviderCustomer } from '../providers/provider.ts';
import { within, type Ledger } from './ledger.ts';

/** What a tool was given to find a customer by; at least one of the two. */
export interface CustomerRef {
  readonly customerId: string | undefined;
  readonly externalId: string | undefined;
}

const CACHE_DEADLINE_MS = 150;
const DAY_MS = 24 * 60 * 60 * 1_000;

/** The key of an identity: one account's external id, byte for byte, never the id of another tenant. */
export function identityKey(provider: Provider, externalId: string): string {
  return accountPrefix(provider) + createHash('sha256').update(externalId).digest('hex');
}

/** What the keys of all identities of one account begin with. */
export function accountPrefix({ name, account }: Provider): string {
  return `v1/${name}/${account}/`;
}

/** Keyv over a store's storage, for what must not be lost: a failure is an error. */
export function openKept(storage: KeyvStorageAdapter): Keyv {
  return new Keyv({ store: storage });
}

/** Keyv over a store's storage. A failing cache is a miss, never an error: it decides nothing. */
export function openCache(storage: KeyvStorageAdapter): Keyv {
  const cache = new Keyv({ store: storage });
  // Without a listener Keyv throws, and a dropped connection ends the process.
  cache.on('error', () => {});
  return cache;
}

/**
 * External id to provider id. Keyv saves the look-up; what it says is believed only until the provider answers 404 or shows
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
   * `known` is the customer itself where the look-up brought it along.
   * @throws CustomerError `not_found` when nobody has this external id.
   */
  async withId<T>(ref: CustomerRef, call: Call, use: (id: string, known?: ProviderCustomer) => Promise<T>): Promise<T> {
    if (ref.customerId !== undefined) return use(ref.customerId);
    const externalId = ref.externalId ?? '';
    const cached = await this.#cached(externalId);
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
   * Reads a customer, and makes sure that it still is the one with this external id.
   * @throws CustomerError `not_found` also for a deleted one, unless it was asked for: its external id is free again.
   */
  async read(ref: CustomerRef, call: Call, { evenDeleted = false } = {}): Promise<ProviderCustomer> {
    return this.withId(ref, call, async (id, known) => {
      const customer = known && !known.partial ? known : await this.#provider.getCustomer(id, call);
      if (ref.customerId !== undefined) return customer;
      const renamed = customer.externalId !== undefined && customer.externalId !== ref.externalId;
      if (renamed || (customer.state === 'deleted' && !evenDeleted)) throw this.#notFound(ref.externalId ?? '');
      return customer;
    });
  }

  async remember(externalId: string, id: string): Promise<void> {
    // Spread out, so that what was learned together does not run out together.
    await this.#quietly(() =>
      this.#cache.set(identityKey(this.#provider, externalId), id, DAY_MS * (0.9 + Math.random() * 0.2)),
    );
  }

  async forget(externalId: string): Promise<void> {
    await this.#quietly(() => this.#cache.delete(identityKey(this.#provider, externalId)));
  }

  async #cached(externalId: string): Promise<string | undefined> {
    const id = await this.#quietly(() => this.#cache.get<unknown>(identityKey(this.#provider, externalId)));
    // What no path may hold is no id either: a damaged entry is a miss.
    return typeof id === 'string' && !['', '.', '..'].includes(id) ? id : undefined;
  }

  async #lookUp(externalId: string, call: Call): Promise<{ id: string; customer?: ProviderCustomer } | undefined> {
    if (this.#provider.findByExternalId) {
      const customer = await this.#provider.findByExternalId(externalId, call);
      return customer && { id: customer.id, customer };
    }
    const intent = await this.#ledger.get(identityKey(this.#provider, externalId));
    return intent?.data.remoteId === undefined ? undefined : { id: intent.data.remoteId };
  }

  #notFound(externalId: string): CustomerError {
    const { title, traits, findByExternalId } = this.#provider;
    const next = findByExternalId
      ? 'Use search_customer to find it.'
      : 'Use search_customer to find it by email, then link_customer to tie the two.';
    return new CustomerError(
      'not_found',
      `No ${title} customer has the ${traits.externalIdField} ${JSON.stringify(externalId)}. ${next}`,
    );
  }

  async #quietly<T>(work: () => Promise<T>): Promise<T | undefined> {
    return within(CACHE_DEADLINE_MS, work()).catch(() => undefined);
  }
}
