import type { KnownCustomers } from '../directory/known-customers.ts';
import { CustomerError } from '../errors.ts';
import type { Call } from '../http-client/call.ts';
import type { CreateOnce } from '../identity/create-once.ts';
import type { Changed } from '../identity/difference.ts';
import { recognitionKeys, recognize } from '../identity/recognition.ts';
import type { Provider, ProviderCustomer } from '../providers/provider.ts';
import type { Row } from './import-rows.ts';
import type { ServerContext } from './tool.ts';

/** What an import would find for a row. */
export type Finding =
  | { readonly kind: 'new' }
  | { readonly kind: 'existing'; readonly customerId: string; readonly changed: Changed }
  /** The customer with the external id is another one, or differs and is not changed by an import. */
  | { readonly kind: 'conflict'; readonly error: CustomerError }
  | { readonly kind: 'like_customers'; readonly similar: readonly ProviderCustomer[] }
  | { readonly kind: 'like_row'; readonly earlier: number };

interface Known {
  readonly provider: Provider;
  readonly creates: Pick<CreateOnce, 'expect'>;
  /** The provider's list, if it can be read. */
  readonly customers: KnownCustomers | undefined;
}

/** Compares the rows of an import, in their sequence, with each other and with the existing customers. Writes nothing. */
export class RowComparison {
  readonly #known: Known;
  readonly #call: Call;
  readonly #warnings: readonly string[];
  /** The first row with each key of recognition. */
  readonly #first = new Map<string, number>();
  /** The rows whose customer could not be read, and the last reason. */
  #unread: { readonly rows: number; readonly error: CustomerError } | undefined;

  constructor(known: Known, call: Call, warnings: readonly string[] = []) {
    this.#known = known;
    this.#call = call;
    this.#warnings = warnings;
  }

  /** Reads the provider's list, as far as it can be read within the call; `unfinished` is the warning if it cannot. */
  static async start(
    { provider, creates, directory }: ServerContext,
    call: Call,
    unfinished?: string,
  ): Promise<RowComparison> {
    const known = { provider, creates };
    try {
      const { customers, warnings } = await directory.known(call, unfinished);
      return new RowComparison({ ...known, customers }, call, warnings);
    } catch (error) {
      if (!(error instanceof CustomerError)) throw error;
      const warning = `Not compared with ${provider.title}'s customers: ${error.what}`;
      return new RowComparison({ ...known, customers: undefined }, call, [warning]);
    }
  }

  /** What could not be compared. */
  get warnings(): readonly string[] {
    if (!this.#unread) return this.#warnings;
    const { rows, error } = this.#unread;
    return [
      ...this.#warnings,
      `${rows} ${rows === 1 ? 'row exists' : 'rows exist'} but could not be compared: ${error.what}`,
    ];
  }

  /** @throws CustomerError `store_unavailable`. */
  compare({ row, request }: Row): Promise<Finding> {
    const keys = recognitionKeys(request.fields, this.#known.provider.traits.identity);
    const earlier = Math.min(...keys.map((key) => this.#first.get(key) ?? Number.POSITIVE_INFINITY));
    for (const key of keys) if (!this.#first.has(key)) this.#first.set(key, row);
    return this.#find(request, Number.isFinite(earlier) ? earlier : undefined);
  }

  async #find(request: Row['request'], earlier: number | undefined): Promise<Finding> {
    const { provider, customers } = this.#known;
    const { fields, allowDuplicate } = request;
    const { identity } = provider.traits;
    const existing = await this.#existing(request);
    if (existing) return existing;
    if (allowDuplicate) return { kind: 'new' };
    const similar = (customers?.maybeLike(fields) ?? []).filter(
      (customer) => recognize(fields, customer.fields, identity) === 'same',
    );
    if (similar.length > 0) return { kind: 'like_customers', similar };
    return earlier === undefined ? { kind: 'new' } : { kind: 'like_row', earlier };
  }

  /** The customer that has the external id of a row. */
  async #existing(request: Row['request']): Promise<Finding | undefined> {
    const { creates, customers } = this.#known;
    try {
      const expected = await creates.expect(request, customers, this.#call);
      if (!expected) return undefined;
      const { unread: error, ...found } = expected;
      if (error) this.#unread = { rows: (this.#unread?.rows ?? 0) + 1, error };
      return { kind: 'existing', ...found };
    } catch (error) {
      if (!(error instanceof CustomerError) || error.kind !== 'conflict') throw error;
      return { kind: 'conflict', error };
    }
  }
}
