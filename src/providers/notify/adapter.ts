import type { z } from 'zod';
import { CustomerError } from '../../errors.ts';
import {
  HttpClient,
  path,
  type Call,
  type HttpRequest,
  type HttpResponse,
  type ProviderRefusal,
} from '../../http-client.ts';
import { isRecord, textOf } from '../../text.ts';
import type { Accepted, Changes, Fields, Page, Provider, ProviderCustomer, Traits, Updated } from '../provider.ts';
import { notUnderstood, readRows, unread } from '../rows.ts';
import { notifyDocuments } from './documents.ts';

export interface NotifyOptions {
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly account: () => string;
  readonly credentials: string;
}

type Documents = typeof notifyDocuments;

const CUSTOMERS = '/v2/customers';
/** https://docs.notify.nl/information/pagination */
const LARGEST_PAGE = 250;
const MOST_LOOKUP_PAGES = 200;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
/** The search or the get-one call itself is not available; says nothing about the customer. */
const NOT_OFFERED: ReadonlySet<number | undefined> = new Set([400, 403, 405, 411, 413, 415, 422, 501]);

const traits: Traits = {
  externalIdField: 'CustomerCode',
  onCreate: 'Other fields under a known code answer conflict.',
  onArchive: 'Deletes for good; refused while the customer has invoices.',
  archiveCanBeUndone: false,
  createUpserts: false,
  externalIdInUpdate: 'refused',
  limitField: 'Limit',
  overwriteField: 'Overwrite',
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
};

/** Notify's wire: form bodies in, HAL out. Pages: https://docs.notify.nl/customers */
export class Notify implements Provider<Documents> {
  readonly name = 'notify';
  readonly title = 'Notify';
  readonly documents = notifyDocuments;
  readonly traits = traits;
  readonly #account: () => string;
  readonly #http: HttpClient;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: NotifyOptions) {
    this.#account = options.account;
    this.#headers = { authorization: `Bearer ${options.apiKey}` };
    this.#http = new HttpClient({
      title: this.title,
      baseUrl: options.baseUrl,
      credentials: options.credentials,
      address: 'NOTIFY_BASE_URL',
      secrets: [options.apiKey],
      readRefusal,
    });
  }

  get account(): string {
    return this.#account();
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async createCustomer({ Overwrite, ...fields }: z.output<Documents['create']>, call: Call): Promise<Accepted> {
    const { status, body } = await this.#send(
      {
        effect: 'create',
        method: 'POST',
        path: CUSTOMERS,
        query: { Overwrite: Overwrite || undefined },
        form: asForm(fields),
      },
      call,
    );
    const customer = readCustomer(body);
    return { customer, document: isRecord(body) ? body : {}, existed: status === 200 };
  }

  /** An empty value empties a field; the pages do not say so, but unset texts come back as empty ones. */
  async updateCustomer(id: string, { set, clear }: Changes, call: Call): Promise<Updated> {
    const form = { ...asForm(set), ...Object.fromEntries(clear.map((field) => [field, ''])) };
    const { body } = await this.#send(
      { effect: 'idempotent', byId: true, method: 'PATCH', path: CUSTOMERS + path`/${id}`, form },
      call,
    );
    const changed = Object.keys(form);
    const customer = readCustomer(body);
    if (customer) return { customer, changed };
    return { customer: await this.getCustomer(id, call).catch(() => unread(id)), changed, unread: true };
  }

  /** Getting one customer is not documented; the list is, and it begins at the id that it is given. */
  async getCustomer(id: string, call: Call): Promise<ProviderCustomer> {
    let refusal: CustomerError;
    try {
      const { body } = await this.#send(
        { effect: 'read', byId: true, method: 'GET', path: CUSTOMERS + path`/${id}` },
        call,
      );
      const customer = readCustomer(body);
      if (!customer) throw notUnderstood(this.title);
      return customer;
    } catch (error) {
      if (!(error instanceof CustomerError) || (error.kind !== 'not_found' && error.status !== 405)) throw error;
      refusal = error;
    }
    const listed = await this.#firstFrom(id, call);
    if (listed) return listed;
    throw refusal.kind === 'not_found'
      ? refusal
      : new CustomerError(
          'not_found',
          `Notify has no customer ${JSON.stringify(id)}. Check the id, or use search_customer to find the customer.`,
        );
  }

  async searchCustomers({ Customer, Limit, From }: z.output<Documents['search']>, call: Call): Promise<Page> {
    if (Customer !== undefined) {
      const found = await this.findByExternalId(Customer, call);
      // The search answers with no more than the id and the code.
      const customers = found ? [found.partial ? await this.getCustomer(found.id, call) : found] : [];
      return { customers, hasMore: false, nextCursor: undefined, total: undefined, warnings: [] };
    }
    const { body } = await this.#send({ effect: 'read', method: 'GET', path: CUSTOMERS, query: { Limit, From } }, call);
    const rows = readRows(this.title, isRecord(body) ? body['customers'] : undefined, readCustomer);
    const last = { ...rows, hasMore: false, nextCursor: undefined, total: undefined };
    const href = isRecord(body) ? nextLink(body) : undefined;
    if (href === undefined) return last;
    if (!this.#http.sameOrigin(href)) {
      const warning = "Notify's link to the next page points to another host and was not followed.";
      return { ...last, hasMore: true, warnings: [...rows.warnings, warning] };
    }
    const nextCursor = fromOf(href);
    return nextCursor === undefined || nextCursor === From ? last : { ...last, hasMore: true, nextCursor };
  }

  async archiveCustomer(id: string, call: Call): Promise<undefined> {
    await this.#send({ effect: 'idempotent', byId: true, method: 'DELETE', path: CUSTOMERS + path`/${id}` }, call);
  }

  /**
   * The documented search, a GET with a form body. Proxies may refuse such a request, and how a miss looks is not documented:
   * 404 and an empty object are taken as one; for anything else that names no customer the list is read through. The result
   * may hold no more than id and code.
   */
  async findByExternalId(code: string, call: Call): Promise<ProviderCustomer | undefined> {
    try {
      const { body } = await this.#send(
        { effect: 'read', method: 'GET', path: `${CUSTOMERS}/search`, form: { Customer: code } },
        call,
      );
      const found = readCustomer(body);
      if (found) return [code, undefined].includes(found.externalId) ? { ...found, externalId: code } : undefined;
      if (isRecord(body) && Object.keys(body).length === 0) return undefined;
    } catch (error) {
      if (error instanceof CustomerError && error.kind === 'not_found') return undefined;
      const offered = error instanceof CustomerError && error.kind !== 'bad_response' && !NOT_OFFERED.has(error.status);
      if (offered || !(error instanceof CustomerError)) throw error;
    }
    return this.#findInList(code, call);
  }

  async #findInList(code: string, call: Call): Promise<ProviderCustomer | undefined> {
    let From: string | undefined;
    for (let pages = 1; pages <= MOST_LOOKUP_PAGES; pages += 1) {
      const page = await this.searchCustomers({ Limit: LARGEST_PAGE, From }, call);
      const found = page.customers.find((customer) => customer.externalId === code);
      if (found) return found;
      if (page.nextCursor === undefined && page.warnings.length === 0) return undefined;
      if (page.nextCursor === undefined) break;
      From = page.nextCursor;
    }
    throw new CustomerError(
      'unavailable',
      'Notify did not offer its search, and its list could not be read to the end. Try again later.',
    );
  }

  /** The flat names of requests, from the nested document of answers. */
  fieldsOf({ document, externalId }: ProviderCustomer): Fields {
    const address = isRecord(document['address']) ? document['address'] : {};
    const { Overwrite: _, ...shape } = notifyDocuments.create.shape;
    return Object.fromEntries(
      Object.keys(shape).flatMap((field) => {
        const name = field.charAt(0).toLowerCase() + field.slice(1);
        const value = field === 'CustomerCode' ? externalId : (textOf(address[name]) ?? textOf(document[name]));
        return value === undefined ? [] : [[field, value]];
      }),
    );
  }

  async #firstFrom(id: string, call: Call): Promise<ProviderCustomer | undefined> {
    try {
      const page = await this.searchCustomers({ Limit: 1, From: id }, call);
      return page.customers.find((customer) => customer.id === id);
    } catch (error) {
      // An id that the list cannot begin at is one that does not exist.
      if (error instanceof CustomerError && (error.kind === 'not_found' || error.kind === 'invalid_input'))
        return undefined;
      throw error;
    }
  }

  #send(request: HttpRequest, call: Call): Promise<HttpResponse> {
    return this.#http.send({ ...request, headers: this.#headers }, call);
  }
}

