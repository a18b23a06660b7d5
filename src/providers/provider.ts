import type { z } from 'zod';
import type { Proxies } from '../http-client/proxies.ts';
import type { Call } from '../http-client/call.ts';
import type { SandboxHandler } from '../sandbox.ts';
import type { Settings, Variable } from '../settings.ts';

/** Fields under the provider's own names. */
export type Fields = Readonly<Record<string, unknown>>;

/** The documented inputs as zod schemas, with the provider's own names, casing, order and limits. */
interface CustomerDocuments {
  readonly create: z.ZodObject;
  readonly update: z.ZodObject;
  readonly search: z.ZodObject;
}

/** A customer as the provider returned it. */
export interface ProviderCustomer {
  /** The provider's own id. */
  readonly id: string;
  /** The caller's own id, if the provider keeps it. */
  readonly externalId: string | undefined;
  /** The display name. */
  readonly name: string | undefined;
  readonly state: 'active' | 'archived' | 'deleted';
  /** When the customer was created, in ms since 1970, if the provider states it. */
  readonly createdAt: number | undefined;
  /** The provider's document, without its envelope and otherwise unchanged. */
  readonly document: Fields;
  /** The document's non-empty fields, under the names that writes use. */
  readonly fields: Fields;
  /**
   * Further non-empty members of the document that a write may lose although it does not name them. A member that can be
   * written is listed under the name that writes use, and in `fields` too.
   */
  readonly extras?: Fields;
  /** Some fields are known, perhaps from earlier; the document must still be read. */
  readonly partial?: boolean;
}

/**
 * An accepted create. `customer` is `undefined` if the answer contained no readable id: the customer exists anyway, so this is
 * not an error.
 */
export interface CreateResult {
  readonly customer: ProviderCustomer | undefined;
  readonly document: Fields;
  /** The provider reported that it changed an existing customer. */
  readonly existed: boolean;
}

/** Customers among which similar ones are, if there are any. */
export interface Nearby {
  readonly customers: readonly ProviderCustomer[];
  /** Whether these are all customers that could be similar. */
  readonly complete: boolean;
}

export interface Page {
  readonly customers: readonly ProviderCustomer[];
  readonly hasMore: boolean;
  /** The value of the search argument that returns the next page. */
  readonly nextCursor: string | undefined;
  readonly total: number | undefined;
  readonly warnings: readonly string[];
}

/** A partial update: `set` contains the new values, `clear` the fields to empty. Nothing else may change. */
export interface Changes {
  readonly set: Fields;
  readonly clear: readonly string[];
}

/** The content of a field, whatever the provider calls it. An import uses it to match the columns of a file with fields. */
export type FieldMeaning =
  /** The customer's name, of a company or of a person. */
  | 'name'
  | 'company'
  | 'person'
  /** A contact person, besides a `name`. */
  | 'contact_name'
  | 'email'
  | 'billing_email'
  | 'phone'
  | 'mobile'
  /** A whole address in one field. */
  | 'full_address'
  | 'street'
  | 'postcode'
  | 'city'
  | 'country'
  | 'language'
  | 'notes'
  | 'registration'
  | 'tax_number'
  | 'website'
  | 'status'
  | 'category';

/** The words and rules in which the tools differ between providers. */
export interface Traits {
  /** The meanings of create fields. An import fills other fields only from a column of the same name. */
  readonly meanings: Readonly<Record<string, FieldMeaning>>;
  /** The argument for the caller's own id. */
  readonly externalIdField: string;
  /**
   * Who stores external ids. `provider`: the create document has the field, and `findByExternalId` searches by it. `ledger`:
   * only this server knows them, so a lost create can be recognized only by its fields, and `link_customer` exists.
   */
  readonly externalIdKeptBy: 'provider' | 'ledger';
  /** A sentence for the description of `create_customer`: what a repeated external id does. */
  readonly onCreate: string;
  /** The description of `archive_customer`: what archiving does. */
  readonly onArchive: string;
  /** Whether archiving can be undone, so that it needs no consent. */
  readonly archiveCanBeUndone: boolean;
  /**
   * Whether the provider guarantees that repeating a create makes one customer and updates it. Otherwise a repeated create is
   * not sent, but compared with the first.
   */
  readonly createUpserts: boolean;
  /** The search argument for the page size. */
  readonly limitField: string;
  /** The search arguments for a part of an external id or a name, if there are any. */
  readonly externalIdFilter?: string;
  readonly nameFilter?: string;
  /** The search arguments that match exactly, and what they match, in the plural. */
  readonly exactFilters: Readonly<Record<string, string>>;
  /** The search argument that adds the total number to a page, if there is one. */
  readonly totalFilter?: string;
  /** The search argument that continues a list. */
  readonly cursorField: string;
  /** The search argument that includes archived customers, if there is one. */
  readonly archivedFilter?: string;
  /** The create argument that makes the provider overwrite the customer with the same external id, if there is one. */
  readonly overwriteField?: string;
  /** The create fields by which a customer is recognized, besides its external id. */
  readonly identity: Identity;
  readonly searched: Searched;
  /** Whether lists show the newest customers first. */
  readonly newestFirst: boolean;
  /** Fields that an update may empty. */
  readonly clearable: readonly [string, ...string[]];
  readonly display: Display;
}

