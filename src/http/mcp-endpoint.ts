import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible';
import type { Log } from '../log.ts';
import { answerPost, calledTools, importedRows, isWork } from '../mcp/http.ts';
import { answerModernPost, isModernPost } from '../mcp/modern-http.ts';
import type { InFlight } from '../mcp/in-flight.ts';
import { createServer, type McpServer } from '../mcp/server.ts';
import type { ServerContext, Tenant, Tool } from '../tools/tool.ts';
import { AuthError, WRITE_SCOPE, type Authenticate, type Principal } from './auth.ts';
import { readJson } from './body.ts';
import { FairQueue } from './fair-queue.ts';
import { challenge, type OAuth } from './oauth-metadata.ts';
import { RefusalError, refuse, type Context } from './refusal.ts';

export interface EndpointParts {
  readonly version: string;
  readonly log: Log;
  readonly limiter: RateLimiterAbstract;
  readonly inFlight: InFlight;
  /** In which tenants take turns, or callers where there are no tenants. */
  readonly queue: FairQueue;
}

/** Answers the messages of one POST for the principal that sent them. */
export type Endpoint = (c: Context, principal: Principal) => Promise<Response>;

const MAX_BATCH = 50;
/** Concurrent calls; further ones are asked to retry. */
const MAX_IN_FLIGHT = 256;
/** The calls that each caller may have in flight, even if others use all of them. */
const FAIR_SHARE = MAX_IN_FLIGHT / 4;
/** The calls that all callers of one tenant may have in flight. */
const TENANT_SHARE = MAX_IN_FLIGHT / 2;
/** The calls that each tenant may have in flight, even if a provider that hangs holds the calls of all others. */
const TENANT_FLOOR = 4;

export function mcpEndpoint(
  context: ServerContext,
  { version, log, limiter, inFlight, queue }: EndpointParts,
): Endpoint {
  const { tools, tenant } = context;
  const serverWith = (offered: readonly Tool[]): McpServer =>
    createServer({ context: { ...context, tools: offered }, version, inFlight, transport: 'tcp' });
  const servers = { all: serverWith(tools), reading: serverWith(tools.filter(({ hints }) => hints.readOnlyHint)) };
  const callers = tenant ? new FairQueue() : queue;
  const writing = new Set<unknown>(tools.filter(({ hints }) => !hints.readOnlyHint).map(({ name }) => name));

  return async (c, principal) => {
    const caller = tenant ? `${tenant.name}/${principal.id}` : principal.id;
    await callers.turn(principal.id);
    if (tenant) await queue.turn(tenant.name);
    const body = await readJson(c);
    const messages = Array.isArray(body) ? body : [body];
    if (messages.length === 0 || messages.length > MAX_BATCH)
      throw new RefusalError({
        status: 400,
        message: `A batch must contain 1 to ${MAX_BATCH} messages.`,
        code: -32600,
      });
    const waitMs = await consume(limiter, caller, messages.length + importedRows(messages));
    if (waitMs !== undefined) {
      log.info('refused', { status: 429, caller });
      throw tooManyMessages(waitMs);
    }
    if (!principal.mayWrite && calledTools(messages).some((name) => writing.has(name)))
      throw new AuthError(403, `The token lacks the scope ${WRITE_SCOPE}.`, 'insufficient_scope');
    const calls = messages.filter(isWork).length;
    if (calls > 0 && !hasRoom(inFlight, { caller, tenant }, calls)) throw tooManyCalls();
    const server = principal.mayWrite ? servers.all : servers.reading;
    const request = c.req.raw;
    return isModernPost(request.headers, messages)
      ? answerModernPost(server, { request, body, caller })
      : answerPost(server, { headers: request.headers, messages, caller });
  };
}

/** Authenticates the caller, and turns what is thrown on the way into HTTP errors. */
export async function answerCaller(
  c: Context,
  {
    authenticate,
    oauth,
    log,
  }: { readonly authenticate: Authenticate; readonly oauth: OAuth | undefined; readonly log: Log },
  answer: (principal: Principal) => Promise<Response>,
): Promise<Response> {
  try {
    return await answer(await authenticate(c.req.header('authorization')));
  } catch (error) {
    if (error instanceof RefusalError) return refuse(c, error.refusal);
    if (!(error instanceof AuthError)) throw error;
    const { status, message } = error;
    log.info('refused', { status });
    const headers: Record<string, string> =
      status === 503 ? { 'Retry-After': '5' } : { 'WWW-Authenticate': challenge(c, error, oauth) };
    return refuse(c, { status, message, headers });
  }
}

/** Whether a caller may start this many further calls. */
function hasRoom(
  inFlight: InFlight,
  { caller, tenant }: { readonly caller: string; readonly tenant: Tenant | undefined },
  calls: number,
): boolean {
  const total = inFlight.size + calls;
  const ofTenant = tenant ? inFlight.ofAll(`${tenant.name}/`) + calls : 0;
  if (ofTenant > TENANT_SHARE) return false;
  if (total <= MAX_IN_FLIGHT || (tenant && ofTenant <= TENANT_FLOOR)) return true;
  const isModest = inFlight.of(caller) + calls <= FAIR_SHARE && ofTenant <= FAIR_SHARE;
  return total <= 2 * MAX_IN_FLIGHT && isModest;
}

/** How long the caller must wait, in ms; `undefined` if it need not. */
async function consume(limiter: RateLimiterAbstract, caller: string, points: number): Promise<number | undefined> {
  try {
    await limiter.consume(caller, points);
    return undefined;
  } catch (error) {
    if (error instanceof RateLimiterRes) return error.msBeforeNext;
    throw error;
  }
}

function tooManyMessages(waitMs: number): RefusalError {
  const seconds = Math.ceil(waitMs / 1_000);
  return new RefusalError({
    status: 429,
    message: `Too many messages. Send the next one in ${seconds} s.`,
    headers: { 'Retry-After': String(seconds) },
  });
}

function tooManyCalls(): RefusalError {
  return new RefusalError({
    status: 503,
    message: 'Too many concurrent calls. Try again.',
    headers: { 'Retry-After': '1' },
  });
}
