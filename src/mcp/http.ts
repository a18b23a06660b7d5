import { WebStandardStreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js';
import { inTraceOf } from '../telemetry.ts';
import { isRecord } from '../text.ts';
import { createServer, type ServerParts } from './server.ts';

/**
 * Answers one POST of Streamable HTTP. Stateless: a server and a transport of its own, so that nothing of one caller can reach
 * another and any replica can answer. JSON, unless the caller asked for progress, which takes an event stream.
 */
export async function answerPost(
  parts: Omit<ServerParts, 'transport'>,
  request: Request,
  messages: readonly unknown[],
  body: unknown,
): Promise<Response> {
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: !messages.some(wantsProgress) });
  await createServer({ ...parts, transport: 'tcp' }).connect(transport);
  // It could only be of a message beside it, for this server knows no other; and that one would never be answered.
  const left = messages.filter((message) => !isCancellation(message));
  const parsedBody = Array.isArray(body) && left.length > 0 ? left : body;
  return inTraceOf(request.headers, () => transport.handleRequest(request, { parsedBody }));
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
