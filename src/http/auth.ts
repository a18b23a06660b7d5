import { hash, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import type { Proxies } from '../http-client/proxies.ts';
import { textOf } from '../text.ts';
import { discoverKeys, describeOutage, JWKS_COOLDOWN_MS } from './issuer.ts';

/** An authenticated caller. */
export interface Principal {
  /** Distinguishes callers in logs and rate limits; a digest, never a name. */
  readonly id: string;
  readonly mayWrite: boolean;
  /** The tenants that the caller may reach, if the server serves several. */
  readonly tenants?: readonly string[];
}

export const READ_SCOPE = 'customers:read';
export const WRITE_SCOPE = 'customers:write';

/**
 * The caller is not authenticated, or cannot be authenticated now. `error` as in RFC 6750; absent if the request has no token.
 */
export class AuthError extends Error {
  readonly status: 401 | 403 | 503;
  readonly error: 'invalid_token' | 'insufficient_scope' | undefined;

  constructor(status: AuthError['status'], message: string, error?: AuthError['error']) {
    super(message);
    this.status = status;
    this.error = error;
  }
}

/** Reads an Authorization header. @throws AuthError */
export type Authenticate = (authorization: string | undefined) => Promise<Principal>;

/** One token for all callers, or several while one replaces another; compared in constant time. */
export function byToken(tokens: readonly string[]): Authenticate {
  const accepted = tokens.map(digest);
  return async (authorization) => {
    const given = digest(bearerOf(authorization));
    if (accepted.filter((token) => timingSafeEqual(given, token)).length === 0)
      throw invalid('It does not match the token of this server.');
    return { id: 'token', mayWrite: true };
  };
}

/** The owner of a tenant's token, by the token's SHA-256 as hex. */
export type FindOwner = (sha256: string) => { readonly tenant: string; readonly scopes: readonly string[] } | undefined;

/** Tokens of tenants, and tokens of an issuer beside them if `byIssuer` is given. */
export function byTenantToken(findOwner: FindOwner, byIssuer: Authenticate | undefined): Authenticate {
  return async (authorization) => {
    const owner = findOwner(digest(bearerOf(authorization)).toString('hex'));
    // The same caller after a rotation, so that nothing it was asked becomes invalid.
    if (owner) return { id: 'token', mayWrite: owner.scopes.includes(WRITE_SCOPE), tenants: [owner.tenant] };
    if (byIssuer) return byIssuer(authorization);
    throw invalid('It does not match a token of this server.');
  };
}

// Only signatures that a public key verifies: neither "none" nor a shared secret.
const ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
];
/** Types of access tokens: the one of RFC 9068, and the one that issuers used before it. Any other type has another purpose. */
const TYPES = ['at+jwt', 'jwt'];
const CLOCK_SKEW_S = 30;

export interface Issuer {
  readonly issuer: string;
  readonly audience: string;
  readonly proxies?: Proxies | undefined;
  /** The claim that names the caller's tenants, if the server serves several. */
  readonly tenantClaim?: string | undefined;
}

/**
 * JWT access tokens of one issuer for one audience. The issuer's keys are fetched for the first token, and again when they
 * change.
 */
export function byJwt({ issuer, audience, proxies, tenantClaim }: Issuer): Authenticate {
  let known: Promise<JWTVerifyGetKey> | undefined;
  const keys = (): Promise<JWTVerifyGetKey> =>
    (known ??= discoverKeys(issuer, proxies).catch((error: unknown) => {
      known = undefined;
      throw error;
    }));
  const verify = async (token: string): Promise<JWTPayload> => {
    // Some issuers put a trailing slash into `iss`.
    const expected = { issuer: [issuer, `${issuer}/`], audience, algorithms: ALGORITHMS, requiredClaims: ['exp'] };
    const key: JWTVerifyGetKey = async (...header) => (await keys())(...header);
    const { payload, protectedHeader } = await jwtVerify(token, key, { ...expected, clockTolerance: CLOCK_SKEW_S });
    const type = String(protectedHeader.typ ?? 'JWT').toLowerCase();
    if (!TYPES.includes(type.replace(/^application\//, ''))) throw invalid('It is not an access token.');
    return payload;
  };
  return async (authorization) => {
    const token = bearerOf(authorization);
    try {
      const claims = await verify(token).catch(async (error: unknown) => {
        if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
        // A new key is in the issuer's next answer. For an invented key, the retry only costs time.
        await sleep(JWKS_COOLDOWN_MS);
        return verify(token);
      });
      return principalOf(claims, tenantClaim);
    } catch (error) {
      if (error instanceof AuthError) throw error;
      const outage = describeOutage(error);
      if (outage === undefined) throw invalid(reasonOf(error));
      throw new AuthError(503, `The token cannot be verified now because ${outage}. Try again later.`);
    }
  };
}

function principalOf(claims: JWTPayload, tenantClaim: string | undefined): Principal {
  const scopes = scopesOf(claims);
  if (!scopes.includes(READ_SCOPE) && !scopes.includes(WRITE_SCOPE))
    throw new AuthError(403, `The token lacks the scope ${READ_SCOPE}.`, 'insufficient_scope');
  // RFC 9068 requires both; issuers differ in which they give to a client without a user.
  const who = JSON.stringify([claims.iss, claims.sub, textOf(claims['client_id']) ?? textOf(claims['azp'])]);
  return {
    id: digest(who).toString('hex').slice(0, 12),
    mayWrite: scopes.includes(WRITE_SCOPE),
    ...(tenantClaim !== undefined && { tenants: tenantsIn(claims, tenantClaim) }),
  };
}

/** A text or a list of texts; anything else names no tenant. */
function tenantsIn(claims: JWTPayload, claim: string): readonly string[] {
  const value: unknown = Object.hasOwn(claims, claim) ? claims[claim] : undefined;
  return (Array.isArray(value) ? value : [value]).filter((name): name is string => typeof name === 'string');
}

/** `scope` is the standard claim, one string; some issuers write `scp`, a list or a string. */
function scopesOf({ scope, scp }: JWTPayload): readonly unknown[] {
  return [scope, scp].flatMap((value): readonly unknown[] =>
    typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [],
  );
}

/** @throws AuthError without a bearer token. */
function bearerOf(authorization: string | undefined): string {
  const token = /^bearer +(?<token>\S+) *$/i.exec(authorization ?? '')?.groups?.['token'];
  if (token === undefined) throw new AuthError(401, 'Missing bearer token. Send Authorization: Bearer <token>.');
  return token;
}

function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return 'It has expired; get a new one.';
  if (error instanceof errors.JWTClaimValidationFailed) return `This server does not accept its claim ${error.claim}.`;
  // Also covers a key that is too weak, such as RSA below 2,048 bits, for which jose has no error of its own.
  return 'It cannot be verified.';
}

function invalid(message: string): AuthError {
  return new AuthError(401, `The token is not accepted. ${message}`, 'invalid_token');
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
