import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as forward } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { listen, shut } from './stand-in-loopback.ts';

/** Hosts below it exist only for the proxy, and the certificate of `startTls` is theirs. */
export const DOMAIN = 'customers.test';

/** What the proxy does with what it is asked: passes it on, answers with a status, resets, or says nothing. */
type Manner = 'well' | 'reset' | 'silent' | number;

export interface HttpProxy {
  readonly url: string;
  /** `CONNECT host:port` and `GET http://host/path`, in order of arrival. */
  readonly asked: { readonly line: string; readonly authorization: string | undefined; readonly connection: number }[];
  behave(manner: Manner): void;
  close(): Promise<void>;
}

/** An HTTP proxy on loopback, for tunnels and for requests in absolute form. Whatever the host, it leads to one port. */
export async function startHttpProxy(target: number): Promise<HttpProxy> {
  const sockets = new Set<Socket>();
  const numbers = new WeakMap<Socket, number>();
  const asked: HttpProxy['asked'] = [];
  let manner: Manner = 'well';
  let connections = 0;
  const server = createServer((request, response) => {
    note(`${request.method} ${request.url}`, request.headers['proxy-authorization'], request.socket);
    if (manner === 'silent') return;
    if (manner === 'reset') {
      request.socket.resetAndDestroy();
      return;
    }
    if (manner !== 'well') {
      response.writeHead(manner, { 'content-type': 'text/html' }).end('<p>This proxy does not want to.');
      return;
    }
    const { pathname, search } = new URL(request.url ?? '');
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = forward({
      host: '127.0.0.1',
      port: target,
      method: request.method,
      path: pathname + search,
      headers,
    });
    request.pipe(onward.on('error', () => request.socket.resetAndDestroy()));
    onward.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
  });
  server.on('connection', (socket) => {
    connections += 1;
    numbers.set(socket, connections);
    sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
  });
  server.on('connect', (request, near: Socket) => {
    note(`CONNECT ${request.url}`, request.headers['proxy-authorization'], near);
    if (manner === 'silent') return;
    if (manner === 'reset') near.resetAndDestroy();
    else if (manner !== 'well') near.end(`HTTP/1.1 ${manner} No\r\ncontent-length: 0\r\n\r\n`);
    else {
      const far = connect(target, '127.0.0.1', () => near.write('HTTP/1.1 200 Connection established\r\n\r\n'));
      sockets.add(far.on('error', () => near.resetAndDestroy()).on('close', () => near.destroySoon()));
      near
        .on('close', () => far.destroy())
        .pipe(far)
        .pipe(near);
    }
  });
  const url = await listen(server);
  function note(line: string, authorization: string | undefined, socket: Socket): void {
    asked.push({ line, authorization, connection: numbers.get(socket) ?? 0 });
  }
  return {
    url,
    asked,
    behave: (next) => void (manner = next),
    close: () => shut(server, sockets),
  };
}

/** Speaks TLS in front of a port on loopback, with a certificate that only those trust who are told its file. */
export async function startTls(
  target: number,
): Promise<{ readonly port: number; readonly ca: string; close(): Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-tls-'));
  const [key, ca] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', `/CN=${DOMAIN}`, '-addext', `subjectAltName=DNS:*.${DOMAIN}`];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  execFileSync('openssl', ['req', '-x509', ...curve, '-nodes', '-keyout', key, '-out', ca, '-days', '2', ...subject], {
    stdio: 'pipe',
  });
  const sockets = new Set<Socket>();
  const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(ca) }, (near) => {
    const far = connect(target, '127.0.0.1');
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    near.pipe(far).pipe(near);
  });
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  const port = Number(new URL(await listen(server)).port);
  return {
    port,
    ca,
    async close() {
      await shut(server, sockets);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
