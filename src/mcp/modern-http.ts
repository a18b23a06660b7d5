import { inTraceOf } from '../telemetry.ts';
import { isRecord } from '../text.ts';
import { eventStream } from './event-stream.ts';
import { errorResponse, faultIn, metaOf, tidied, type Frame } from './message.ts';
import { METHOD_NOT_FOUND, RpcError } from './method.ts';
import { answerModern, HEADER_MISMATCH, isModern, MODERN_VERSION, validateModern, versionOf } from './modern.ts';
import type { McpServer } from './server.ts';

// https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http

/** Whether a POST is of this revision: one of its messages or its header says so. */
export function isModernPost(headers: Headers, messages: readonly unknown[]): boolean {
  return headers.get('mcp-protocol-version') === MODERN_VERSION || messages.some(isModern);
}

export interface ModernPost {
  readonly request: Request;
  readonly body: unknown;
  readonly caller: string;
}

/** Answers one POST, as JSON or, if the caller asked for progress, as an event stream that ends with the response. */
export async function answerModernPost(server: McpServer, { request, body, caller }: ModernPost): Promise<Response> {
  const frame: Frame = isRecord(body) ? tidied(body) : {};
  const { id } = frame;
  try {
    const invalid = faultIn(frame);
    if (invalid) throw invalid;
    if (!('id' in frame)) return new Response(undefined, { status: 202 });
    validateVersion(request.headers, frame);
    validateModern(server, frame);
    validateNames(request.headers, frame);
  } catch (error) {
    const fault = error instanceof RpcError ? error : server.internalError(error);
    return Response.json(errorResponse(id, fault), { status: fault.code === METHOD_NOT_FOUND ? 404 : 400 });
  }
  const answer = (sendNotification: (notification: object) => void): Promise<object> =>
    inTraceOf(request.headers, () => answerModern(server, { frame, signal: request.signal, caller, sendNotification }));
  return metaOf(frame)['progressToken'] !== undefined && accepts(request, 'text/event-stream')
    ? eventStream(async (send) => send(await answer(send)))
    : Response.json(await answer(() => {}));
}

/** @throws RpcError unless the header states the same version as the body. */
function validateVersion(headers: Headers, frame: Frame): void {
  const stated = headers.get('mcp-protocol-version');
  const version = versionOf(frame);
  if (stated === null || (version !== undefined && stated !== version))
    throw mismatch('MCP-Protocol-Version', stated, version);
}

/** The parameter that the header Mcp-Name repeats. */
const NAMED: Readonly<Partial<Record<string, string>>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
};

/** @throws RpcError unless the headers repeat the method and the name of the body. */
function validateNames(headers: Headers, { method, params }: Frame): void {
  const stated = headers.get('mcp-method');
  if (stated !== method) throw mismatch('Mcp-Method', stated, method);
  const parameter = NAMED[String(method)];
  const name = parameter !== undefined && isRecord(params) ? params[parameter] : undefined;
  if (typeof name !== 'string') return;
  const encoded = headers.get('mcp-name');
  if (encoded === null || decode(encoded) !== name) throw mismatch('Mcp-Name', encoded, name);
}

/** A header's value; `=?base64?…?=` marks one that is encoded. */
function decode(value: string): string {
  const encoded = /^=\?base64\?(?<text>[A-Za-z0-9+/]*={0,2})\?=$/.exec(value)?.groups?.['text'];
  return encoded === undefined ? value : Buffer.from(encoded, 'base64').toString();
}

function mismatch(name: string, stated: string | null, actual: unknown): RpcError {
  const short = (value: unknown): string => JSON.stringify(String(value).slice(0, 100));
  const what = stated === null ? 'is missing' : `is ${short(stated)}, but the body has ${short(actual)}`;
  return new RpcError(HEADER_MISMATCH, `Header mismatch: ${name} ${what}.`);
}

function accepts({ headers }: Request, type: string): boolean {
  return (headers.get('accept') ?? '').includes(type);
}
