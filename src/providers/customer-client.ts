import type { Proxies } from '../http-client/proxies.ts';
import type { Call } from '../http-client/call.ts';
import { HttpClient, type HttpClientOptions, type HttpResponse } from '../http-client/client.ts';
import { path, type Effect, type HttpRequest } from '../http-client/request.ts';
import type { AccountNames } from './account.ts';
import type { ProviderCustomer } from './provider.ts';
import { anotherCustomer, isSameId, notChanged, notUnderstood } from './replies.ts';

/** The address and the account at a provider, from its settings. */
export interface Connection extends AccountNames {
  readonly baseUrl: string;
  /** The settings to check if the provider rejects the credentials, as messages name them. */
  readonly credentials: string;
  /** The settings to check if the address does not respond. */
  readonly address: string;
  readonly proxies?: Proxies | undefined;
}

/** Sends a request with authorization headers: once, or again with renewed headers. */
export type Authorize = (send: (headers: RequestHeaders) => Promise<HttpResponse>, call: Call) => Promise<HttpResponse>;
type RequestHeaders = Readonly<Record<string, string>>;

export interface CustomerClientOptions extends HttpClientOptions {
  /** The path of the collection of customers. */
  readonly customers: string;
  readonly authorize: Authorize;
  /** Reads the customer in an answer or in a row of a list; `undefined` if it contains none. */
  readonly readCustomer: (body: unknown) => ProviderCustomer | undefined;
}

/** A request below the collection of customers. */
type CustomerRequest = Omit<HttpRequest, 'path' | 'byId' | 'headers'>;

/** What all adapters share: authorized requests to a collection of customers and to one customer in it. */
export class CustomerClient {
  readonly #options: CustomerClientOptions;
  readonly #http: HttpClient;

  constructor(options: CustomerClientOptions) {
    this.#options = options;
    this.#http = new HttpClient(options);
  }

  /** Sends a request to the collection itself, or to `below`, a fixed path that begins with `/`. */
  send(request: CustomerRequest, call: Call, below = ''): Promise<HttpResponse> {
    return this.#send({ ...request, path: this.#options.customers + below }, call);
  }

  /**
   * Reads one customer.
   * @throws CustomerError `not_found`; `bad_response` for an answer without a customer or with another one: a cache in between
   * can confuse them, and the next write would affect the wrong one.
   */
  async get(id: string, call: Call): Promise<ProviderCustomer> {
    const customer = await this.#customer({ effect: 'read', method: 'GET', path: path`/${id}` }, call);
    if (!customer) throw notUnderstood(this.#options.title);
    if (!isSameId(customer.id, id))
      throw anotherCustomer(this.#options.title, { asked: id, shown: customer.id }, 'bad_response');
    return customer;
  }

  /**
   * Writes to one customer, or to `action` below it; retried as an idempotent request unless `effect` is given. Resolves to the
   * customer in the answer, if there is one.
   * @throws CustomerError `outcome_unknown` also for an answer with another customer, which proves nothing.
   */
  async write(
    id: string,
    { action, ...request }: Omit<CustomerRequest, 'effect'> & { readonly action?: string; readonly effect?: Effect },
    call: Call,
  ): Promise<ProviderCustomer | undefined> {
    const below = action === undefined ? path`/${id}` : path`/${id}/${action}`;
    const customer = await this.#customer({ effect: 'idempotent', ...request, path: below }, call);
    if (customer && !isSameId(customer.id, id))
      throw anotherCustomer(this.#options.title, { asked: id, shown: customer.id }, 'outcome_unknown');
    return customer;
  }

  /**
   * Deletes one customer. An answer that does not confirm it, such as the page of a proxy, is checked with `read`; if that fails,
   * the status code counts.
   * @throws CustomerError `outcome_unknown` if the customer is still active.
   */
  async delete(
    id: string,
    {
      isConfirmed,
      read,
    }: { readonly isConfirmed: (answer: HttpResponse) => boolean; readonly read: () => Promise<ProviderCustomer> },
    call: Call,
  ): Promise<void> {
    const { customers, readCustomer, title } = this.#options;
    const request = { effect: 'idempotent', method: 'DELETE', byId: true, path: customers + path`/${id}` } as const;
    const answer = await this.#send(request, call);
    const shown = readCustomer(answer.body);
    if (shown && !isSameId(shown.id, id))
      throw anotherCustomer(title, { asked: id, shown: shown.id }, 'outcome_unknown');
    if (isConfirmed(answer) || shown?.state === 'deleted') return;
    const found = await read().catch(() => undefined);
    if (found?.state === 'active') throw notChanged(title);
  }

  /** Whether a provider's link points to the configured address. */
  sameOrigin(link: string): boolean {
    return this.#http.sameOrigin(link);
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  async #customer(request: HttpRequest, call: Call): Promise<ProviderCustomer | undefined> {
    const { customers, readCustomer } = this.#options;
    const { body } = await this.#send({ ...request, byId: true, path: customers + request.path }, call);
    return readCustomer(body);
  }

  #send(request: HttpRequest, call: Call): Promise<HttpResponse> {
    return this.#options.authorize((headers) => this.#http.send({ ...request, headers }, call), call);
  }
}

/** Authorizes every request with the same headers. */
export function withHeaders(headers: RequestHeaders): Authorize {
  return (send) => send(headers);
}
