import { httpVariables as variables, readProxies } from '../config.ts';
import type { Proxies } from '../http-client/proxies.ts';
import { isLoopback, type Settings } from '../settings.ts';

/** The settings for serving over HTTP. */
export interface HttpConfig {
  readonly host: string;
  readonly port: number;
  readonly access: Access;
  /** In addition to loopback; a host with a port, or without one for any port. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Messages per minute that one caller may send. */
  readonly ratePerMinute: number;
  /** The proxies for requests to the issuer. */
  readonly proxies: Proxies | undefined;
  /** The file of the tenants to serve, and the claim of a JWT that names its caller's; `undefined`: the server serves one account. */
  readonly tenants: { readonly path: string; readonly claim: string } | undefined;
}

/** How callers authenticate. */
export type Access =
  /** If there is no token, the server generates one for this session. */
  | { readonly kind: 'token'; readonly tokens: readonly string[] }
  | { readonly kind: 'oauth'; readonly issuer: string; readonly audience: string }
  /** Only the tokens of the tenants. */
  | { readonly kind: 'tenants' };

const MIN_TOKEN = 32;

/** Reads the HTTP settings; problems are collected in `settings`, whose `check` throws them. */
export function readHttpConfig(settings: Settings, host: string, port: number): HttpConfig {
  const allowedHosts = settings.list(variables.allowedHosts).map((name) => name.toLowerCase());
  if (allowedHosts.some((name) => !/^([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d+)?$/.test(name)))
    settings.problem('CUSTOMERS_ALLOWED_HOSTS must be host names, each with or without a port, separated by commas.');
  const allowedOrigins = settings.list(variables.allowedOrigins).map((origin) => origin.toLowerCase());
  if (allowedOrigins.some((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin))
    settings.problem(
      'CUSTOMERS_ALLOWED_ORIGINS must be origins such as https://chat.example.com, separated by commas.',
    );
  const access = readAccess(settings, host);
  return {
    host,
    port,
    access,
    allowedHosts,
    allowedOrigins,
    ratePerMinute: settings.wholeNumber(variables.rate),
    proxies: access.kind === 'oauth' ? readProxies(settings) : undefined,
    tenants: readTenants(settings),
  };
}

function readTenants(settings: Settings): HttpConfig['tenants'] {
  const path = settings.optional(variables.tenants);
  const claim = settings.optional(variables.tenantClaim) ?? variables.tenantClaim.fallback;
  if (path === undefined) {
    if (settings.has(variables.tenantClaim))
      settings.problem('CUSTOMERS_TENANT_CLAIM is set, but CUSTOMERS_TENANTS is not.');
    return undefined;
  }
  if (settings.has(variables.token))
    settings.problem(
      'CUSTOMERS_HTTP_TOKEN and CUSTOMERS_TENANTS are mutually exclusive; give each tenant tokens of its own in the file.',
    );
  return { path, claim };
}

function readAccess(settings: Settings, host: string): Access {
  const given = settings.optional(variables.token);
  const tokens = given?.split(',').filter(Boolean) ?? [];
  if (given !== undefined && (tokens.length === 0 || tokens.some(({ length }) => length < MIN_TOKEN)))
    settings.problem(
      `CUSTOMERS_HTTP_TOKEN must have at least ${MIN_TOKEN} characters; commas separate several tokens.`,
    );
  const withOAuth = settings.has(variables.issuer) || settings.has(variables.audience);
  if (settings.has(variables.token) && withOAuth)
    settings.problem('CUSTOMERS_HTTP_TOKEN and CUSTOMERS_OAUTH_ISSUER are mutually exclusive; remove one of them.');
  if (withOAuth) {
    settings.required(variables.issuer, ', but CUSTOMERS_OAUTH_AUDIENCE is');
    return {
      kind: 'oauth',
      issuer: settings.url(variables.issuer, ''),
      audience: settings.required(variables.audience, ', but CUSTOMERS_OAUTH_ISSUER is'),
    };
  }
  if (settings.has(variables.tenants)) return { kind: 'tenants' };
  if (!settings.has(variables.token) && !isLoopback(host))
    settings.problem(
      `Serving on ${host} needs authentication: set CUSTOMERS_HTTP_TOKEN (at least ${MIN_TOKEN} characters), or CUSTOMERS_OAUTH_ISSUER and CUSTOMERS_OAUTH_AUDIENCE.`,
    );
  return { kind: 'token', tokens };
}
