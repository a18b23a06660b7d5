import { randomUUID } from 'node:crypto';
import { Refusal, hasMediaType, oddName } from '../../support/stand-in.ts';
import type { Answer, Call } from '../../support/stand-in.ts';

/**
 * Neither id nor secret survives percent-encoding, so a client that encodes them before Basic is found out. With the colon,
 * the id is not a multiple of three bytes, so that the Basic header does not hold the secret's own Base64.
 */
export const LAYER_CLIENT_ID = 'layer+client/10';
export const LAYER_CLIENT_SECRET = 's3cret:with/odd+chars=%20&more';
/** A token made elsewhere: it neither expires nor wears out. */
export const LAYER_ACCESS_TOKEN = 'layer-ready-made-token';
const LAYER_SCOPE = 'https://sandbox.layerfi.com/sandbox';

export interface TokenOptions {
  /** An issued token answers 401 from the request after this many. */
  readonly tokenUses?: number;
  readonly tokenSeconds?: number;
  readonly clientId?: string;
  readonly clientSecret?: string;
  readonly scope?: string;
  readonly accessToken?: string;
  /** Customers are shown only for a token of the business. */
  readonly businessOnly?: boolean;
  /** A token of a business answers 401 from the request after this many. */
  readonly businessTokenUses?: number;
  readonly businessTokenSeconds?: number;
}

interface Issued {
  usesLeft: number;
  readonly until: number;
  /** The business to which the token is limited. */
  readonly business?: string;
}

/** The two endpoints that issue tokens, and the judgement on what they issued. */
export function layerTokens(options: TokenOptions) {
  const { tokenUses = 3, tokenSeconds = 3600, clientId = LAYER_CLIENT_ID } = options;
  const { clientSecret = LAYER_CLIENT_SECRET, scope = LAYER_SCOPE, accessToken = LAYER_ACCESS_TOKEN } = options;
  const tokens = new Map<string, Issued>();

  function issue(call: Call): Answer {
    if (!hasMediaType(call.headers, 'application/x-www-form-urlencoded'))
      refuseToken(400, 'invalid_request', 'The body must be a form');
    const form = new URLSearchParams(call.rawBody);
    const [scheme = '', credentials = ''] = (call.headers.authorization ?? '').split(' ');
    if (scheme !== 'Basic' || Buffer.from(credentials, 'base64').toString('utf8') !== `${clientId}:${clientSecret}`)
      refuseToken(401, 'invalid_client', 'Wrong client id or secret');
    const odd = oddName(form.keys(), ['grant_type', 'scope', 'client_id']) ?? oddName(call.query.keys(), []);
    if (odd !== undefined) refuseToken(400, 'invalid_request', `Unknown or repeated parameter ${odd}`);
    if (form.get('grant_type') !== 'client_credentials')
      refuseToken(400, 'unsupported_grant_type', 'grant_type must be client_credentials');
    if (form.get('scope') !== scope) refuseToken(400, 'invalid_scope', `scope must be ${scope}`);
    if (form.get('client_id') !== clientId)
      refuseToken(400, 'invalid_request', 'client_id must be that of the Authorization header');
    const token = `layer-${randomUUID()}`;
    tokens.set(token, { usesLeft: tokenUses, until: Date.now() + tokenSeconds * 1000 });
    return {
      status: 200,
      body: { access_token: token, expires_in: tokenSeconds, token_type: 'Bearer' },
      headers: { 'cache-control': 'no-store' },
    };
  }

  /** A token that is limited to the business of the path. */
  function issueFor(business: string): Answer {
    const { businessTokenUses = Infinity, businessTokenSeconds = 3600 } = options;
    const token = `business-${randomUUID()}`;
    tokens.set(token, { usesLeft: businessTokenUses, until: Date.now() + businessTokenSeconds * 1000, business });
    return { status: 200, body: { access_token: token, expires_in: businessTokenSeconds, token_type: 'Bearer' } };
  }

  /** Whether the token of a call is valid for a business, or for what belongs to no business. */
  function admits(call: Call, business: string | undefined): 'all' | 'business' | 'other' | 'none' {
    const [scheme = '', token = ''] = (call.headers.authorization ?? '').split(' ');
    if (scheme === 'Bearer' && token === accessToken) return 'all';
    const issued = scheme === 'Bearer' ? tokens.get(token) : undefined;
    if (!issued || issued.usesLeft <= 0 || Date.now() >= issued.until) return 'none';
    issued.usesLeft -= 1;
    if (issued.business === undefined) return 'all';
    return issued.business === business ? 'business' : 'other';
  }

  return { issue, issueFor, admits };
}

/** In OAuth's error shape, because Layer's pages show none for the token endpoint. */
function refuseToken(status: number, error: string, error_description: string): never {
  throw new Refusal(status, { error, error_description }, status === 401 ? { 'www-authenticate': 'Basic' } : {});
}
