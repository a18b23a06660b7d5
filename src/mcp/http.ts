import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import { inTraceOf } from '../telemetry.ts';
import { isRecord } from '../text.ts';
import { createServer, type ServerParts } from './server.ts';
import { showsViews } from './view.ts';

/** What a session id begins with. It is all that there is to the session. */
const SHOWS_VIEWS = 'shows-views.';

/**
 * Answers one POST of Streamable HTTP. Stateless: a server and a transport of its own, so that nothing of one caller can reach
 * another and any replica can answer. JSON, unless the caller asked for progress, which takes an event stream.
 *
 * A client that says at the handshake that it shows views gets that back as a session id, which it then sends along: the
 * list of tools is to name the view to those only, and a server that has just been made knows nobody.
 */
export async function answerPost(
  parts: Omit<ServerParts, 'transport' | 'showsViews'>,
  request: Request,
  messages: readonly unknown[],
  body: unknown,
): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: !messages.some(wantsProgress) });
  const announced = request.headers.get('mcp-session-id')?.startsWith(SHOWS_VIEWS) === true;
  await createServer({ ...parts, transport: 'tcp', showsViews: announced }).connect(transport);
  // It could only be of a message beside it, for this server knows no other; and that one would never be answered.
  const left = messages.filter((message) => !isCancellation(message));
  const parsedBody = Array.isArray(body) && left.length > 0 ? left : body;
  const response = await inTraceOf(request.headers, () => transport.handleRequest(request, { parsedBody }));
  if (messages.some(announcesViews)) response.headers.set('mcp-session-id', SHOWS_VIEWS + crypto.randomUUID());
  return response;
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

/** The names of the tools that messages want to call. */
export function calledTools(messages: readonly unknown[]): readonly unknown[] {
  return messages.flatMap((message) =>
    isRecord(message) && message['method'] === 'tools/call' && isRecord(message['params'])
      ? [message['params']['name']]
      : [],
  );
}

/** Whether a message makes the provider work. */
export function isWork(message: unknown): boolean {
  return isRecord(message) && WORK.some((method) => method === message['method']);
}

const WORK = ['tools/call', 'resources/read', 'completion/complete'];
