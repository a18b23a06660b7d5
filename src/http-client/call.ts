/** The limits of a call. Only {@link startCall}, {@link narrow} and {@link extend} set a deadline. */
export interface Call {
  /** Aborted when the caller cancels. Requests not yet sent are then not sent; a write already sent is finished. */
  readonly signal: AbortSignal;
  /** When the whole call must have ended, as a reading of the monotonic clock, ms. */
  readonly deadline: number;
  /** Records the number of attempts of a request, and their result. */
  readonly stats?: CallStats;
}

export interface CallStats {
  attempt: number;
  status: number | undefined;
  /** The time of the provider's clock, in HTTP's format. */
  date?: string | undefined;
}

/** A call that must end within so many ms: of a tool, or of other work with a time limit of its own. */
export function startCall(signal: AbortSignal, timeoutMs: number, stats?: CallStats): Call {
  return { signal, deadline: performance.now() + timeoutMs, ...(stats && { stats }) };
}

/** The same call with a deadline so many ms later, for time that does not count, such as the user's. */
export function extend(call: Call, ms: number): Call {
  return { ...call, deadline: call.deadline + ms };
}

/** Additional limits of a part of a call. */
export interface Limits {
  /** Ends within so many ms from now. */
  readonly withinMs?: number;
  /** Ends so many ms before the whole call, to leave time for recording the result. */
  readonly reserveMs?: number;
  /** Continues when the caller cancels, for work that is worse to interrupt than to finish. */
  readonly uncancellable?: boolean;
}

/** A part of a call; its deadline is never later than the call's. `now` is a reading of the clock that made the call. */
export function narrow(call: Call, limits: Limits, now = performance.now()): Call {
  const { withinMs = Number.POSITIVE_INFINITY, reserveMs = 0, uncancellable = false } = limits;
  return {
    ...call,
    deadline: Math.min(call.deadline - reserveMs, now + withinMs),
    ...(uncancellable && { signal: new AbortController().signal }),
  };
}

/**
 * One call for work that several calls wait for: it ends when the last of them ends, and is canceled when all are canceled. A
 * call that is added later keeps it from being canceled.
 */
export function joinCalls(calls: ReadonlySet<Call>): Call {
  const active = [...calls].filter(({ signal }) => !signal.aborted);
  const joint = new AbortController();
  const stop = (): void => {
    if ([...calls].every(({ signal }) => signal.aborted)) joint.abort();
  };
  for (const { signal } of active) signal.addEventListener('abort', stop, { once: true });
  if (active.length === 0) joint.abort();
  return { signal: joint.signal, deadline: Math.max(...active.map(({ deadline }) => deadline)) };
}

/** The limit of timers (2^31 ms). */
const MAX_TIMER_MS = 2_147_483_647;

/** The result of the work, or `undefined` if the call ends first; the work itself continues. */
export async function waitWithin<T>(call: Call, work: Promise<T>): Promise<T | undefined> {
  const over = Promise.withResolvers<undefined>();
  const stop = (): void => over.resolve(undefined);
  const timer = setTimeout(stop, Math.min(call.deadline - performance.now(), MAX_TIMER_MS));
  call.signal.addEventListener('abort', stop);
  if (call.signal.aborted) stop();
  try {
    return await Promise.race([work, over.promise]);
  } finally {
    clearTimeout(timer);
    call.signal.removeEventListener('abort', stop);
  }
}

/** Whether the call will have ended in so many ms, or is canceled. */
export function isOver(call: Call, { inMs = 0, now = performance.now() } = {}): boolean {
  return call.signal.aborted || now + inMs >= call.deadline;
}
