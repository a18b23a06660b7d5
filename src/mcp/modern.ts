import { isRecord } from '../text.ts';
import type { Question } from '../tools/tool.ts';
import { RoundTrip } from './input-required.ts';
import { errorResponse, metaOf, paramsOf, type Frame } from './message.ts';
import { INVALID_PARAMS, isRequestId, METHOD_NOT_FOUND, RESOURCE_NOT_FOUND, RpcError } from './method.ts';
import { withProgress } from './progress.ts';
import type { McpServer } from './server.ts';

// The binding for protocol revision 2026-07-28, in which each request states its version and the client's capabilities.
// https://modelcontextprotocol.io/specification/2026-07-28/basic

export const MODERN_VERSION = '2026-07-28';

const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities';
const SERVER_KEY = 'io.modelcontextprotocol/serverInfo';

export const HEADER_MISMATCH = -32020;
const UNSUPPORTED_VERSION = -32022;

/**
 * How long a client may reuse a result, ms. The lists are fixed while the server runs, but differ between callers and between
 * versions of the server.
 */
const TTL_MS: Readonly<Partial<Record<string, number>>> = {
  'server/discover': 300_000,
  'tools/list': 300_000,
  'prompts/list': 300_000,
  'resources/list': 300_000,
  'resources/templates/list': 300_000,
  'resources/read': 0,
};

/** A request of this revision, with its connection to the client. */
export interface ModernRequest {
  readonly frame: Frame;
  /** Aborted when the client no longer wants the answer. */
  readonly signal: AbortSignal;
  /** Identifies the caller if there are several. */
  readonly caller?: string | undefined;
  sendNotification(notification: object): void;
}

/** Whether a message states its protocol version, as messages of this revision do. */
export function isModern(frame: unknown): boolean {
  return isRecord(frame) && VERSION_KEY in metaOf(frame);
}

/** The version that a message states. */
export function versionOf(frame: Frame): unknown {
  return metaOf(frame)[VERSION_KEY];
}

/** Answers one request. Never throws: each request gets a JSON-RPC response. */
export async function answerModern(server: McpServer, request: ModernRequest): Promise<object> {
  const { id } = request.frame;
  try {
    validateModern(server, request.frame);
    return { jsonrpc: '2.0', id, result: await resultOf(server, request) };
  } catch (error) {
    const fault = error instanceof RpcError ? error : server.internalError(error);
    const { code, message, data } = fault;
    // Of this revision: "-32002 — resource not found (2025-11-25 and earlier; replaced by -32602)".
    return errorResponse(id, code === RESOURCE_NOT_FOUND ? new RpcError(INVALID_PARAMS, message, data) : fault);
  }
}

/** Checks what this revision requires of a request besides what all have in common. @throws RpcError */
export function validateModern(server: McpServer, frame: Frame): void {
  const { method } = frame;
  const requested = versionOf(frame);
  if (typeof requested !== 'string') throw new RpcError(INVALID_PARAMS, `_meta must contain ${VERSION_KEY}, a string.`);
  if (requested !== MODERN_VERSION)
    throw new RpcError(UNSUPPORTED_VERSION, 'Unsupported protocol version', {
      supported: [MODERN_VERSION],
      requested,
    });
  if (!isRecord(metaOf(frame)[CAPABILITIES_KEY]))
    throw new RpcError(INVALID_PARAMS, `_meta must contain ${CAPABILITIES_KEY}, an object.`);
  if (method !== 'server/discover' && !(typeof method === 'string' && server.methods.has(method)))
    throw new RpcError(METHOD_NOT_FOUND, 'Method not found');
}

async function resultOf(
  server: McpServer,
  { frame, signal, caller, sendNotification }: ModernRequest,
): Promise<object> {
  const { info, capabilities, instructions, methods } = server;
  const { id, method: name } = frame;
  const params = paramsOf(frame);
  const clientCapabilities = metaOf(frame)[CAPABILITIES_KEY];
  const roundTrip = new RoundTrip(params, clientCapabilities, server.keeper);
  const exchange = {
    id: isRequestId(id) ? id : '',
    signal,
    clientCapabilities,
    caller,
    ask: (question: Question) => roundTrip.ask(question),
  };
  const method =
    methods.get(String(name)) ?? (() => ({ supportedVersions: [MODERN_VERSION], capabilities, instructions }));
  const result = await withProgress({ frame, sendNotification }, async (progress) =>
    method(params, { ...exchange, progress }),
  );
  const ttlMs = TTL_MS[String(name)];
  return {
    resultType: 'complete',
    ...(roundTrip.inputRequired ?? result),
    ...(ttlMs !== undefined && { ttlMs, cacheScope: 'private' }),
    _meta: { [SERVER_KEY]: info },
  };
}