/** `{status, title, detail}`; its status is not to be trusted, the page itself shows 405 under an HTTP 400. */
function readRefusal(body: unknown): ProviderRefusal {
  return isRecord(body) ? { message: textOf(body['detail']) ?? textOf(body['title']) } : {};
}

function asForm(fields: Fields): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));
}

/**
 * One published list sample has the id under `customerCode`, the code under `number` and no `id`
 * (https://docs.notify.nl/customers); it is read as what it means.
 */
function readCustomer(document: unknown): ProviderCustomer | undefined {
  if (!isRecord(document)) return undefined;
  const code = textOf(document['customerCode']);
  const shifted = document['id'] === undefined && code !== undefined && UUID.test(code) && 'number' in document;
  const id = shifted ? code : textOf(document['id']);
  if (id === undefined) return undefined;
  return {
    id,
    externalId: shifted ? textOf(document['number']) : (code ?? textOf(document['number'])),
    name: textOf(document['name']),
    state: 'active',
    createdAt: undefined,
    document,
    partial: !('name' in document),
  };
}

function nextLink(body: Fields): string | undefined {
  const links = isRecord(body['links']) ? body['links'] : isRecord(body['_links']) ? body['_links'] : {};
  return isRecord(links['next']) ? textOf(links['next']['href']) : textOf(links['next']);
}

function fromOf(href: string): string | undefined {
  const query = new URL(href, 'http://relative').searchParams;
  return [...query].find(([name]) => name.toLowerCase() === 'from')?.[1] || undefined;
}
