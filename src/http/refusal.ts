import { MODERN_VERSION } from '../mcp/modern.ts';
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

/** A refusal as a JSON-RPC error without a request id, which is `null` up to protocol revision 2025-11-25 and absent later. */
export function refuse(c: Context, { status, message, headers, code = -32000 }: Refusal): Response {
  const isModern = c.req.header('mcp-protocol-version') === MODERN_VERSION;
  return c.json({ jsonrpc: '2.0', error: { code, message }, ...(!isModern && { id: null }) }, status, headers);
}
