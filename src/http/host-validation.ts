import { isLoopback } from '../settings.ts';
import type { HttpConfig } from './config.ts';

/** The target and the source of a request, according to its headers and its request line. */
interface Addresses {
  readonly host: string | undefined;
  /** The requested target as an absolute URL. */
  readonly target: string;
  readonly origin: string | undefined;
}

/**
 * Checks that a request is meant for this server. A web page that makes a browser call the server, or whose own name resolves
 * to the server (DNS rebinding), is recognized by Origin or Host. @returns the problem, or `undefined`.
 */
export function validateHost(
  { host, target, origin }: Addresses,
  { host: own, allowedHosts, allowedOrigins }: HttpConfig,
): string | undefined {
  const name = hostnameOf(`http://${host ?? ''}`);
  const known = [own.toLowerCase(), ...allowedHosts];
  // A target in absolute form takes precedence over Host (RFC 9112, 3.2.2).
  const agrees = name !== undefined && hostnameOf(target) === name;
  if (!agrees || !(isLoopback(name) || known.includes(name) || known.includes((host ?? '').toLowerCase())))
    return 'This Host is not allowed; the operator can add it to CUSTOMERS_ALLOWED_HOSTS.';
  if (origin === undefined) return undefined;
  const from = hostnameOf(origin);
  return from !== undefined && (isLoopback(from) || allowedOrigins.includes(origin.toLowerCase()))
    ? undefined
    : 'This Origin is not allowed; the operator can add it to CUSTOMERS_ALLOWED_ORIGINS.';
}

function hostnameOf(url: string): string | undefined {
  return URL.parse(url)?.hostname.toLowerCase();
}
