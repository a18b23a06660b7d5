import type { StandIn } from './stand-in.ts';

export type Fields = Readonly<Record<string, unknown>>;

/** A stand-in with the settings that lead the server to it. */
export interface StandInAccount {
  readonly standIn: StandIn;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * What the suite has to know of a provider to test it like every other. Each provider exports one, named `kit`, from
 * `test/providers/<name>/index.ts`. Fields are named as in the tools' arguments unless said otherwise.
 */
export interface ProviderKit {
  /** As in the registry. */
  readonly name: string;
  readonly title: string;

  /**
   * Starts a stand-in that keeps the provider's promises. With `allowDuplicates`, it creates a second customer with the same
   * external id where the provider's pages leave that open.
   */
  start(options?: { readonly allowDuplicates?: boolean }): Promise<StandInAccount>;
  /** What must never be seen, in every form in which it travels. */
  readonly secrets: readonly string[];
  readonly settings: {
    /** The variables that an error names when the credentials are refused. */
    readonly credentials: readonly string[];
    /** The variable that may be given a wrong value, so that the credentials are refused. */
    readonly secret: string;
    readonly baseUrl: string;
    /** The path that the base address may end with. */
    readonly version: string;
  };
  /** Whether a refused token is renewed once. */
  readonly renewsToken: boolean;
  /** Whether an update by a method that the provider does not offer is sent by another one. */
  readonly otherMethod: boolean;
  /** Where the customers are, as a raw path. */
  readonly customersPath: string;

  /** The `n`th customer with every documented field, apart from the external id. Its email and names are unlike all others'. */
  customer(n: number): Fields;
  /** Where else a customer is found: by a phone number and by a city. */
  findable(phone: string, city: string): Fields;
  /** The field for the name of a person at a company, where there is one. */
  readonly contact?: string;
  /** A customer with the fewest fields that a create needs, besides its name and its email. */
  minimal(name: string, email: string): Fields;
  readonly externalIdField: string;
  /** The field of `minimal` that holds the name, and where the stored documents have it. */
  readonly nameField: { readonly field: string; readonly stored: string; readonly maxLength?: number };
  /** A field with a new value, a field to clear, and where the stored documents have them. */
  readonly change: { readonly field: string; readonly value: string; stored(document: Fields): unknown };
  readonly clear: { readonly field: string; stored(document: Fields): unknown };
  /** A document without what every write changes by itself, and without what `change` and `clear` change. */
  rest(document: Fields): unknown;
  /** A text that documents and arguments call by the same name, give or take the case. Not one of the fields above. */
  readonly text: { readonly field: string; readonly stored: string; readonly maxLength?: number };

  /** Whether the provider keeps the external id, so that a create sends it. */
  readonly keepsExternalId: boolean;
  /** The operation that finds a customer by its external id, where there is one. */
  readonly lookUp?: string;
  /** The operation by which a create looks for a duplicate before it is sent. */
  readonly probe: string;
  /** Whether that look finds a customer by its email, or only by its name. */
  readonly findsEmail: boolean;
  /** The operation at which a read of one customer fails; `*` where there is more than one way to read. */
  readonly read: 'get' | '*';
  /** Whether a create may be sent again when the fate of the first is unknown: the provider promises to make one customer. */
  readonly upserts: boolean;
  /** The argument of a create that has it done although a customer exists, where there is one. */
  readonly insist?: string;
  /** Requests of an update by an external id that is known. */
  readonly updateOperations: readonly string[];
  readonly archive: {
    readonly operation: string;
    /** `deleted` cannot be undone, so it needs consent. */
    readonly outcome: 'archived' | 'deleted';
    done(document: Fields | undefined): boolean;
  };

  /** The arguments that no page of the provider has: their JSON Schema, without its words. */
  readonly ownArguments: Readonly<Record<'create' | 'update' | 'search', Readonly<Record<string, Fields>>>>;
  readonly limitField: string;
  readonly cursorField: string;
  /** The answer to a request for one customer, or to a write of it. */
  answer(document: object): object;
  /** The answer to a list that shows these rows. With a cursor, there is more, from there. */
  list(rows: unknown, cursor?: string): unknown;
  /** The search arguments that rows can be compared with, and what they compare, in the stored documents. */
  readonly exact: Readonly<Record<string, string>>;
  /** A search for a name or an external id. */
  searchFor(text: string): Fields;
  /** Arguments of the wrong type, format or length, beside those that make the call complete, and the path to blame. */
  readonly wrong: readonly { readonly tool: string; readonly given: Fields; readonly path: string }[];
  readonly typo: { readonly given: string; readonly meant: string };
  /** An error body with the provider's own words. */
  refusal(words: string): unknown;

  /** How a chat shows customers. */
  readonly view: {
    /** Named Acme Bakery, with the email hello@acme.example. */
    readonly customer: Fields;
    /** What its card shows besides the name and the ids: each label with its text, before and after archiving. */
    readonly lines: Readonly<Record<string, string | RegExp>>;
    readonly archivedLines: Readonly<Record<string, string>>;
    /** The columns of a list. */
    readonly columns: readonly string[];
  };
}
