import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent, Dispatcher } from 'undici';
import { CustomerError, type ErrorDetails, type ErrorKind, type FieldError } from './errors.ts';
import { clientRequest, type Operation } from './telemetry.ts';
import { quote } from './text.ts';

/** One tool call's limits. `deadline` is a reading of `performance.now()` at which the whole call must be over. */
export interface Call {
  /** The caller gave up. What has not been sent is not sent any more; a write already sent is seen through. */
  readonly signal: AbortSignal;
  readonly deadline: number;
  /** Where it is written down how often a request was tried, and with what result. */
  readonly trace?: Trace;
}

export interface Trace {
  attempt: number;
  status: number | undefined;
  /** What the provider's clock said, as HTTP writes it. */
  date?: string | undefined;
}

/**
 * How a request may be treated when its fate is unclear.
 * `read` and `idempotent` are sent again; a `create` only when it is known not to have run.
 */
export type Effect = 'read' | 'idempotent' | 'create';

export interface HttpRequest {
  readonly effect: Effect;
  /** The path names one customer, so a 404 is about that one. */
  readonly byId?: boolean;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below the base URL; made with {@link path} wherever it holds a value. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly json?: unknown;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface HttpResponse {
  readonly status: number;
  /** Parsed JSON; `undefined` when there was none, or none that can be read (then `unreadable` says why). */
  readonly body: unknown;
  readonly unreadable?: string;
}

/** What an adapter reads out of its provider's error body. */
export interface ProviderRefusal {
  readonly message?: string | undefined;
  readonly fields?: readonly FieldError[];
}

export interface HttpClientOptions {
  /** The provider's name as it stands in messages. */
  readonly title: string;
  readonly baseUrl: string;
  /** The variables to look at on 401 and 403, and when the address does not answer. */
  readonly credentials: string;
  readonly address: string;
  /** Never to be shown, not even when the provider says them back to us. */
  readonly secrets: readonly string[];
  readonly readRefusal: (body: unknown) => ProviderRefusal;
}

const LONGEST_ATTEMPT_MS = 12_000;
/** Most answers are there by then; only an attempt that takes longer looks out for a caller who gives up. */
const WATCHED_AFTER_MS = 50;
const MOST_ATTEMPTS = 3;
const FIRST_PAUSE_MS = 200;
/** So that a nonsensical figure stays a number that people can read. */
const LONGEST_RETRY_AFTER_S = 1_000_000_000;
/** At once, of each kind; more requests wait for one of them. */
const CONNECTIONS = 64;
const LARGEST_BODY = 8 * 1024 * 1024;
const WORTH_REPEATING: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * A path from a template, each value kept inside its own segment.
 * @throws CustomerError `invalid_input` for `.` and `..`, which servers resolve even when they are escaped.
 */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce((whole, part, index) => whole + segment(values[index - 1] ?? '') + part);
}

function segment(value: string): string {
  if (value === '' || value === '.' || value === '..' || !value.isWellFormed()) {
    throw new CustomerError('invalid_input', `${JSON.stringify(value)} cannot be an id. Nothing was sent.`);
  }
  return encodeURIComponent(value);
}

type Reply =
  | {
      readonly status: number;
      readonly headers: Record<string, string | string[] | undefined>;
      readonly text: string | undefined;
    }
  | { readonly failure: Failure };

interface Failure {
  /** Whether any of it can have reached the provider. Judged by phase: the same error codes occur before and after. */
  readonly left: boolean;
  readonly timedOut: boolean;
  readonly cause: string;
}

interface Agents {
  readonly shared: Agent;
  /** A create never goes out on a used socket: the provider may be closing it at that moment, and then nobody knows. */
  readonly fresh: Agent;
}

/** undici is loaded for the first request, so that the start need not wait for it. */
async function openAgents(): Promise<Agents> {
  const { Agent } = await import('undici');
  // HTTP/1.1 only: one behaviour to reason about when a request is cut off.
  const common = { allowH2: false, connect: { timeout: 3_000 }, headersTimeout: 0, bodyTimeout: 0 } as const;
  return {
    shared: new Agent({ ...common, connections: CONNECTIONS }),
    fresh: new Agent({ ...common, connections: CONNECTIONS, pipelining: 0 }),
  };
}

/**
 * Talks to one provider: a deadline over everything, retries where they are safe, and every failure as a
 * {@link CustomerError} whose kind says whether a write can have happened.
 */
export class HttpClient {
  readonly #options: HttpClientOptions;
  readonly #origin: string;
  readonly #root: string;
  #agents: Promise<Agents> | undefined;

