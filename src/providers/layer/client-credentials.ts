import { HttpClient } from '../../http-client/client.ts';
import type { Proxies } from '../../http-client/proxies.ts';
import { isRecord, textOf } from '../../text.ts';
import { asUnauthorized, SharedTokens } from './tokens.ts';

const TITLE = "Layer's token endpoint";

/** Client id and secret, encoded for a Basic header. */
export function basicCredentials(clientId: string, clientSecret: string): string {
  return Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
}

export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string;
  readonly tokenUrl: string;
  /** The settings that error messages name. */
  readonly variables: Readonly<
    Record<'clientId' | 'clientSecret' | 'environment' | 'tokenUrl', { readonly name: string }>
  >;
  readonly proxies?: Proxies | undefined;
}

/** OAuth servers reject wrong credentials with 400 as well as 401 (RFC 6749, 5.2); any other refusal concerns the address. */
function adviceFor({ clientId, clientSecret, environment, tokenUrl }: ClientCredentials['variables']) {
  const credentials = `Check ${clientId.name}, ${clientSecret.name} and ${environment.name}.`;
  const address = `Check ${tokenUrl.name}.`;
  return { invalid_input: credentials, forbidden: credentials, not_found: address, conflict: address };
}

/**
 * Tokens from OAuth 2.0 client credentials. Hand-written instead of an OAuth library: Layer's page sends id and secret unencoded
 * in the Basic header, as curl does. Libraries percent-encode them (RFC 6749, 2.3.1), which breaks a secret with a hyphen at
 * servers that do not decode it.
 */
export function clientCredentialTokens({ proxies, variables, ...credentials }: ClientCredentials): SharedTokens {
  const { clientId, clientSecret, scope, tokenUrl } = credentials;
  const url = new URL(tokenUrl);
  const http = new HttpClient({
    title: TITLE,
    baseUrl: url.origin,
    proxies,
    credentials: `${variables.clientId.name} and ${variables.clientSecret.name}`,
    address: variables.tokenUrl.name,
    secrets: [clientSecret],
    // RFC 6749, 5.2: every `error` of an endpoint that issues tokens is a 400.
    parseError: (body) => ({
      message: isRecord(body) ? (textOf(body['error_description']) ?? textOf(body['error'])) : undefined,
      status: isRecord(body) && textOf(body['error']) !== undefined ? 400 : undefined,
    }),
  });
  return new SharedTokens({
    title: TITLE,
    address: variables.tokenUrl.name,
    ask: (call) =>
      http
        .send(
          {
            effect: 'read',
            method: 'POST',
            path: url.pathname,
            headers: { authorization: `Basic ${basicCredentials(clientId, clientSecret)}` },
            form: { grant_type: 'client_credentials', scope, client_id: clientId },
          },
          call,
        )
        .catch((error: unknown) => {
          throw asUnauthorized(error, adviceFor(variables));
        }),
    close: () => http.close(),
  });
}
