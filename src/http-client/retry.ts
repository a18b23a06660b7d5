import { CustomerError, type ErrorKind } from '../errors.ts';
import { isOver, type Call } from './call.ts';
import type { Effect } from './request.ts';
import type { HttpHeaders, Reply } from './transport.ts';

/**
 * The retry policy: what is sent again, when, and how often. It has a part for each level: a request, a request with an expired
 * token, a create that the provider guarantees to run once, a write of a whole document, and a row of an import.
 */

/**
 * The maximum time from sending to a complete answer, for one attempt and for the whole send of a create; a call's own time
 * limit may be shorter.
 */
export const MAX_ATTEMPT_MS = 12_000;

/** The longest wait, however much time is left; it is also within the limit of timers (2^31 ms). */
const MAX_PAUSE_MS = 3_600_000;
const MAX_ATTEMPTS = 3;
const FIRST_PAUSE_MS = 200;
/** Keeps a nonsensical value readable. */
const MAX_RETRY_AFTER_S = 1_000_000_000;
/** How often a request is sent with a new token, because other calls can use up a token, but not endlessly. */
export const MAX_TOKEN_RENEWALS = 5;
/** How often a write of a whole document is sent while its outcome is unknown, each time merged with the current document. */
export const MAX_DOCUMENT_SENDS = 3;
const WORTH_REPEATING: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/**
 * How long to wait before a request is sent again, in ms; `undefined` if it must not be sent again, or not within this call.
 * `attempt` counts from 1 and has ended with `reply`.
 */
export function pauseBeforeRetry(
  reply: Reply,
  { attempt, effect, call }: { readonly attempt: number; readonly effect: Effect; readonly call: Call },
): number | undefined {
  if (attempt >= MAX_ATTEMPTS) return undefined;
  const pauseMs = pauseAfter(attempt, reply, effect);
  return pauseMs === undefined || pauseMs > MAX_PAUSE_MS || isOver(call, { inMs: pauseMs }) ? undefined : pauseMs;
}

function pauseAfter(attempt: number, reply: Reply, effect: Effect): number | undefined {
  const jitterMs = Math.random() * FIRST_PAUSE_MS * 2 ** attempt;
  if ('failure' in reply) {
    if (reply.failure.timedOut) return undefined;
    return effect === 'create' && reply.failure.left ? undefined : jitterMs;
  }
  if (!WORTH_REPEATING.has(reply.status) || (effect === 'create' && reply.status !== 429)) return undefined;
  const askedS = retryAfterS(reply.headers);
  return askedS === undefined ? jitterMs : askedS * 1_000 + Math.random() * FIRST_PAUSE_MS;
}

/**
 * The seconds in Retry-After: a number, or a date in one of HTTP's three formats (RFC 9110, 10.2.3). `undefined` for any other
 * value and if the header is absent.
 */
export function retryAfterS(headers: HttpHeaders): number | undefined {
  const value = headers['retry-after'];
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  const seconds = /^\d+(\.\d+)?$/.test(text) ? Number(text) : (dateOf(text) - nowOf(headers)) / 1_000;
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(0, Math.ceil(seconds)), MAX_RETRY_AFTER_S);
}

/** The time of the answer's Date header, or else of the local clock, in ms since 1970. */
function nowOf({ date }: HttpHeaders): number {
  const theirs = typeof date === 'string' ? dateOf(date) : Number.NaN;
  return Number.isNaN(theirs) ? Date.now() : theirs;
}

/** ms since 1970. `Date.parse` alone finds a date in nearly anything: "-3" and "5, 5" are days in 2001. */
function dateOf(text: string): number {
  if (/^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4}$/.test(text)) return Date.parse(`${text} GMT`);
  const inGmt = /^[A-Z][a-z]+, \d\d(?: [A-Z][a-z]{2} \d{4}|-[A-Z][a-z]{2}-\d\d) \d\d:\d\d:\d\d GMT$/;
  return inGmt.test(text) ? Date.parse(text) : Number.NaN;
}

/**
 * Sends a create that the provider guarantees to run once however often it is sent; repeats it once if the outcome of the first
 * is unknown and the call has enough time.
 * @throws the first error, unless the second is a refusal of the content, which also decides the outcome of the first.
 */
export async function sendUpsert<T>(
  send: () => Promise<T>,
  call: Call,
  clock: { monotonic(): number; sleep(ms: number): Promise<void> },
): Promise<T> {
  try {
    return await send();
  } catch (first) {
    const known = first instanceof CustomerError;
    const pauseMs = known ? (askedPauseMs(first) ?? 0) : 0;
    if ((known && first.kind !== 'outcome_unknown') || isOver(call, { inMs: pauseMs, now: clock.monotonic() }))
      throw first;
    await clock.sleep(pauseMs);
    return await send().catch((second: unknown) => {
      throw second instanceof CustomerError && second.kind === 'invalid_input' ? second : first;
    });
  }
}

/**
 * How long to wait, in ms, before reading what became of a write of a whole document with an unknown outcome; `undefined` if the
 * call ends first. `random` is from 0 to 1.
 */
export function pauseBeforeCheck(
  error: CustomerError,
  call: Call,
  { now, random }: { readonly now: number; readonly random: number },
): number | undefined {
  const pauseMs = (askedPauseMs(error) ?? FIRST_PAUSE_MS) + random * FIRST_PAUSE_MS;
  return isOver(call, { inMs: pauseMs, now }) ? undefined : pauseMs;
}

/** The pause that the provider requested. */
function askedPauseMs({ details }: CustomerError): number | undefined {
  return details.retry_after_s === undefined ? undefined : details.retry_after_s * 1_000;
}

