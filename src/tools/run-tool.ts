import { CustomerError, MAX_LISTED } from '../errors.ts';
import { startCall, type CallStats } from '../http-client/call.ts';
import { framesOf } from '../log.ts';
import type { Fields } from '../providers/provider.ts';
import { cleanObject, cleanText, isRecord } from '../text.ts';
import { blanksIn, readArguments } from './arguments.ts';
import { endOf, recordCall, type Recording } from './recording.ts';
import type { ServerContext, Tool, ToolClient } from './tool.ts';

export interface Answer {
  readonly isError: boolean;
  /** For clients that read only text: the same JSON, or the kind and message of an error. */
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>>;
}

/** An incoming call. */
export interface ToolCall {
  readonly tool: Tool;
  /** The arguments, not yet validated. */
  readonly input: unknown;
}

/**
 * Runs a tool from raw arguments to a complete answer. Never throws: this is the only place where errors become answers. An
 * error that is not a `CustomerError` is a bug; its stack goes to the log, and the agent gets a fixed sentence.
 */
export async function runTool({ tool, input }: ToolCall, context: ServerContext, client: ToolClient): Promise<Answer> {
  const startedAt = performance.now();
  const { log, provider, sandbox, tenant, caller } = context;
  const about = { ...(sandbox && { sandbox }), ...(tenant && { tenant: tenant.name }) };
  const stats: CallStats = { attempt: 0, status: undefined };
  const done = (outcome: string): void => {
    const ms = Math.round(performance.now() - startedAt);
    log.info('call', {
      tool: tool.name,
      provider: provider.name,
      outcome,
      ms,
      ...(caller !== undefined && { caller }),
      ...(stats.attempt > 0 && { attempt: stats.attempt }),
      ...(stats.status !== undefined && { status: stats.status }),
    });
  };
  let recording: Recording | undefined;
  try {
    const given = readArguments(tool.input, input, provider.traits.externalIdField);
    recording = recordCall(tool, given, { ...context, requestId: client.requestId });
    await recording?.begin();
    const result = await tool.run(given, {
      ...context,
      requestId: client.requestId,
      recordConsent: (outcome) => recording?.consent(outcome) ?? Promise.resolve(),
      ask: (question) => client.ask(question),
      progress: (count, total) => client.progress(count, total),
      blanks: blanksIn(input),
      call: startCall(client.signal, context.timeoutMs, stats),
    });
    const unrecorded = (await recording?.end(endOf(result))) ?? [];
    done(typeof result['outcome'] === 'string' ? result['outcome'] : 'ok');
    const { value, json } = cleanObject({ ...withWarnings(result, unrecorded), ...about });
    return { isError: false, structured: value, text: json };
  } catch (error) {
    const known = error instanceof CustomerError;
    const shown = showError(known ? error : new CustomerError('internal', BUG, { advice: AFTER_BUG }), context.tools);
    await recording?.end({ error: shown.kind });
    done(shown.kind);
    if (shown.kind === 'outcome_unknown') context.directory.noteWrite(undefined);
    if (!known) log.error('bug', { tool: tool.name, provider: provider.name, stack: framesOf(error) });
    const { value } = cleanObject({ error: shown, ...about });
    return { isError: true, structured: value, text: textOfError(value['error']) };
  }
}

function withWarnings(result: Fields, more: readonly string[]): Fields {
  if (more.length === 0) return result;
  return { ...result, warnings: [...(Array.isArray(result['warnings']) ? result['warnings'] : []), ...more] };
}

/** An error for clients that read only text: the message, and on a second line the details that the agent needs to act, if any. */
function textOfError(error: unknown): string {
  const { kind, message, ...details } = isRecord(error) ? error : {};
  const sentence = `${String(kind)}: ${String(message)}`;
  return ACTED_ON.some((name) => name in details) ? `${sentence}\n${JSON.stringify(details)}` : sentence;
}

const ACTED_ON = ['candidates', 'fields', 'confirm', 'retry_after_s', 'external_id'];

/**
 * An error in an answer: each list has at most 20 entries, and the message contains the number of the others. It names only
 * tools that the agent has.
 */
function showError(error: CustomerError, tools: readonly Tool[]) {
  const { kind, details } = error;
  const { fields = [], candidates = [] } = details;
  const more = [
    ...(fields.length > MAX_LISTED ? [`${fields.length - MAX_LISTED} more fields are not listed.`] : []),
    ...(candidates.length > MAX_LISTED ? [`${candidates.length - MAX_LISTED} more candidates are not listed.`] : []),
  ];
  return {
    ...details,
    kind,
    message: [cleanText(error.messageFor(tools), MAX_MESSAGE), ...more].join(' '),
    ...(fields.length > 0 && { fields: fields.slice(0, MAX_LISTED) }),
    ...(candidates.length > 0 && { candidates: candidates.slice(0, MAX_LISTED) }),
  };
}

/** Leaves room for the sentences about omitted entries. */
const MAX_MESSAGE = 1_800;
const BUG = 'Internal error in customers-mcp.';
const AFTER_BUG = [
  {
    tool: 'search_customer',
    text: 'If this was a write, check with search_customer before repeating it.',
    otherwise: 'If this was a write, ask the user to check it before repeating it.',
  },
];
