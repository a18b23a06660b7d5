import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { listen, shut } from './stand-in-loopback.ts';
import type { Socket } from 'node:net';

/** How long a connection is idle before a stopping server drops it; see `QUIET_MS` in the server. */
const QUIET_MS = 1_000;

/** A plain reverse proxy in front of several servers. */
export interface Balancer {
  readonly port: number;
  /** Requests that got no answer from a server, by what happened. */
  readonly failures: readonly string[];
  /**
   * How many of the requests without an answer were sent on a connection that had been idle for so long that a stopping server
   * may drop it. Only a machine that is too busy to send for a second causes one.
   */
  readonly onIdle: number;
  /** How often a server refused the connection and the next one was tried. */
  readonly refused: number;
  close(): Promise<void>;
}

/**
 * Takes the servers in turn, over connections that it keeps. A connection that is refused goes to the next server; a request
 * that was sent is never sent again, as nginx does not send a POST again.
 */
export async function startBalancer(ports: readonly number[]): Promise<Balancer> {
  const agents = new Map(ports.map((port) => [port, new Agent({ keepAlive: true, maxFreeSockets: 16 })]));
  const failures: string[] = [];
  const sentAt = new WeakMap<Socket, number>();
  let refused = 0;
  let onIdle = 0;
  let turn = 0;

  function pass(body: Buffer, incoming: IncomingMessage, outgoing: ServerResponse, [port, ...others]: number[]): void {
    if (port === undefined) return fail('no server', outgoing);
    const { method, url: path, headers } = incoming;
    const sending = request({ host: '127.0.0.1', port, agent: agents.get(port), method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, connection: 'keep-alive' });
      answer.on('error', (error) => {
        failures.push(`cut: ${error.message}`);
        outgoing.destroy();
      });
      answer.pipe(outgoing);
    });
    let idleMs = 0;
    sending.on('socket', (socket) => {
      const now = performance.now();
      idleMs = now - (sentAt.get(socket) ?? now);
      sentAt.set(socket, now);
    });
    sending.on('error', (error: NodeJS.ErrnoException) => {
      if (outgoing.headersSent) return;
      // Whatever happened before there was a connection: nothing can have been sent.
      if (error.syscall !== 'connect' && idleMs >= QUIET_MS) {
        onIdle += 1;
        outgoing.writeHead(502).end();
        return;
      }
      if (error.syscall !== 'connect')
        return fail(`${error.message} on a ${sending.reusedSocket ? 'kept' : 'new'} connection`, outgoing);
      refused += 1;
      pass(body, incoming, outgoing, others);
    });
    sending.end(body);
  }

  function fail(why: string, outgoing: ServerResponse): void {
    failures.push(why);
    outgoing.writeHead(502).end();
  }

  const server = createServer(async (incoming, outgoing) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(Buffer.from(chunk));
    turn += 1;
    const first = turn % ports.length;
    pass(Buffer.concat(chunks), incoming, outgoing, [...ports.slice(first), ...ports.slice(0, first)]);
  });
  // Its clients keep their connections for as long as the test runs.
  server.keepAliveTimeout = 0;
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  const origin = await listen(server);
  return {
    port: Number(new URL(origin).port),
    failures,
    get onIdle() {
      return onIdle;
    },
    get refused() {
      return refused;
    },
    async close() {
      for (const agent of agents.values()) agent.destroy();
      await shut(server, sockets);
    },
  };
}
