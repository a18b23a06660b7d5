import type { z } from 'zod';
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
import { dayzeroDocuments } from './documents.ts';

export interface DayZeroOptions {
  readonly baseUrl: string;
  readonly apiToken: string;
  readonly businessId: string;
  /** For DayZero's audit trail. */
  readonly userEmail: string | undefined;
  readonly account: () => string;
  readonly credentials: string;
}

type Documents = typeof dayzeroDocuments;

const CUSTOMERS = '/api/v1/customers';
const LOOKUP_PAGE = 100;
const MOST_LOOKUP_PAGES = 100;

const traits: Traits = {
  externalIdField: 'external_id',
  onCreate: 'A taken email answers possible_duplicate.',
  onArchive: 'Deletes; stays readable by customer_id. Cannot be undone.',
  archiveCanBeUndone: false,
  createUpserts: false,
  externalIdInUpdate: 'linked',
  limitField: 'limit',
  nameFilter: 'search',
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
};

/** DayZero's wire. Pages: https://www.ondayzero.com/docs/reference/customers */
export class DayZero implements Provider<Documents> {
  readonly name = 'dayzero';
  readonly title = 'DayZero';
  readonly documents = dayzeroDocuments;
  readonly traits = traits;
  readonly #account: () => string;
  readonly #http: HttpClient;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: DayZeroOptions) {
    this.#account = options.account;
    this.#headers = {
      authorization: `Bearer ${options.apiToken}`,
      'x-business-id': options.businessId,
      ...(options.userEmail !== undefined && { 'x-user-email': options.userEmail }),
    };
    this.#http = new HttpClient({
      title: this.title,
      baseUrl: options.baseUrl,
      credentials: options.credentials,
      address: 'DAYZERO_BASE_URL',
      secrets: [options.apiToken],
      readRefusal,
    });
  }

  get account(): string {
    return this.#account();
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async createCustomer(document: z.output<Documents['create']>, call: Call): Promise<Accepted> {
    const { body } = await this.#send({ effect: 'create', method: 'POST', path: CUSTOMERS, json: document }, call);
    const customer = readCustomer(body);
    return { customer, document: customer?.document ?? unwrap(body), existed: false };
  }

  /** PUT changes only what it is given (https://www.ondayzero.com/docs/guides/customers); null empties a field. */
  async updateCustomer(id: string, { set, clear }: Changes, call: Call): Promise<Updated> {
    const json = { ...set, ...Object.fromEntries(clear.map((field) => [field, null])) };
    const { body } = await this.#send(
      { effect: 'idempotent', byId: true, method: 'PUT', path: CUSTOMERS + path`/${id}`, json },
      call,
    );
    const changed = Object.keys(json);
    const customer = readCustomer(body);
    if (customer) return { customer, changed };
    return { customer: await this.getCustomer(id, call).catch(() => unread(id)), changed, unread: true };
  }

  async getCustomer(id: string, call: Call): Promise<ProviderCustomer> {
    const { body } = await this.#send(
      { effect: 'read', byId: true, method: 'GET', path: CUSTOMERS + path`/${id}` },
      call,
    );
    const customer = readCustomer(body);
    if (!customer) throw notUnderstood(this.title);
    return customer;
  }

  async searchCustomers(query: z.output<Documents['search']>, call: Call): Promise<Page> {
    const { body } = await this.#send({ effect: 'read', method: 'GET', path: CUSTOMERS, query }, call);
    const inner = isRecord(body) && 'data' in body ? body['data'] : body;
    const page = isRecord(inner) ? inner : {};
    const rows = readRows(this.title, Array.isArray(inner) ? inner : page['items'], readCustomer);
    // Some versions of the pages have the paging inside the envelope, some could have it beside the rows.
    const beside: Fields = isRecord(body) ? body : {};
    const nextCursor = textOf(page['next_cursor'] ?? beside['next_cursor']);
    const flag = page['has_more'] ?? beside['has_more'];
    const hasMore = flag === undefined ? nextCursor !== undefined : flag === true;
    const total = page['total_count'] ?? page['total'];
    return {
      ...rows,
      hasMore,
      nextCursor: hasMore ? nextCursor : undefined,
      total: typeof total === 'number' ? total : undefined,
    };
  }

  /** Answers 200 with a message and no customer. */
  async archiveCustomer(id: string, call: Call): Promise<ProviderCustomer | undefined> {
    const { body } = await this.#send(
      { effect: 'idempotent', byId: true, method: 'DELETE', path: CUSTOMERS + path`/${id}` },
      call,
    );
    return readCustomer(body);
  }

  /** DayZero knows no key of ours; the same email is the best sign of the same customer. */
  async findSimilar({ email }: z.output<Documents['create']>, call: Call): Promise<readonly ProviderCustomer[]> {
    const same = (customer: ProviderCustomer): boolean =>
      String(customer.document['email']).toLowerCase() === email.toLowerCase();
    // The filter is exact, and the provider may have put the domain, or all of it, into lower case when it stored it.
    const [local, domain = ''] = [email.slice(0, email.lastIndexOf('@')), email.slice(email.lastIndexOf('@'))];
    const found = new Map<string, ProviderCustomer>();
    for (const spelling of new Set([email, local + domain.toLowerCase(), email.toLowerCase()])) {
      for await (const customer of this.#pages({ email: spelling }, call)) {
        if (customer.state === 'active' && same(customer)) found.set(customer.id, customer);
      }
    }
    return [...found.values()];
  }

  async findCreatedSince(since: number, call: Call): Promise<readonly ProviderCustomer[]> {
    const found: ProviderCustomer[] = [];
    for await (const customer of this.#pages({ sort_by: 'created_at', descending: true }, call)) {
      if (customer.createdAt !== undefined && customer.createdAt < since) break;
      found.push(customer);
    }
    return found;
  }

  fieldsOf({ document }: ProviderCustomer): Fields {
    const names = Object.keys(dayzeroDocuments.create.shape);
    return Object.fromEntries(
      names.flatMap((name) =>
        document[name] === null || document[name] === undefined || document[name] === ''
          ? []
          : [[name, document[name]]],
      ),
    );
  }

  async *#pages(query: z.output<Documents['search']>, call: Call): AsyncGenerator<ProviderCustomer> {
    let cursor: string | undefined;
    for (let pages = 1; pages <= MOST_LOOKUP_PAGES; pages += 1) {
      const page = await this.searchCustomers(
        { ...query, limit: LOOKUP_PAGE, ...(cursor !== undefined && { cursor }) },
        call,
      );
      // A look-up that passes rows over would call a customer new that is there.
      if (page.warnings.length > 0) throw notUnderstood(this.title);
      yield* page.customers;
      if (page.nextCursor === undefined || page.nextCursor === cursor) return;
      cursor = page.nextCursor;
    }
  }

  #send(request: HttpRequest, call: Call): Promise<HttpResponse> {
    return this.#http.send({ ...request, headers: this.#headers }, call);
  }
}