  constructor(options: HttpClientOptions) {
    const url = new URL(options.baseUrl);
    this.#options = options;
    this.#origin = url.origin;
    this.#root = url.pathname.replace(/\/+$/, '');
  }

  async close(): Promise<void> {
    const agents = await this.#agents;
    await Promise.all([agents?.shared.destroy(), agents?.fresh.destroy()]);
  }

  /** Whether a link of the provider points to where we are configured to go. */
  sameOrigin(link: string): boolean {
    return URL.canParse(link, this.#origin) && new URL(link, this.#origin).origin === this.#origin;
  }

  /**
   * Sends, and returns any 2xx answer.
   * @throws CustomerError for everything else; `outcome_unknown` if and only if a write may have happened.
   */
  async send(request: HttpRequest, call: Call): Promise<HttpResponse> {
    let resent = false;
    const { shared, fresh } = await (this.#agents ??= openAgents());
    const dispatcher = request.effect === 'create' ? fresh : shared;
    for (let attempt = 1; ; attempt += 1) {
      this.#refuseWhenOver(call, resent);
      const reply = await clientRequest(
        () => this.#operation(request, attempt),
        (headers) => this.#attempt(dispatcher, request, call, headers),
        (got) =>
          'status' in got
            ? {
                attributes: { 'http.response.status_code': got.status },
                error: got.status >= 400 ? String(got.status) : undefined,
              }
            : { error: got.failure.cause },
      );
      if (call.trace) {
        call.trace.attempt = Math.max(call.trace.attempt, attempt);
        call.trace.status = 'status' in reply ? reply.status : undefined;
        call.trace.date = 'status' in reply ? reply.headers['date']?.toString() : undefined;
      }
      if ('status' in reply && reply.status >= 200 && reply.status < 300) return this.#accepted(reply, request);
      // A deletion that was repeated after an unclear answer and finds nothing any more has done its work.
      if (
        'status' in reply &&
        request.method === 'DELETE' &&
        resent &&
        (reply.status === 404 || reply.status === 410)
      ) {
        return { status: 204, body: undefined };
      }

      const error: CustomerError =
        'status' in reply ? this.#refused(reply, request, resent) : this.#failed(reply.failure, request, resent);
      const pause: number | false | undefined =
        attempt < MOST_ATTEMPTS && !call.signal.aborted && pauseBefore(attempt, reply, request.effect);
      if (pause === false || pause === undefined || performance.now() + pause >= call.deadline) throw error;
      resent ||= error.kind === 'outcome_unknown';
      await sleep(pause, undefined, { signal: call.signal }).catch(() => {});
    }
  }

  #refuseWhenOver(call: Call, resent: boolean): void {
    if (!call.signal.aborted && performance.now() < call.deadline) return;
    throw resent
      ? this.#unknown('the call was stopped before the answer came')
      : new CustomerError(
          'unavailable',
          `The call was stopped before anything was sent to ${this.#options.title}. Repeat it if it is still wanted.`,
        );
  }

  /** What a trace shows of a request. Its path and query may hold an external id or an e-mail, so they are left out. */
  #operation({ method }: HttpRequest, attempt: number): Operation {
    const { protocol, hostname, port } = new URL(this.#origin);
    return {
      name: method,
      attributes: {
        'http.request.method': method,
        'server.address': hostname,
        'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
      },
      details: {
        'url.full': `${this.#origin}${this.#root}/REDACTED`,
        ...(attempt > 1 && { 'http.request.resend_count': attempt - 1 }),
      },
    };
  }

  #attempt(
    dispatcher: Dispatcher,
    request: HttpRequest,
    call: Call,
    traceHeaders: Readonly<Record<string, string>>,
  ): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    let controller: Dispatcher.DispatchController | undefined;
    let stopped: Failure['cause'] | undefined;
    let status = 0;
    let headers: Record<string, string | string[] | undefined> = {};
    const chunks: Buffer[] = [];
    let size = 0;

    const settle = (reply: Reply): void => {
      clearTimeout(timer);
      if (watched) call.signal.removeEventListener('abort', cancel);
      resolve(reply);
    };
    const stop = (cause: string): void => {
      stopped = cause;
      if (controller) controller.abort(new Error(cause));
      else settle({ failure: { left: false, timedOut: true, cause } });
    };
    const limit = Math.min(LONGEST_ATTEMPT_MS, call.deadline - performance.now());
    const expire = (): void => stop('no complete answer in time');
    const cancel = (): void => stop('the call was cancelled');
    let watched = false;
    const watch = (): void => {
      timer = setTimeout(expire, limit - WATCHED_AFTER_MS);
      if (request.effect !== 'read') return;
      // Only a read is dropped when the caller gives up; dropping a write would make its outcome unknown.
      if (call.signal.aborted) return cancel();
      watched = true;
      call.signal.addEventListener('abort', cancel);
    };
    let timer = limit > WATCHED_AFTER_MS ? setTimeout(watch, WATCHED_AFTER_MS) : setTimeout(expire, limit);

