// Loaded only if a proxy is set.
import { buildConnector, EnvHttpProxyAgent, Pool, type Dispatcher } from 'undici';
import { describeError, ProxyError } from './connection-errors.ts';
import { proxyFor, type Proxies } from './proxies.ts';

const CONNECT_MS = 3_000;
/** A proxy resolves the name and connects before it answers. */
const TUNNEL_MS = 10_000;

/** Creates an agent that sends through the proxies. */
export function openProxied({ http, https, exceptions }: Proxies, options: Pool.Options): EnvHttpProxyAgent {
  const connect = withProxyErrors(buildConnector({ timeout: CONNECT_MS, allowH2: false }));
  const proxies = [http, https].flatMap((proxy) => (proxy ? [new URL(proxy.url).host] : []));
  return new EnvHttpProxyAgent({
    ...options,
    // Empty strings, because otherwise undici would read the environment itself.
    httpProxy: http?.url ?? '',
    httpsProxy: https?.url ?? '',
    noProxy: exceptions,
    // The connections for tunnel requests.
    clientFactory: (url) => new TunnelPool(url, { ...options, headersTimeout: TUNNEL_MS, connect }),
    // All other connections. Otherwise those to a proxy without a tunnel would be reused regardless of the options.
    factory: (origin, given) =>
      new Pool(origin, { ...options, ...given, ...(proxies.includes(new URL(origin).host) && { connect }) }),
  });
}

/** Connections to a proxy for tunnel requests; their errors are those of the proxy. */
class TunnelPool extends Pool {
  override connect(options: ConnectOptions): Promise<Dispatcher.ConnectData>;
  override connect(options: ConnectOptions, callback: ConnectCallback): void;
  override connect(options: ConnectOptions, callback?: ConnectCallback): Promise<Dispatcher.ConnectData> | void {
    return callback ? super.connect(options, callback) : this.#tunnel(options);
  }

  async #tunnel(options: ConnectOptions): Promise<Dispatcher.ConnectData> {
    const tunnel = await super.connect(options).catch((cause: unknown) => {
      throw toProxyError(cause);
    });
    if (tunnel.statusCode === 200) return tunnel;
    tunnel.socket.on('error', () => {}).destroy();
    throw new ProxyError(`it answered ${tunnel.statusCode}`);
  }
}
type ConnectOptions = Omit<Dispatcher.ConnectOptions, 'origin'>;
type ConnectCallback = (error: Error | null, data: Dispatcher.ConnectData) => void;

/** Turns a failed connection to the proxy into a `ProxyError`. */
function withProxyErrors(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error) callback(toProxyError(error), null);
      else callback(null, socket);
    });
}

function toProxyError(cause: unknown): ProxyError {
  if (cause instanceof ProxyError) return cause;
  return new ProxyError(cause instanceof Error ? describeError(cause) : 'connection failed', { cause });
}

/**
 * Makes GET requests through the proxies. Redirects are not followed.
 * @throws ProxyError with a sentence that names the setting, if the proxy does not forward the request.
 */
export function openGet(proxies: Proxies) {
  const agent = openProxied(proxies, { allowH2: false });
  return async (url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal) => {
    const { origin, pathname, search } = new URL(url);
    const request = { origin, path: pathname + search, method: 'GET', headers, signal } as const;
    const { statusCode, body } = await agent.request(request).catch((error: unknown) => {
      if (!(error instanceof ProxyError)) throw error;
      throw new ProxyError(`the proxy in ${proxyFor(url, proxies)} fails (${error.why})`, { cause: error });
    });
    return { status: statusCode, body };
  };
}
