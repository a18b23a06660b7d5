import type { Dispatcher } from 'undici';
import type { Proxies } from './proxies.ts';

/** The maximum number of connections of each kind; further requests wait. */
const CONNECTIONS = 64;
// HTTP/1.1 only, so that there is one behavior to consider when a request is cut off. Each request has a deadline of its own.
const SHARED = {
  allowH2: false,
  connections: CONNECTIONS,
  connect: { timeout: 3_000 },
  headersTimeout: 0,
  bodyTimeout: 0,
} as const;

export interface Agents {
  readonly shared: Dispatcher;
  /**
   * For creates and repeated requests, which never use an existing socket: the provider may be closing it. The outcome of a create
   * would then be unknown.
   */
  readonly fresh: Dispatcher;
}

/** Loads undici for the first request, to keep startup fast, and its proxy agents only if a proxy is set. */
export async function openAgents(proxies: Proxies | undefined): Promise<Agents> {
  const fresh = { ...SHARED, pipelining: 0 };
  if (proxies) {
    const { openProxied } = await import('./proxied.ts');
    return { shared: openProxied(proxies, SHARED), fresh: openProxied(proxies, fresh) };
  }
  const { Agent } = await import('undici');
  return { shared: new Agent(SHARED), fresh: new Agent(fresh) };
}
