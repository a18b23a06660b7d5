import type { Consent, Question, ServerContext } from '../tools/tool.ts';

export type Params = Readonly<Record<string, unknown>>;

/** Answers one request of the protocol. @throws RpcError for a request that has no result. */
export type Method = (params: Params, exchange: Exchange) => object | Promise<object>;

/** A request in flight, as the method that answers it sees it. Each binding of the protocol has its own implementation. */
export interface Exchange {
  /** The JSON-RPC id of the request. */
  readonly id: string | number;
  /** Aborted when the client no longer wants the answer. */
  readonly signal: AbortSignal;
  /** The client's capabilities, in the protocol's form; `undefined` if the server does not know them. */
  readonly clientCapabilities: unknown;
  /** Identifies the caller in the log if there are several. */
  readonly caller?: string | undefined;
  /** Asks the user through the client, until `signal` is aborted. */
  ask(question: Question, signal: AbortSignal): Promise<Consent>;
  /** Reports progress if the client asked for it. */
  progress(done: number, total: number): void;
}

/** The context in which a tool runs for this request, with the caller for the log. */
export function contextFor({ caller }: Exchange, context: ServerContext): ServerContext {
  return caller === undefined ? context : { ...context, caller };
}

// https://modelcontextprotocol.io/specification/2025-11-25/server/resources#error-handling and JSON-RPC 2.0, section 5.1.
export const RESOURCE_NOT_FOUND = -32002;
export const PARSE_ERROR = -32700;
export const INVALID_REQUEST = -32600;
export const METHOD_NOT_FOUND = -32601;
export const INVALID_PARAMS = -32602;
export const INTERNAL_ERROR = -32603;
/** For errors of the server to which JSON-RPC and the protocol give no code. */
export const REFUSED = -32000;

/** A JSON-RPC error, for requests that the protocol does not answer with a result. */
export class RpcError extends Error {
  readonly code: number;
  /** What the protocol defines for this error besides the message. */
  readonly data: Readonly<Record<string, unknown>> | undefined;

  constructor(code: number, message: string, data?: Readonly<Record<string, unknown>>) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

/** Whether a value can be the id of a request: a string or an integer that no client rounds. */
export function isRequestId(id: unknown): id is string | number {
  return typeof id === 'string' || Number.isSafeInteger(id);
}

/** @throws RpcError unless the parameter is a string. */
export function requiredText(params: Params, name: string): string {
  const value = params[name];
  if (typeof value !== 'string') throw new RpcError(INVALID_PARAMS, `The parameter ${name} must be a string.`);
  return value;
}
