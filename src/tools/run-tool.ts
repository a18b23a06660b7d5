import { CustomerError } from '../errors.ts';
import type { Trace } from '../http-client.ts';
import { framesOf, type Log } from '../log.ts';
import { cleanObject, cleanText } from '../text.ts';
import { readArguments } from './arguments.ts';
import type { Client, Session, Tool } from './tool.ts';

/** A server's fixed part of every session. */
export interface Desk extends Omit<Session, 'call' | keyof Client> {
  readonly sandbox: boolean;
  readonly log: Log;
  /** Tells callers apart in the log, where there are several. */
  readonly caller?: string;
}

export interface Answer {
  readonly isError: boolean;
  /** For clients that read only text: the same JSON, or for an error its kind and sentence. */
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>>;
}

/**
 * Runs a tool from raw arguments to a finished answer. Never throws: this is the one place where errors become answers. What
 * is no `CustomerError` is a bug of ours; its stack goes to the log, a fixed sentence to the agent.
 */
export async function runTool(tool: Tool, given: unknown, desk: Desk, client: Client): Promise<Answer> {
  const startedAt = performance.now();
  const { log, provider, sandbox, caller } = desk;
  const trace: Trace = { attempt: 0, status: undefined };
  const done = (outcome: string): void => {
    const ms = Math.round(performance.now() - startedAt);
    log.info('call', {
      tool: tool.name,
      provider: provider.name,
      outcome,
      ms,
      ...(caller !== undefined && { caller }),
      ...(trace.attempt > 0 && { attempt: trace.attempt }),
      ...(trace.status !== undefined && { status: trace.status }),
    });
  };
  try {
    const input = readArguments(tool.input, given);
    const result = await tool.run(input, {
      ...desk,
      ask: (question) => client.ask(question),
      progress: (count, total) => client.progress(count, total),
      call: { signal: client.signal, deadline: startedAt + desk.timeoutMs, trace },
    });
    done(typeof result['outcome'] === 'string' ? result['outcome'] : 'ok');
    const { value, json } = cleanObject({ ...result, ...(sandbox && { sandbox }) });
    return { isError: false, structured: value, text: json };
  } catch (error) {
    const known = error instanceof CustomerError;
    const { kind, message, details } = known ? error : new CustomerError('internal', BUG);
    done(kind);
    if (!known) log.error('bug', { tool: tool.name, provider: provider.name, stack: framesOf(error) });
    const { value } = cleanObject({ error: { kind, message, ...details }, ...(sandbox && { sandbox }) });
    return { isError: true, structured: value, text: `${kind}: ${cleanText(message)}` };
  }
}

const BUG =
  'Something went wrong in customers-mcp itself. If this was a write, look with get_customer or search_customer before repeating it.';
