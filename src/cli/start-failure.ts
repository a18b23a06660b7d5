import { createInterface } from 'node:readline';

// Runs on any Node version, so that an old one is reported to the client too; it imports nothing but Node's own modules.

/** How long a client may take to ask. */
const TIMEOUT_MS = 2_000;

/** The process's pipes, without which a client cannot be told anything. */
interface Pipes {
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream;
}

/**
 * Tells an MCP client why the server cannot start, because hosts rarely show stderr: answers each request with an error that
 * contains the message, until `initialize` is answered, the client closes stdin, or two seconds have passed. Clients of the
 * current protocol revision send another request first. With a terminal on stdin, it resolves at once.
 */
export function reportStartFailure({ stdin, stdout }: Pipes, message: string): Promise<void> {
  if (stdin.isTTY) return Promise.resolve();
  return new Promise((resolve) => {
    const lines = createInterface({ input: stdin });
    const timer = setTimeout(() => lines.close(), TIMEOUT_MS);
    lines.on('close', () => {
      clearTimeout(timer);
      stdout.write('', () => resolve());
    });
    lines.on('line', (line) => {
      const { id, method } = readRequest(line);
      if (typeof method !== 'string' || (typeof id !== 'string' && typeof id !== 'number')) return;
      stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32603, message } })}\n`);
      if (method === 'initialize') lines.close();
    });
  });
}

function readRequest(line: string): { readonly id?: unknown; readonly method?: unknown } {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
