import type { HttpBindings } from '@hono/node-server';
import { Hono, type Context as HonoContext } from 'hono';
import { cors } from 'hono/cors';
import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import { framesOf, type Log } from '../log.ts';
import { answerPost, calledTools, isWork } from '../mcp/http.ts';
import type { ServerParts } from '../mcp/server.ts';
import type { Offer } from '../setup.ts';
import { READ_SCOPE, Refused, WRITE_SCOPE, type Authenticate, type Caller } from './callers.ts';
import type { HttpConfig } from './config.ts';
import { strangeness } from './doors.ts';
import { page, STYLE_SOURCE } from './page.ts';

type Bindings = { Bindings: HttpBindings };
type Context = HonoContext<Bindings>;

export interface AppParts {
  readonly offers: readonly Offer[];
  readonly config: HttpConfig;
  readonly version: string;
  readonly log: Log;
  readonly authenticate: Authenticate;
  readonly limiter: RateLimiterAbstract;
  /** Throws when a create could not be recorded. */
  ready(): Promise<void>;
  readonly running: ServerParts['running'];
  /** Aborted when the server wants to lose its connections. */
  readonly draining: AbortSignal;
}

const LARGEST_BODY = 1024 * 1024;
const LARGEST_BATCH = 50;
/** Calls that run at once; more are asked to come back. */
const MOST_AT_ONCE = 256;
const METADATA = '/.well-known/oauth-protected-resource';

/**
 * On every answer: nobody keeps it, no other page shows it in a frame, and nothing in it runs or loads but the page's own
 * style. On Node's response, so that hono's, which would be built anew for each header, goes out as it is.
 */
const HEADERS = new Map([
  ['Cache-Control', 'no-store'],
  ['Content-Security-Policy', `default-src 'none'; style-src ${STYLE_SOURCE}; frame-ancestors 'none'`],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
]);
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** Where each provider is served: alone at /mcp, several each below it. */
export function pathOf({ desk }: Offer, offers: readonly Offer[]): string {
  return offers.length === 1 ? '/mcp' : `/mcp/${desk.provider.name}`;
}

/** Everything that is served, from the outermost door inwards. */
export function createApp({ offers, config, version, log, ready, draining, ...parts }: AppParts): Hono<Bindings> {
  const app = new Hono<Bindings>({ strict: false });
  const paths = offers.map((offer) => pathOf(offer, offers));
  const oauth = config.access.kind === 'oauth' ? config.access : undefined;

  app.use(async (c, next) => {
    c.env.outgoing.setHeaders(HEADERS);
    await next();
    if (draining.aborted) c.header('Connection', 'close');
  });

  // Before the doors: what watches over the server calls it by its address.
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    if (draining.aborted) return c.json({ status: 'stopping' }, 503);
    const store = await ready().then(
      () => 'ok',
      () => 'store_unavailable',
    );
    return c.json({ status: store }, store === 'ok' ? 200 : 503);
  });

  app.use(async (c, next) => {
    const { url: target } = c.req;
    const strange = strangeness({ host: c.req.header('host'), target, origin: c.req.header('origin') }, config);
    if (strange === undefined) return next();
    log.info('refused', { status: 403 });
    return refuse(c, 403, strange);
  });
  const shared = cors({
    origin: (origin) => origin,
    allowMethods: ['POST', 'GET'],
    allowHeaders: ['Authorization', 'Content-Type', 'Mcp-Protocol-Version', 'Mcp-Session-Id', 'Last-Event-ID'],
    exposeHeaders: ['WWW-Authenticate', 'Retry-After', 'Mcp-Session-Id'],
  });
  // Only a browser sends an Origin.
  app.use((c, next) => (c.req.header('origin') === undefined ? next() : shared(c, next)));

  app.get('/', (c) => {
    const endpoints = offers.map(({ desk }, index) => ({
      url: originOf(c) + (paths[index] ?? ''),
      title: desk.provider.title,
      sandbox: desk.sandbox,
    }));
    return c.html(page(endpoints, version, oauth !== undefined));
  });

  if (oauth) {
    // RFC 9728. An audience that is an address is this server's own (RFC 8707).
    const metadata = (c: Context): Response => {
      const own = originOf(c) + (c.req.path.slice(METADATA.length) || (paths[0] ?? ''));
      return c.json({
        resource: URL.canParse(oauth.audience) ? oauth.audience : own,
        authorization_servers: [oauth.issuer],
        scopes_supported: [READ_SCOPE, WRITE_SCOPE],
        bearer_methods_supported: ['header'],
        resource_name: 'customers-mcp',
      });
    };
    for (const path of ['', ...paths]) app.get(METADATA + path, metadata);
  }

  for (const [index, offer] of offers.entries()) {
    const path = paths[index] ?? '';
    app.post(path, answerer(offer, { version, log, oauth: oauth !== undefined, ...parts }));
    app.all(path, (c) => refuse(c, 405, 'Only POST: this server keeps no sessions.', { Allow: 'POST' }));
  }
  const others =
    paths.length > 1 ? `Each provider has its own address: ${paths.join(', ')}.` : `MCP is at ${paths[0]}.`;
  app.notFound((c) => refuse(c, 404, `There is nothing here. ${others}`));
  app.onError((error, c) => {
    log.error('bug', { stack: framesOf(error) });
    return refuse(c, 500, 'Something went wrong in customers-mcp itself.');
  });
  return app;
}

