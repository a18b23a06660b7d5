/**
 * What can go wrong, as the agent hears it.
 *
 * A write that may have happened is `outcome_unknown` and nothing else; every other kind promises that the write did not
 * happen. Create-once and retries rely on that.
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

/** What an error carries besides its sentence; all of it is shown to the agent. */
export interface ErrorDetails {
  readonly fields?: readonly FieldError[];
  readonly candidates?: readonly unknown[];
  readonly retry_after_s?: number;
  /** What a `confirm` argument must be set to. */
  readonly confirm?: string;
  readonly customer_id?: string;
  readonly external_id?: string;
}

/** A failure the agent should hear about, in words it can act on. Anything else that is thrown is a bug. */
export class CustomerError extends Error {
  override readonly name = 'CustomerError';
  readonly kind: ErrorKind;
  readonly details: ErrorDetails;
  /** The provider's HTTP status, where it answered. For logs and for the adapters, never shown. */
  readonly status: number | undefined;

  constructor(
    kind: ErrorKind,
    message: string,
    details: ErrorDetails & { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    const { status, cause, ...shown } = details;
    super(message, { cause });
    this.kind = kind;
    this.details = shown;
    this.status = status;
  }
}

/** Refused input, with the fields named both in the sentence and in `fields`. */
export function invalidInput(problems: readonly FieldError[], help = ''): CustomerError {
  const sentences = problems.map(({ path, message }) =>
    path === '' || message.startsWith('unknown argument') ? message : `${path}: ${message}`,
  );
  const sentence = sentences.join('; ').replace(/[.?]?$/, (end) => end || '.');
  return new CustomerError('invalid_input', `${sentence} ${help}Nothing was sent.`, { fields: problems });
}

/** The person's settings do not add up. Printed bare, without a stack; exit 2. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

/** The person used a command in a way it does not know. Printed bare, without a stack; exit 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
