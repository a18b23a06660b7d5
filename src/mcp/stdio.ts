import type { Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { InFlight } from './in-flight.ts';
import { Frames } from './frames.ts';
import { writeJoined } from './joined-writes.ts';
import type { Frame } from './message.ts';
import { ModernConnection } from './modern-stdio.ts';
import { isModern } from './modern.ts';
import type { Handshake } from './sdk.ts';
import { createServer, type ServerParts } from './server.ts';

/** The streams of one client, and the promise that ends serving it. */
export interface Pipes {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stopped: Promise<unknown>;
}

/**
 * Serves one client over stdin and stdout until the client closes stdin or `stopped` resolves. Then it starts no further work,
 * finishes the creates that were sent, and resolves.
 */
export async function serveStdio(
  parts: Omit<ServerParts, 'inFlight' | 'transport'>,
  { stdin, stdout, stopped }: Pipes,
): Promise<void> {
  const inFlight = new InFlight();
  const server = createServer({ ...parts, inFlight, transport: 'pipe' });
  const closed = new Promise((resolve) => {
    stdin.once('end', resolve).once('close', resolve);
    // The client has disconnected; the usual sign is EPIPE.
    stdout.on('error', resolve);
  });
  let handshake: Promise<Handshake> | undefined;
  const receive = (frame: Frame): void => {
    if (isModern(frame)) return modern.receive(frame);
    if (modern.cancel(frame)) return;
    // Loads the SDK when the first message needs it: a start in the modern era takes less without it.
    handshake ??= import('./sdk.ts').then(({ bindHandshake }) =>
      bindHandshake(server, (message) => frames.send(message)),
    );
    void handshake.then((connection) => connection.receive(frame));
  };
  const frames = new Frames({ stdin, stdout, load: () => inFlight.size, receive });
  const modern = new ModernConnection(server, (message) => frames.send(message));
  frames.start();
  await Promise.race([closed, stopped]);

  inFlight.abortAll();
  const connection = await handshake;
  // A request that arrived with the end of the input has not reached `inFlight` yet.
  await turn();
  await inFlight.drained();
  await turn();
  writeJoined(stdout);
  frames.stop();
  await connection?.close();
}
