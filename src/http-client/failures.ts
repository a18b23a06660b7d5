import {
  type Advice,
  CustomerError,
  endedBeforeSend,
  NOTHING_DONE,
  NOTHING_SENT,
  type ErrorKind,
  type ErrorOptions,
  type FieldError,
} from '../errors.ts';
import { quote } from '../text.ts';
import { wordsOf, type InnerError } from './inner-error.ts';
import type { HttpRequest } from './request.ts';
import { retryAfterS } from './retry.ts';
import { readBody, type Failure, type RawResponse } from './transport.ts';

/** The content of a provider's error body, as its adapter reads it. */
export interface ProviderError {
  readonly message?: string | undefined;
  readonly fields?: readonly FieldError[];
  /** The HTTP status that corresponds to the provider's error code. Used only for an error with a success status. */
  readonly status?: number | undefined;
}

/** The names that error messages use for a provider. */
export interface ProviderWords {
  /** The provider's name in messages. */
  readonly title: string;
  /** The variables to check after a 401 or 403, and if the address does not respond. */
  readonly credentials: string;
  readonly address: string;
  /** Values that are never shown, even if the provider echoes them. */
  readonly secrets: readonly string[];
  readonly parseError: (body: unknown) => ProviderError;
}

/** A request that failed. */
export interface Failed {
  readonly request: HttpRequest;
  /** The request was sent before, and that attempt may have run. */
  readonly resent: boolean;
}

/** The advice for an id that no customer has. */
export const CHECK_ID: Advice = [
  {
    tool: 'search_customer',
    text: 'Check the id, or use search_customer with find set to the name or email.',
    otherwise: 'Check the id.',
  },
];

const CHECK_FIRST: Advice = [
  {
    tool: 'search_customer',
    text: 'Use search_customer to check what exists before changing anything.',
    otherwise: 'Ask the user to check what exists before changing anything.',
  },
];

/** The advice after a write that may have run. */
export const CHECK_AGAIN: Advice = [
  {
    tool: 'search_customer',
    text: 'Check with search_customer before sending anything again.',
    otherwise: 'Ask the user to check it before sending anything again.',
  },
];

/** Turns everything except a 2xx answer into a {@link CustomerError} that contains no secret. */
export class Failures {
  readonly #words: ProviderWords;

  constructor(words: ProviderWords) {
    this.#words = words;
  }

  /** The call was canceled, or its time ran out, before this attempt. */
  over({ resent }: Failed, canceled: boolean): CustomerError {
    if (resent)
      return this.#unknown(`the call ${canceled ? 'was canceled' : 'ran out of time'} before the answer arrived`);
    return endedBeforeSend(this.#words.title, canceled);
  }

  /** An accepted read with an unusable answer. */
  unreadable({ status }: RawResponse, why: string): CustomerError {
    const what = `${this.#words.title} answered ${status} with an unreadable body (${why}).`;
    return new CustomerError('bad_response', what, { advice: 'Try again later.', status });
  }

  /** No status arrived. */
  unanswered({ left, timedOut, cause, proxy }: Failure, { request, resent }: Failed): CustomerError {
    const { title, address } = this.#words;
    if (request.effect !== 'read' && (left || resent)) return this.#unknown(cause);
    if (proxy !== undefined) {
      const what = `${title} could not be reached through the proxy in ${proxy} (${cause}).`;
      return new CustomerError('unavailable', what, {
        assurance: NOTHING_SENT,
        advice: `Check ${proxy} and NO_PROXY.`,
      });
    }
    const check = ` If the problem persists, check ${address}.`;
    return new CustomerError('unavailable', `${title} could not be reached (${cause}).`, {
      assurance: left ? undefined : NOTHING_SENT,
      advice: `Try again later.${timedOut ? '' : check}`,
    });
  }

  /**
   * A status other than 2xx, or an error `inside` a 2xx answer. The latter has the kind of the status that it names; without
   * one, it means that a write was rejected for its content, or that a read has no usable answer.
   */
  refused(response: RawResponse, { request, resent }: Failed, inside?: InnerError): CustomerError {
    const { clause, named, options } = this.#read(response, request);
    const isRead = request.effect === 'read';
    const status = inside ? (inside.status ?? named ?? (isRead ? response.status : 422)) : response.status;
    const open = inside?.contradictory === true || mayHaveRun(status) || (resent && !isRefusal(status));
    if (!isRead && open) return this.#unknown(clause, options);
    const { kind, advice } = this.#classify(status, request, options.retry_after_s);
    const assurance = kind === 'rate_limited' ? NOTHING_DONE : undefined;
    return new CustomerError(kind, `${clause}.`, { ...options, status, assurance, advice });
  }

  /** The error text of an answer, without our secrets. */
  #read(response: RawResponse, request: HttpRequest) {
    const { title, parseError } = this.#words;
    const { body } = readBody(response);
    const { message = wordsOf(body), fields = [], status: named } = parseError(body);
    const words = message === undefined ? '' : `: "${this.#quote(message, request).replace(/\.$/, '')}"`;
    const afterS = retryAfterS(response.headers);
    const options: ErrorOptions = {
      status: response.status,
      ...(fields.length > 0 && {
        fields: fields.map((field) => ({
          path: this.#quote(field.path, request),
          message: this.#quote(field.message, request),
        })),
      }),
      ...(afterS !== undefined && { retry_after_s: afterS }),
    };
    const how = response.status < 300 ? ' with an error in it' : '';
    return { named, options, clause: `${title} answered ${response.status}${how}${words}` };
  }

