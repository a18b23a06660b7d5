import { CustomerError } from '../errors.ts';
import { narrow, type Call } from '../http-client/call.ts';
import type { Fields, Nearby, Provider, ProviderCustomer } from '../providers/provider.ts';
import { CustomerList } from './customer-list.ts';
import { emptiableFields, type Entry } from './entry.ts';
import { KnownCustomers } from './known-customers.ts';
import { searchIndex, type Searched } from './scoring.ts';
import { unfinishedWarning } from './warnings.ts';

/** How long a create waits for the list. */
const SIMILAR_MS = 2_000;

export interface FindRequest {
  readonly text: string | undefined;
  /** A field that has to be empty. */
  readonly without: string | undefined;
  readonly archived: boolean;
}

export type Found = Searched & Extent;

/** What was searched. */
interface Extent {
  /** Whether all customers were searched. */
  readonly complete: boolean;
  readonly warnings: readonly string[];
}

/** Finds customers of one account in its list, by any text and by likeness. */
export class Directory {
  readonly #provider: Provider;
  readonly #list: CustomerList;
  readonly #customers: KnownCustomers;

  constructor(provider: Provider) {
    this.#provider = provider;
    this.#list = new CustomerList(provider);
    this.#customers = new KnownCustomers(provider, this.#list.index);
  }

  /**
   * The customers that match, the best first; without a text, all that lack the field.
   * @throws CustomerError if the provider does not list its customers.
   */
  async find({ text, without, archived }: FindRequest, call: Call): Promise<Found> {
    const isRead = await this.#list.refresh(call, text);
    const bit = without === undefined ? 0 : 1 << emptiableFields(this.#provider).indexOf(without);
    const lacks = (entry: Entry): boolean => (entry.empty & bit) === bit;
    return { ...searchIndex(this.#list.index, { text, archived }, lacks), ...this.#extent(isRead) };
  }

  /**
   * The customers, to compare others with. `unfinished` is the warning if the list is too long for the call.
   * @throws CustomerError if the provider does not list its customers.
   */
  async known(call: Call, unfinished?: string): Promise<Extent & { readonly customers: KnownCustomers }> {
    const isRead = await this.#list.refresh(call);
    return { customers: this.#customers, ...this.#extent(isRead, unfinished) };
  }

  /** Customers that include all like one to create, also those that others created a moment ago, as far as the list can be read soon. */
  async similarTo(fields: Fields, call: Call): Promise<Nearby> {
    const limits = narrow(call, { withinMs: SIMILAR_MS });
    const isRead = await this.#list.refresh(limits).catch((error: unknown) => {
      if (error instanceof CustomerError) return false;
      throw error;
    });
    const { complete } = this.#extent(isRead);
    return { customers: this.#customers.maybeLike(fields), complete };
  }

  /** Those that are known without a request; none if the list is not fresh. */
  rememberedLike(fields: Fields): readonly ProviderCustomer[] {
    return this.#list.isFresh() ? this.#customers.maybeLike(fields) : [];
  }

  /** A warning explains what the list lacks; otherwise the next call reads on. */
  #extent(isRead: boolean, unfinished = unfinishedWarning(this.#provider.title)): Extent {
    const warnings = isRead || this.#list.warnings.length > 0 ? this.#list.warnings : [unfinished];
    return { complete: isRead && warnings.length === 0, warnings: [...warnings] };
  }

  /** The number of customers, with or without archived ones; `undefined` if the call is too short to count them. */
  async count(archived: boolean, call: Call): Promise<number | undefined> {
    if (!(await this.#list.refresh(call).catch(() => false)) || this.#list.warnings.length > 0) return undefined;
    let count = 0;
    for (const entry of this.#list.index.entries()) if (archived || !entry.archived) count += 1;
    return count;
  }

  /** Records a write of this process. Without the customer's new state, the list is read again. */
  noteWrite(customer: ProviderCustomer | undefined): void {
    this.#list.noteWrite(customer);
  }

  noteDeletion(id: string): void {
    this.#list.noteDeletion(id);
  }
}
