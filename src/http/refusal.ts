import { errorResponse } from '../mcp/message.ts';
import { REFUSED, RpcError } from '../mcp/method.ts';
import type { HttpBindings } from '@hono/node-server';
import type { Context as HonoContext } from 'hono';

export type Bindings = { Bindings: HttpBindings };
export type Context = HonoContext<Bindings>;

/** Why a request is answered with an HTTP error instead of an MCP response. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 405 | 413 | 429 | 500 | 503;
  readonly message: string;
  readonly headers?: Record<string, string>;
  /** Of the JSON-RPC error; absent if the protocol defines none for it. */
  readonly code?: number;
}

/** Throws a refusal up to the handler that answers it. */
export class RefusalError extends Error {
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.refusal = refusal;
  }
}

/** A refusal as a JSON-RPC error without a request id; the protocol's schema allows no `null` for it. */
export function refuse(c: Context, { status, message, headers, code = REFUSED }: Refusal): Response {
  return c.json(errorResponse(undefined, new RpcError(code, message)), status, headers);
}
