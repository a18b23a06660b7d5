import { randomBytes } from 'node:crypto';
import { connect, Server as NetServer } from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { createAdaptorServer, type ServerType } from '@hono/node-server';
import { RateLimiterMemory, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { ConfigError } from '../errors.ts';
import { Running } from '../mcp/running.ts';
import type { Setup } from '../setup.ts';
import { createApp, pathOf } from './app.ts';
import { byJwt, byToken } from './callers.ts';
import type { HttpConfig } from './config.ts';

/** Longer than the proxies in front keep a connection idle, so that they close it and never meet one that we are closing. */
const IDLE_MS = 75_000;
/**
 * How long no request must have come in before a stopping server drops connections that are idle. A proxy that is busy comes
 * back to each it has kept, and each is closed with the answer; one that is dropped may carry a request by then, which is lost.
 */
const QUIET_MS = 1_000;
/** How long a stopping server waits for its turn at its own door. */
const DOOR_MS = 1_000;
/** What is left after the longest call: to answer, and to let the connections go. */
const GRACE_MS = 2_000;

/** What a person needs to know of a server that has started. */
export interface Started {
  readonly urls: readonly string[];
  /** The token that was made for this run, if there was none. */
  readonly madeToken: string | undefined;
}

/**
 * Serves MCP over HTTP until `stopped`: then no connection is accepted any more, what runs is finished, and the promise
 * resolves, at the latest when the longest call must be over.
 * @throws ConfigError when it cannot listen there.
 */
export async function serveHttp(
  { offers, store, log }: Setup,
  config: HttpConfig,
  version: string,
  stopped: Promise<unknown>,
  started: (about: Started) => void,
): Promise<void> {
  const { access, host, port } = config;
  const madeToken =
    access.kind === 'token' && access.token === undefined ? randomBytes(32).toString('base64url') : undefined;
  const authenticate =
    access.kind === 'oauth' ? byJwt(access.issuer, access.audience) : byToken(access.token ?? madeToken ?? '');
  const running = new Running();
  const draining = new AbortController();
  const app = createApp({
    offers,
    config,
    version,
    log,
    authenticate,
    limiter: await openLimiter(store, config.ratePerMinute),
    ready: () => store.ping(),
    running,
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
  const closed = new Promise((resolve) => server.once('close', resolve));
  // So that the first calls need not wait for a connection. Without a store it serves all the same: reading goes on.
  await store.ping().catch(() => {});
  const bound = await listen(server, host, port);
  const origin = `http://${host.includes(':') ? `[${host}]` : host}:${bound}`;
  started({ urls: offers.map((offer) => origin + pathOf(offer, offers)), madeToken });

  await stopped;
  draining.abort();
  let requestedAt = performance.now();
  server.on('request', () => (requestedAt = performance.now()));
  await shutDoor(server, host, bound);
  const longest = Math.max(...offers.map(({ desk }) => desk.timeoutMs));
  const over = sleep(longest, undefined, { ref: false });
  const letGo = setInterval(() => {
    if (performance.now() - requestedAt > QUIET_MS) void closeIdle(server);
  }, 100);
  await Promise.race([closed, over]);
  running.stop();
  await Promise.race([closed, running.settled().then(() => sleep(GRACE_MS))]);
  clearInterval(letGo);
  if ('closeAllConnections' in server) server.closeAllConnections();
}

/**
 * Accepts no connection any more, and loses none: those that wait in the system's queue would be reset. A connection of our own
 * goes to its end, and when its turn has come the queue is empty.
 */
async function shutDoor(server: ServerType, host: string, port: number): Promise<void> {
  const own = connect(port, host);
  // The queue may be full, and some systems do not let themselves be called at 0.0.0.0.
  const failed = new Promise((resolve) => own.once('error', resolve));
  const last = new Promise<void>((resolve) => {
    server.on('connection', ({ remotePort }) => {
      if (remotePort !== own.localPort) return;
      // In this very moment, not when the promise gets round to it.
      stopListening(server);
      resolve();
    });
  });
  await Promise.race([last, failed, sleep(DOOR_MS)]);
  own.destroy();
  stopListening(server);
}

/** Not the HTTP server's own close: that one also drops idle connections, on which a request may be coming in just now. */
function stopListening(server: ServerType): void {
  if (server.listening) NetServer.prototype.close.call(server);
}

async function closeIdle(server: ServerType): Promise<void> {
  // What has arrived is read before that, so that it does not look idle.
  await turn();
  if ('closeIdleConnections' in server) server.closeIdleConnections();
}

/** Counted in the store, for all replicas; while the store is away, each replica counts for itself. */
async function openLimiter(store: Setup['store'], ratePerMinute: number): Promise<RateLimiterAbstract> {
  const rate = { points: ratePerMinute, duration: 60, keyPrefix: '{customers-mcp}:callers' };
  const own = new RateLimiterMemory(rate);
  return (await store.rateLimiter({ ...rate, inMemoryBlockOnConsumed: ratePerMinute, insuranceLimiter: own })) ?? own;
}

/** The port it listens on. */
function listen(server: ServerType, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'it is taken; choose another with --port'
          : `it answers ${error.code}; choose others with --host and --port`;
      reject(new ConfigError([`The server cannot listen on ${host}, port ${port}: ${why}.`]));
    });
    server.listen(port, host, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
