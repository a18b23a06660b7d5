import { inTraceOf } from '../telemetry.ts';
import { isRecord } from '../text.ts';
import { eventStream } from './event-stream.ts';
import { answerHandshake } from './handshake.ts';
import { errorResponse, faultIn, isAnswer, metaOf, tidied, type Frame } from './message.ts';
import { INVALID_REQUEST, REFUSED, RpcError } from './method.ts';
import { answerOnce, HANDSHAKE_VERSIONS, handshakeFault } from './sdk.ts';
import type { McpServer } from './server.ts';
import { showsViews, VIEW_CAPABILITIES } from './view.ts';

/** The prefix of a session id. The session consists of nothing else. */
const SHOWS_VIEWS = 'shows-views.';

/** The headers of a POST and the messages in its body. */
export interface Post {
  readonly headers: Headers;
  readonly messages: readonly unknown[];
  /** Identifies the caller in the log. */
  readonly caller: string;
}

/**
 * Answers one POST of Streamable HTTP. Stateless: no data of one caller can reach another, and any replica can answer. The answer is
 * JSON, unless the caller asked for progress, which needs an event stream.
 *
 * A client that announces views at the handshake gets a session id that says so and that it sends with each later request:
 * tools/list names the view only to those clients, and the next request may reach another replica.
 */
export async function answerPost(server: McpServer, { headers, messages, caller }: Post): Promise<Response> {
  const received = messages.map((message) => (isRecord(message) ? tidied(message) : {}));
  const refusal = refusalOf(headers, received);
  if (refusal) return refusal;
  // This server keeps no state, so it has asked nothing, and a cancellation could only concern another message of this POST.
  const requests = received.filter((message) => 'id' in message && !isAnswer(message));
  const announced = headers.get('mcp-session-id')?.startsWith(SHOWS_VIEWS) === true;
  const clientCapabilities = announced ? VIEW_CAPABILITIES : undefined;
  const answer = (frame: Frame, sendNotification: (notification: object) => void): Promise<object> => {
    const method = server.methods.get(String(frame['method']));
    if (!method) return answerOnce(server, frame);
    const { signal } = new AbortController();
    return answerHandshake(server, { frame, method, sendNotification, signal, clientCapabilities, caller, ask });
  };
  if (requests.some((frame) => metaOf(frame)['progressToken'] !== undefined))
    return eventStream(async (send) => {
      await inTraceOf(headers, () => Promise.all(requests.map(async (frame) => send(await answer(frame, send)))));
    });
  const answers = await inTraceOf(headers, () => Promise.all(requests.map((frame) => answer(frame, () => {}))));
  const [first, ...others] = answers;
  if (!first) return new Response(undefined, { status: 202 });
  const response = Response.json(others.length > 0 ? answers : first);
  if (requests.some(announcesViews)) response.headers.set('mcp-session-id', SHOWS_VIEWS + crypto.randomUUID());
  return response;
}

/** Without a connection that stays, nobody can be asked. */
const ask = async () => 'unavailable' as const;

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
  if (version === null || HANDSHAKE_VERSIONS.includes(version)) return undefined;
  const supported = HANDSHAKE_VERSIONS.join(', ');
  const why = `The MCP-Protocol-Version ${JSON.stringify(version.slice(0, 100))} is not supported. Supported: ${supported}.`;
  return refused(400, new RpcError(REFUSED, why));
}

function announcesViews({ method, params }: Frame): boolean {
  return method === 'initialize' && isRecord(params) && showsViews(params['capabilities']);
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