/** The limits of rows in flight: the first, and the highest. In between, the limit depends on the provider's answers. */
const FIRST_LIMIT = 4;
const MAX_LIMIT = 48;
/** After a slowdown, how many times as many rows as are in flight must succeed before the limit rises by one. */
const CAREFUL = 8;
const MAX_ROW_TRIES = 6;
/** The number of consecutive outages, with a growing pause after each, that end the import. */
const MAX_OUTAGES = 4;
const FIRST_OUTAGE_PAUSE_MS = 500;
/** Errors within this time have the same cause, because their rows were in flight together. */
const SAME_TROUBLE_MS = 400;
/** Errors that every row would have, so they end the import. */
const HOPELESS: ReadonlySet<ErrorKind> = new Set(['unauthorized', 'forbidden', 'store_unavailable']);
/** Errors of the provider or of the network, after which the row can be sent again: the create did not run. */
const TROUBLE: ReadonlySet<ErrorKind> = new Set(['rate_limited', 'unavailable']);

export interface PaceOptions {
  /** The time limit of the import, ms. */
  readonly withinMs: number;
  /** The highest number of rows in flight. */
  readonly maxLimit?: number;
  /** The longest pause, ms. If the provider requests a longer one, the import ends. */
  readonly maxPauseMs: number;
  /** Called for each pause of all rows. */
  readonly paused?: ((ms: number, error: CustomerError) => void) | undefined;
}

/**
 * Decides how many rows of an import are in flight, when the next row is sent, and when the import ends. The limit rises with
 * every row that succeeds, more slowly after the first slowdown, and is halved at each outage and rate limit.
 */
export class ImportPace {
  /** Why the import ended early. */
  endedBy: CustomerError | undefined;
  #limit = FIRST_LIMIT;
  readonly #signal: AbortSignal;
  readonly #options: PaceOptions;
  readonly #endsAt: number;
  #resumesAt = 0;
  #outages = 0;
  #troubleAt = Number.NEGATIVE_INFINITY;
  #credit = 0;

  /** The import also ends when the signal aborts. */
  constructor(signal: AbortSignal, options: PaceOptions) {
    this.#signal = signal;
    this.#options = options;
    this.#endsAt = performance.now() + options.withinMs;
  }

  get limit(): number {
    return this.#limit;
  }

  /** Whether no more rows are sent. */
  get over(): boolean {
    return (
      this.endedBy !== undefined || this.#signal.aborted || Math.max(performance.now(), this.#resumesAt) >= this.#endsAt
    );
  }

  /** The time until the next row may be sent, ms. */
  get resumesInMs(): number {
    return Math.max(0, this.#resumesAt - performance.now());
  }

  /** The time until the import ends, ms. */
  get endsInMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  /**
   * Records the result of a row's try number `tries`, for which the HTTP client made so many `attempts`.
   * @returns the pause in ms before the row is tried again; `undefined` if it is finished.
   */
  again(error: CustomerError | undefined, tries: number, attempts: number): number | undefined {
    if (error === undefined || !(TROUBLE.has(error.kind) || error.kind === 'in_progress')) {
      this.#outages = 0;
      if (attempts > 1) this.#slowDown();
      else this.#speedUp();
      if (error && HOPELESS.has(error.kind)) this.endedBy ??= error;
      return undefined;
    }
    if (this.#signal.aborted) return undefined;
    const pauseMs = this.#pauseAfter(error, tries);
    if (pauseMs > this.#options.maxPauseMs || this.#outages >= MAX_OUTAGES) {
      this.endedBy ??= error;
      return undefined;
    }
    if (tries >= MAX_ROW_TRIES) return undefined;
    // A create that another process is sending delays only its own row.
    if (error.kind !== 'in_progress') this.#wait(pauseMs, error);
    return pauseMs;
  }

  /** Whether the create of a row with this error did not run, and may succeed when the import runs again. */
  isUnsent({ kind }: CustomerError): boolean {
    const ended = this.#signal.aborted || this.endedBy !== undefined;
    return kind === 'rate_limited' || (ended && (kind === 'unavailable' || HOPELESS.has(kind)));
  }

  #pauseAfter(error: CustomerError, tries: number): number {
    const isNew = performance.now() - this.#troubleAt > SAME_TROUBLE_MS;
    if (error.kind === 'unavailable' && isNew) this.#outages += 1;
    if (error.kind !== 'in_progress') this.#slowDown();
    const backoffMs =
      error.kind === 'unavailable' ? FIRST_OUTAGE_PAUSE_MS * 2 ** (this.#outages - 1) : 1_000 * 2 ** Math.min(tries, 4);
    return askedPauseMs(error) ?? backoffMs;
  }

  #wait(pauseMs: number, error: CustomerError): void {
    const resumesAt = performance.now() + pauseMs;
    if (resumesAt <= this.#resumesAt) return;
    this.#resumesAt = resumesAt;
    this.#options.paused?.(pauseMs, error);
  }

  #speedUp(): void {
    const untroubled = this.#troubleAt === Number.NEGATIVE_INFINITY;
    this.#credit += untroubled ? 1 : 1 / (CAREFUL * this.#limit);
    const more = Math.floor(this.#credit);
    this.#credit -= more;
    this.#limit = Math.min(this.#options.maxLimit ?? MAX_LIMIT, this.#limit + more);
  }

  #slowDown(): void {
    const now = performance.now();
    if (now - this.#troubleAt > SAME_TROUBLE_MS) this.#limit = Math.max(1, Math.floor(this.#limit / 2));
    this.#troubleAt = now;
  }
}
