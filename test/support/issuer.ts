import { generateKeyPair, sign, type KeyObject } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import type { JWK } from 'jose';
import { listen, shut } from './stand-in-loopback.ts';

export const AUDIENCE = 'https://customers.example.com/mcp';

type Claims = Readonly<Record<string, unknown>>;

/** An OAuth authorization server played on loopback, as far as a resource server sees it. It signs whatever it is asked to. */
export interface Issuer {
  readonly url: string;
  /** The paths that were asked for, in order. */
  readonly requests: string[];
  /** The public key that signs now. */
  readonly key: { readonly jwk: JWK; readonly pem: string };
  /** How many bytes of an endless answer it could send. */
  readonly sent: number;
  /** A token that is in order, but for the claims and header fields given; `undefined` takes a claim away. */
  sign(claims?: Claims, header?: Readonly<Record<string, unknown>>): Promise<string>;
  /** Signs with a new key from now on, and forgets the old one. */
  rotate(): Promise<void>;
  /** What becomes of requests from now on; with `path`, of those for it. A number: the document fills so many bytes. */
  behave(manner: Manner, path?: string): void;
  close(): Promise<void>;
}

type Manner = 'well' | 'down' | 'silent' | 'html' | 'endless' | number;

interface Pair {
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly jwk: JWK;
  readonly pem: string;
}

const CHUNK = ' '.repeat(64 * 1024);

/** `path` is the part of the issuer's address behind its host; `discovery` the document where its metadata is. */
export async function startIssuer({
  path = '',
  discovery = 'oauth-authorization-server',
  metadata = {},
  keyBits = 2_048,
}: {
  readonly path?: string;
  readonly discovery?: 'oauth-authorization-server' | 'openid-configuration';
  readonly metadata?: Readonly<Record<string, unknown>>;
  readonly keyBits?: number;
} = {}): Promise<Issuer> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  let serial = 0;
  let pair = await newPair();
  let sent = 0;
  let behaviour: { readonly manner: Manner; readonly path?: string | undefined } = { manner: 'well' };

  async function newPair(): Promise<Pair> {
    serial += 1;
    const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: keyBits });
    const kid = `key-${serial}`;
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' };
    return { kid, privateKey, jwk, pem: String(publicKey.export({ format: 'pem', type: 'spki' })) };
  }

  const pour = (response: ServerResponse): void => {
    let flowing = true;
    while (flowing && !response.destroyed) {
      flowing = response.write(CHUNK);
      sent += CHUNK.length;
    }
    response.once('drain', () => pour(response));
  };

  const documents: Readonly<Record<string, () => unknown>> = {
    [discovery === 'openid-configuration' ? `${path}/.well-known/${discovery}` : `/.well-known/${discovery}${path}`]:
      () => ({ issuer: url, jwks_uri: `${origin}/keys`, ...metadata }),
    '/keys': () => ({ keys: [pair.jwk] }),
  };
  const server = createServer((request, response) => {
    const address = request.url ?? '';
    requests.push(address);
    const manner = behaviour.path === undefined || behaviour.path === address ? behaviour.manner : 'well';
    const document = documents[address]?.();
    if (manner === 'silent') return;
    if (manner === 'down') response.writeHead(500).end();
    else if (manner === 'html') response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Maintenance</p>');
    else if (manner === 'endless') pour(response.writeHead(200, { 'content-type': 'application/json' }));
    else {
      response.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(document)?.padEnd(manner === 'well' ? 0 : manner));
    }
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const origin = await listen(server);
  const url = origin + path;

  return {
    url,
    requests,
    get key() {
      return pair;
    },
    get sent() {
      return sent;
    },
    async sign(claims = {}, header = {}) {
      const fields = { alg: 'RS256', kid: pair.kid, typ: 'at+jwt', ...header };
      return forge(fields, claimsOf(url, claims), (signed) =>
        sign('sha256', Buffer.from(signed), pair.privateKey).toString('base64url'),
      );
    },
    async rotate() {
      pair = await newPair();
    },
    behave(next, only) {
      behaviour = { manner: next, path: only };
    },
    close: () => shut(server, sockets),
  };
}

/** Claims that are in order, but for those given. */
export function claimsOf(issuer: string, claims: Claims = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1_000);
  const usual = {
    iss: issuer,
    aud: AUDIENCE,
    sub: 'someone@example.com',
    client_id: 'a-client',
    scope: 'customers:read customers:write',
    iat: now,
    exp: now + 300,
  };
  return Object.fromEntries(Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined));
}

/** A token made by hand, for what no library would sign. */
export function forge(header: unknown, claims: unknown, sign: (signed: string) => string): string {
  const signed = [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
  return `${signed}.${sign(signed)}`;
}
