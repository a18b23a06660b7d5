/** What makes the provider work at the moment: a stop waits for it, and over HTTP there is a most of it. */
export type Running = Set<Promise<unknown>>;

/** The result of work, which is among what runs until then. */
export async function track<T>(running: Running, work: Promise<T>): Promise<T> {
  running.add(work);
  try {
    return await work;
  } finally {
    running.delete(work);
  }
}

/** Work under a signal that both abort. `AbortSignal.any` makes one too, but takes a tenth of a call's time for it. */
export async function untilEither<T>(
  one: AbortSignal,
  other: AbortSignal,
  work: (either: AbortSignal) => Promise<T>,
): Promise<T> {
  const either = new AbortController();
  const abort = (): void => either.abort();
  if (one.aborted || other.aborted) abort();
  one.addEventListener('abort', abort);
  other.addEventListener('abort', abort);
  try {
    return await work(either.signal);
  } finally {
    one.removeEventListener('abort', abort);
    other.removeEventListener('abort', abort);
  }
}
