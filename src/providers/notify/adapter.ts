import type { z } from 'zod';
import { CustomerError } from '../../errors.ts';
import { CHECK_ID } from '../../http-client/failures.ts';
import type { Call } from '../../http-client/call.ts';
import { isRecord } from '../../text.ts';
import type { AccountNames } from '../account.ts';
import { CustomerClient, withHeaders, type Connection } from '../customer-client.ts';
import type { CreateResult, Changes, Fields, Page, Provider, ProviderCustomer, Traits } from '../provider.ts';
import { endCircle, readRows, walkPages } from '../replies.ts';
import { notifyDocuments, notifyMeanings } from './documents.ts';
import { documentOf, fromOf, nextLink, parseError, readCustomer } from './replies.ts';

export interface NotifyOptions extends Connection {
  readonly apiKey: string;
}

type Documents = typeof notifyDocuments;

const CUSTOMERS = '/v2/customers';
/** https://docs.notify.nl/information/pagination */
const MAX_PAGE = 250;
const MAX_LOOKUP_PAGES = 200;
/** The statuses with which the search or the get-one call itself is unavailable; they do not refer to the customer. */
const NOT_OFFERED: ReadonlySet<number | undefined> = new Set([400, 403, 405, 411, 413, 415, 422, 501]);

const traits: Traits = {
  meanings: notifyMeanings,
  externalIdField: 'CustomerCode',
  externalIdKeptBy: 'provider',
  onCreate: 'Returns conflict if the code exists with other fields.',
  onArchive: 'Permanently delete; refused while the customer has invoices.',
  archiveCanBeUndone: false,
  createUpserts: false,
  limitField: 'Limit',
  cursorField: 'From',
  overwriteField: 'Overwrite',
  exactFilters: { Customer: 'customer codes' },
  identity: { names: ['Name'], emails: ['Email'], numbers: ['RegistrationNumber'] },
  searched: {
    emails: ['InvoiceEmail'],
    phones: ['Phone', 'Mobile'],
    texts: ['Address', 'Postalcode', 'City', 'Contact'],
  },
  newestFirst: true,
  clearable: [
    'Address',
    'Postalcode',
    'City',
    'Contact',
    'Phone',
    'Mobile',
    'Email',
    'InvoiceEmail',
    'RegistrationNumber',
  ],
  display: {
    names: ['name'],
    email: 'email',
    address: 'address',
    externalId: 'customerCode',
    hidden: ['resource'],
    // https://docs.notify.nl/information/fields
    defaults: { country: 'NL', language: 'dutch' },
    labels: { Postalcode: 'Postal code' },
  },
};

/** Notify's API: form bodies in, HAL out. Pages: https://docs.notify.nl/customers */
export class Notify implements Provider<Documents> {
  readonly name = 'notify';
  readonly title = 'Notify';
  readonly documents = notifyDocuments;
  readonly traits = traits;
  readonly #names: AccountNames;
  readonly #client: CustomerClient;

  constructor(options: NotifyOptions) {
    this.#names = options;
    this.#client = new CustomerClient({
      ...options,
      title: this.title,
      secrets: [options.apiKey],
      customers: CUSTOMERS,
      readCustomer,
      parseError,
      authorize: withHeaders({ authorization: `Bearer ${options.apiKey}` }),
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

  async createCustomer({ Overwrite, ...fields }: z.output<Documents['create']>, call: Call): Promise<CreateResult> {
    const query = { Overwrite: Overwrite || undefined };
    const { status, body } = await this.#client.send(
      { effect: 'create', method: 'POST', query, form: asForm(fields) },
      call,
    );
    return { customer: readCustomer(body), document: isRecord(body) ? body : {}, existed: status === 200 };
  }

  /** An empty value clears a field; this is undocumented, but answers show unset texts as empty ones. */
  updateCustomer({ id }: ProviderCustomer, { set, clear }: Changes, call: Call): Promise<ProviderCustomer | undefined> {
    const form = { ...asForm(set), ...Object.fromEntries(clear.map((field) => [field, ''])) };
    return this.#client.write(id, { method: 'PATCH', form }, call);
  }

  /** Getting one customer is undocumented; the list is documented, and begins at the given id. */
  async getCustomer(id: string, call: Call): Promise<ProviderCustomer> {
    let refusal: CustomerError;
    try {
      return await this.#client.get(id, call);
    } catch (error) {
      if (!(error instanceof CustomerError) || (error.kind !== 'not_found' && error.status !== 405)) throw error;
      refusal = error;
    }
    const listed = await this.#firstFrom(id, call);
    if (listed) return listed;
    throw refusal.kind === 'not_found'
      ? refusal
      : new CustomerError('not_found', `Notify has no customer ${JSON.stringify(id)}.`, {
          advice: CHECK_ID,
        });
  }

