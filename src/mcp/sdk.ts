import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  ErrorCode,
  InitializeRequestSchema,
  McpError,
  ResultSchema,
  type JSONRPCMessage,
} from '@modelcontextprotocol/sdk/types.js';
import { isRecord } from '../text.ts';
import type { Consent, Question } from '../tools/tool.ts';
import { canAsk, consentIn, formFor } from './consent-form.ts';
import { errorResponse, type Frame } from './message.ts';
import { INVALID_PARAMS, METHOD_NOT_FOUND, RpcError, type Exchange } from './method.ts';
import { Progress } from './progress.ts';
import type { McpServer } from './server.ts';

// The binding for the protocol revisions with a handshake, 2024-11-05 to 2025-11-25. Only this file imports the SDK, except for
// the HTTP transport, which a start over stdio need not load.

/** How long a user may take to answer a question. */
const TIMEOUT_MS = 10 * 60_000;

/** What the server knows about the client besides the client's own messages. */
export interface Known {
  readonly clientCapabilities?: object | undefined;
  readonly caller?: string;
}

/**
 * An SDK server for one client. All methods use the SDK's fallback handler: for a registered handler, the SDK would validate
 * each request, and each answer of tools/call, a second time, and would report an invalid argument in zod's words.
 */
export function sdkServer(own: McpServer, known: Known): Server {
  const { info, capabilities, instructions, methods } = own;
  const server = new Server(info, { capabilities, instructions });
  server.fallbackRequestHandler = async ({ method, params = {} }, { requestId, signal, sendNotification }) => {
    const answer = methods.get(method);
    if (!answer) throw new RpcError(METHOD_NOT_FOUND, 'Method not found');
    const progressToken = params._meta?.progressToken;
    const progress = new Progress((done, total) => {
      const notification = { progressToken: progressToken ?? '', progress: done, total };
      void sendNotification({ method: 'notifications/progress', params: notification }).catch(() => {});
    });
    const exchange: Exchange = {
      id: requestId,
      signal,
      clientCapabilities: known.clientCapabilities ?? server.getClientCapabilities(),
      caller: known.caller,
      ask: (question, until) => ask(server, question, until),
      progress(done, total) {
        if (progressToken !== undefined) progress.report(done, total);
      },
    };
    try {
      return { ...(await answer(params, exchange)) };
    } catch (error) {
      throw error instanceof RpcError ? error : own.internalError(error);
    } finally {
      await progress.drained();
    }
  };
  return server;
}

/** Asks the user through the client, if the client supports it. */
async function ask(server: Server, { text }: Question, signal: AbortSignal): Promise<Consent> {
  if (!canAsk(server.getClientCapabilities())) return 'unavailable';
  try {
    const request = { method: 'elicitation/create', params: formFor(text) };
    return consentIn(await server.request(request, ResultSchema, { timeout: TIMEOUT_MS, signal }));
  } catch (error) {
    if (signal.aborted) return 'disconnected';
    return (error instanceof McpError && ENDS[error.code]) || 'failed';
  }
}

/** Errors that mean more than a failed client. A client that does not know the method cannot ask at all. */
const ENDS: Readonly<Partial<Record<number, Consent>>> = {
  [ErrorCode.MethodNotFound]: 'unavailable',
  [ErrorCode.RequestTimeout]: 'timed_out',
  [ErrorCode.ConnectionClosed]: 'disconnected',
};

/** The connection of one client over stdin and stdout, for its messages of these revisions. */
export interface Handshake {
  receive(frame: Frame): void;
  close(): Promise<void>;
}

/** Answers one client with an SDK server; `send` writes to the client. */
export async function bindHandshake(own: McpServer, send: (message: object) => void): Promise<Handshake> {
  const server = sdkServer(own, {});
  const transport: Transport = {
    async start() {},
    send: async (message: JSONRPCMessage) => send(message),
    async close() {
      transport.onclose?.();
    },
  };
  await server.connect(transport);
  return {
    receive(frame) {
      const fault = handshakeFault(frame);
      if (fault) return send(errorResponse(frame['id'], fault));
      const message = withReadableAnswer(frame);
      if (isMessage(message)) transport.onmessage?.(message);
    },
    close: () => server.close(),
  };
}

/** What is wrong with the parameters of a request `initialize`; the SDK would call it an internal error, in zod's words. */
export function handshakeFault(frame: Frame): RpcError | undefined {
  if (frame['method'] !== 'initialize' || !('id' in frame)) return undefined;
  const { error } = InitializeRequestSchema.safeParse(frame);
  const places = new Set(error?.issues.map(({ path }) => path.join('.')));
  return error && new RpcError(INVALID_PARAMS, `Missing or invalid in initialize: ${[...places].join(', ')}.`);
}

/**
 * An answer of a host whose result or error has no valid form, as an answer with an empty one: the SDK would ignore it, and the
 * question would stay open although the host has answered.
 */
function withReadableAnswer(frame: Frame): Frame {
  const { method, result, error } = frame;
  if (method !== undefined) return frame;
  if ('result' in frame && !isRecord(result)) return { ...frame, result: {} };
  const isValid = isRecord(error) && Number.isInteger(error['code']) && typeof error['message'] === 'string';
  return 'error' in frame && !isValid ? { ...frame, error: { code: ErrorCode.InternalError, message: '' } } : frame;
}

/** `Frames` has validated the members that all messages share; the SDK validates the others. */
function isMessage(frame: unknown): frame is JSONRPCMessage {
  return isRecord(frame) && frame['jsonrpc'] === '2.0';
}
