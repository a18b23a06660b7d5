import { EventEmitter, once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { shut } from './stand-in-loopback.ts';

/**
 * What becomes of connections. `refuse` has no listener, `reset` resets what it has accepted, `freeze` accepts and passes
 * nothing on until it is told otherwise, `delayMs` holds every packet back for so long, in either direction.
 */
type ProxyMode = 'forward' | 'refuse' | 'reset' | 'freeze' | { readonly delayMs: number };

export interface Proxy {
  readonly port: number;
  /** How many connections were made so far. */
  readonly connections: number;
  /** For new connections and, as far as it concerns them, for those that are open; `refuse` and `reset` leave those alone. */
  set(mode: ProxyMode): Promise<void>;
  /** For new connections only: those that are open stay as they are. */
  setNew(mode: ProxyMode): Promise<void>;
  /** Cuts every open connection. */
  cut(): void;
  close(): Promise<void>;
}

interface Link {
  mode: ProxyMode;
  readonly ends: readonly [Socket, Socket];
  readonly changed: EventEmitter;
}

// Below the ports that systems hand out by themselves, so that no other program takes it while it has no listener.
const FIRST_PORT = 15_000;
const PORTS = 15_000;

/** Stands on loopback in front of a server and spoils the connections to it. */
export async function startProxy(upstream: number, host = '127.0.0.1'): Promise<Proxy> {
  const links = new Set<Link>();
  let fresh: ProxyMode = 'forward';
  let connections = 0;
  let server = newServer();
  const port = await listenSomewhere(server);

  function newServer(): Server {
    return createServer((near) => {
      connections += 1;
      near.on('error', () => undefined);
      if (fresh === 'reset') {
        near.resetAndDestroy();
        return;
      }
      const far = connect(upstream, host).on('error', () => near.destroy());
      const link: Link = { mode: fresh, ends: [near, far], changed: new EventEmitter() };
      links.add(link);
      for (const end of link.ends)
        end.on('close', () => {
          links.delete(link);
          for (const other of link.ends) if (other !== end && link.mode !== 'freeze') other.destroySoon();
        });
      void pump(near, far, link);
      void pump(far, near, link);
    });
  }

  async function setNew(mode: ProxyMode): Promise<void> {
    if (mode === 'refuse' && fresh !== 'refuse') server.close();
    if (mode !== 'refuse' && fresh === 'refuse') {
      server = newServer();
      await listenAt(server, port);
    }
    fresh = mode;
  }

  function cut(): void {
    for (const { ends, changed } of links) {
      for (const end of ends) end.destroy();
      changed.emit('changed');
    }
  }

  return {
    port,
    get connections() {
      return connections;
    },
    setNew,
    async set(mode) {
      await setNew(mode);
      if (mode === 'refuse' || mode === 'reset') return;
      for (const link of links) {
        link.mode = mode;
        link.changed.emit('changed');
      }
    },
    cut,
    async close() {
      cut();
      if (fresh !== 'refuse') await shut(server, []);
    },
  };
}

async function pump(from: Socket, to: Socket, link: Link): Promise<void> {
  try {
    for await (const chunk of from) {
      while (link.mode === 'freeze' && !from.destroyed) await once(link.changed, 'changed');
      if (typeof link.mode === 'object') await pause(link.mode.delayMs);
      if (!to.destroyed) to.write(chunk);
    }
  } catch {
    // Cut off half-way, which is what it is for.
  }
}

async function listenSomewhere(server: Server): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    try {
      await listenAt(server, port);
      return port;
    } catch {
      // Taken; there are others.
    }
  }
}

async function listenAt(server: Server, port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject).listen(port, '127.0.0.1', resolve);
  await promise;
  server.off('error', reject);
}