/** Answers the messages of one POST, for a caller who may send them. */
function answerer(
  { tools, desk }: Offer,
  {
    version,
    log,
    oauth,
    authenticate,
    limiter,
    running,
  }: Pick<AppParts, 'version' | 'log' | 'authenticate' | 'limiter' | 'running'> & { oauth: boolean },
): (c: Context) => Promise<Response> {
  const reading = tools.filter(({ hints }) => hints.readOnlyHint);

  const answer = async (c: Context, caller: Caller): Promise<Response> => {
    const bytes = await readBody(c);
    if (bytes === 'too large') return refuse(c, 413, `The body may have ${LARGEST_BODY} bytes at most.`);
    if (bytes === 'broken off') return refuse(c, 400, 'The body broke off.');
    const body = parse(bytes);
    if (body === undefined) return refuse(c, 400, 'The body is not JSON.', {}, -32700);
    const messages = Array.isArray(body) ? body : [body];
    if (messages.length === 0 || messages.length > LARGEST_BATCH)
      return refuse(c, 400, `A batch must hold 1 to ${LARGEST_BATCH} messages.`, {}, -32600);
    const waitMs = await consume(limiter, caller, messages.length);
    if (waitMs !== undefined) {
      log.info('refused', { status: 429, caller: caller.id });
      const seconds = Math.ceil(waitMs / 1_000);
      return refuse(c, 429, `Too many messages. Send the next one in ${seconds} s.`, {
        'Retry-After': String(seconds),
      });
    }
    if (!caller.mayWrite && calledTools(messages).some((name) => isWriting(tools, name)))
      throw new Refused(403, `The token lacks the scope ${WRITE_SCOPE}.`, 'insufficient_scope');
    const more = messages.filter(isWork).length;
    if (more > 0 && running.size + more > MOST_AT_ONCE)
      return refuse(c, 503, 'Too many calls at once. Try again.', { 'Retry-After': '1' });
    const allowed = caller.mayWrite ? tools : reading;
    const parts = { tools: allowed, desk: { ...desk, caller: caller.id }, version, running };
    return answerPost(parts, c.req.raw, messages, body);
  };

  return async (c) => {
    try {
      return await answer(c, await authenticate(c.req.header('authorization')));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      log.info('refused', { status: error.status });
      const headers =
        error.status === 503 ? { 'Retry-After': '5' } : { 'WWW-Authenticate': challenge(c, error, oauth) };
      return refuse(c, error.status, error.message, headers);
    }
  };
}

/** The body, or why it is not to be had. What is left of one that is too large is let run out, or the caller would never get to the answer. */
async function readBody(c: Context): Promise<Buffer | 'too large' | 'broken off'> {
  if (Number(c.req.header('content-length') ?? 0) > LARGEST_BODY) return 'too large';
  const { promise, resolve } = Promise.withResolvers<Buffer | 'too large' | 'broken off'>();
  const chunks: Buffer[] = [];
  let size = 0;
  c.env.incoming
    .on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > LARGEST_BODY) resolve('too large');
      else chunks.push(chunk);
    })
    .once('end', () => resolve(Buffer.concat(chunks)))
    // The caller has gone, or was so slow that it was sent away.
    .once('error', () => resolve('broken off'))
    .once('close', () => resolve('broken off'));
  return promise;
}

/** `undefined` for what is no JSON, and for bytes that are no UTF-8: a name must not be changed on its way. */
function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(UTF8.decode(bytes));
  } catch {
    return undefined;
  }
}

function isWriting(tools: Offer['tools'], name: unknown): boolean {
  return tools.some((tool) => tool.name === name && !tool.hints.readOnlyHint);
}

/** How long the caller has to wait; `undefined` when it need not. */
async function consume(limiter: RateLimiterAbstract, { id }: Caller, points: number): Promise<number | undefined> {
  try {
    await limiter.consume(id, points);
    return undefined;
  } catch (error) {
    if (error instanceof RateLimiterRes) return error.msBeforeNext;
    throw error;
  }
}

/** RFC 6750, and for OAuth where to find out how to get a token (RFC 9728). */
function challenge(c: Context, { error, message, status }: Refused, oauth: boolean): string {
  const scope = status === 403 ? `${READ_SCOPE} ${WRITE_SCOPE}` : undefined;
  const parts = {
    realm: 'customers-mcp',
    error,
    error_description: error && message,
    scope: oauth ? (scope ?? `${READ_SCOPE} ${WRITE_SCOPE}`) : undefined,
    resource_metadata: oauth ? originOf(c) + METADATA + c.req.path : undefined,
  };
  const given = Object.entries(parts).flatMap(([key, value]) => (value === undefined ? [] : [`${key}="${value}"`]));
  return `Bearer ${given.join(', ')}`;
}

/** Our own address as the caller knows it. Its Host has been checked. */
function originOf(c: Context): string {
  const proto = c.req.header('x-forwarded-proto') === 'https' ? 'https' : 'http';
  return `${proto}://${c.req.header('host')}`;
}

/** A refusal in the protocol's own form, of no request in particular. */
function refuse(
  c: Context,
  status: 400 | 401 | 403 | 404 | 405 | 413 | 429 | 500 | 503,
  message: string,
  headers: Record<string, string> = {},
  code = -32000,
): Response {
  return c.json({ jsonrpc: '2.0', error: { code, message }, id: null }, status, headers);
}
