import { createRemoteJWKSet, customFetch, errors, type JWTVerifyGetKey } from 'jose';
import { proxyFor, type Proxies } from '../http-client/proxies.ts';
import { ProxyError } from '../http-client/connection-errors.ts';
import { isLoopback } from '../settings.ts';
import { isRecord, textOf } from '../text.ts';

const TIMEOUT_MS = 5_000;
/** Metadata and keys take a few kB; an endless answer would exhaust the memory. */
const MAX_BYTES = 1024 * 1024;
/** The shortest time between two requests for the issuer's keys that tokens with unknown keys cause. */
export const JWKS_COOLDOWN_MS = 1_000;

/** The issuer does not respond, or responds with something other than its metadata and keys. */
class IssuerError extends Error {}

/** Makes a GET request without following redirects. */
type Get = (
  url: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly body: AsyncIterable<Uint8Array> | null }>;

const getDirectly: Get = (url, headers, signal) => fetch(url, { headers, signal, redirect: 'manual' });

/**
 * The keys of an issuer, found through its metadata (RFC 8414, or OpenID Connect discovery).
 * @throws IssuerError if it has no usable metadata; the returned keys throw the same, or an error that `describeOutage`
 * recognizes.
 */
export async function discoverKeys(issuer: string, proxies: Proxies | undefined): Promise<JWTVerifyGetKey> {
  const proxied =
    proxies && proxyFor(issuer, proxies) !== undefined ? await import('../http-client/proxied.ts') : undefined;
  const get = proxied && proxies ? proxied.openGet(proxies) : getDirectly;
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
  for (const place of new Set(places)) {
    const metadata = await getJson(place, get);
    if (!isRecord(metadata) || String(metadata['issuer']).replace(/\/$/, '') !== issuer) continue;
    const url = URL.parse(textOf(metadata['jwks_uri']) ?? '');
    if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname))) return keysAt(url, get);
  }
  throw new IssuerError('its issuer has no usable metadata');
}

function keysAt(url: URL, get: Get): JWTVerifyGetKey {
  return createRemoteJWKSet(url, {
    cooldownDuration: JWKS_COOLDOWN_MS,
    timeoutDuration: TIMEOUT_MS,
    [customFetch]: async (address, { headers, signal }) => {
      const { status, text } = await read(get(address, Object.fromEntries(headers), signal));
      if (status !== 200) throw new IssuerError(`its issuer answers ${status}`);
      return new Response(text);
    },
  });
}

/** Why the keys are unavailable; `undefined` for an error about the token. */
export function describeOutage(error: unknown): string | undefined {
  if (error instanceof IssuerError) return error.message;
  const isOutage =
    error instanceof errors.JWKSInvalid ||
    // What jose throws if the answer is not JSON.
    (error instanceof errors.JOSEError && error.code === 'ERR_JOSE_GENERIC');
  return isOutage ? 'its issuer does not return its keys' : undefined;
}

async function getJson(url: string, get: Get): Promise<unknown> {
  const { status, text } = await read(get(url, {}, AbortSignal.timeout(TIMEOUT_MS)));
  try {
    return status === 200 ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

/** @throws IssuerError if the answer is late or too long. */
async function read(answer: ReturnType<Get>): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await answer;
    const chunks: Uint8Array[] = [];
    let size = 0;
    // Leaving the loop ends the connection.
    for await (const chunk of response.body ?? []) {
      size += chunk.length;
      if (size > MAX_BYTES) throw new Error(`more than ${MAX_BYTES} bytes`);
      chunks.push(chunk);
    }
    return { status: response.status, text: new TextDecoder().decode(Buffer.concat(chunks)) };
  } catch (cause) {
    const why = cause instanceof ProxyError ? cause.why : 'its issuer does not respond';
    throw new IssuerError(why, { cause });
  }
}
