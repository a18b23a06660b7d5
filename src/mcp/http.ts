import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js';
import { inTraceOf } from '../telemetry.ts';
import { isRecord } from '../text.ts';
import { withoutNulls } from './frames.ts';
import { isRequestId, RpcError, type Exchange, type Method, type Params } from './method.ts';
import { sdkServer, type Known } from './sdk.ts';
import type { McpServer } from './server.ts';
import { showsViews, VIEW_CAPABILITIES } from './view.ts';

/** The prefix of a session id. The session consists of nothing else. */
const SHOWS_VIEWS = 'shows-views.';

/** The JSON of a body, and the messages in it. */
export interface Post {
  readonly request: Request;
  readonly body: unknown;
  readonly messages: readonly unknown[];
  /** Identifies the caller in the log. */
  readonly caller: string;
}

/**
 * Answers one POST of Streamable HTTP. Stateless: each POST that needs the SDK gets its own SDK server and transport, so that no data
 * of one caller can reach another and any replica can answer. The answer is JSON, unless the caller asked for progress, which needs an
 * event stream.
 *
 * A client that announces views at the handshake gets a session id that says so and that it sends with each later request:
 * tools/list names the view only to those clients, and the next request may reach another replica.
 */
export async function answerPost(server: McpServer, { request, body, messages, caller }: Post): Promise<Response> {
  const announced = request.headers.get('mcp-session-id')?.startsWith(SHOWS_VIEWS) === true;
  const known = { caller, clientCapabilities: announced ? VIEW_CAPABILITIES : undefined };
  const single = singleRequest(server, { request, body });
  if (single) return Response.json(await inTraceOf(request.headers, () => answerRequest(server, single, known)));
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: !messages.some(wantsProgress) });
  await sdkServer(server, known).connect(transport);
  // A cancellation could only concern another message of this POST, because this server keeps no state, and that message would
  // then never be answered.
  const kept = messages.filter((message) => !isCancellation(message));
  const left = (kept.length > 0 ? kept : messages).map((message) =>
    isRecord(message) ? withoutNulls(message) : message,
  );
  const parsedBody = Array.isArray(body) ? left : left[0];
  const response = await inTraceOf(request.headers, () => transport.handleRequest(request, { parsedBody }));
  if (messages.some(announcesViews)) response.headers.set('mcp-session-id', SHOWS_VIEWS + crypto.randomUUID());
  return response;
}

/** A request that needs nothing of the SDK. */
interface SingleRequest {
  readonly id: string | number;
  readonly params: Params;
  readonly method: Method;
}

const MEMBERS: readonly string[] = ['jsonrpc', 'id', 'method', 'params'];

/**
 * The request in a body, if it is a single valid one of a method of ours and wants no progress, as nearly all are. Anything else
 * is left to the SDK, also to refuse it.
 */
function singleRequest(
  server: McpServer,
  { request, body }: Pick<Post, 'request' | 'body'>,
): SingleRequest | undefined {
  if (!isRecord(body) || body['jsonrpc'] !== '2.0' || !Object.keys(body).every((name) => MEMBERS.includes(name)))
    return undefined;
  const { id, params = {}, ...named } = withoutNulls(body);
  const method = server.methods.get(String(named['method']));
  const meta = isRecord(params) ? (params['_meta'] ?? {}) : undefined;
  if (!method || !isRequestId(id) || !isRecord(params) || !isRecord(meta) || 'progressToken' in meta) return undefined;
  return isAcceptable(request.headers) ? { id, params, method } : undefined;
}

/** Whether the SDK would accept these headers. */
function isAcceptable(headers: Headers): boolean {
  const accepted = headers.get('accept') ?? '';
  const version = headers.get('mcp-protocol-version');
  return (
    accepted.includes('application/json') &&
    accepted.includes('text/event-stream') &&
    headers.get('content-type')?.includes('application/json') === true &&
    (version === null || SUPPORTED_PROTOCOL_VERSIONS.includes(version))
  );
}

async function answerRequest(
  server: McpServer,
  { id, params, method }: SingleRequest,
  { caller, clientCapabilities }: Known,
): Promise<object> {
  try {
    const { signal } = new AbortController();
    // Without a connection that stays, nobody can be asked.
    const ask = async () => 'unavailable' as const;
    const exchange: Exchange = { id, signal, clientCapabilities, caller, ask, progress() {} };
    return { jsonrpc: '2.0', id, result: await method(params, exchange) };
  } catch (error) {
    const { code, message, data } = error instanceof RpcError ? error : server.internalError(error);
    return { jsonrpc: '2.0', id, error: { code, message, ...(data && { data }) } };
  }
}

function announcesViews(message: unknown): boolean {
  if (!isRecord(message) || message['method'] !== 'initialize' || !isRecord(message['params'])) return false;
  return showsViews(message['params']['capabilities']);
}

function isCancellation(message: unknown): boolean {
  return isRecord(message) && message['method'] === 'notifications/cancelled';
}

function wantsProgress(message: unknown): boolean {
  const params = isRecord(message) && isRecord(message['params']) ? message['params'] : {};
  return isRecord(params['_meta']) && params['_meta']['progressToken'] !== undefined;
}

/** The names of the tools that the messages call. */
export function calledTools(messages: readonly unknown[]): readonly unknown[] {
  return messages.flatMap((message) =>
    isRecord(message) && message['method'] === 'tools/call' && isRecord(message['params'])
      ? [message['params']['name']]
      : [],
  );
}

/** The number of rows that messages import; each counts as one message. */
export function importedRows(messages: readonly unknown[]): number {
  const rows = messages.map((message) => {
    const params = isRecord(message) && isRecord(message['params']) ? message['params'] : {};
    const given = params['name'] === 'import_customers' && isRecord(params['arguments']) ? params['arguments'] : {};
    return Array.isArray(given['rows']) ? given['rows'].length : 0;
  });
  return rows.reduce((sum, count) => sum + count, 0);
}

/** Whether a message leads to requests to the provider. */
export function isWork(message: unknown): boolean {
  return isRecord(message) && WORK.some((method) => method === message['method']);
}

const WORK = ['tools/call', 'resources/read', 'completion/complete'];
