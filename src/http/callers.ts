import { hash, timingSafeEqual } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from 'jose';
import { isLoopback } from '../config.ts';
import { isRecord, textOf } from '../text.ts';

/** Somebody who may come in. */
export interface Caller {
  /** Tells callers apart in logs and limits without naming anybody. */
  readonly id: string;
  readonly mayWrite: boolean;
}

export const READ_SCOPE = 'customers:read';
export const WRITE_SCOPE = 'customers:write';

/** Somebody who may not come in, or not now. `error` as in RFC 6750; absent where no token was shown at all. */
export class Refused extends Error {
  readonly status: 401 | 403 | 503;
  readonly error: 'invalid_token' | 'insufficient_scope' | undefined;

  constructor(status: Refused['status'], message: string, error?: Refused['error']) {
    super(message);
    this.status = status;
    this.error = error;
  }
}

/** Reads an Authorization header. @throws Refused */
export type Authenticate = (authorization: string | undefined) => Promise<Caller>;

/** One token for everybody, compared in a time that tells nothing about it. */
export function byToken(token: string): Authenticate {
  const expected = digest(token);
  return async (authorization) => {
    if (!timingSafeEqual(digest(bearerOf(authorization)), expected))
      throw invalid('It is not the token of this server.');
    return { id: 'token', mayWrite: true };
  };
}

// Signatures that a public key checks, and nothing else: neither "none" nor a shared secret.
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
/** Of access tokens (RFC 9068), and what issuers wrote before there was a name for them. Any other is a token for another purpose. */
const TYPES = ['at+jwt', 'jwt'];
const CLOCK_SKEW_S = 30;
const ISSUER_PATIENCE_MS = 5_000;
/** How often at most a key that nobody knows may make us ask the issuer for its keys. */
const KEYS_PAUSE_MS = 1_000;

/** JWT access tokens of one issuer for one audience. Its keys are looked up at the first token, and again when they change. */
export function byJwt(issuer: string, audience: string): Authenticate {
  let known: Promise<JWTVerifyGetKey> | undefined;
  const keys = (): Promise<JWTVerifyGetKey> =>
    (known ??= discoverKeys(issuer).catch((error: unknown) => {
      known = undefined;
      throw error;
    }));
  const verify = async (token: string): Promise<JWTPayload> => {
    // Some issuers write themselves with a slash at the end.
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
        // A key that was made just now is in the next answer of the issuer; an invented one only waits.
        await sleep(KEYS_PAUSE_MS);
        return verify(token);
      });
      return callerOf(claims);
    } catch (error) {
      if (error instanceof Refused) throw error;
      if (error instanceof errors.JOSEError && !isOutage(error)) throw invalid(reasonOf(error));
      throw new Refused(503, 'The token cannot be checked now, because its issuer does not answer. Try again later.');
    }
  };
}

function callerOf(claims: JWTPayload): Caller {
  const scopes = scopesOf(claims);
  if (!scopes.includes(READ_SCOPE) && !scopes.includes(WRITE_SCOPE))
    throw new Refused(403, `The token lacks the scope ${READ_SCOPE}.`, 'insufficient_scope');
  // RFC 9068 wants both; issuers differ in which they give to a program without a person.
  const who = [claims.iss, claims.sub, textOf(claims['client_id']) ?? textOf(claims['azp'])].join(' ');
  return { id: digest(who).toString('hex').slice(0, 12), mayWrite: scopes.includes(WRITE_SCOPE) };
}

/** `scope` is the standard's, one string; `scp` is what some issuers write, a list or a string. */
function scopesOf({ scope, scp }: JWTPayload): readonly unknown[] {
  return [scope, scp].flatMap((value): readonly unknown[] =>
    typeof value === 'string' ? value.split(' ') : Array.isArray(value) ? value : [],
  );
}

/** @throws Refused without a bearer token. */
function bearerOf(authorization: string | undefined): string {
  const token = /^bearer +(?<token>\S+) *$/i.exec(authorization ?? '')?.groups?.['token'];
  if (token === undefined) throw new Refused(401, 'Show a token: Authorization: Bearer ….');
  return token;
}

/** The keys of an issuer, by its metadata (RFC 8414, or OpenID Connect discovery). */
async function discoverKeys(issuer: string): Promise<JWTVerifyGetKey> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
  for (const place of new Set(places)) {
    const metadata = await fetchJson(place);
    if (!isRecord(metadata) || String(metadata['issuer']).replace(/\/$/, '') !== issuer) continue;
    const address = textOf(metadata['jwks_uri']) ?? '';
    const url = URL.canParse(address) ? new URL(address) : undefined;
    if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname)))
      return createRemoteJWKSet(url, { cooldownDuration: KEYS_PAUSE_MS, timeoutDuration: ISSUER_PATIENCE_MS });
  }
  throw new Error('the issuer has no metadata that can be used');
}

async function fetchJson(url: string): Promise<unknown> {
  const response = await fetch(url, { redirect: 'error', signal: AbortSignal.timeout(ISSUER_PATIENCE_MS) });
  const text = await response.text();
  try {
    return response.status === 200 ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether an error is about getting the keys rather than about the token. */
function isOutage(error: errors.JOSEError): boolean {
  return (
    error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid || error.code === 'ERR_JOSE_GENERIC'
  );
}

function reasonOf(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return 'It has expired; get a new one.';
  if (error instanceof errors.JWTClaimValidationFailed)
    return `Its claim ${error.claim} is not what this server accepts.`;
  return 'It cannot be verified.';
}

function invalid(message: string): Refused {
  return new Refused(401, `The token is not accepted. ${message}`, 'invalid_token');
}

function digest(text: string): Buffer {
  return hash('sha256', text, 'buffer');
}
