import type { z } from 'zod';
import type { Call } from '../../http-client/call.ts';
import type { HttpResponse } from '../../http-client/client.ts';
import { isRecord } from '../../text.ts';
import type { AccountNames } from '../account.ts';
import { CustomerClient, withHeaders, type Connection } from '../customer-client.ts';
import type { CreateResult, Changes, Nearby, Page, Provider, ProviderCustomer, Traits } from '../provider.ts';
import { collect, endCircle, isSameId, omitStrangers, unwrap, walkPages, type Filters } from '../replies.ts';
import { distinctPart, emailSpellings, isSameEmail } from '../spelling.ts';
import { dayzeroDocuments, dayzeroMeanings } from './documents.ts';
import { parseError, readCustomer, readDocument, readPage } from './replies.ts';

export interface DayZeroOptions extends Connection {
  readonly apiToken: string;
  readonly businessId: string;
  /** The user in DayZero's audit trail. */
  readonly userEmail: string | undefined;
}

type Documents = typeof dayzeroDocuments;

const CUSTOMERS = '/api/v1/customers';
const LOOKUP_PAGE = 100;
/** https://www.ondayzero.com/docs/reference/customers/get-customers */
const MAX_PAGE = 1_000;
const MAX_LOOKUP_PAGES = 100;
const MAX_SEARCH = 200;

const filters: Filters = {
  id: ({ id }, asked) => isSameId(id, asked),
  email: ({ fields: { email } }, asked) => typeof email === 'string' && isSameEmail(email, asked),
  status: ({ document: { status } }, asked) => status === undefined || status === asked,
};

const traits: Traits = {
  meanings: dayzeroMeanings,
  externalIdField: 'external_id',
  externalIdKeptBy: 'ledger',
  onCreate: 'Returns possible_duplicate if the customer may already exist.',
  onArchive: 'Permanently delete; stays readable by customer_id.',
  archiveCanBeUndone: false,
  createUpserts: false,
  limitField: 'limit',
  cursorField: 'cursor',
  nameFilter: 'search',
  exactFilters: { id: 'customer IDs', email: 'emails' },
  totalFilter: 'include_total_count',
  identity: { names: ['name'], emails: ['email'] },
  searched: {
    phones: ['phone'],
    codes: ['tax_id'],
    texts: ['address', 'website', 'category'],
    contacts: { member: 'contacts', name: 'name', email: 'email', phone: 'phone' },
  },
  newestFirst: true,
  clearable: [
    'address',
    'phone',
    'tax_id',
    'website',
    'notes',
    'credit_limit_cents',
    'default_payment_term_id',
    'category',
    'invoice_footer',
  ],
  display: {
    names: ['name'],
    email: 'email',
    status: 'status',
    hidden: ['business_id'],
    defaults: { status: 'active' },
    labels: { tax_id: 'Tax ID', credit_limit_cents: 'Credit limit (cents)' },
  },
};

/** DayZero's API. Pages: https://www.ondayzero.com/docs/reference/customers */
export class DayZero implements Provider<Documents> {
  readonly name = 'dayzero';
  readonly title = 'DayZero';
  readonly documents = dayzeroDocuments;
  readonly traits = traits;
  readonly #names: AccountNames;
  readonly #client: CustomerClient;

  constructor(options: DayZeroOptions) {
    this.#names = options;
    this.#client = new CustomerClient({
      ...options,
      title: this.title,
      secrets: [options.apiToken],
      customers: CUSTOMERS,
      readCustomer,
      parseError,
      authorize: withHeaders({
        authorization: `Bearer ${options.apiToken}`,
        'x-business-id': options.businessId,
        ...(options.userEmail !== undefined && { 'x-user-email': options.userEmail }),
      }),
    });
  }

  get account(): string {
    return this.#names.account();
  }

  get formerAccounts(): readonly string[] {
    return this.#names.formerAccounts?.map((name) => name()) ?? [];
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  async createCustomer(json: z.output<Documents['create']>, call: Call): Promise<CreateResult> {
    const { body } = await this.#client.send({ effect: 'create', method: 'POST', json }, call);
    const document = unwrap(body);
    return { customer: readDocument(document), document, existed: false };
  }

  /** PUT changes only the given fields (https://www.ondayzero.com/docs/guides/customers); null clears a field. */
  updateCustomer({ id }: ProviderCustomer, { set, clear }: Changes, call: Call): Promise<ProviderCustomer | undefined> {
    const json = { ...set, ...Object.fromEntries(clear.map((field) => [field, null])) };
    return this.#client.write(id, { method: 'PUT', json }, call);
  }

  getCustomer(id: string, call: Call): Promise<ProviderCustomer> {
    return this.#client.get(id, call);
  }

  async searchCustomers(query: z.output<Documents['search']>, call: Call): Promise<Page> {
    const page = omitStrangers(this.title, await this.#page(query, call), { query, filters });
    return endCircle(this.title, page, query.cursor);
  }

  listCustomers(cursor: string | undefined, call: Call): Promise<Page> {
    return this.searchCustomers({ limit: MAX_PAGE, ...(cursor !== undefined && { cursor }) }, call);
  }

  /** The answer is 200 with a message and without a customer. */
  async archiveCustomer(id: string, call: Call): Promise<undefined> {
    const read = () => this.getCustomer(id, call);
    const isConfirmed = ({ body }: HttpResponse): boolean => isRecord(body) && body['success'] === true;
    await this.#client.delete(id, { isConfirmed, read }, call);
  }

  /** The filter by email is exact, and DayZero may have stored an address in another spelling. */
  async findSimilar({ email, name }: z.output<Documents['create']>, call: Call): Promise<Nearby> {
    const named = new Set([name.trim().slice(0, MAX_SEARCH), distinctPart(name) ?? '']);
    const lists = await Promise.all([
      ...emailSpellings(email).map((spelling) => collect(this.#pages({ email: spelling }, call))),
      ...[...named].filter(Boolean).map((text) => this.#first({ search: text }, call)),
    ]);
    const found = new Map(lists.flatMap(({ customers }) => customers).map((customer) => [customer.id, customer]));
    return { customers: [...found.values()], complete: lists.every(({ complete }) => complete) };
  }

  /** The search for a name is fuzzy, best matches first. */
  async #first(query: z.output<Documents['search']>, call: Call): Promise<Nearby> {
    const { customers } = await this.#page({ ...query, limit: LOOKUP_PAGE }, call);
    return { customers, complete: true };
  }

  async findCreatedSince(since: number, call: Call): Promise<readonly ProviderCustomer[]> {
    const found: ProviderCustomer[] = [];
    for await (const customer of this.#pages({ sort_by: 'created_at', descending: true }, call)) {
      if (customer.createdAt !== undefined && customer.createdAt < since) break;
      found.push(customer);
    }
    return found;
  }

  /** Returns whether these were all. */
  #pages(query: z.output<Documents['search']>, call: Call): AsyncGenerator<ProviderCustomer, boolean> {
    return walkPages(this.title, MAX_LOOKUP_PAGES, (cursor) =>
      this.#page({ ...query, limit: LOOKUP_PAGE, ...(cursor !== undefined && { cursor }) }, call),
    );
  }

  async #page(query: z.output<Documents['search']>, call: Call): Promise<Page> {
    const { body } = await this.#client.send({ effect: 'read', method: 'GET', query }, call);
    return readPage(this.title, body);
  }
}