    const { contentType, payload } = bodyOf(request);
    dispatcher.dispatch(
      {
        origin: this.#origin,
        path: this.#root + request.path + queryString(request.query),
        method: request.method,
        body: payload ?? null,
        headers: {
          accept: 'application/json, application/hal+json, */*;q=0.1',
          'accept-encoding': 'identity',
          'user-agent': 'customers-mcp',
          ...(contentType !== undefined && { 'content-type': contentType }),
          ...traceHeaders,
          ...request.headers,
        },
      },
      {
        onRequestStart(started) {
          controller = started;
          if (stopped !== undefined) started.abort(new Error(stopped));
        },
        onResponseStart(_controller, code, fields) {
          // 102 and 103 only announce an answer; they say nothing of what it will be.
          if (code < 200) return;
          status = code;
          headers = fields;
        },
        onResponseData(receiving, chunk) {
          size += chunk.length;
          if (size > LARGEST_BODY) receiving.abort(new Error('the answer is too large'));
          else chunks.push(chunk);
        },
        onResponseEnd() {
          settle({ status, headers, text: Buffer.concat(chunks).toString('utf8') });
        },
        onResponseError(_controller, error) {
          // A status that arrived is a fact, even when its body did not: a cut-off 201 is an accepted create.
          if (status !== 0) settle({ status, headers, text: undefined });
          else
            settle({
              failure: {
                left: controller !== undefined,
                timedOut: stopped !== undefined,
                cause: stopped ?? describe(error),
              },
            });
        },
      },
    );
    return promise;
  }

  #accepted(reply: Extract<Reply, { status: number }>, request: HttpRequest): HttpResponse {
    const parsed = parse(reply);
    if (parsed.unreadable !== undefined && request.effect === 'read') {
      throw new CustomerError(
        'bad_response',
        `${this.#options.title} answered ${reply.status} with something that cannot be read (${parsed.unreadable}). Try again later.`,
        { status: reply.status },
      );
    }
    return { status: reply.status, ...parsed };
  }

  /** The one place where a status becomes a kind. */
  #refused(reply: Extract<Reply, { status: number }>, request: HttpRequest, resent: boolean): CustomerError {
    const { title, credentials, address } = this.#options;
    const { status } = reply;
    const { body } = parse(reply);
    const refusal = this.#options.readRefusal(body);
    const said =
      refusal.message === undefined
        ? `${title} answered ${status}`
        : `${title} answered ${status}: "${this.#quote(refusal.message, request)}"`;
    const after = retryAfter(reply);
    const details = {
      status,
      ...(refusal.fields?.length && {
        fields: refusal.fields.map((field) => ({
          path: this.#quote(field.path, request),
          message: this.#quote(field.message, request),
        })),
      }),
      ...(after !== undefined && { retry_after_s: Math.ceil(after / 1_000) }),
    };
    const error = (kind: ErrorKind, next: string): CustomerError =>
      new CustomerError(kind, `${said}${/[.!?]"?$/.test(said) ? '' : '.'} ${next}`, details);

    if (request.effect !== 'read' && (mayHaveRun(status) || (resent && !isRefusal(status))))
      return this.#unknown(said, details);
    if (status >= 300 && status < 400) return error('bad_response', `Redirects are not followed; check ${address}.`);
    switch (status) {
      case 401:
        return error('unauthorized', `Check ${credentials}.`);
      case 403:
        return error('forbidden', `The account behind ${credentials} may not do this.`);
      case 404:
      case 410:
        return request.byId
          ? error('not_found', 'Check the id, or use search_customer to find the customer.')
          : error('not_found', `Check ${credentials} and ${address}.`);
      case 409:
      case 412:
        return error('conflict', 'Use search_customer to see what is there before changing anything.');
      case 429:
        return error(
          'rate_limited',
          after === undefined
            ? 'Nothing was done. Wait a while before the next call.'
            : `Nothing was done. Call again in ${Math.ceil(after / 1_000)} s, not earlier.`,
        );
      default:
        return status >= 500 || status === 408
          ? error('unavailable', `${title} has trouble on its side. Try again later.`)
          : error('invalid_input', 'Mend the input and call again.');
    }
  }

  /** The provider's words without our secrets, among them the token that this very request carried. */
  #quote(text: string, { headers }: HttpRequest): string {
    const token = headers?.['authorization']?.split(' ')[1] ?? '';
    const secrets = [...this.#options.secrets, token].filter((secret) => secret !== '');
    const spellings = secrets.flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
    ]);
    // Split, not replaced: a short secret would be found again in the mark that stands for another.
    const rest = spellings.reduce<readonly string[]>((parts, one) => parts.flatMap((part) => part.split(one)), [text]);
    return quote(rest.join('[secret]'));
  }

  #failed(failure: Failure, request: HttpRequest, resent: boolean): CustomerError {
    const { title, address } = this.#options;
    if (request.effect !== 'read' && (failure.left || resent)) return this.#unknown(failure.cause);
    const sent = failure.left ? '' : ' Nothing was sent.';
    const next = failure.timedOut ? 'Try again later.' : `Try again later; if it stays so, check ${address}.`;
    return new CustomerError('unavailable', `${title} could not be reached (${failure.cause}).${sent} ${next}`);
  }

  #unknown(cause: string, details: ErrorDetails & { readonly status?: number } = {}): CustomerError {
    return new CustomerError(
      'outcome_unknown',
      `The request went out to ${this.#options.title}, but it is not known whether it was carried out (${cause.replace(/[.!?]+$/, '')}). Look with get_customer or search_customer before sending anything again.`,
      details,
    );
  }
}

