import { CustomerError } from '../../errors.ts';
import { HttpClient, type Call } from '../../http-client.ts';
import { isRecord, textOf } from '../../text.ts';

/** Layer: one hour when the answer does not say (https://docs.layerfi.com/api-details/authentication). */
const STANDARD_LIFE_S = 3_600;
/** Share of its life after which a token is renewed, so that none expires on the way. */
const RENEW_AFTER = 0.8;

export interface Token {
  readonly value: string;
  /** Layer has accepted it before, so a 401 means that it has run out, not that it never was any good. */
  proven: boolean;
}

interface ExpiringToken extends Token {
  /** A reading of `performance.now()`. */
  readonly renewAt: number;
}

export interface Tokens {
  current(call: Call): Promise<Token>;
  /** Forgets a token that was refused. `false`: there is no way to get another. */
  renew(refused: Token): boolean;
  close(): Promise<void>;
}

/** A token that was handed to us. */
export function fixedToken(value: string): Tokens {
  const token: Token = { value, proven: false };
  return { current: async () => token, renew: () => false, close: async () => {} };
}

export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
  readonly tokenUrl: string;
}

/**
 * OAuth 2.0 client credentials: one token for all calls, fetched once however many of them wait for it.
 * Own code rather than an OAuth library: Layer's page sends id and secret as they are in the Basic header, as curl does,
 * where libraries percent-encode them (RFC 6749, 2.3.1) and so spoil a secret with a hyphen at servers that do not decode.
 */
export class ClientCredentialTokens implements Tokens {
  readonly #credentials: ClientCredentials;
  readonly #http: HttpClient;
  readonly #path: string;
  #token: ExpiringToken | undefined;
  #fetching: Promise<ExpiringToken> | undefined;

  constructor(credentials: ClientCredentials) {
    this.#credentials = credentials;
    const url = new URL(credentials.tokenUrl);
    this.#path = url.pathname;
    this.#http = new HttpClient({
      title: "Layer's token endpoint",
      baseUrl: url.origin,
      credentials: 'LAYER_CLIENT_ID and LAYER_CLIENT_SECRET',
      address: 'LAYER_TOKEN_URL',
      secrets: [credentials.clientSecret],
      readRefusal: (body) => ({
        message: isRecord(body) ? (textOf(body['error_description']) ?? textOf(body['error'])) : undefined,
      }),
    });
  }

  async current(call: Call): Promise<Token> {
    if (this.#token && performance.now() < this.#token.renewAt) return this.#token;
    // Others may be waiting for the same token, so the first caller's cancellation does not end it.
    this.#fetching ??= this.#fetch({ signal: new AbortController().signal, deadline: call.deadline }).finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  renew(refused: Token): boolean {
    if (this.#token === refused) this.#token = undefined;
    return true;
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  async #fetch(call: Call): Promise<ExpiringToken> {
    const { clientId, clientSecret, scope } = this.#credentials;
    const askedAt = performance.now();
    const { body } = await this.#http
      .send(
        {
          effect: 'read',
          method: 'POST',
          path: this.#path,
          headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
          form: { grant_type: 'client_credentials', scope, client_id: clientId },
        },
        call,
      )
      .catch((error: unknown) => {
        throw asCredentialError(error);
      });
    const value = isRecord(body) ? textOf(body['access_token']) : undefined;
    if (value === undefined) {
      throw new CustomerError(
        'bad_response',
        "Layer's token endpoint answered without an access token. Check LAYER_TOKEN_URL.",
      );
    }
    const life = isRecord(body) && typeof body['expires_in'] === 'number' ? body['expires_in'] : STANDARD_LIFE_S;
    const token = { value, proven: false, renewAt: askedAt + life * 1_000 * RENEW_AFTER };
    this.#token = token;
    return token;
  }
}

/** OAuth servers refuse wrong credentials with 400 as well as with 401 (RFC 6749, 5.2); any other refusal is about the address. */
function asCredentialError(error: unknown): unknown {
  if (
    !(error instanceof CustomerError) ||
    ['unauthorized', 'rate_limited', 'unavailable', 'bad_response'].includes(error.kind)
  )
    return error;
  const look =
    error.kind === 'invalid_input' || error.kind === 'forbidden'
      ? 'LAYER_CLIENT_ID, LAYER_CLIENT_SECRET and LAYER_ENVIRONMENT'
      : 'LAYER_TOKEN_URL';
  const said = error.message.replace(
    / (Mend the input|Check |The account behind|Use search_customer|Redirects are).*$/s,
    '',
  );
  return new CustomerError(
    'unauthorized',
    `${said} Check ${look}.`,
    error.status === undefined ? {} : { status: error.status },
  );
}
