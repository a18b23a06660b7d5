import type { Dispatcher } from 'undici';
import { openAgents, type Agents } from './agents.ts';
import type { Call } from './call.ts';
import { describeError, describeProxyError } from './connection-errors.ts';
import { proxyFor, type Proxies } from './proxies.ts';
import { bodyOf, queryString, type HttpRequest } from './request.ts';

export type HttpHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** A response whose status and headers have arrived, and whose text too unless it was cut off. */
export interface RawResponse {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly text: string | undefined;
}

/** An attempt without a status. */
export interface Failure {
  /**
   * Whether any byte may have reached the provider. Determined by phase, because the same error codes occur before and after.
   */
  readonly left: boolean;
  readonly timedOut: boolean;
  readonly cause: string;
  /** The variable of the proxy that did not forward the request. */
  readonly proxy?: string | undefined;
}

export type Reply = RawResponse | { readonly failure: Failure };

const MAX_BODY = 8 * 1024 * 1024;

/** Makes single attempts with undici, and returns the result of each. Does not retry or classify. */
export class Transport {
  readonly origin: string;
  /** The path of the base URL, without a trailing slash. */
  readonly root: string;
  readonly #proxies: Proxies | undefined;
  /** The variable of the proxy for this provider. */
  readonly #proxy: string | undefined;
  #agents: Promise<Agents> | undefined;

  constructor(baseUrl: string, proxies?: Proxies) {
    const url = new URL(baseUrl);
    this.#proxy = proxies && proxyFor(baseUrl, proxies);
    this.#proxies = this.#proxy === undefined ? undefined : proxies;
    this.origin = url.origin;
    this.root = url.pathname.replace(/\/+$/, '');
  }

  async close(): Promise<void> {
    const agents = await this.#agents;
    await Promise.all([agents?.shared.destroy(), agents?.fresh.destroy()]);
  }

  /**
   * Sends once, with these headers in addition to the request's own, and resolves at the latest at the call's deadline.
   * Cancellation of the call aborts a read, but not a write. With `again`, on a new connection: the one before may have been one of
   * several that the provider is closing.
   */
  async attempt(
    request: HttpRequest,
    call: Call,
    { headers, again }: { readonly headers: Readonly<Record<string, string>>; readonly again: boolean },
  ): Promise<Reply> {
    const { shared, fresh } = await (this.#agents ??= openAgents(this.#proxies));
    const attempt = new Attempt(request, call, this.#proxy);
    const agent = again || request.effect === 'create' ? fresh : shared;
    agent.dispatch(this.#options(request, headers), attempt);
    return attempt.reply;
  }

  #options(request: HttpRequest, headers: Readonly<Record<string, string>>): Dispatcher.DispatchOptions {
    const { contentType, payload } = bodyOf(request);
    return {
      origin: this.origin,
      path: this.root + request.path + queryString(request.query),
      method: request.method,
      body: payload ?? null,
      headers: {
        accept: 'application/json, application/hal+json, */*;q=0.1',
        'accept-encoding': 'identity',
        'user-agent': 'customers-mcp',
        ...(contentType !== undefined && { 'content-type': contentType }),
        ...headers,
        ...request.headers,
      },
    };
  }
}

/** One request in flight, in the phases that undici reports: waiting, sent, answered, ended. */
class Attempt implements Dispatcher.DispatchHandler {
  readonly reply: Promise<Reply>;
  readonly #resolve: (reply: Reply) => void;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  readonly #proxy: string | undefined;
  /** Set when the request is passed to a connection. */
  #controller: Dispatcher.DispatchController | undefined;
  #stopped: string | undefined;
  #status = 0;
  #headers: HttpHeaders = {};
  readonly #chunks: Buffer[] = [];
  #size = 0;

  constructor({ effect }: HttpRequest, { signal, deadline }: Call, proxy: string | undefined) {
    this.#proxy = proxy;
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.reply = promise;
    this.#resolve = resolve;
    this.#timer = setTimeout(
      () => this.#stop('no complete answer within the time limit'),
      deadline - performance.now(),
    );
    // Only a read is aborted when the caller cancels; aborting a write would make its outcome unknown.
    if (effect !== 'read') return;
    this.#signal = signal;
    if (signal.aborted) this.#cancel();
    else signal.addEventListener('abort', this.#cancel);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#stopped !== undefined) controller.abort(new Error(this.#stopped));
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, headers: HttpHeaders): void {
    // 102 and 103 are interim responses, which do not state the outcome.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#size += chunk.length;
    if (this.#size > MAX_BODY) controller.abort(new Error('the answer is too large'));
    else this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    // The decoder drops a byte-order mark, which JSON.parse does not accept.
    this.#answer(new TextDecoder().decode(Buffer.concat(this.#chunks)));
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    // A received status is definite even without its body: a cut-off 201 is an accepted create.
    const refusal = this.#proxy === undefined ? undefined : describeProxyError(error);
    if (this.#status !== 0) this.#answer(undefined);
    else if (refusal !== undefined)
      this.#end({ failure: { left: false, timedOut: false, cause: refusal, proxy: this.#proxy } });
    else this.#fail(this.#stopped ?? describeError(error));
  }

  readonly #cancel = (): void => this.#stop('the call was canceled');

  #stop(cause: string): void {
    this.#stopped = cause;
    if (this.#controller) this.#controller.abort(new Error(cause));
    else this.#fail(cause);
  }

  #answer(text: string | undefined): void {
    this.#end({ status: this.#status, headers: this.#headers, text });
  }

  #fail(cause: string): void {
    const failure = { left: this.#controller !== undefined, timedOut: this.#stopped !== undefined, cause };
    this.#end({ failure });
  }

  #end(reply: Reply): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener('abort', this.#cancel);
    this.#resolve(reply);
  }
}

/** The body of a response as JSON; `unreadable` is the reason if there is none. */
export function readBody({ headers, text }: RawResponse): { readonly body: unknown; readonly unreadable?: string } {
  const encoding = headers['content-encoding'];
  if (text === undefined) return { body: undefined, unreadable: 'it was cut off' };
  if (encoding !== undefined && encoding !== 'identity')
    return { body: undefined, unreadable: 'it is compressed, although no compression was requested' };
  if (text.trim() === '') return { body: undefined };
  try {
    return { body: JSON.parse(text) };
  } catch {
    return { body: undefined, unreadable: 'it is not JSON' };
  }
}
