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
import { Turns } from '../../turns.ts';
import type { Accepted, Changes, Fields, Page, Provider, ProviderCustomer, Traits, Updated } from '../provider.ts';
import { notUnderstood, readRows } from '../rows.ts';
import { layerDocuments } from './documents.ts';
import type { Tokens } from './tokens.ts';

export interface LayerOptions {
  readonly baseUrl: string;
  readonly businessId: string;
  readonly account: () => string;
  readonly tokens: Tokens;
  /** The variables a person should look at when the credentials are refused. */
  readonly credentials: string;
  readonly secrets: readonly string[];
}

type Documents = typeof layerDocuments;

const traits: Traits = {
  externalIdField: 'external_id',
  onCreate: 'The same external_id again updates that customer.',
  onArchive: 'Hides the customer from lists; restore_customer undoes it.',
  archiveCanBeUndone: true,
  createUpserts: true,
  externalIdInUpdate: 'written',
  limitField: 'limit',
  externalIdFilter: 'external_id_contains',
  nameFilter: 'name_contains',
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
};

/** Layer's wire. Pages: https://docs.layerfi.com/api-reference/customer/ */
export class Layer implements Provider<Documents> {
  readonly name = 'layer';
  readonly title = 'Layer';
  readonly documents = layerDocuments;
  readonly traits = traits;
  readonly #tokens: Tokens;
  readonly #account: () => string;
  readonly #http: HttpClient;
  readonly #customers: string;
  readonly #turns = new Turns();

  constructor(options: LayerOptions) {
    this.#account = options.account;
    this.#tokens = options.tokens;
    this.#http = new HttpClient({
      title: this.title,
      baseUrl: options.baseUrl,
      credentials: options.credentials,
      address: 'LAYER_BASE_URL and LAYER_ENVIRONMENT',
      secrets: options.secrets,
      readRefusal,
    });
    this.#customers = path`/v1/businesses/${options.businessId}/customers`;
  }

  get account(): string {
    return this.#account();
  }

  async close(): Promise<void> {
    await Promise.all([this.#http.close(), this.#tokens.close()]);
  }

  async createCustomer(document: z.output<Documents['create']>, call: Call): Promise<Accepted> {
    const { status, body } = await this.#send(
      { effect: 'create', method: 'POST', path: this.#customers, json: document },
      call,
    );
    const customer = readCustomer(body);
    return { customer, document: customer?.document ?? unwrap(body), existed: status === 200 };
  }

  /**
   * The page does not say what PUT does with a field that is left out, so the whole document goes back with the changes
   * in it, tags included. What is cleared is sent as null or as an empty list, which means the same under both readings.
   */
  async updateCustomer(id: string, changes: Changes, call: Call, foundBy?: string): Promise<Updated> {
    // Two updates at once would each put back what the other has changed.
    return this.#turns.take(id, () => this.#merge(id, changes, call, foundBy));
  }

  async #merge(id: string, { set, clear }: Changes, call: Call, foundBy?: string): Promise<Updated> {
    const before = await this.getCustomer(id, call);
    if (foundBy !== undefined && before.externalId !== foundBy) {
      throw new CustomerError(
        'not_found',
        `The Layer customer ${id} has another external_id by now. Use search_customer to find the one you mean.`,
      );
    }
    const present = this.fieldsOf(before);
    const wanted: Fields = {
      ...set,
      ...Object.fromEntries(clear.map((field) => [field, field === 'tags' ? [] : null])),
    };
    const changed = Object.keys(wanted).filter((field) => !sameField(wanted[field], present[field]));
    if (changed.length === 0) return { customer: before, changed };

    const { body } = await this.#send(
      {
        effect: 'idempotent',
        byId: true,
        method: 'PUT',
        path: this.#customers + path`/${id}`,
        json: { ...present, ...wanted },
      },
      call,
    );
    const customer = readCustomer(body);
    return customer
      ? { customer, changed }
      : { customer: await this.getCustomer(id, call).catch(() => before), changed, unread: true };
  }

  async getCustomer(id: string, call: Call): Promise<ProviderCustomer> {
    const { body } = await this.#send(
      { effect: 'read', byId: true, method: 'GET', path: this.#customers + path`/${id}` },
      call,
    );
    const customer = readCustomer(body);
    if (!customer) throw notUnderstood(this.title);
    return customer;
  }

  async searchCustomers(query: z.output<Documents['search']>, call: Call): Promise<Page> {
    const { body } = await this.#send({ effect: 'read', method: 'GET', path: this.#customers, query }, call);
    const rows = readRows(
      this.title,
      Array.isArray(body) ? body : isRecord(body) ? body['data'] : undefined,
      readCustomer,
    );
    const meta = isRecord(body) && isRecord(body['meta']) ? body['meta'] : {};
    const pagination = isRecord(meta['pagination']) ? meta['pagination'] : {};
    const nextCursor = textOf(pagination['cursor']);
    const hasMore = pagination['has_more'] === true;
    return {
      ...rows,
      hasMore,
      nextCursor: hasMore ? nextCursor : undefined,
      total: typeof pagination['total_count'] === 'number' ? pagination['total_count'] : undefined,
    };
  }

  async archiveCustomer(id: string, call: Call): Promise<ProviderCustomer | undefined> {
    return this.#changeStatus(id, 'archive', call);
  }

  async restoreCustomer(id: string, call: Call): Promise<ProviderCustomer | undefined> {
    return this.#changeStatus(id, 'unarchive', call);
  }

  /** Layer has no look-up by external id, but the list filters by it; archived ones have it still. */
  async findByExternalId(externalId: string, call: Call): Promise<ProviderCustomer | undefined> {
    const page = await this.searchCustomers({ external_id: externalId, include_archived: true }, call);
    return page.customers.find((customer) => customer.externalId === externalId);
  }

  /** The customer under the names that create and update use: `memo` is `notes`, `transaction_tags` are `tags`. */
  fieldsOf({ document }: ProviderCustomer): Fields {
    const names = [
      'external_id',
      'individual_name',
      'company_name',
      'email',
      'mobile_phone',
      'office_phone',
      'address_string',
    ];
    const own = document['transaction_tags'] ?? document['tags'];
    const tags = (Array.isArray(own) ? own : [])
      .filter(isRecord)
      .filter((tag) => !tag['deleted_at'] && !tag['archived_at'])
      .map(({ key, value }) => ({ key, value }));
    const notes = textOf(document['notes']) ?? textOf(document['memo']);
    const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== '';
    return Object.fromEntries([
      ...names.flatMap((name) => (isGiven(document[name]) ? [[name, document[name]]] : [])),
      ...(notes === undefined ? [] : [['notes', notes]]),
      ...(tags.length === 0 ? [] : [['tags', tags]]),
    ]);
  }

  async #changeStatus(id: string, action: 'archive' | 'unarchive', call: Call): Promise<ProviderCustomer | undefined> {
    const { body } = await this.#send(
      { effect: 'idempotent', byId: true, method: 'POST', path: this.#customers + path`/${id}/${action}` },
      call,
    );
    return readCustomer(body) ?? this.getCustomer(id, call).catch(() => undefined);
  }

  /**
   * With a token, and with another one when Layer says that it has run out. A token that was good once may run out again at
   * the hands of other calls; a fresh one that is refused at once means that the credentials are wrong.
   */
  async #send(request: HttpRequest, call: Call): Promise<HttpResponse> {
    for (let renewals = 0; ; renewals += 1) {
      const token = await this.#tokens.current(call);
      try {
        const response = await this.#http.send(
          { ...request, headers: { authorization: `Bearer ${token.value}` } },
          call,
        );
        token.proven = true;
        return response;
      } catch (error) {
        if (!(error instanceof CustomerError) || error.kind !== 'unauthorized') throw error;
        if ((renewals > 0 && !token.proven) || !this.#tokens.renew(token)) throw error;
      }
    }
  }
}

