import type { KnownCustomers } from '../directory/known-customers.ts';
import { CustomerError } from '../errors.ts';
import type { Call } from '../http-client/call.ts';
import type { IdMap } from '../identity/id-map.ts';
import { recognitionKeys, recognize } from '../identity/recognition.ts';
import type { Provider, ProviderCustomer } from '../providers/provider.ts';
import type { Row } from './import-rows.ts';
import type { ServerContext } from './tool.ts';

/** What an import would find for a row. */
export type Finding =
  | { readonly kind: 'new' }
  | { readonly kind: 'existing'; readonly customerId: string }
  /** Another customer has the external id. */
  | { readonly kind: 'other'; readonly owner: ProviderCustomer }
  | { readonly kind: 'like_customers'; readonly similar: readonly ProviderCustomer[] }
  | { readonly kind: 'like_row'; readonly earlier: number };

interface Known {
  readonly provider: Provider;
  readonly ids: Pick<IdMap, 'recorded'>;
  /** The provider's list, if it can be read. */
  readonly customers: KnownCustomers | undefined;
}

/** Compares the rows of an import, in their sequence, with each other and with what is known of the existing customers. */
export class RowComparison {
  /** What could not be compared. */
  readonly warnings: readonly string[];
  readonly #known: Known;
  /** The first row with each key. */
  readonly #first = new Map<string, number>();

  constructor(known: Known, warnings: readonly string[] = []) {
    this.#known = known;
    this.warnings = warnings;
  }

  /** Reads the provider's list, as far as it can be read within the call; `unfinished` is the warning if it cannot. */
  static async start(
    { provider, ids, directory }: ServerContext,
    call: Call,
    unfinished?: string,
  ): Promise<RowComparison> {
    try {
      const { customers, warnings } = await directory.known(call, unfinished);
      return new RowComparison({ provider, ids, customers }, warnings);
    } catch (error) {
      if (!(error instanceof CustomerError)) throw error;
      const warning = `Not compared with ${provider.title}'s customers: ${error.what}`;
      return new RowComparison({ provider, ids, customers: undefined }, [warning]);
    }
  }

  /** @throws CustomerError `store_unavailable`. */
  compare({ row, request }: Row): Promise<Finding> {
    const keys = recognitionKeys(request.fields, this.#known.provider.traits.identity);
    const earlier = Math.min(...keys.map((key) => this.#first.get(key) ?? Number.POSITIVE_INFINITY));
    for (const key of keys) if (!this.#first.has(key)) this.#first.set(key, row);
    return this.#find(request, Number.isFinite(earlier) ? earlier : undefined);
  }

  async #find({ externalId, fields, allowDuplicate }: Row['request'], earlier: number | undefined): Promise<Finding> {
    const { provider, ids, customers } = this.#known;
    const { identity } = provider.traits;
    const recorded = externalId === undefined ? undefined : await ids.recorded(externalId);
    const owner = externalId === undefined ? undefined : customers?.withExternalId(externalId);
    if (owner && recognize(fields, owner.fields, identity) === 'other') return { kind: 'other', owner };
    const customerId = recorded ?? owner?.id;
    if (customerId !== undefined) return { kind: 'existing', customerId };
    if (allowDuplicate) return { kind: 'new' };
    const similar = (customers?.maybeLike(fields) ?? []).filter(
      (customer) => recognize(fields, customer.fields, identity) === 'same',
    );
    if (similar.length > 0) return { kind: 'like_customers', similar };
    return earlier === undefined ? { kind: 'new' } : { kind: 'like_row', earlier };
  }
}
