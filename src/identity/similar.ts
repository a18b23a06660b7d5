import { createHash } from 'node:crypto';
import { CustomerError } from '../errors.ts';
import { isOver, type Call } from '../http-client/call.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import type { CreateResult, Nearby, ProviderCustomer } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { CreateAnswer, CreateRequest } from './create-request.ts';
import { looksTheSame, unfinished, wasSuspended } from './errors.ts';
import { accountPrefix } from './id-map.ts';
import { RecentCreates, type RecentCreate } from './recent-creates.ts';
import { recognitionKeys, recognize } from './recognition.ts';
import { SIMILAR_LEASE_MS, WAIT_MS } from './timing.ts';

export interface Looked {
  /** Similar customers, if the caller allows a duplicate. */
  readonly excludedIds: readonly string[];
  readonly warnings: readonly string[];
}

/** Work that excludes creates of similar customers, in all processes; with `unleased`, only in this process. */
type Exclusive<T> = (call: Call, unleased: boolean) => Promise<T>;

/** Prevents a create of a customer that already exists under another external id, or without one. */
export class Similar {
  readonly #account: Account;
  readonly #recent: RecentCreates;
  readonly #mutex = new KeyedMutex();

  constructor(account: Account) {
    this.#account = account;
    this.#recent = new RecentCreates(account);
  }

  /**
   * Runs the search for similar customers and the create after it, and excludes similar creates meanwhile.
   * @throws CustomerError `in_progress`; `store_unavailable` for a create with an external id; whatever `work` throws.
   */
  async runExclusive<T>(request: CreateRequest, call: Call, work: Exclusive<T>): Promise<T> {
    const keys = request.allowDuplicate ? [] : this.#keys(request);
    let begun = false;
    try {
      const options = { leaseMs: SIMILAR_LEASE_MS, waitMs: WAIT_MS, call };
      return await this.#account.leases.withLeases(keys, options, (held) => {
        begun = true;
        return work(held, false);
      });
    } catch (error) {
      // A create without a record needs no store either.
      const isDown = error instanceof CustomerError && error.kind === 'store_unavailable';
      if (begun || !isDown || request.externalId !== undefined) throw error;
      return this.#mutex.runExclusiveForAll(keys, () => work(call, true));
    }
  }

  /**
   * Searches for similar customers, also among those that were created a moment ago and are not in the provider's searches yet.
   * @throws CustomerError `possible_duplicate` if there are any and the caller does not allow a duplicate; `in_progress` while it is
   * unknown whether there is one; `store_unavailable`; `unavailable` if the lease is over.
   */
  async look(request: CreateRequest, call: Call): Promise<Looked> {
    const { fields, externalId, allowDuplicate } = request;
    const { provider, ids, clock } = this.#account;
    const { externalIdKeptBy, identity } = provider.traits;
    // If the provider stores the external id, the id alone distinguishes a lost create from another customer.
    if (allowDuplicate && externalIdKeptBy === 'provider') return { excludedIds: [], warnings: [] };
    const [{ customers, complete }, recent] = await Promise.all([
      this.#nearby(request, call),
      this.#recent.others(this.#keys(request), externalId),
    ]);
    const alike = customers.filter(
      (customer) =>
        customer.state !== 'deleted' &&
        // A customer that already has this external id is not another one; the look-up by external id was too early to find it.
        (customer.externalId === undefined || customer.externalId !== externalId) &&
        recognize(fields, customer.fields, identity) === 'same',
    );
    const shown = await this.#current(alike, request, call);
    const similar = [...shown, ...(await this.#notShown(request, { recent, shown }, call))];
    if (similar.length > 0 && !allowDuplicate)
      throw looksTheSame(provider, externalId, await ids.withExternalIds(similar));
    // While the server was suspended, another create may have been sent under the lease, and must stay remembered.
    if (isOver(call, { now: clock.monotonic() })) throw wasSuspended();
    const warning = `Not checked for duplicates: not all ${provider.title} customers could be checked in time.`;
    return { excludedIds: similar.map(({ id }) => id), warnings: complete || allowDuplicate ? [] : [warning] };
  }

  /**
   * Sends a create after `look`, and remembers it for similar ones. Nothing may leave before `remembered`.
   * @throws whatever `send` throws.
   */
  async remembering<T extends CreateAnswer | CreateResult>(
    request: CreateRequest,
    send: (remembered: Promise<void>) => Promise<T>,
  ): Promise<T> {
    const { externalId } = request;
    const keys = this.#keys(request);
    try {
      const answer = await send(this.#recent.remember(keys, { externalId }));
      // What becomes of a create with an external id is in the ledger.
      if (externalId === undefined) await this.#recent.remember(keys, { customerId: answer.customer?.id });
      return answer;
    } catch (error) {
      const mayHaveRun = error instanceof CustomerError && error.kind === 'outcome_unknown';
      if (externalId === undefined && !mayHaveRun) await this.#recent.forget(keys);
      throw error;
    }
  }

  /** Similar customers that a search did not show because they are new. */
  async #notShown(
    { fields, allowDuplicate }: CreateRequest,
    { recent, shown }: { readonly recent: readonly RecentCreate[]; readonly shown: readonly ProviderCustomer[] },
    call: Call,
  ): Promise<readonly ProviderCustomer[]> {
    const { provider } = this.#account;
    const unknown = recent.find(({ customerId }) => customerId === undefined);
    if (unknown && !allowDuplicate && shown.length === 0)
      throw unfinished(provider, unknown.externalId, unknown.leftMs);
    const found: ProviderCustomer[] = [];
    for (const { customerId } of recent) {
      if (customerId === undefined || shown.some(({ id }) => id === customerId)) continue;
      const customer = await this.#existing(customerId, call);
      const isSame = customer && recognize(fields, customer.fields, provider.traits.identity) === 'same';
      if (isSame && customer.state === 'active') found.push(customer);
    }
    return found;
  }

  #keys({ fields }: CreateRequest): readonly string[] {
    const { provider } = this.#account;
    return recognitionKeys(fields, provider.traits.identity).map(
      (key) => `similar/${accountPrefix(provider)}${createHash('sha256').update(key).digest('hex')}`,
    );
  }

  /** The provider's search, and what the list shows of customers that it cannot search for, such as those with an email. */
  async #nearby({ document, fields }: CreateRequest, call: Call): Promise<Nearby> {
    const { provider, directory } = this.#account;
    if (!provider.findSimilar) return directory.similarTo(fields, call);
    const { customers, complete } = await provider.findSimilar(document, call);
    const found = new Set(customers.map(({ id }) => id));
    return {
      customers: [...customers, ...directory.rememberedLike(fields).filter(({ id }) => !found.has(id))],
      complete,
    };
  }

  /** The customers that still exist and still look like the one to create; those that were read earlier are read again. */
  async #current(
    customers: readonly ProviderCustomer[],
    { fields }: CreateRequest,
    call: Call,
  ): Promise<readonly ProviderCustomer[]> {
    const { identity } = this.#account.provider.traits;
    const found: ProviderCustomer[] = [];
    for (const customer of customers) {
      const now = customer.partial ? await this.#existing(customer.id, call) : customer;
      if (now && recognize(fields, now.fields, identity) === 'same') found.push(now);
    }
    return found;
  }

  async #existing(id: string, call: Call): Promise<ProviderCustomer | undefined> {
    try {
      return await this.#account.provider.getCustomer(id, call);
    } catch (error) {
      if (!(error instanceof CustomerError) || error.kind !== 'not_found') throw error;
      return undefined;
    }
  }
}