  /** The only place where a status becomes an error kind. */
  #classify(
    status: number,
    { byId }: HttpRequest,
    afterS: number | undefined,
  ): { readonly kind: ErrorKind; readonly advice: Advice } {
    const { title, credentials, address } = this.#words;
    if (status < 300)
      return { kind: 'bad_response', advice: `Try again later. If the problem persists, check ${address}.` };
    if (status < 400) return { kind: 'bad_response', advice: `Redirects are not followed; check ${address}.` };
    switch (status) {
      case 401:
        return { kind: 'unauthorized', advice: `Check ${credentials}.` };
      case 403:
        return { kind: 'forbidden', advice: `The account behind ${credentials} may not do this.` };
      case 404:
      case 410:
        return byId
          ? { kind: 'not_found', advice: CHECK_ID }
          : { kind: 'not_found', advice: `Check ${credentials} and ${address}.` };
      case 409:
      case 412:
        return { kind: 'conflict', advice: CHECK_FIRST };
      case 429:
        return {
          kind: 'rate_limited',
          advice: !afterS ? 'Wait before the next call.' : `Try again in ${afterS} s, not earlier.`,
        };
      default:
        return status >= 500 || status === 408
          ? {
              kind: 'unavailable',
              advice: `${title} has a problem of its own. Try again ${!afterS ? 'later' : `in ${afterS} s`}.`,
            }
          : { kind: 'invalid_input', advice: 'Correct the input and try again.' };
    }
  }

  #unknown(cause: string, options: ErrorOptions = {}): CustomerError {
    const what = `The request was sent to ${this.#words.title}, but it is unknown whether it succeeded (${cause}).`;
    return new CustomerError('outcome_unknown', what, { ...options, advice: CHECK_AGAIN });
  }

  /** The provider's text without our secrets, including the token of this request. */
  #quote(text: string, { headers }: HttpRequest): string {
    const token = headers?.['authorization']?.split(' ')[1] ?? '';
    const secrets = [...this.#words.secrets, token].filter((secret) => secret !== '');
    const spellings = secrets.flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
    ]);
    // Split, not replaced, because a short secret could occur in the mark that replaced another.
    const rest = spellings.reduce<readonly string[]>(
      (parts, spelling) => parts.flatMap((part) => part.split(spelling)),
      [text],
    );
    return quote(rest.join('[secret]'));
  }
}

/** Whether a write with this status may have run: a gateway may have forwarded it before it failed. */
function mayHaveRun(status: number): boolean {
  return (status >= 300 && status < 400) || status === 408 || (status >= 500 && status !== 501 && status !== 505);
}

/** Whether the provider rejected the content, which also decides the outcome of an earlier attempt with it. */
function isRefusal(status: number): boolean {
  return [400, 404, 409, 410, 412, 413, 415, 422].includes(status);
}
