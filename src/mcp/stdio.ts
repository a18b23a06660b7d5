import type { Readable, Writable } from 'node:stream';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js';
import { Running } from './running.ts';
import { createServer, type ServerParts } from './server.ts';

/**
 * Serves one client over stdin and stdout, until the client closes its end or `stop` is called; then nothing new is begun,
 * what was sent is seen through, and the promise resolves.
 */
export async function serveStdio(
  parts: Omit<ServerParts, 'running' | 'transport' | 'showsViews'>,
  stdin: Readable,
  stdout: Writable,
  stopped: Promise<unknown>,
): Promise<void> {
  const running = new Running();
  const server = createServer({ ...parts, running, transport: 'pipe' });
  const closed = new Promise((resolve) => {
    stdin.once('end', resolve).once('close', resolve);
    // A client that is gone: EPIPE is the usual way to learn of it.
    stdout.on('error', resolve);
  });
  await server.connect(new JoiningTransport(stdin, stdout, running));
  await Promise.race([closed, stopped]);

  running.stop();
  // A request that arrived with the end of the input has not got as far as `running` yet.
  await new Promise((resolve) => setImmediate(resolve));
  await running.settled();
  await new Promise((resolve) => setImmediate(resolve));
  stdout.uncork();
  await server.close();
}

/**
 * While other calls run, answers that are ready in one turn of the event loop go out in one write: writing is most of what an
 * answer costs.
 */
class JoiningTransport extends StdioServerTransport {
  readonly #stdout: Writable;
  readonly #running: Running;

  constructor(stdin: Readable, stdout: Writable, running: Running) {
    super(stdin, stdout);
    this.#stdout = stdout;
    this.#running = running;
  }

  override send(message: JSONRPCMessage): Promise<void> {
    if (this.#running.size > 0 && this.#stdout.writableCorked === 0) {
      this.#stdout.cork();
      setImmediate(() => this.#stdout.uncork());
    }
    return super.send(message);
  }
}