  async searchCustomers({ Customer, Limit, From }: z.output<Documents['search']>, call: Call): Promise<Page> {
    if (Customer !== undefined) {
      const [found] = await this.findByExternalId(Customer, call);
      // The search returns only the id and the code.
      const customers = found ? [found.partial ? await this.getCustomer(found.id, call) : found] : [];
      return { customers, hasMore: false, nextCursor: undefined, total: undefined, warnings: [] };
    }
    return endCircle(this.title, await this.#page({ Limit, From }, call), From);
  }

  async #page(
    query: { readonly Limit?: number | undefined; readonly From?: string | undefined },
    call: Call,
  ): Promise<Page> {
    const { body } = await this.#client.send({ effect: 'read', method: 'GET', query }, call).catch((error: unknown) => {
      const isCursor = query.From !== undefined && error instanceof CustomerError && error.kind === 'not_found';
      throw isCursor ? noPageFrom(query.From) : error;
    });
    const rows = readRows(this.title, isRecord(body) ? body['customers'] : undefined, readCustomer);
    const last = { ...rows, hasMore: false, nextCursor: undefined, total: undefined };
    const href = isRecord(body) ? nextLink(body) : undefined;
    if (href === undefined) return last;
    if (!this.#client.sameOrigin(href)) {
      const warning = "Notify's link to the next page points to another host and was not followed.";
      return { ...last, hasMore: true, warnings: [...rows.warnings, warning] };
    }
    const nextCursor = fromOf(href);
    return nextCursor === undefined ? last : { ...last, hasMore: true, nextCursor };
  }

  listCustomers(From: string | undefined, call: Call): Promise<Page> {
    return this.searchCustomers({ Limit: MAX_PAGE, From }, call);
  }

  asDocument(fields: Fields): Fields {
    return documentOf(fields);
  }

  /** The answer is 204 without a body. */
  async archiveCustomer(id: string, call: Call): Promise<undefined> {
    const read = () => this.getCustomer(id, call);
    await this.#client.delete(id, { isConfirmed: ({ status }) => status === 204, read }, call);
  }

  /**
   * The documented search, a GET with a form body. Proxies may reject such a request, and the answer without a match is
   * undocumented: 404 and an empty object count as no match; after any other answer without a customer, the whole list is read.
   * The result may contain only id and code.
   */
  async findByExternalId(code: string, call: Call): Promise<readonly ProviderCustomer[]> {
    try {
      const { body } = await this.#client.send(
        { effect: 'read', method: 'GET', form: { Customer: code } },
        call,
        '/search',
      );
      const found = readCustomer(body);
      // A customer with another code belongs to another request.
      if (found && [code, undefined].includes(found.externalId))
        return [{ ...found, externalId: code, fields: { ...found.fields, CustomerCode: code } }];
      if (isRecord(body) && Object.keys(body).length === 0) return [];
    } catch (error) {
      if (error instanceof CustomerError && error.kind === 'not_found') return [];
      const offered = error instanceof CustomerError && error.kind !== 'bad_response' && !NOT_OFFERED.has(error.status);
      if (offered || !(error instanceof CustomerError)) throw error;
    }
    return this.#findInList(code, call);
  }

  async #findInList(code: string, call: Call): Promise<readonly ProviderCustomer[]> {
    const rows = walkPages(this.title, MAX_LOOKUP_PAGES, (From) => this.#page({ Limit: MAX_PAGE, From }, call));
    let row = await rows.next();
    while (!row.done) {
      if (row.value.externalId === code) return [row.value];
      row = await rows.next();
    }
    if (row.value) return [];
    throw new CustomerError(
      'unavailable',
      "Notify's search is unavailable, and its customer list could not be read completely.",
      { advice: 'Try again later.' },
    );
  }

  async #firstFrom(id: string, call: Call): Promise<ProviderCustomer | undefined> {
    try {
      const page = await this.searchCustomers({ Limit: 1, From: id }, call);
      return page.customers.find((customer) => customer.id === id);
    } catch (error) {
      // If the list cannot begin at an id, the id does not exist.
      if (error instanceof CustomerError && (error.kind === 'not_found' || error.kind === 'invalid_input'))
        return undefined;
      throw error;
    }
  }
}

function noPageFrom(from: string | undefined): CustomerError {
  return new CustomerError('invalid_input', `Notify has no page that begins at ${JSON.stringify(from)}.`, {
    advice: 'Pass the next_cursor of the previous page in From, or omit From to begin again.',
  });
}

function asForm(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}
