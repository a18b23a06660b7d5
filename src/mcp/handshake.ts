import { errorResponse, paramsOf, type Frame } from './message.ts';
import { isRequestId, RpcError, type Exchange, type Method } from './method.ts';
import { withProgress } from './progress.ts';
import type { McpServer } from './server.ts';

/** A request of a protocol revision with a handshake, what answers it, and its connection to the client. */
export interface HandshakeRequest extends Omit<Exchange, 'id' | 'progress'> {
  readonly frame: Frame;
  readonly method: Method;
  sendNotification(notification: object): void;
}

/** Answers one request. Never throws: each request gets a JSON-RPC response. */
export async function answerHandshake(server: McpServer, request: HandshakeRequest): Promise<object> {
  const { frame, method, sendNotification, ...client } = request;
  const id = isRequestId(frame['id']) ? frame['id'] : '';
  try {
    const result = await withProgress({ frame, sendNotification }, async (progress) =>
      method(paramsOf(frame), { ...client, id, progress }),
    );
    return { jsonrpc: '2.0', id, result };
  } catch (error) {
    return errorResponse(id, error instanceof RpcError ? error : server.internalError(error));
  }
}