/** A write with this answer may have been carried out; a gateway may have passed it on before it gave up. */
function mayHaveRun(status: number): boolean {
  return (status >= 300 && status < 400) || status === 408 || (status >= 500 && status !== 501 && status !== 505);
}

/** The provider looked at the content and turned it down, which tells the fate of an earlier attempt with it as well. */
function isRefusal(status: number): boolean {
  return [400, 404, 409, 410, 412, 413, 415, 422].includes(status);
}

/** How long to wait before sending again, in ms; `undefined` when it must not be sent again. */
function pauseBefore(attempt: number, reply: Reply, effect: Effect): number | undefined {
  const jitter = Math.random() * FIRST_PAUSE_MS * 2 ** attempt;
  if ('failure' in reply) {
    if (reply.failure.timedOut) return undefined;
    return effect === 'create' && reply.failure.left ? undefined : jitter;
  }
  if (!WORTH_REPEATING.has(reply.status) || (effect === 'create' && reply.status !== 429)) return undefined;
  const asked = retryAfter(reply);
  return asked === undefined ? jitter : asked + Math.random() * FIRST_PAUSE_MS;
}

function retryAfter({
  headers,
}: {
  readonly headers: Record<string, string | string[] | undefined>;
}): number | undefined {
  const value = headers['retry-after'];
  if (typeof value !== 'string') return undefined;
  if (/^\d+$/.test(value.trim())) return Math.min(Number(value), LONGEST_RETRY_AFTER_S) * 1_000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - Date.now());
}

function bodyOf({ json, form }: HttpRequest): { contentType?: string; payload?: string } {
  if (json !== undefined) return { contentType: 'application/json', payload: JSON.stringify(json) };
  if (form) return { contentType: 'application/x-www-form-urlencoded', payload: new URLSearchParams(form).toString() };
  return {};
}

function queryString(query: HttpRequest['query']): string {
  const given = Object.entries(query ?? {}).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, String(value)]],
  );
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

function parse({ headers, text }: Extract<Reply, { status: number }>): { body: unknown; unreadable?: string } {
  const encoding = headers['content-encoding'];
  if (text === undefined) return { body: undefined, unreadable: 'it was cut off' };
  if (encoding !== undefined && encoding !== 'identity')
    return { body: undefined, unreadable: 'it is compressed, though plain was asked for' };
  if (text.trim() === '') return { body: undefined };
  try {
    return { body: JSON.parse(text) };
  } catch {
    return { body: undefined, unreadable: 'it is not JSON' };
  }
}

/** The code of a socket error, without addresses or anything else that the text of an error may hold. */
function describe(error: Error): string {
  const codes: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection reset',
    ENOTFOUND: 'host name not found',
    EAI_AGAIN: 'host name not found',
    UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
    UND_ERR_SOCKET: 'connection closed',
  };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (/^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|EPROTO)/.test(code)) return `TLS failed, ${code}`;
  return codes[code] ?? (code === '' ? 'connection failed' : `connection failed, ${code}`);
}