/** `detail` as a sentence or as a list (https://www.ondayzero.com/docs/guides/error-handling); newer pages have `message`. */
function readRefusal(body: unknown): ProviderRefusal {
  if (!isRecord(body)) return {};
  const { detail } = body;
  if (!Array.isArray(detail)) return { message: textOf(detail) ?? textOf(body['message']) ?? textOf(body['code']) };
  const fields = detail.filter(isRecord).map((item) => ({
    path: (Array.isArray(item['loc']) ? item['loc'] : [])
      .filter((part) => part !== 'body' && part !== 'query')
      .join('.'),
    message: textOf(item['msg']) ?? 'was refused',
  }));
  return {
    message:
      fields.map(({ path: field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ') ||
      undefined,
    fields,
  };
}

/** Published pages show both the bare document and `{success, message, code, data}`. */
function unwrap(body: unknown): Fields {
  const inner = isRecord(body) && isRecord(body['data']) ? body['data'] : body;
  return isRecord(inner) ? inner : {};
}

function readCustomer(body: unknown): ProviderCustomer | undefined {
  const document = unwrap(body);
  const id = textOf(document['id']);
  if (id === undefined) return undefined;
  const createdAt = Date.parse(textOf(document['created_at']) ?? '');
  return {
    id,
    externalId: undefined,
    name: textOf(document['name']),
    state: document['is_deleted'] === true || textOf(document['deleted_at']) !== undefined ? 'deleted' : 'active',
    createdAt: Number.isNaN(createdAt) ? undefined : createdAt,
    document,
  };
}