export interface Identity {
  readonly names: readonly string[];
  readonly emails: readonly string[];
  /** Numbers that an authority gives to one customer only. */
  readonly numbers?: readonly string[];
}

/** Create fields by which people look for a customer, besides those of its identity. */
interface Searched {
  readonly emails?: readonly string[];
  readonly phones: readonly string[];
  readonly codes?: readonly string[];
  /** Other fields, such as addresses. */
  readonly texts: readonly string[];
  /** The member of `extras` that lists the people at a customer, and the names of their fields. */
  readonly contacts?: {
    readonly member: string;
    readonly name: string;
    readonly email: string;
    readonly phone: string;
  };
}

/** How people are shown a document. Its fields are named as answers have them. */
interface Display {
  /** The fields that contain a name, best first. */
  readonly names: readonly [string, ...string[]];
  readonly email: string;
  readonly status?: string;
  /** A structured address, to be shown on one line. */
  readonly address?: string;
  readonly externalId?: string;
  /** Fields that are the same for all customers, or useful only to programs. */
  readonly hidden: readonly string[];
  /** The provider's default values, which the rows of a list omit. */
  readonly defaults: Readonly<Record<string, string>>;
  /**
   * Labels for fields whose names make no good label. A field with a label is never shown as record keeping, as other `…_id`
   * fields are.
   */
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The port: a provider, configured and ready. Methods throw `CustomerError`, with the kind `outcome_unknown` if and only if a
 * write may have run. They are methods and not function properties, so that providers with different documents fit one list.
 */
export interface Provider<D extends CustomerDocuments = CustomerDocuments> {
  readonly name: string;
  readonly title: string;
  /** Identifies the account at the provider without revealing it; part of every stored key. */
  readonly account: string;
  /** Former values of `account`, which contained the address or the key, the latest first; rows stored under them are carried over. */
  readonly formerAccounts?: readonly string[];
  readonly documents: D;
  readonly traits: Traits;

  createCustomer(document: z.output<D['create']>, call: Call): Promise<CreateResult>;
  /**
   * Updates a customer that was just read. `undefined`: accepted, but the answer could not be read.
   * @throws CustomerError. A write of the whole document is retried only if it is known not to have run.
   */
  updateCustomer(before: ProviderCustomer, changes: Changes, call: Call): Promise<ProviderCustomer | undefined>;
  /**
   * Whether such an update sends the whole document, and so reverts what others write between the read and the update. An
   * update may discover that the provider supports nothing else; from then on the answer is `true`. Absent if no update does.
   */
  replacesDocument?(before: ProviderCustomer, changes: Changes): boolean;
  /**
   * Tries to restore `extras`, which no input document contains; best effort. Absent if the provider is known not to accept
   * them.
   */
  putBack?(id: string, extras: Fields, call: Call): Promise<void>;
  getCustomer(id: string, call: Call): Promise<ProviderCustomer>;
  searchCustomers(query: z.output<D['search']>, call: Call): Promise<Page>;
  /** A page of all customers, with archived and without deleted ones, as large as the provider allows. Without a cursor, the first. */
  listCustomers(cursor: string | undefined, call: Call): Promise<Page>;
  /** Fields in the form of an answer's document. Absent if they have the same names there. */
  asDocument?(fields: Fields): Fields;
  /** `undefined`: done, but the answer contained no document. */
  archiveCustomer(id: string, call: Call): Promise<ProviderCustomer | undefined>;
  /** Absent if the provider cannot restore; the tool is then not listed. `undefined` as above. */
  restoreCustomer?(id: string, call: Call): Promise<ProviderCustomer | undefined>;
  /**
   * Merges the second customer into the first, and archives it. Absent if the provider cannot merge; the tool is then not listed.
   * `undefined` as above.
   */
  mergeCustomers?(id: string, idToArchive: string, call: Call): Promise<ProviderCustomer | undefined>;
  /**
   * The customers with this external id, active ones before archived ones; partial ones if the look-up returns no more.
   * Present if and only if `externalIdKeptBy` is `provider`.
   */
  findByExternalId?(externalId: string, call: Call): Promise<readonly ProviderCustomer[]>;
  /**
   * Customers that include all with the email or a name of this one, in any spelling. Absent if the provider cannot search for
   * them; its list is compared instead.
   */
  findSimilar?(document: z.output<D['create']>, call: Call): Promise<Nearby>;
  /** Customers created at or after a time (ms since 1970). Present if a lost create can be found only by its fields. */
  findCreatedSince?(since: number, call: Call): Promise<readonly ProviderCustomer[]>;
  close(): Promise<void>;
}

/** A provider before its settings are read. */
export interface ProviderDefinition {
  readonly name: string;
  readonly title: string;
  /** Its address. */
  readonly privacyPolicy?: string;
  /** The provider's environment variables, in the order in which a user fills them in. */
  readonly variables: readonly Variable[];
  /**
   * Reads its settings, and collects problems in `settings`. The result connects, through the proxies if there are any; it is
   * called only for valid settings. `account` is the operator's name for the account.
   */
  configure(settings: Settings, account?: string): (proxies?: Proxies) => Provider;
  readonly sandbox: {
    readonly handle: SandboxHandler;
    /** `account` keeps the records of several simulated accounts apart. */
    connect(origin: string, account: string): Provider;
  };
}
