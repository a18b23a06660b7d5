import { isLoopback } from '../config.ts';
import type { HttpConfig } from './config.ts';

/**
 * Whether a request was meant for this server: a page of a stranger that makes a browser call us, or that has its own name
 * resolve to us, shows itself in Origin or Host. `target` is what was asked for, as a whole address. Returns what is wrong.
 */
export function strangeness(
  {
    host,
    target,
    origin,
  }: { readonly host: string | undefined; readonly target: string; readonly origin: string | undefined },
  { host: own, allowedHosts, allowedOrigins }: HttpConfig,
): string | undefined {
  const name = hostnameOf(`http://${host ?? ''}`);
  const known = [own.toLowerCase(), ...allowedHosts];
  // A target that is a whole address counts for more than the Host beside it (RFC 9112, 3.2.2).
  const agrees = name !== undefined && hostnameOf(target) === name;
  if (!agrees || !(isLoopback(name) || known.includes(name) || known.includes((host ?? '').toLowerCase())))
    return 'This Host is not one that the server answers to; the operator can add it to CUSTOMERS_ALLOWED_HOSTS.';
  if (origin === undefined) return undefined;
  const from = hostnameOf(origin);
  return from !== undefined && (isLoopback(from) || allowedOrigins.includes(origin.toLowerCase()))
    ? undefined
    : 'This Origin is not one that the server answers to; the operator can add it to CUSTOMERS_ALLOWED_ORIGINS.';
}

function hostnameOf(url: string): string | undefined {
  return URL.parse(url)?.hostname.toLowerCase();
}
