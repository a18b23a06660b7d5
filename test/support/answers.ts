import { expect } from 'vitest';
import { errorOf, type ToolResult } from './client.ts';
import type { Recorded, StandIn } from './stand-in.ts';

/** The `customer_id` of an answer, which must be a success. */
export function idOf({ isError, data, text }: ToolResult): string {
  expect(isError, text).toBe(false);
  expect(data['customer_id'], text).toEqual(expect.any(String));
  return String(data['customer_id']);
}

/** The kind of an error, or the outcome of a success. */
export function kindOf(answer: ToolResult): unknown {
  return errorOf(answer)?.['kind'] ?? answer.data['outcome'];
}

export function messageOf(answer: ToolResult): string {
  return String(errorOf(answer)?.['message']);
}

/** The latest request of an operation. */
export function last({ requests }: StandIn, operation: string): Recorded | undefined {
  return requests.findLast((request) => request.operation === operation);
}

/**
 * Calls a tool that needs consent, and again with the value from its error: what an agent does whose client cannot ask the user.
 */
export async function confirmed(
  call: (tool: string, args: Record<string, unknown>) => Promise<ToolResult>,
  tool: string,
  args: Record<string, unknown>,
): Promise<ToolResult> {
  const first = await call(tool, args);
  expect(kindOf(first), first.text).toBe('confirmation_required');
  return call(tool, { ...args, confirm: errorOf(first)?.['confirm'] });
}
