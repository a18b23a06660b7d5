import { connect, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';

/**
 * An address without HTTP behind it: `refuse` has no listener (and keeps the port reserved), `reset-on-accept` resets
 * before it has read a byte, `silent` accepts and never says a word, to a TLS handshake neither.
 */
export async function startRaw(
  kind: 'refuse' | 'reset-on-accept' | 'silent',
): Promise<{ readonly origin: string; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => undefined);
    if (kind === 'reset-on-accept') socket.resetAndDestroy();
  });
  const origin = await listen(server);
  if (kind !== 'refuse') return { origin, close: () => shut(server, sockets) };
  // The near end of a connection owns its port without listening on it.
  const holder = connect(Number(new URL(origin).port), '127.0.0.1');
  await new Promise((resolve, reject) => holder.once('connect', resolve).once('error', reject));
  sockets.add(holder);
  return { origin: `http://127.0.0.1:${holder.localPort}`, close: () => shut(server, sockets) };
}

/** Only loopback, and a port that is free. */
export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening on TCP');
  return `http://127.0.0.1:${address.port}`;
}

/** Ends at once: whoever still waits for an answer is cut off. */
export function shut(server: Server, sockets: Iterable<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of sockets) socket.destroy();
  return closed;
}
