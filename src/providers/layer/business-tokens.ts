import { HttpClient } from '../../http-client/client.ts';
import type { Proxies } from '../../http-client/proxies.ts';
import { path } from '../../http-client/request.ts';
import { parseError } from './replies.ts';
import { asUnauthorized, SharedTokens, withTokens, type Tokens } from './tokens.ts';

// https://docs.layerfi.com/api-reference/v1/create-business-auth-token, read 2026-11-26. The request takes any of the account's
// tokens, so also one that the operator configured. The answer is not wrapped in `data`.

const TITLE = "Layer's business token endpoint";
/** Also the default; a day is possible, but a token that is renewed by itself need not live that long. */
const LIFE_S = 3_600;

export interface BusinessTokenOptions {
  readonly baseUrl: string;
  readonly businessId: string;
  /** The account's tokens, which ask for those of the business and for nothing else. */
  readonly account: Tokens;
  /** The settings of the account's tokens, as messages name them. */
  readonly credentials: string;
  readonly secrets: readonly string[];
  /** The settings that error messages name. */
  readonly variables: Readonly<Record<'businessId' | 'businessToken' | 'baseUrl', { readonly name: string }>>;
  readonly address: string;
  readonly proxies?: Proxies | undefined;
}

/** Of refusals, the page documents only 400. None of them is about a customer. */
function adviceFor({ businessId, businessToken }: BusinessTokenOptions['variables']) {
  const refused = `Check ${businessId.name}. If your account cannot make tokens for a business, set ${businessToken.name}=false.`;
  return { invalid_input: refused, forbidden: refused, not_found: refused, conflict: refused };
}

/** Tokens with which Layer grants access to one business only. */
export function businessTokens({ businessId, account, variables, ...options }: BusinessTokenOptions): SharedTokens {
  const http = new HttpClient({
    ...options,
    title: TITLE,
    parseError,
  });
  const authorize = withTokens(account);
  return new SharedTokens({
    title: TITLE,
    address: variables.baseUrl.name,
    ask: (call) =>
      authorize(
        (headers) =>
          http.send(
            {
              // A second token does no harm.
              effect: 'read',
              method: 'POST',
              path: path`/v1/businesses/${businessId}/auth-token`,
              json: { session_duration: LIFE_S },
              headers,
            },
            call,
          ),
        call,
      ).catch((error: unknown) => {
        throw asUnauthorized(error, adviceFor(variables));
      }),
    async close() {
      await Promise.all([http.close(), account.close()]);
    },
  });
}
