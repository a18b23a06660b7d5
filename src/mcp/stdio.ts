import type { Readable, Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { InFlight } from './in-flight.ts';
import { Frames } from './frames.ts';
import { answerHandshake } from './handshake.ts';
import { writeJoined } from './joined-writes.ts';
import type { Frame } from './message.ts';
import { answerModern, isModern } from './modern.ts';
import { RunningRequests } from './running-requests.ts';
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
  const send = (message: object): void => frames.send(message);
  const requests = new RunningRequests(send);
  let handshake: Promise<Handshake> | undefined;
  const receive = async (frame: Frame): Promise<void> => {
    if (!('id' in frame) && requests.cancel(frame)) return;
    if (isModern(frame)) {
      if ('id' in frame)
        await requests.run(frame, (signal) => answerModern(server, { frame, signal, sendNotification: send }));
      return;
    }
    // Loads the SDK when the first message needs it: a start in the modern era takes less without it.
    handshake ??= import('./sdk.ts').then(({ bindHandshake }) => bindHandshake(server, send));
    const connection = await handshake;
    const method = server.methods.get(String(frame['method']));
    if (!method || !('id' in frame)) return connection.receive(frame);
    // The SDK needs a moment for an initialize that came together with this request.
    if (connection.clientCapabilities === undefined) await turn();
    const { ask, clientCapabilities } = connection;
    await requests.run(frame, (signal) =>
      answerHandshake(server, { frame, method, signal, clientCapabilities, ask, sendNotification: send }),
    );
  };
  const frames = new Frames({ stdin, stdout, load: () => inFlight.size, receive: (frame) => void receive(frame) });
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