/** `errors[]` (https://docs.layerfi.com/api-details/json-data). */
function readRefusal(body: unknown): ProviderRefusal {
  const errors = isRecord(body) && Array.isArray(body['errors']) ? body['errors'].filter(isRecord) : [];
  const sentences = errors.flatMap(
    (error) => textOf(error['description']) ?? textOf(error['error_enum']) ?? textOf(error['type']) ?? [],
  );
  return { message: sentences.length === 0 ? undefined : sentences.join('; ') };
}

/** Published pages show both `{data: …}` and the bare object. */
function unwrap(body: unknown): Fields {
  const inner = isRecord(body) && isRecord(body['data']) ? body['data'] : body;
  return isRecord(inner) ? inner : {};
}

function readCustomer(body: unknown): ProviderCustomer | undefined {
  const document = unwrap(body);
  const id = textOf(document['id']);
  if (id === undefined) return undefined;
  return {
    id,
    externalId: textOf(document['external_id']),
    name: textOf(document['company_name']) ?? textOf(document['individual_name']),
    state: document['status'] === 'ARCHIVED' ? 'archived' : 'active',
    createdAt: undefined,
    document,
  };
}

function sameField(wanted: unknown, present: unknown): boolean {
  if (Array.isArray(wanted)) return tagList(wanted) === tagList(present);
  return (wanted ?? '') === (present ?? '');
}

/** Tags as one comparable text; their order means nothing. */
function tagList(tags: unknown): string {
  const list = Array.isArray(tags) ? tags.filter(isRecord) : [];
  return JSON.stringify(list.map(({ key, value }) => [key, value]).sort());
}
