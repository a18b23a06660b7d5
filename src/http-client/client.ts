import { setTimeout as sleep } from 'node:timers/promises';
import type { CustomerError } from '../errors.ts';
import { clientRequest, type SpanInfo } from '../telemetry.ts';
import type { Proxies } from './proxies.ts';
import { isOver, narrow, type Call } from './call.ts';
import { Failures, type Failed, type ProviderWords } from './failures.ts';
import { findInnerError } from './inner-error.ts';
import type { HttpRequest } from './request.ts';
import { MAX_ATTEMPT_MS, pauseBeforeRetry } from './retry.ts';
import { readBody, Transport, type RawResponse, type Reply } from './transport.ts';

export interface HttpResponse {
  readonly status: number;
  /** Parsed JSON; `undefined` if there was none, or none that can be read (then `unreadable` contains the reason). */
  readonly body: unknown;
  readonly unreadable?: string;
}

export interface HttpClientOptions extends ProviderWords {
  readonly baseUrl: string;
  /** Not used for an address on this machine. */
  readonly proxies?: Proxies | undefined;
}

/**
 * The client of one provider: one deadline for everything, retries where they are safe, and every failure as a {@link
 * CustomerError} whose kind states whether a write may have run.
 */
export class HttpClient {
  readonly #transport: Transport;
  readonly #failures: Failures;

  constructor(options: HttpClientOptions) {
    this.#transport = new Transport(options.baseUrl, options.proxies);
    this.#failures = new Failures(options);
  }

  async close(): Promise<void> {
    await this.#transport.close();
  }

  /** Whether a provider's link points to the configured address. */
  sameOrigin(link: string): boolean {
    const { origin } = this.#transport;
    return URL.canParse(link, origin) && new URL(link, origin).origin === origin;
  }

  /**
   * Sends a request, and returns any 2xx answer without an error inside.
   * @throws CustomerError for everything else; `outcome_unknown` if and only if a write may have run.
   */
  async send(request: HttpRequest, call: Call): Promise<HttpResponse> {
    let resent = false;
    for (let attempt = 1; ; attempt += 1) {
      if (isOver(call)) throw this.#failures.over({ request, resent }, call.signal.aborted);
      const reply = await this.#attempt(request, call, attempt);
      if ('status' in reply && reply.status >= 200 && reply.status < 300)
        return this.#accepted(reply, { request, resent });
      // A repeated deletion that finds nothing has succeeded: the unclear first attempt ran.
      if (resent && request.method === 'DELETE' && 'status' in reply && isGone(reply.status)) return DONE;

      const failed: Failed = { request, resent };
      const error: CustomerError =
        'status' in reply ? this.#failures.refused(reply, failed) : this.#failures.unanswered(reply.failure, failed);
      const pauseMs = pauseBeforeRetry(reply, { attempt, effect: request.effect, call });
      if (pauseMs === undefined) throw error;
      resent ||= error.kind === 'outcome_unknown';
      await sleep(pauseMs, undefined, { signal: call.signal }).catch(() => {});
    }
  }

  /** Makes one attempt, in a span of its own, and records it in the call's statistics. */
  async #attempt(request: HttpRequest, call: Call, attempt: number): Promise<Reply> {
    const limited = narrow(call, { withinMs: MAX_ATTEMPT_MS });
    const reply = await clientRequest(
      () => this.#spanInfo(request, attempt),
      (headers) => this.#transport.attempt(request, limited, { headers, again: attempt > 1 }),
      (got) =>
        'status' in got
          ? {
              attributes: { 'http.response.status_code': got.status },
              error: got.status >= 400 ? String(got.status) : undefined,
            }
          : { error: got.failure.cause },
    );
    if (call.stats) {
      call.stats.attempt = Math.max(call.stats.attempt, attempt);
      call.stats.status = 'status' in reply ? reply.status : undefined;
      call.stats.date = 'status' in reply ? reply.headers['date']?.toString() : undefined;
    }
    return reply;
  }

  #accepted(response: RawResponse, failed: Failed): HttpResponse {
    const { body, unreadable } = readBody(response);
    const { method, effect } = failed.request;
    if (unreadable !== undefined) {
      if (effect === 'read') throw this.#failures.unreadable(response, unreadable);
      return { status: response.status, body, unreadable };
    }
    const error = findInnerError(body);
    if (!error) return { status: response.status, body };
    if (failed.resent && method === 'DELETE' && isGone(error.status)) return DONE;
    throw this.#failures.refused(response, failed, error);
  }

  /** What a trace shows of a request. Path and query are omitted, because they may contain an external id or an email. */
  #spanInfo({ method }: HttpRequest, attempt: number): SpanInfo {
    const { origin, root } = this.#transport;
    const { protocol, hostname, port } = new URL(origin);
    return {
      name: method,
      attributes: {
        'http.request.method': method,
        'server.address': hostname,
        'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
      },
      details: {
        'url.full': `${origin}${root}/REDACTED`,
        ...(attempt > 1 && { 'http.request.resend_count': attempt - 1 }),
      },
    };
  }
}

const DONE: HttpResponse = { status: 204, body: undefined };

function isGone(status: number | undefined): boolean {
  return status === 404 || status === 410;
}
