import { isLoopback, type Settings } from '../config.ts';

/** What concerns serving over HTTP. */
export interface HttpConfig {
  readonly host: string;
  readonly port: number;
  readonly access: Access;
  /** Besides loopback; a host with its port, or without one for any port. */
  readonly allowedHosts: readonly string[];
  readonly allowedOrigins: readonly string[];
  /** Messages a minute that one caller may send. */
  readonly ratePerMinute: number;
}

/** How callers show who they are. */
export type Access =
  /** Without a token: one is made for this run. */
  | { readonly kind: 'token'; readonly token: string | undefined }
  | { readonly kind: 'oauth'; readonly issuer: string; readonly audience: string };

const SHORTEST_TOKEN = 32;

/** Reads the settings of HTTP; problems are gathered in `settings`, to be thrown by its `check`. */
export function readHttpConfig(settings: Settings, host: string, port: number): HttpConfig {
  const allowedHosts = settings.list('CUSTOMERS_ALLOWED_HOSTS').map((name) => name.toLowerCase());
  if (allowedHosts.some((name) => !/^([a-z0-9.-]+|\[[0-9a-f:.]+\])(:\d+)?$/.test(name)))
    settings.problem('CUSTOMERS_ALLOWED_HOSTS must be host names, each with or without a port, separated by commas.');
  const allowedOrigins = settings.list('CUSTOMERS_ALLOWED_ORIGINS').map((origin) => origin.toLowerCase());
  if (allowedOrigins.some((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin))
    settings.problem(
      'CUSTOMERS_ALLOWED_ORIGINS must be origins such as https://chat.example.com, separated by commas.',
    );
  return {
    host,
    port,
    access: readAccess(settings, host),
    allowedHosts,
    allowedOrigins,
    // High enough never to be felt by people; it stops an agent that runs wild.
    ratePerMinute: settings.wholeNumber('CUSTOMERS_HTTP_RATE', 1, 100_000_000, 60_000),
  };
}

function readAccess(settings: Settings, host: string): Access {
  const token = settings.header('CUSTOMERS_HTTP_TOKEN', settings.optional('CUSTOMERS_HTTP_TOKEN')) || undefined;
  if (token !== undefined && token.length < SHORTEST_TOKEN)
    settings.problem(`CUSTOMERS_HTTP_TOKEN must have at least ${SHORTEST_TOKEN} characters.`);
  const withOAuth = settings.has('CUSTOMERS_OAUTH_ISSUER') || settings.has('CUSTOMERS_OAUTH_AUDIENCE');
  if (settings.has('CUSTOMERS_HTTP_TOKEN') && withOAuth)
    settings.problem('CUSTOMERS_HTTP_TOKEN and CUSTOMERS_OAUTH_ISSUER exclude each other; keep one of them.');
  if (withOAuth) {
    settings.required('CUSTOMERS_OAUTH_ISSUER', ', but CUSTOMERS_OAUTH_AUDIENCE is');
    return {
      kind: 'oauth',
      issuer: settings.url('CUSTOMERS_OAUTH_ISSUER', ''),
      audience: settings.required('CUSTOMERS_OAUTH_AUDIENCE', ', but CUSTOMERS_OAUTH_ISSUER is'),
    };
  }
  if (!settings.has('CUSTOMERS_HTTP_TOKEN') && !isLoopback(host))
    settings.problem(
      `To serve on ${host}, callers must show who they are: set CUSTOMERS_HTTP_TOKEN (at least ${SHORTEST_TOKEN} characters), or CUSTOMERS_OAUTH_ISSUER and CUSTOMERS_OAUTH_AUDIENCE.`,
    );
  return { kind: 'token', token };
}
