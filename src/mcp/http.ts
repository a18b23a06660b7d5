import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import { SUPPORTED_PROTOCOL_VERSIONS } from '@modelcontextprotocol/sdk/types.js';
import { inTraceOf } from '../telemetry.ts';
import { isRecord } from '../text.ts';
import { errorResponse, faultIn, isAnswer, tidied, type Frame } from './message.ts';
import { INVALID_REQUEST, isRequestId, REFUSED, RpcError, type Exchange, type Method, type Params } from './method.ts';
import { handshakeFault, sdkServer, type Known } from './sdk.ts';
import type { McpServer } from './server.ts';
import { showsViews, VIEW_CAPABILITIES } from './view.ts';

/** The prefix of a session id. The session consists of nothing else. */
const SHOWS_VIEWS = 'shows-views.';

/** A request and the messages in its body. */
export interface Post {
  readonly request: Request;
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
export async function answerPost(server: McpServer, { request, messages, caller }: Post): Promise<Response> {
  const { headers } = request;
  const received = messages.map((message) => (isRecord(message) ? tidied(message) : {}));
  const refusal = refusalOf(headers, received);
  if (refusal) return refusal;
  // This server keeps no state, so it has asked nothing, and a cancellation could only concern another message of this POST.
  const requests = received.filter((message) => 'id' in message && !isAnswer(message));
  const [first, ...others] = requests;
  if (!first) return new Response(undefined, { status: 202 });
  const announced = headers.get('mcp-session-id')?.startsWith(SHOWS_VIEWS) === true;
  const known = { caller, clientCapabilities: announced ? VIEW_CAPABILITIES : undefined };
  const method = others.length > 0 || wantsProgress(first) ? undefined : server.methods.get(String(first['method']));
  if (method)
    return Response.json(await inTraceOf(headers, () => answerRequest(server, { frame: first, method }, known)));
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: !requests.some(wantsProgress) });
  await sdkServer(server, known).connect(transport);
  const parsedBody = others.length > 0 ? requests : first;
  const response = await inTraceOf(headers, () => transport.handleRequest(request, { parsedBody }));
  if (requests.some(announcesViews)) response.headers.set('mcp-session-id', SHOWS_VIEWS + crypto.randomUUID());
  return response;
}

/** The refusal of a POST that is not valid. The SDK would write `"id": null`, which the protocol's schema does not allow. */
function refusalOf(headers: Headers, messages: readonly Frame[]): Response | undefined {
  const refused = (status: number, fault: RpcError, id?: unknown): Response =>
    Response.json(errorResponse(id, fault), { status });
  const accepted = headers.get('accept') ?? '';
  if (!accepted.includes('application/json') || !accepted.includes('text/event-stream'))
    return refused(406, new RpcError(REFUSED, 'Accept must name both application/json and text/event-stream.'));
  const [type = ''] = (headers.get('content-type') ?? '').split(';');
  if (type.trim().toLowerCase() !== 'application/json')
    return refused(415, new RpcError(REFUSED, 'Content-Type must be application/json.'));
  for (const message of messages) {
    const fault = isAnswer(message) ? undefined : (faultIn(message) ?? handshakeFault(message));
    if (fault) return refused(400, fault, message['id']);
  }
  const version = headers.get('mcp-protocol-version');
  if (messages.some(({ method }) => method === 'initialize')) {
    if (messages.length === 1) return undefined;
    return refused(400, new RpcError(INVALID_REQUEST, 'The request initialize must be alone in its POST.'));
  }
  if (version === null || SUPPORTED_PROTOCOL_VERSIONS.includes(version)) return undefined;
  const supported = SUPPORTED_PROTOCOL_VERSIONS.join(', ');
  const why = `The MCP-Protocol-Version ${JSON.stringify(version.slice(0, 100))} is not supported. Supported: ${supported}.`;
  return refused(400, new RpcError(REFUSED, why));
}

/** A request that needs nothing of the SDK, as nearly all do. */
interface PlainRequest {
  readonly frame: Frame;
  readonly method: Method;
}

async function answerRequest(
  server: McpServer,
  { frame, method }: PlainRequest,
  { caller, clientCapabilities }: Known,
): Promise<object> {
  const params: Params = isRecord(frame['params']) ? frame['params'] : {};
  const id = isRequestId(frame['id']) ? frame['id'] : '';
  try {
    const { signal } = new AbortController();
    // Without a connection that stays, nobody can be asked.
    const ask = async () => 'unavailable' as const;
    const exchange: Exchange = { id, signal, clientCapabilities, caller, ask, progress() {} };
    return { jsonrpc: '2.0', id, result: await method(params, exchange) };
  } catch (error) {
    return errorResponse(id, error instanceof RpcError ? error : server.internalError(error));
  }
}

function announcesViews({ method, params }: Frame): boolean {
  return method === 'initialize' && isRecord(params) && showsViews(params['capabilities']);
}

function wantsProgress({ params }: Frame): boolean {
  return isRecord(params) && isRecord(params['_meta']) && params['_meta']['progressToken'] !== undefined;
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
