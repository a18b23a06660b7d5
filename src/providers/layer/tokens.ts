import { CustomerError, endedBeforeSend, type ErrorKind } from '../../errors.ts';
import { startCall, waitWithin, type Call } from '../../http-client/call.ts';
import type { HttpResponse } from '../../http-client/client.ts';
import { MAX_TOKEN_RENEWALS } from '../../http-client/retry.ts';
import { isRecord, textOf } from '../../text.ts';
import type { Authorize } from '../customer-client.ts';

/** One hour if the answer does not state it (https://docs.layerfi.com/api-details/authentication). */
const DEFAULT_LIFE_S = 3_600;
/** The longest lifetime that Layer grants (https://docs.layerfi.com/api-reference/v1/create-business-auth-token). */
const MAX_LIFE_S = 86_400;
/** One fetch serves all calls that wait for it, so it has a time limit of its own. */
const FETCH_MS = 30_000;
/** The share of a token's lifetime after which it is renewed, so that none expires in flight. */
const RENEW_AFTER = 0.8;

export interface Token {
  readonly value: string;
  /** Layer has accepted it before, so a 401 means that it has expired and not that it was never valid. */
  proven: boolean;
}

interface ExpiringToken extends Token {
  /** A reading of `performance.now()`. */
  readonly renewAt: number;
}

export interface Tokens {
  current(call: Call): Promise<Token>;
  /** Discards a rejected token. `false`: there is no way to get another. */
  renew(refused: Token): boolean;
  close(): Promise<void>;
}

/** A token that the operator configured. */
export function fixedToken(value: string): Tokens {
  const token: Token = { value, proven: false };
  return { current: async () => token, renew: () => false, close: async () => {} };
}

/**
 * Sends with a token, and again with a new one if Layer rejects the first as expired. A token that was valid may expire again
 * because of other calls; a fresh token that is rejected at once means that the credentials are wrong.
 */
export function withTokens(tokens: Tokens): Authorize {
  return async (send, call) => {
    for (let renewals = 0; ; renewals += 1) {
      const token = await tokens.current(call);
      try {
        const response = await send({ authorization: `Bearer ${token.value}` });
        token.proven = true;
        return response;
      } catch (error) {
        if (!(error instanceof CustomerError) || error.kind !== 'unauthorized') throw error;
        if ((renewals > 0 && !token.proven) || renewals >= MAX_TOKEN_RENEWALS || !tokens.renew(token)) throw error;
      }
    }
  };
}

/** An endpoint that issues tokens. */
export interface TokenEndpoint {
  /** Its name in messages. */
  readonly title: string;
  /** The setting to check if its answer contains no token. */
  readonly address: string;
  /** Asks for a token; the answer contains `access_token` and `expires_in`. */
  ask(call: Call): Promise<HttpResponse>;
  close(): Promise<void>;
}

/** One token for all calls, fetched once however many calls wait for it, and renewed before it expires. */
export class SharedTokens implements Tokens {
  readonly #endpoint: TokenEndpoint;
  #token: ExpiringToken | undefined;
  #fetching: Promise<ExpiringToken> | undefined;

  constructor(endpoint: TokenEndpoint) {
    this.#endpoint = endpoint;
  }

  async current(call: Call): Promise<Token> {
    if (this.#token && performance.now() < this.#token.renewAt) return this.#token;
    this.#fetching ??= this.#fetch(startCall(new AbortController().signal, FETCH_MS)).finally(() => {
      this.#fetching = undefined;
    });
    const token = await waitWithin(call, this.#fetching);
    if (token) return token;
    throw endedBeforeSend('Layer', call.signal.aborted, `, while waiting for ${this.#endpoint.title}`);
  }

  renew(refused: Token): boolean {
    if (this.#token === refused) this.#token = undefined;
    return true;
  }

  close(): Promise<void> {
    return this.#endpoint.close();
  }

  async #fetch(call: Call): Promise<ExpiringToken> {
    const { title, address } = this.#endpoint;
    const askedAt = performance.now();
    const { body } = await this.#endpoint.ask(call);
    const value = isRecord(body) ? textOf(body['access_token']) : undefined;
    if (value === undefined) {
      throw new CustomerError('bad_response', `${title} answered without an access token.`, {
        advice: `Check ${address}.`,
      });
    }
    const life = lifeOf(isRecord(body) ? body['expires_in'] : undefined);
    const token = { value, proven: false, renewAt: askedAt + life * 1_000 * RENEW_AFTER };
    this.#token = token;
    return token;
  }
}

/** The lifetime in seconds; an invalid value counts as not given. */
function lifeOf(value: unknown): number {
  const seconds = typeof value === 'string' ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0) return DEFAULT_LIFE_S;
  return Math.min(seconds, MAX_LIFE_S);
}

/** An error of a token endpoint as `unauthorized` with this advice, if the table has its kind: no customer was asked for yet. */
export function asUnauthorized(error: unknown, advice: Readonly<Partial<Record<ErrorKind, string>>>): unknown {
  const check = error instanceof CustomerError ? advice[error.kind] : undefined;
  if (!(error instanceof CustomerError) || check === undefined) return error;
  return new CustomerError('unauthorized', error.what, { advice: check, status: error.status });
}
