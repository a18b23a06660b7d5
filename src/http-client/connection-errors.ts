/** The connection to the proxy, or the tunnel through it, failed. */
export class ProxyError extends Error {
  /** The reason, without an address. */
  readonly why: string;

  constructor(why: string, options?: ErrorOptions) {
    super(why, options);
    this.why = why;
  }
}

/** A description of a socket error by its code, without the error's text, which may contain an address. */
export function describeError(error: Error): string {
  const codes: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'connection refused',
    ECONNRESET: 'connection reset',
    ENOTFOUND: 'host name not found',
    EAI_AGAIN: 'host name not found',
    UND_ERR_CONNECT_TIMEOUT: 'connection timeout',
    UND_ERR_HEADERS_TIMEOUT: 'response timeout',
    UND_ERR_SOCKET: 'connection closed',
  };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (/^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|EPROTO)/.test(code)) return `TLS failed, ${code}`;
  return codes[code] ?? (code === '' ? 'connection failed' : `connection failed, ${code}`);
}

/** The reason why a proxy did not forward a request; `undefined` if it may have forwarded it. */
export function describeProxyError(error: Error): string | undefined {
  if (error instanceof ProxyError) return error.why;
  // This is how undici reports that a proxy without a tunnel requires other credentials.
  return 'code' in error && error.code === 'UND_ERR_INVALID_ARG' ? 'it answered 407' : undefined;
}
