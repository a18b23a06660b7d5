import { Server as NetServer } from 'node:net';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import type { ServerType } from '@hono/node-server';
import type { InFlight } from '../mcp/in-flight.ts';

/**
 * How long a stopping server must see no request before it drops idle connections. A busy proxy reuses each of its connections,
 * and each is closed with its answer; a connection that is dropped may already carry a request, which would be lost.
 */
const QUIET_MS = 1_000;
const LOOK_EVERY_MS = 100;
/** How long a stopping server keeps accepting queued connections if the queue does not become empty. */
const QUEUE_MS = 1_000;
/** The time after the longest call for sending answers and closing connections. */
const GRACE_MS = 2_000;

/**
 * Stops accepting connections, finishes in-flight requests, and resolves when no connection is left; after `longestMs`, the
 * time limit of a call, it aborts what remains. Answers must say `Connection: close` by now.
 */
export async function stopGracefully(server: ServerType, inFlight: InFlight, longestMs: number): Promise<void> {
  const closed = new Promise((resolve) => server.once('close', resolve));
  let requestedAt = performance.now();
  server.on('request', () => (requestedAt = performance.now()));
  await emptyQueue(server);
  const letGo = setInterval(() => {
    if (performance.now() - requestedAt > QUIET_MS) void closeIdle(server);
  }, LOOK_EVERY_MS);
  await Promise.race([closed, sleep(longestMs, undefined, { ref: false })]);
  inFlight.abortAll();
  await Promise.race([closed, inFlight.drained().then(() => sleep(GRACE_MS))]);
  clearInterval(letGo);
  if ('closeAllConnections' in server) server.closeAllConnections();
}

/**
 * Stops listening without losing a connection: the system would reset those that are still queued. Node accepts one connection
 * in each turn of the event loop, so a turn without a new one has found the queue empty. Without this function,
 * `npx vitest run test/http/stop.test.ts` fails: 39 of 40 connections that the server has not accepted yet are reset.
 */
async function emptyQueue(server: ServerType): Promise<void> {
  const giveUpAt = performance.now() + QUEUE_MS;
  let accepted = true;
  server.on('connection', () => (accepted = true));
  // The first turn does not count: it may have checked the queue before the connections arrived.
  await turn();
  while (accepted && performance.now() < giveUpAt) {
    accepted = false;
    await turn();
  }
  stopListening(server);
}

/**
 * Calls `close` of a plain server, because that of an HTTP server also drops idle connections, on which a request may be
 * arriving. With the latter, `npx vitest run test/http/stop.test.ts` fails: a request that is on its way is lost.
 */
function stopListening(server: ServerType): void {
  if (server.listening) NetServer.prototype.close.call(server);
}

async function closeIdle(server: ServerType): Promise<void> {
  // Requests that have arrived are read first, so that their connections do not look idle.
  await turn();
  if ('closeIdleConnections' in server) server.closeIdleConnections();
}
