import { isLoopback } from '../settings.ts';

/** The proxies for outgoing requests. */
export interface Proxies {
  /** For http and https addresses; the one for http is also used for https if there is no other. */
  readonly http: Proxy | undefined;
  readonly https: Proxy | undefined;
  /** Hosts without a proxy, in the format of NO_PROXY. */
  readonly exceptions: string;
}

interface Proxy {
  /** The variable that names the proxy. */
  readonly setting: string;
  /** May contain a user and a password. */
  readonly url: string;
}

/** The variable of the proxy for requests to an address; `undefined` for an address on this machine. */
export function proxyFor(url: string, { http, https }: Proxies): string | undefined {
  const { protocol, hostname } = new URL(url);
  if (isLoopback(hostname)) return undefined;
  return (protocol === 'https:' ? (https ?? http) : http)?.setting;
}
