/**
 * The kinds of errors that the agent sees.
 *
 * A write that may have run is `outcome_unknown`; every other kind guarantees that the write did not run. Create-once and
 * retries rely on that.
 */
export type ErrorKind =
  | 'invalid_input'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'conflict'
  | 'possible_duplicate'
  | 'rate_limited'
  | 'unavailable'
  | 'bad_response'
  | 'outcome_unknown'
  | 'in_progress'
  | 'confirmation_required'
  | 'store_unavailable'
  | 'internal';

export interface FieldError {
  readonly path: string;
  readonly message: string;
}

/** The details of an error besides its message; all of them are shown to the agent. */
export interface ErrorDetails {
  readonly fields?: readonly FieldError[];
  readonly candidates?: readonly unknown[];
  readonly retry_after_s?: number;
  /** The value that the argument `confirm` must have. */
  readonly confirm?: string;
  readonly customer_id?: string;
  readonly external_id?: string;
}

/** A sentence of advice that names a tool, and the one in its place if the server does not offer that tool. */
interface ToolAdvice {
  readonly tool: string;
  readonly text: string;
  readonly otherwise?: string;
}

/** Complete sentences for the agent, such as the next step. Those that name a tool are shown only if the server offers it. */
export type Advice = string | readonly (string | ToolAdvice)[];

/** Further properties of an error, for its message, for the adapters and for debugging. */
export interface ErrorOptions extends ErrorDetails {
  /** A sentence that states that no write ran, such as {@link NOTHING_SENT}. */
  readonly assurance?: string | undefined;
  readonly advice?: Advice | undefined;
  /** The provider's HTTP status, if it responded. */
  readonly status?: number | undefined;
  readonly cause?: unknown;
}

export const NOTHING_SENT = 'Nothing was sent.';
export const NOTHING_DONE = 'Nothing was done.';
export const NOTHING_CREATED = 'Nothing was created.';
export const NOTHING_CHANGED = 'Nothing was changed.';

/**
 * A failure that the agent can act on: what happened, what did not, and the next step, each in complete sentences. The message
 * joins them, and no code reads it. Any other thrown value is a bug.
 */
export class CustomerError extends Error {
  override readonly name = 'CustomerError';
  readonly kind: ErrorKind;
  readonly what: string;
  readonly assurance: string | undefined;
  readonly advice: Advice | undefined;
  readonly details: ErrorDetails;
  /** Not shown to the agent. */ readonly status: number | undefined;

  constructor(kind: ErrorKind, what: string, { assurance, advice, status, cause, ...details }: ErrorOptions = {}) {
    super(joined([what, assurance, advice]), { cause });
    this.kind = kind;
    this.what = what;
    this.assurance = assurance;
    this.advice = advice;
    this.details = details;
    this.status = status;
  }

  /** The message for an agent that has only these tools. */
  messageFor(tools: readonly { readonly name: string }[]): string {
    return textFor(
      [this.what, this.assurance, this.advice].flat().filter((part) => part !== undefined),
      tools,
    );
  }
}

/** A text for an agent that has only these tools. */
export function textFor(advice: Advice, tools: readonly { readonly name: string }[]): string {
  return joined([advice], (tool) => tools.some(({ name }) => name === tool));
}

function joined(parts: readonly (Advice | undefined)[], offers: (tool: string) => boolean = () => true): string {
  return parts
    .flat()
    .map((part) => (typeof part === 'object' ? (offers(part.tool) ? part.text : part.otherwise) : part))
    .filter((part) => part !== undefined)
    .join(' ');
}

/** The same error with an assurance, unless it has one or a write may have run. */
export function withAssurance(error: CustomerError, assurance: string): CustomerError {
  const { kind, what, advice, details, status, cause } = error;
  if (kind === 'outcome_unknown' || error.assurance !== undefined) return error;
  return new CustomerError(kind, what, { ...details, assurance, advice, status, cause });
}

/** The error for a call that ended before a request to `title` was sent; `why` completes the sentence. */
export function endedBeforeSend(title: string, canceled: boolean, why = ''): CustomerError {
  const what = `${canceled ? 'Canceled' : 'The time limit was reached'} before anything was sent to ${title}${why}.`;
  return new CustomerError('unavailable', what, { advice: 'Retry if still needed.' });
}

/** The maximum length of lists that an agent reads. */
export const MAX_LISTED = 20;

/** A problem of an input: with a field, with the whole input (`path` is empty), or an unknown argument. */
export type Problem = FieldError | { readonly unknown: string; readonly suggestion: string | undefined };

/** Rejected input; the fields are named both in the message and in `fields`. */
export function invalidInput(problems: readonly Problem[], help?: string): CustomerError {
  const listed = problems.slice(0, MAX_LISTED);
  const clauses = listed.map((problem) => {
    const { path, message } = fieldError(problem);
    return path === '' || 'unknown' in problem ? message : `${path}: ${message}`;
  });
  const more = problems.length - listed.length;
  if (more > 0) clauses.push(`and ${more} more`);
  const said = clauses.join('; ');
  const what = [said.endsWith('?') ? said : `${said}.`, ...(help === undefined ? [] : [help])];
  return new CustomerError('invalid_input', what.join(' '), {
    assurance: NOTHING_SENT,
    fields: problems.map(fieldError),
  });
}

function fieldError(problem: Problem): FieldError {
  if (!('unknown' in problem)) return problem;
  const { unknown, suggestion } = problem;
  const question = suggestion === undefined ? '' : `; did you mean \`${suggestion}\`?`;
  return { path: unknown, message: `unknown argument \`${unknown}\`${question}` };
}

/** Invalid configuration. Printed without a stack; exit code 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** Invalid usage of a command. Printed without a stack; exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
