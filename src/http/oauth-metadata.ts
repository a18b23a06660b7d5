import { READ_SCOPE, WRITE_SCOPE, type AuthError } from './auth.ts';
import type { Access } from './config.ts';
import type { Context } from './refusal.ts';

/** Access with tokens of an issuer. */
export type OAuth = Extract<Access, { readonly kind: 'oauth' }>;

/** Where a client looks for the metadata of a protected resource; the path of the resource follows (RFC 9728, section 3.1). */
export const METADATA = '/.well-known/oauth-protected-resource';

/** Where clients look for OAuth, at this server and at an issuer on the same address. */
export const WELL_KNOWN = [METADATA, '/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'];

/** Where clients ask for a token if they found no metadata (MCP 2025-03-26, fallbacks of authorization). */
export const DEFAULT_ENDPOINTS = ['/authorize', '/token', '/register'];

/** The metadata of this server as a protected resource (RFC 9728). */
export function resourceMetadata(c: Context, { issuer, audience }: OAuth, firstPath: string) {
  const own = originOf(c) + (pathIn(c).slice(METADATA.length) || firstPath);
  return {
    resource: addressIn(audience) ? audience : own,
    authorization_servers: [issuer],
    scopes_supported: [READ_SCOPE, WRITE_SCOPE],
    bearer_methods_supported: ['header'],
    resource_name: 'customers-mcp',
  };
}

/** The value of WWW-Authenticate (RFC 6750); with OAuth it includes where a client learns how to get a token (RFC 9728). */
export function challenge(c: Context, { error, message }: AuthError, oauth: OAuth | undefined): string {
  const parts = {
    realm: 'customers-mcp',
    error,
    error_description: error && message,
    scope: oauth && `${READ_SCOPE} ${WRITE_SCOPE}`,
    resource_metadata: oauth && metadataUrl(c, oauth),
  };
  const given = Object.entries(parts).flatMap(([key, value]) => (value === undefined ? [] : [`${key}="${value}"`]));
  return `Bearer ${given.join(', ')}`;
}

/**
 * Behind a proxy, only the proxy may be able to reach the Host; the address then comes from the audience, if the audience is a
 * URL.
 */
function metadataUrl(c: Context, { audience }: OAuth): string {
  const proxied = FORWARDED.some((header) => c.req.header(header) !== undefined);
  const origin = (proxied ? addressIn(audience)?.origin : undefined) ?? originOf(c);
  return origin + METADATA + pathIn(c);
}

/** As it was sent: decoded, it could contain quotes and characters that a header cannot. */
function pathIn(c: Context): string {
  return new URL(c.req.url).pathname.replace(/\/$/, '');
}

/** The audience as a URL; it is then this server's own address (RFC 8707). */
function addressIn(audience: string): URL | undefined {
  const url = URL.parse(audience);
  return url?.protocol === 'https:' || url?.protocol === 'http:' ? url : undefined;
}

const FORWARDED = ['forwarded', 'via', 'x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto'];

/** The server's own address as the caller knows it. The Host has been checked. */
export function originOf(c: Context): string {
  // Each proxy of a chain appends its own; the first is that of the caller.
  const [proto = ''] = (c.req.header('x-forwarded-proto') ?? '').split(',');
  const scheme = proto.trim().toLowerCase() === 'https' ? 'https' : 'http';
  return `${scheme}://${c.req.header('host')}`;
}
