import { CustomerError } from '../errors.ts';
import type { Call } from '../http-client/call.ts';
import type { Fields, Provider, ProviderCustomer } from '../providers/provider.ts';
import type { CreateRequest } from './create-request.ts';
import { severalMayBeIt } from './errors.ts';
import { covers, fingerprint, same } from './fingerprint.ts';
import type { IdMap } from './id-map.ts';
import { done, type IntentData, type Transition } from './intent.ts';
import { recognize } from './recognition.ts';
import { SKEW_MS } from './timing.ts';

/** Finds customers at the provider, and decides which of them is the customer of an intent. */
export class Matching {
  readonly #provider: Provider;
  readonly #ids: IdMap;

  constructor(provider: Provider, ids: IdMap) {
    this.#provider = provider;
    this.#ids = ids;
  }

  /** The customers that a lost create may have created. `fields` are those of the current caller, if there is one. */
  async search(data: IntentData, fields: Fields | undefined, call: Call): Promise<readonly ProviderCustomer[]> {
    if (this.#provider.traits.externalIdKeptBy === 'provider') {
      const found = await this.findByExternalId(data.externalId, call);
      return found ? [found] : [];
    }
    const since = (data.sentAt ?? 0) - SKEW_MS;
    // The search for similar customers is short. A caller with other fields would find other customers, so all new customers
    // are read instead.
    const asSent = fields && same(fingerprint(data.salt, fields), data.fingerprint);
    const nearby =
      asSent && this.#provider.findSimilar
        ? (await this.#provider.findSimilar(fields, call)).customers
        : await this.#provider.findCreatedSince?.(since, call);
    const isNew = ({ id, createdAt = since }: ProviderCustomer): boolean =>
      createdAt >= since && !data.excludedIds?.includes(id);
    const found = (nearby ?? []).filter(
      (customer) => customer.state === 'active' && isNew(customer) && this.matches(data, customer),
    );
    // A customer that is recorded for another external id was created or linked for that id.
    const recorded = await this.#ids.externalIds(found.map(({ id }) => id));
    return found.filter(({ id }) => (recorded.get(id) ?? data.externalId) === data.externalId);
  }

  /** The customer of a create, if exactly one matches; best effort. */
  async findSingle(data: IntentData, fields: Fields, call: Call): Promise<ProviderCustomer | undefined> {
    const [only, ...others] = await this.search(data, fields, call).catch(() => []);
    return others.length === 0 ? only : undefined;
  }

  /**
   * The customer with an external id, including its document, which some look-ups do not return. Active customers take
   * precedence over archived ones.
   * @throws CustomerError `conflict` if several active customers have it.
   */
  async findByExternalId(externalId: string, call: Call): Promise<ProviderCustomer | undefined> {
    const found = (await this.#provider.findByExternalId?.(externalId, call)) ?? [];
    const active = found.filter(({ state }) => state === 'active');
    if (active.length > 1) throw severalMayBeIt(this.#provider, externalId, active);
    const [first] = found;
    return first?.partial ? this.#provider.getCustomer(first.id, call) : first;
  }

  /** The recorded customer, unless it is deleted, not found, or has another external id by now. */
  async getRecorded({ customerId, externalId }: IntentData, call: Call): Promise<ProviderCustomer | undefined> {
    if (customerId === undefined) return undefined;
    try {
      const customer = await this.#provider.getCustomer(customerId, call);
      if (customer.state === 'deleted') return undefined;
      if (this.#provider.traits.externalIdKeptBy === 'ledger') return customer;
      if (customer.state === 'active' && customer.externalId === externalId) return customer;
      const owner = await this.findByExternalId(externalId, call);
      return owner?.id === customer.id ? owner : undefined;
    } catch (error) {
      if (!(error instanceof CustomerError) || error.kind !== 'not_found') throw error;
      // A 404 proves a deletion only if the account itself answers, because a wrong business is a 404 too.
      await this.#provider.searchCustomers({ [this.#provider.traits.limitField]: 1 }, call);
      return undefined;
    }
  }

  /** Whether a customer shows everything that was sent. */
  matches(data: IntentData, customer: ProviderCustomer): boolean {
    return covers(fingerprint(data.salt, customer.fields), data.fingerprint);
  }

  /** Whether the answer to a create contains a customer other than the one that was sent. */
  contradicts({ externalId, fields }: CreateRequest, answered: ProviderCustomer): boolean {
    const { externalIdKeptBy, identity } = this.#provider.traits;
    const shown = externalIdKeptBy === 'provider' ? answered.externalId : undefined;
    if (externalId !== undefined && shown !== undefined && shown !== externalId) return true;
    return recognize(fields, answered.fields, identity) === 'other';
  }

  /** The sent fields are recorded for this customer only if it shows all of them; otherwise others have changed it. */
  found(data: IntentData, customer: ProviderCustomer): Transition {
    return done(this.matches(data, customer) ? data : { ...data, fingerprint: {} }, customer.id);
  }

  /** The fields that differ both from the customer's current values and from what was sent before. */
  differences(data: IntentData, fields: Fields, customer: ProviderCustomer): readonly string[] {
    const wanted = fingerprint(data.salt, fields);
    const present = fingerprint(data.salt, customer.fields);
    return Object.keys(wanted).filter(
      (field) => wanted[field] !== data.fingerprint[field] && wanted[field] !== present[field],
    );
  }
}
