import type { z } from 'zod';
import type { Settings } from '../config.ts';
import type { Call } from '../http-client.ts';
import type { SandboxHandler } from '../sandbox.ts';

/** Fields under the provider's own names. */
export type Fields = Readonly<Record<string, unknown>>;

/** Zod mirrors of what the provider's pages say may be sent: its names, its casing, its order, its limits. */
export interface CustomerDocuments {
  readonly create: z.ZodObject;
  readonly update: z.ZodObject;
  readonly search: z.ZodObject;
}

/** A customer as the provider showed it. */
export interface ProviderCustomer {
  /** The provider's own id. */
  readonly id: string;
  /** The caller's own id, where the provider keeps one. */
  readonly externalId: string | undefined;
  /** The name a person would call the customer by. */
  readonly name: string | undefined;
  readonly state: 'active' | 'archived' | 'deleted';
  /** When the provider says it was created, in ms since 1970; where it says so. */
  readonly createdAt: number | undefined;
  /** The provider's document, out of its envelope and otherwise untouched. */
  readonly document: Fields;
  /** Only the ids are known; the document has to be read yet. */
  readonly partial?: boolean;
}

/**
 * An accepted create. `customer` is missing when the answer held no id that could be read: the customer exists all the
 * same, so this is not an error.
 */
export interface Accepted {
  readonly customer: ProviderCustomer | undefined;
  readonly document: Fields;
  /** The provider said that it changed a customer that was there already. */
  readonly existed: boolean;
}

export interface Page {
  readonly customers: readonly ProviderCustomer[];
  readonly hasMore: boolean;
  /** The search argument, by its own name and value, that brings the next page. */
  readonly nextCursor: string | undefined;
  readonly total: number | undefined;
  readonly warnings: readonly string[];
}

/** A partial update: `set` holds what was named, `clear` what was asked to be emptied. Nothing else may change. */
export interface Changes {
  readonly set: Fields;
  readonly clear: readonly string[];
}

/** The words and rules in which tools differ from provider to provider. */
export interface Traits {
  /** The argument that carries the caller's own id. */
  readonly externalIdField: string;
  /** Said of `create_customer`: what a repeated external id does here. */
  readonly onCreate: string;
  /** Said of `archive_customer`: what archiving means here. */
  readonly onArchive: string;
  /** Whether archiving can be undone, so that nobody need be asked. */
  readonly archiveCanBeUndone: boolean;
  /** Same external id again is sent again and updates; elsewhere it is compared. */
  readonly createUpserts: boolean;
  /** What `customer_id` with the external id together mean in an update. */
  readonly externalIdInUpdate: 'written' | 'linked' | 'refused';
  /** The search argument for the size of a page. */
  readonly limitField: string;
  /** The search arguments that take a part of an external id or of a name, where there are such. */
  readonly externalIdFilter?: string;
  readonly nameFilter?: string;
  /** The create argument that orders to write over the customer with the same external id, where there is one. */
  readonly overwriteField?: string;
  /** Fields that an update may empty. */
  readonly clearable: readonly [string, ...string[]];
}

/**
 * The port: a provider, configured and ready. Methods throw `CustomerError`; a write that may have happened is
 * `outcome_unknown` and nothing else is. Methods, not function properties: that lets concrete documents live in one list.
 */
export interface Provider<D extends CustomerDocuments = CustomerDocuments> {
  readonly name: string;
  readonly title: string;
  /** Names the account at the provider without revealing it; part of every key that is remembered. */
  readonly account: string;
  readonly documents: D;
  readonly traits: Traits;

  createCustomer(document: z.output<D['create']>, call: Call): Promise<Accepted>;
  /** `foundBy` is the external id that led to `id`; a customer that has another one by now is `not_found`. */
  updateCustomer(id: string, changes: Changes, call: Call, foundBy?: string): Promise<Updated>;
  getCustomer(id: string, call: Call): Promise<ProviderCustomer>;
  searchCustomers(query: z.output<D['search']>, call: Call): Promise<Page>;
  /** `undefined`: done, but there is no document to show. */
  archiveCustomer(id: string, call: Call): Promise<ProviderCustomer | undefined>;
  /** Absent where the provider cannot; the tool is then not listed. `undefined` as above. */
  restoreCustomer?(id: string, call: Call): Promise<ProviderCustomer | undefined>;
  /** Absent where the provider keeps no external id; the ledger is then the only memory of it. */
  findByExternalId?(externalId: string, call: Call): Promise<ProviderCustomer | undefined>;
  /** Customers that may be the same one. Absent where the provider's own key makes the question needless. */
  findSimilar?(document: z.output<D['create']>, call: Call): Promise<readonly ProviderCustomer[]>;
  /** Customers created at or after a time (ms since 1970). Needed where a lost create can only be found by its fields. */
  findCreatedSince?(since: number, call: Call): Promise<readonly ProviderCustomer[]>;
  /** What a customer's document holds, under the names in which it is written. */
  fieldsOf(customer: ProviderCustomer): Fields;
  close(): Promise<void>;
}

export interface Updated {
  readonly customer: ProviderCustomer;
  /** The fields whose value is now another one; where nothing was read first, the fields that were sent. */
  readonly changed: readonly string[];
  /** The answer could not be read, so `customer` is what is known otherwise. */
  readonly unread?: boolean;
}

/** One provider as the program knows it before any setting is read. */
export interface ProviderDefinition {
  readonly name: string;
  readonly title: string;
  /** Every environment variable that belongs to it. */
  readonly variables: readonly string[];
  /** Reads its settings; problems are gathered in `settings`. The result connects, once they are known to be sound. */
  configure(settings: Settings): () => Provider;
  readonly sandbox: {
    readonly handle: SandboxHandler;
    connect(origin: string): Provider;
  };
}
