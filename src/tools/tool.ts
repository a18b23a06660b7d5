import type { z } from 'zod';
import type { AuditTrail } from '../audit.ts';
import type { Directory } from '../directory/directory.ts';
import { invalidInput, type Advice } from '../errors.ts';
import type { CustomerTurns } from '../identity/customer-turns.ts';
import type { IdMap } from '../identity/id-map.ts';
import type { CreateOnce } from '../identity/create-once.ts';
import type { Updates } from '../identity/update.ts';
import type { Call } from '../http-client/call.ts';
import type { Log } from '../log.ts';
import { holdsCutMark } from '../text.ts';
import type { Fields, Provider } from '../providers/provider.ts';

/** A question for the user. */
export interface Question {
  /** What would happen, in complete sentences. */
  readonly text: string;
  /** The account, the caller, the tool and its arguments. An answer never applies to anything else. */
  readonly scope: string;
  /** The object of the action in its current state, with the question. If it changes, the user is asked again. */
  readonly state: string;
}

/**
 * The result of asking the user. Only `accepted` is consent. `unavailable`: the client cannot ask, so the user was not asked;
 * `unchecked`: the form was accepted without its box checked; `invalid`: an answer that the protocol does not define;
 * `pending`: the client gets the question in place of the tool's answer and repeats the call with the user's answer.
 */
export type Consent =
  | 'accepted'
  | 'declined'
  | 'cancelled'
  | 'unchecked'
  | 'invalid'
  | 'failed'
  | 'timed_out'
  | 'disconnected'
  | 'pending'
  | 'unavailable';

/** The caller of a tool. */
export interface ToolClient {
  /** Aborted when the caller no longer wants the answer. */
  readonly signal: AbortSignal;
  /** The client's own id of the request. */
  readonly requestId?: string | number | undefined;
  ask(question: Question): Promise<Consent>;
  /** Reports the progress of a long call, in units of the tool's choice. */
  progress(done: number, total: number): void;
}

/** A business of several that one server serves. */
export interface Tenant {
  /** Its name in addresses, in the log and in the store. */
  readonly name: string;
  /** Its name for users. */
  readonly title: string;
}

/** One provider as a server offers it: the tools, and what they need, independent of the caller. */
export interface ServerContext {
  readonly tools: readonly Tool[];
  readonly provider: Provider;
  readonly ids: IdMap;
  readonly creates: CreateOnce;
  readonly updates: Updates;
  readonly turns: CustomerTurns;
  readonly directory: Directory;
  /** The time limit of one call in ms. Longer work takes several calls. */
  readonly timeoutMs: number;
  /** Whether the operator requires consent before destructive calls. */
  readonly confirms: boolean;
  /** The key for values that a client sends back; see `signingKey` in the identity folder. */
  readonly signingKey: () => Promise<Buffer>;
  /** Marks a value as used; `false` if it was used before. See `useOnce` in the identity folder. */
  readonly useOnce: (value: string) => Promise<boolean>;
  readonly sandbox: boolean;
  /** The business, if the server serves several. */
  readonly tenant?: Tenant;
  readonly log: Log;
  /** Absent if writes are not recorded. */
  readonly audit?: AuditTrail | undefined;
  /** Identifies the caller in the log if there are several. */
  readonly caller?: string;
}

/** What a tool needs during one call. */
export interface ToolContext extends ServerContext, Omit<ToolClient, 'signal'> {
  readonly call: Call;
  /** The arguments that were null or empty, which counts as not given. */
  readonly blanks: readonly string[];
  /** Records the answer to a question in the audit trail. @throws CustomerError if it must be recorded and cannot be. */
  readonly recordConsent?: ((outcome: Consent | 'confirmed') => Promise<void>) | undefined;
}

/** An operation as one provider offers it: what tools/list shows, and what a call does. */
export interface Tool {
  readonly name: string;
  readonly title: string;
  readonly description: Advice;
  readonly input: z.ZodObject;
  readonly output: z.ZodObject;
  readonly hints: Hints;
  /** Writes several customers, each with a record of its own. */
  readonly recordsRows?: true;
  run(input: Fields, context: ToolContext): Promise<Fields>;
}

export interface Hints {
  readonly readOnlyHint: boolean;
  readonly destructiveHint: boolean;
  readonly idempotentHint: boolean;
  readonly openWorldHint: boolean;
}

/** One operation on customers, written once for all providers. `undefined` if the provider does not support it. */
export type Operation = (provider: Provider) => Tool | undefined;

/** The hints of a tool; every tool calls an external system. */
export function hints(kind: 'read' | 'write' | 'repeatable write' | 'destructive'): Hints {
  return {
    readOnlyHint: kind === 'read',
    destructiveHint: kind === 'destructive',
    idempotentHint: kind !== 'write',
    openWorldHint: true,
  };
}

/**
 * The input's fields of the provider's document, in the document's order.
 * @throws CustomerError `invalid_input` for a text that an answer truncated, because writing it back would lose the rest.
 */
export function pickDocument(input: Fields, schema: z.ZodObject): Fields {
  const given = Object.keys(schema.shape).filter((field) => input[field] !== undefined);
  const cut = given.filter((field) => holdsCutMark(input[field]));
  if (cut.length > 0)
    throw invalidInput(
      cut.map((path) => ({ path, message: 'is truncated, as its mark shows; pass the complete text' })),
    );
  return Object.fromEntries(given.map((field) => [field, input[field]]));
}
