import { foldCode, withoutLeadingZeros } from '../identity/folding.ts';
import { recognitionTerms } from '../identity/recognition.ts';
import type { Fields, Provider, ProviderCustomer } from '../providers/provider.ts';
import type { CustomerIndex, TermKind } from './customer-index.ts';
import type { Entry } from './entry.ts';

/** The customers of a directory, with the fields by which they are recognized and without their documents. */
export class KnownCustomers {
  readonly #provider: Provider;
  readonly #index: CustomerIndex;

  constructor(provider: Provider, index: CustomerIndex) {
    this.#provider = provider;
    this.#index = index;
  }

  /** Whether the list has the customer with this id of the provider. */
  has(id: string): boolean {
    return this.#index.has(id);
  }

  /** The customer with this external id, if the provider keeps it; active customers take precedence. */
  withExternalId(externalId: string): ProviderCustomer | undefined {
    const found = this.#at('code', withoutLeadingZeros(foldCode(externalId)))
      .filter((entry) => entry.externalId === externalId)
      .toSorted((a, b) => Number(a.archived) - Number(b.archived));
    return found[0] && this.#customerOf(found[0]);
  }

  /** Customers that include all with the email, a name or a number of these fields, in any spelling. */
  maybeLike(fields: Fields): readonly ProviderCustomer[] {
    const found = recognitionTerms(fields, this.#provider.traits.identity).flatMap(({ kind, text }) =>
      this.#at(kind, text),
    );
    return [...new Set(found)].map((entry) => this.#customerOf(entry));
  }

  #at(kind: TermKind, term: string): readonly Entry[] {
    return this.#index.placesOf(kind, term).flatMap((place) => this.#index.at(place) ?? []);
  }

  #customerOf({ id, externalId, archived, values }: Entry): ProviderCustomer {
    const fields = Object.fromEntries(values.toReversed().map(({ field, text }) => [field, text]));
    const name = values.find(({ kind }) => kind === 'name')?.text;
    const state = archived ? 'archived' : 'active';
    return { id, externalId, name, state, createdAt: undefined, document: {}, fields, partial: true };
  }
}
