import { Server } from '@modelcontextprotocol/sdk/server/index.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  ErrorCode,
  InitializeRequestSchema,
  McpError,
  ResultSchema,
  SUPPORTED_PROTOCOL_VERSIONS,
  type JSONRPCMessage,
} from '@modelcontextprotocol/sdk/types.js';
import { isRecord } from '../text.ts';
import type { Consent, Question } from '../tools/tool.ts';
import { canAsk, consentIn, formFor } from './consent-form.ts';
import { errorResponse, type Frame } from './message.ts';
import { INVALID_PARAMS, RpcError } from './method.ts';
import type { McpServer } from './server.ts';

// What the SDK does for the protocol revisions with a handshake, 2024-11-05 to 2025-11-25.

export const HANDSHAKE_VERSIONS: readonly string[] = SUPPORTED_PROTOCOL_VERSIONS;

/** How long a user may take to answer a question. */
const TIMEOUT_MS = 10 * 60_000;

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

/** The connection of one client, for its messages of these revisions that are not requests of one of our methods. */
export interface Handshake {
  /** What the client announced; `undefined` before. */
  readonly clientCapabilities: unknown;
  receive(frame: Frame): void;
  /** Asks the user through the client, if the client supports it, until `signal` is aborted. */
  ask(question: Question, signal: AbortSignal): Promise<Consent>;
  close(): Promise<void>;
}

/**
 * Lets an SDK server do the handshake with one client, answer pings and ask questions; `send` writes to the client. Requests of our
 * methods do not pass through it: it would validate each request, and each answer of tools/call, a second time, would report an
 * invalid argument in zod's words, and takes a tenth of the work of a call.
 */
export async function bindHandshake(
  { info, capabilities, instructions }: McpServer,
  send: (message: object) => void,
): Promise<Handshake> {
  const server = new Server(info, { capabilities, instructions });
  const transport: Transport = {
    async start() {},
    send: async (message: JSONRPCMessage) => send(message),
    async close() {
      transport.onclose?.();
    },
  };
  await server.connect(transport);
  return {
    get clientCapabilities() {
      return server.getClientCapabilities();
    },
    receive(frame) {
      const fault = handshakeFault(frame);
      if (fault) return send(errorResponse(frame['id'], fault));
      const message = withReadableAnswer(frame);
      if (isMessage(message)) transport.onmessage?.(message);
    },
    ask: (question, signal) => ask(server, question, signal),
    close: () => server.close(),
  };
}

/** The SDK's response to a request, for a client without a connection that stays. */
export async function answerOnce(own: McpServer, frame: Frame): Promise<object> {
  const { promise, resolve } = Promise.withResolvers<object>();
  const connection = await bindHandshake(own, resolve);
  connection.receive(frame);
  const response = await promise;
  await connection.close();
  return response;
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
