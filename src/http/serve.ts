import { randomBytes } from 'node:crypto';
import { createAdaptorServer, type ServerType } from '@hono/node-server';
import { RateLimiterMemory, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { ConfigError } from '../errors.ts';
import { InFlight } from '../mcp/in-flight.ts';
import type { Runtime } from '../runtime.ts';
import { createApp, pathOf, type Served } from './app.ts';
import { byJwt, byTenantToken, byToken, type Authenticate } from './auth.ts';
import type { HttpConfig } from './config.ts';
import { FairQueue } from './fair-queue.ts';
import { stopGracefully } from './graceful-stop.ts';

/**
 * Longer than reverse proxies keep an idle connection, so that the proxy closes it and never uses one that the server is
 * closing.
 */
const IDLE_MS = 75_000;

/** How long an answer of the readiness probe is reused: each takes a write, and the probe needs no token. */
const READY_MS = 1_000;

/** What the operator needs to know about a server that has started. */
interface Started {
  readonly urls: readonly string[];
  /** The token that was generated for this session, if none is set. */
  readonly madeToken: string | undefined;
}

/** When a server stops, and what is notified of its start. */
interface Life {
  readonly version: string;
  readonly stopped: Promise<unknown>;
  started(about: Started): void;
}

/**
 * Serves MCP over HTTP until `stopped` resolves. Then it stops accepting connections, finishes in-flight calls, and resolves,
 * at the latest shortly after the time limit of the longest call.
 * @throws ConfigError if it cannot listen on this address.
 */
export async function serveHttp(
  { served, store, log }: Serving,
  config: HttpConfig,
  { version, stopped, started }: Life,
): Promise<void> {
  const { host, port } = config;
  const { authenticate, madeToken } = authentication(config, served);
  const inFlight = new InFlight();
  const draining = new AbortController();
  const app = createApp({
    served,
    config,
    version,
    log,
    authenticate,
    limiter: await openLimiter(store, config.ratePerMinute),
    ready: rememberFor(READY_MS, () => store.ping()),
    inFlight,
    queue: new FairQueue(),
    draining: draining.signal,
  });
  const server = createAdaptorServer({
    fetch: app.fetch,
    serverOptions: {
      headersTimeout: 10_000,
      requestTimeout: 30_000,
      keepAliveTimeout: IDLE_MS,
      connectionsCheckingInterval: 1_000,
    },
  });
  // Connects early, so that the first calls need not wait. The server also starts without a store, because reading needs none.
  await store.ping().catch(() => {});
  const bound = await listen(server, host, port);
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
  started({ urls: pathsOf(served).map((path) => origin + path), madeToken });

  await stopped;
  draining.abort();
  await stopGracefully(server, inFlight, longestMs(served));
}

/** What is served, the store and the log. */
export interface Serving extends Pick<Runtime, 'store' | 'log'> {
  readonly served: Served;
}

/** How callers authenticate, and the token that is generated for this session if none is set. */
function authentication(
  { access, proxies, tenants }: HttpConfig,
  served: Served,
): { readonly authenticate: Authenticate; readonly madeToken: string | undefined } {
  const byIssuer =
    access.kind === 'oauth' ? byJwt({ ...access, proxies, tenantClaim: tenants && tenants.claim }) : undefined;
  if ('tenants' in served)
    return { authenticate: byTenantToken((sha256) => served.tenants.ownerOf(sha256), byIssuer), madeToken: undefined };
  if (byIssuer) return { authenticate: byIssuer, madeToken: undefined };
  const given = access.kind === 'token' ? access.tokens : [];
  if (given.length > 0) return { authenticate: byToken(given), madeToken: undefined };
  const madeToken = randomBytes(32).toString('base64url');
  return { authenticate: byToken([madeToken]), madeToken };
}

function pathsOf(served: Served): readonly string[] {
  if ('contexts' in served) return served.contexts.map((context) => pathOf(context, served.contexts));
  return ['/mcp/<tenant>'];
}

function longestMs(served: Served): number {
  const all =
    'contexts' in served
      ? served.contexts.map(({ timeoutMs }) => timeoutMs)
      : [...served.tenants.entries.values()].map(({ settings }) => settings.config.timeoutMs);
  return Math.max(...all);
}

/** Asks again only if the last answer, success or failure, is `ms` old; concurrent callers share one. */
function rememberFor<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  let goodUntil = 0;
  return () => {
    if (answer === undefined || performance.now() >= goodUntil) {
      goodUntil = Infinity;
      answer = ask().finally(() => (goodUntil = performance.now() + ms));
    }
    return answer;
  };
}

/** Counts in the store, for all replicas; while the store is down, each replica counts for itself. */
async function openLimiter(store: Runtime['store'], ratePerMinute: number): Promise<RateLimiterAbstract> {
  const rate = { points: ratePerMinute, duration: 60, keyPrefix: '{customers-mcp}:callers' };
  const own = new RateLimiterMemory(rate);
  return (await store.rateLimiter({ ...rate, inMemoryBlockOnConsumed: ratePerMinute, insuranceLimiter: own })) ?? own;
}

/** @returns the port on which the server listens. @throws ConfigError if it cannot listen. */
function listen(server: ServerType, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'the port is in use; choose another with --port'
          : `the system reports ${error.code}; choose another address with --host and --port`;
      reject(new ConfigError([`The server cannot listen on ${host}, port ${port}: ${why}.`]));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
