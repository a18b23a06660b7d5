import type { z } from 'zod';
import { CustomerError } from '../../errors.ts';
import type { Call } from '../../http-client/call.ts';
import { path } from '../../http-client/request.ts';
import { textOf } from '../../text.ts';
import type { AccountNames } from '../account.ts';
import { CustomerClient, type Connection } from '../customer-client.ts';
import type { CreateResult, Changes, Fields, Nearby, Page, Provider, ProviderCustomer, Traits } from '../provider.ts';
import {
  collect,
  endCircle,
  notChanged,
  notUnderstood,
  omitStrangers,
  unwrap,
  walkPages,
  type Filters,
} from '../replies.ts';
import { containsPart, distinctPart } from '../spelling.ts';
import { layerDocuments, layerMeanings } from './documents.ts';
import { notesName, parseError, readCustomer, readDocument, readPage } from './replies.ts';
import { withTokens, type Tokens } from './tokens.ts';

export interface LayerOptions extends Connection {
  readonly businessId: string;
  readonly tokens: Tokens;
  readonly secrets: readonly string[];
}

type Documents = typeof layerDocuments;

const NOT_OFFERED: ReadonlySet<number | undefined> = new Set([404, 405, 501]);
/** The maximum number of pages of customers that share a part of a name. */
const MAX_NAMED_PAGES = 5;
const MAX_LISTED_PAGES = 200;
/** The documentation does not limit the page size, so this size is tried first. */
const MAX_PAGE = 1_000;

/** Fields that the page of PATCH (https://docs.layerfi.com/api-reference/v1/patch-update-customer) omits. */
const PUT_ONLY: ReadonlySet<string> = new Set(['external_id', 'tags']);

const filters: Filters = {
  external_id: ({ externalId }, asked) => externalId === asked,
  external_id_contains: ({ externalId = '' }, asked) => containsPart(externalId, asked),
  name: (customer, asked) => namesOf(customer).some((name) => containsPart(name, asked)),
  name_contains: (customer, asked) => namesOf(customer).some((name) => containsPart(name, asked)),
};

const traits: Traits = {
  meanings: layerMeanings,
  externalIdField: 'external_id',
  externalIdKeptBy: 'provider',
  onCreate: 'Repeating an external_id updates that customer.',
  onArchive: 'Hide a customer from lists.',
  archiveCanBeUndone: true,
  createUpserts: true,
  limitField: 'limit',
  cursorField: 'cursor',
  externalIdFilter: 'external_id_contains',
  nameFilter: 'name_contains',
  archivedFilter: 'include_archived',
  exactFilters: { external_id: 'external IDs', name: 'names' },
  totalFilter: 'show_total_count',
  identity: { names: ['company_name', 'individual_name'], emails: ['email'] },
  searched: { phones: ['mobile_phone', 'office_phone'], texts: ['address_string'] },
  newestFirst: false,
  clearable: [
    'individual_name',
    'company_name',
    'email',
    'mobile_phone',
    'office_phone',
    'address_string',
    'notes',
    'tags',
  ],
  display: {
    names: ['company_name', 'individual_name'],
    email: 'email',
    status: 'status',
    externalId: 'external_id',
    hidden: ['type'],
    defaults: { status: 'ACTIVE' },
    labels: { address_string: 'Address', transaction_tags: 'Tags' },
  },
};

/** Layer's API. Pages: https://docs.layerfi.com/api-reference/customer/ */
export class Layer implements Provider<Documents> {
  readonly name = 'layer';
  readonly title = 'Layer';
  readonly documents = layerDocuments;
  readonly traits = traits;
  readonly #tokens: Tokens;
  readonly #names: AccountNames;
  readonly #client: CustomerClient;
  /** `true` until Layer refuses PATCH itself and accepts PUT. */
  #patches = true;
  /** `true` until Layer refuses a page of that size. */
  #takesMaxPage = true;

