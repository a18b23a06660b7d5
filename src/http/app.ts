import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { framesOf } from '../log.ts';
import type { Tenants } from '../tenants/tenants.ts';
import type { ServerContext } from '../tools/tool.ts';
import type { Authenticate } from './auth.ts';
import type { HttpConfig } from './config.ts';
import { validateHost } from './host-validation.ts';
import { page, STYLE_SOURCE } from './landing-page.ts';
import { answerCaller, mcpEndpoint, type Endpoint, type EndpointParts } from './mcp-endpoint.ts';
import { DEFAULT_ENDPOINTS, METADATA, originOf, resourceMetadata, WELL_KNOWN, type OAuth } from './oauth-metadata.ts';
import { refuse, type Bindings, type Context } from './refusal.ts';

/** Accounts at fixed addresses, or tenants. */
export type Served = { readonly contexts: readonly ServerContext[] } | { readonly tenants: Tenants };

export interface AppParts extends EndpointParts {
  readonly served: Served;
  readonly config: HttpConfig;
  readonly authenticate: Authenticate;
  /** @throws if the store could not record a create. */
  ready(): Promise<void>;
  /** Aborted when the server stops and its connections are to end. */
  readonly draining: AbortSignal;
}

/**
 * Headers of every answer: no cache stores it, no other page frames it, and it runs or loads nothing but the page's own style.
 * They are set on Node's response, because hono would rebuild its own response for each header.
 */
const HEADERS = new Map([
  ['Cache-Control', 'no-store'],
  ['Content-Security-Policy', `default-src 'none'; style-src ${STYLE_SOURCE}; frame-ancestors 'none'`],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Content-Type-Options', 'nosniff'],
  ['X-Frame-Options', 'DENY'],
]);

/** The path of a provider: /mcp for a single one, a path below it for each of several. */
export function pathOf({ provider }: ServerContext, contexts: readonly ServerContext[]): string {
  return contexts.length === 1 ? '/mcp' : `/mcp/${provider.name}`;
}

/** Middleware and routes, outermost first. */
export function createApp(parts: AppParts): Hono<Bindings> {
  const { served, config, log, draining } = parts;
  const oauth = config.access.kind === 'oauth' ? config.access : undefined;
  const app = new Hono<Bindings>({ strict: false });

  app.use(async (c, next) => {
    c.env.outgoing.setHeaders(HEADERS);
    await next();
    if (draining.aborted) c.header('Connection', 'close');
  });
  addProbes(app, parts);
  addHostValidation(app, parts);
  if ('tenants' in served) addTenants(app, served.tenants, { ...parts, oauth });
  else addAccounts(app, served.contexts, { ...parts, oauth });
  app.onError((error, c) => {
    log.error('bug', { stack: framesOf(error) });
    return refuse(c, { status: 500, message: 'Internal error in customers-mcp.' });
  });
  return app;
}

type Parts = AppParts & { readonly oauth: OAuth | undefined };

const POST_ONLY = {
  status: 405,
  message: 'Only POST is supported: this server keeps no sessions.',
  headers: { Allow: 'POST' },
} as const;

/** Each account at its own address. */
function addAccounts(app: Hono<Bindings>, contexts: readonly ServerContext[], parts: Parts): void {
  const { version, oauth } = parts;
  const endpoints = contexts.map((context) => ({ context, path: pathOf(context, contexts) }));
  const paths = endpoints.map(({ path }) => path);
  app.get('/', (c) => {
    const shown = endpoints.map(({ context: { provider, sandbox }, path }) => ({
      url: originOf(c) + path,
      title: provider.title,
      sandbox,
    }));
    return c.html(page(shown, version, oauth !== undefined));
  });
  addMetadata(app, oauth, paths);
  for (const { context, path } of endpoints) {
    const endpoint = mcpEndpoint(context, parts);
    app.post(path, (c) => answerCaller(c, parts, (principal) => endpoint(c, principal)));
    app.all(path, (c) => refuse(c, POST_ONLY));
  }
  const where = paths.length > 1 ? `Each provider has its own address: ${paths.join(', ')}.` : `MCP is at ${paths[0]}.`;
  app.notFound((c) => refuse(c, { status: 404, message: `Not found. ${where}` }));
}

const TENANT_PATH = '/mcp/:tenant';

/**
 * Each tenant at its own address; with a single tenant, also at /mcp. A caller that may not reach a tenant gets the same answer
 * as for a tenant that does not exist.
 */
function addTenants(app: Hono<Bindings>, tenants: Tenants, parts: Parts): void {
  const { version, oauth } = parts;
  const endpoints = new WeakMap<ServerContext, Endpoint>();
  const endpointOf = (context: ServerContext): Endpoint => {
    const endpoint = endpoints.get(context) ?? mcpEndpoint(context, parts);
    endpoints.set(context, endpoint);
    return endpoint;
  };
  const notFound = (c: Context): Response =>
    refuse(c, { status: 404, message: 'Not found. Each business has its own address: /mcp/<tenant>.' });
  const answerAt = (c: Context, name: string): Promise<Response> =>
    answerCaller(c, parts, async (principal) => {
      const mine = principal.tenants?.includes(name) === true;
      const { outgoing } = c.env;
      // No event follows if the caller has disconnected meanwhile.
      const sent = outgoing.destroyed ? undefined : new Promise((resolve) => outgoing.once('close', resolve));
      const answer = mine ? await tenants.use(name, (context) => endpointOf(context)(c, principal), sent) : undefined;
      return answer ?? notFound(c);
    });

  app.get('/', (c) => {
    const shown = { url: `${originOf(c)}/mcp/<tenant>`, title: 'Each business has its own address', sandbox: false };
    return c.html(page([shown], version, oauth !== undefined));
  });
  addMetadata(app, oauth, ['/mcp', TENANT_PATH]);
  app.post('/mcp', (c) => {
    const [only = '', ...others] = tenants.entries.keys();
    return answerAt(c, others.length > 0 ? '' : only);
  });
  app.post(TENANT_PATH, (c) => answerAt(c, c.req.param('tenant')));
  for (const path of ['/mcp', TENANT_PATH]) app.all(path, (c) => refuse(c, POST_ONLY));
  app.notFound(notFound);
}

/** Liveness and readiness probes. They come before the Host check, because a probe calls the server by its address. */
function addProbes(app: Hono<Bindings>, { draining, ready }: Pick<AppParts, 'draining' | 'ready'>): void {
  app.get('/healthz', (c) => c.json({ status: 'ok' }));
  app.get('/readyz', async (c) => {
    if (draining.aborted) return c.json({ status: 'stopping' }, 503);
    const status = await ready().then(
      () => 'ok',
      () => 'store_unavailable',
    );
    return c.json({ status }, status === 'ok' ? 200 : 503);
  });
}

/** Rejects requests that a web page may not make, and adds CORS headers to the others. */
function addHostValidation(app: Hono<Bindings>, { config, log }: Pick<AppParts, 'config' | 'log'>): void {
  app.use(async (c, next) => {
    const { url: target } = c.req;
    const message = validateHost({ host: c.req.header('host'), target, origin: c.req.header('origin') }, config);
    if (message === undefined) return next();
    log.info('refused', { status: 403 });
    return refuse(c, { status: 403, message });
  });
  const allowed = cors({
    origin: (origin) => origin,
    // A page must see the 405 to GET and DELETE, with which clients open a stream and end a session.
    allowMethods: ['POST', 'GET', 'DELETE'],
    allowHeaders: [
      'Authorization',
      'Content-Type',
      'Mcp-Protocol-Version',
      'Mcp-Method',
      'Mcp-Name',
      'Mcp-Session-Id',
      'Last-Event-ID',
    ],
    exposeHeaders: ['WWW-Authenticate', 'Retry-After', 'Mcp-Session-Id'],
  });
  // Only a browser sends an Origin.
  app.use((c, next) => (c.req.header('origin') === undefined ? next() : allowed(c, next)));
}

/** With OAuth, the metadata from which a client learns how to get a token; without it, what the server accepts instead. */
function addMetadata(app: Hono<Bindings>, oauth: OAuth | undefined, paths: readonly string[]): void {
  if (oauth) {
    const metadata = (c: Context): Response => c.json(resourceMetadata(c, oauth, paths[0] ?? ''));
    for (const path of ['', ...paths]) app.get(METADATA + path, metadata);
    return;
  }
  const message =
    'This server does not use OAuth. Get the token from its operator and send Authorization: Bearer <token>.';
  for (const place of WELL_KNOWN) app.get(`${place}/*`, (c) => refuse(c, { status: 404, message }));
  // Claude Code shows what the last of these answers.
  for (const place of DEFAULT_ENDPOINTS) app.all(place, (c) => refuse(c, { status: 404, message }));
}