  constructor(options: LayerOptions) {
    this.#names = options;
    this.#tokens = options.tokens;
    this.#client = new CustomerClient({
      ...options,
      title: this.title,
      customers: path`/v1/businesses/${options.businessId}/customers`,
      readCustomer,
      parseError,
      authorize: withTokens(options.tokens),
    });
  }

  get account(): string {
    return this.#names.account();
  }

  get formerAccounts(): readonly string[] {
    return this.#names.formerAccounts?.map((name) => name()) ?? [];
  }

  async close(): Promise<void> {
    await Promise.all([this.#client.close(), this.#tokens.close()]);
  }

  /** "This endpoint is idempotent using the external_id field" (https://docs.layerfi.com/api-reference/customer/create-customer). */
  async createCustomer(json: z.output<Documents['create']>, call: Call): Promise<CreateResult> {
    const { status, body } = await this.#client.send({ effect: 'create', method: 'POST', json }, call);
    const document = unwrap(body);
    return { customer: readDocument(document), document, existed: status === 200 };
  }

  /**
   * PATCH with the changes. The page of PUT does not state what happens to omitted fields, so if only PUT is possible, the
   * whole document is sent with the changes merged. Cleared fields are sent as null or an empty list, which means the same in
   * both cases.
   */
  async updateCustomer(before: ProviderCustomer, changes: Changes, call: Call): Promise<ProviderCustomer | undefined> {
    const cleared = changes.clear.map((field) => [field, field === 'tags' ? [] : null]);
    const wanted = { ...changes.set, ...Object.fromEntries(cleared) };
    return this.replacesDocument(before, changes)
      ? this.#replace(before.id, { ...before.fields, ...wanted }, call)
      : this.#patch(before.id, wanted, call);
  }

  replacesDocument({ document }: ProviderCustomer, { set, clear }: Changes): boolean {
    const putOnly = (name: string): boolean =>
      PUT_ONLY.has(name) || (name === 'notes' && notesName(document) === 'notes');
    return !this.#patches || [...Object.keys(set), ...clear].some(putOnly);
  }

  /** Members that are documented only in answers. PATCH may accept them anyway, so each is tried separately. */
  async putBack(id: string, extras: Fields, call: Call): Promise<void> {
    for (const member of Object.entries(extras))
      await this.#client
        .write(id, { method: 'PATCH', json: Object.fromEntries([member]) }, call)
        .catch(() => undefined);
  }

  async #patch(id: string, { notes, ...others }: Fields, call: Call): Promise<ProviderCustomer | undefined> {
    try {
      const json = { ...others, ...(notes !== undefined && { memo: notes }) };
      return await this.#client.write(id, { method: 'PATCH', json }, call);
    } catch (error) {
      // A 404 may also refer to the customer.
      const isThere = async (): Promise<boolean> =>
        (await this.getCustomer(id, call).catch(() => undefined)) !== undefined;
      if (isNotOffered(error) && (!isNotFound(error) || (await isThere()))) this.#patches = false;
      throw error;
    }
  }

  async #replace(id: string, json: Fields, call: Call): Promise<ProviderCustomer | undefined> {
    // Sent again unchanged, it would revert what others wrote in between.
    const put = (document: Fields): Promise<ProviderCustomer | undefined> =>
      this.#client.write(id, { method: 'PUT', effect: 'create', json: document }, call);
    const answer = await put(json).catch((error: unknown) => {
      // In this case it was not PATCH that was refused.
      if (isNotOffered(error)) this.#patches = true;
      throw error;
    });
    const { notes, ...others } = json;
    const taken = !answer || notes === undefined || (answer.fields['notes'] ?? null) === notes;
    // Newer pages have only `memo`, and without PATCH no other call can write it.
    return taken || this.#patches ? answer : put({ ...others, memo: notes }).catch(() => undefined);
  }

  getCustomer(id: string, call: Call): Promise<ProviderCustomer> {
    return this.#client.get(id, call);
  }

  async searchCustomers(query: z.output<Documents['search']>, call: Call): Promise<Page> {
    const page = omitStrangers(this.title, await this.#page(query, call), { query, filters });
    return endCircle(this.title, page, query.cursor);
  }

  async listCustomers(cursor: string | undefined, call: Call): Promise<Page> {
    const query = { include_archived: true, ...(cursor !== undefined && { cursor }) };
    if (!this.#takesMaxPage) return this.searchCustomers(query, call);
    try {
      return await this.searchCustomers({ ...query, limit: MAX_PAGE }, call);
    } catch (error) {
      if (!(error instanceof CustomerError) || error.kind !== 'invalid_input') throw error;
      const page = await this.searchCustomers(query, call);
      this.#takesMaxPage = false;
      return page;
    }
  }

  archiveCustomer(id: string, call: Call): Promise<ProviderCustomer | undefined> {
    return this.#changeStatus(id, 'archive', call);
  }

  restoreCustomer(id: string, call: Call): Promise<ProviderCustomer | undefined> {
    return this.#changeStatus(id, 'unarchive', call);
  }

  /** https://docs.layerfi.com/api-reference/v1/merge-customers; what a repeated merge does is not documented, so none is sent. */
  async mergeCustomers(id: string, idToArchive: string, call: Call): Promise<ProviderCustomer | undefined> {
    const json = { customer_to_archive_id: idToArchive };
    const answer = await this.#client.write(id, { method: 'POST', effect: 'create', action: 'merge', json }, call);
    return answer ?? this.getCustomer(id, call).catch(() => undefined);
  }

  /** Layer has no look-up by external id, but the list filters by it; archived ones have it still. */
  async findByExternalId(externalId: string, call: Call): Promise<readonly ProviderCustomer[]> {
    const page = await this.#page({ external_id: externalId, include_archived: true }, call);
    const found = activeFirst(page.customers.filter((customer) => customer.externalId === externalId));
    // It may be among the rows that could not be read.
    if (found.length === 0 && page.warnings.length > 0) throw notUnderstood(this.title);
    // Customers with other external ids: the filter was ignored.
    return found.length === 0 && page.customers.length > 0 ? this.#findInList(externalId, call) : found;
  }

  async #findInList(externalId: string, call: Call): Promise<readonly ProviderCustomer[]> {
    const { customers, complete } = await collect(
      walkPages(this.title, MAX_LISTED_PAGES, (cursor) => this.listCustomers(cursor, call)),
    );
    const found = customers.filter((customer) => customer.externalId === externalId);
    if (found.length === 0 && !complete)
      throw new CustomerError(
        'unavailable',
        'Layer ignored the filter by external_id, and its customer list could not be read completely.',
        { advice: 'Try again later.' },
      );
    return activeFirst(found);
  }

  /** The list can filter by names only. It cannot search for an email, but its rows contain one. */
  async findSimilar({ company_name, individual_name }: z.output<Documents['create']>, call: Call): Promise<Nearby> {
    const parts = new Set([company_name, individual_name].flatMap((name) => distinctPart(name ?? '') ?? []));
    const lists = await Promise.all([...parts].map((part) => this.#named(part, call)));
    const found = new Map(lists.flatMap(({ customers }) => customers).map((customer) => [customer.id, customer]));
    return { customers: [...found.values()], complete: lists.every(({ complete }) => complete) };
  }

  #named(part: string, call: Call): Promise<Nearby> {
    const query = { name_contains: part, include_archived: true };
    return collect(
      walkPages(this.title, MAX_NAMED_PAGES, (cursor) =>
        this.#page({ ...query, ...(cursor !== undefined && { cursor }) }, call),
      ),
    );
  }

  async #page(query: z.output<Documents['search']>, call: Call): Promise<Page> {
    const { body } = await this.#client.send({ effect: 'read', method: 'GET', query }, call);
    return readPage(this.title, body);
  }

  async #changeStatus(id: string, action: 'archive' | 'unarchive', call: Call): Promise<ProviderCustomer | undefined> {
    const answer = await this.#client.write(id, { method: 'POST', action }, call);
    const changed = answer ?? (await this.getCustomer(id, call).catch(() => undefined));
    if (changed && changed.state !== (action === 'archive' ? 'archived' : 'active')) throw notChanged(this.title);
    return changed;
  }
}

function namesOf({ fields }: ProviderCustomer): readonly string[] {
  return traits.identity.names.flatMap((name) => textOf(fields[name]) ?? []);
}

function activeFirst(customers: readonly ProviderCustomer[]): readonly ProviderCustomer[] {
  return customers.toSorted((a, b) => Number(a.state !== 'active') - Number(b.state !== 'active'));
}

/** Whether a call itself is not supported, regardless of its content. */
function isNotOffered(error: unknown): boolean {
  return error instanceof CustomerError && NOT_OFFERED.has(error.status);
}

function isNotFound(error: unknown): boolean {
  return error instanceof CustomerError && error.status === 404;
}
