/** The caller of a call, and its signal. */
interface Tracked {
  readonly signal: AbortSignal;
  readonly caller?: string | undefined;
}

/** The calls that are in flight to the provider: a shutdown aborts them, and over HTTP their number is limited. */
export class InFlight {
  readonly #work = new Map<
    AbortController,
    { readonly running: Promise<unknown>; readonly caller: string | undefined }
  >();
  #stopped = false;

  get size(): number {
    return this.#work.size;
  }

  /** The number of this caller's calls in flight. */
  of(caller: string): number {
    return [...this.#work.values()].filter((call) => call.caller === caller).length;
  }

  /** The number of calls in flight of all callers whose name begins so. */
  ofAll(prefix: string): number {
    return [...this.#work.values()].filter((call) => call.caller?.startsWith(prefix)).length;
  }

  /** Runs `work` with a signal that is aborted when the caller cancels and when the server shuts down. */
  async track<T>({ signal, caller }: Tracked, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const abort = (): void => controller.abort();
    if (signal.aborted || this.#stopped) abort();
    signal.addEventListener('abort', abort);
    const running = work(controller.signal);
    this.#work.set(controller, { running, caller });
    try {
      return await running;
    } finally {
      this.#work.delete(controller);
      signal.removeEventListener('abort', abort);
    }
  }

  /** Aborts the calls in flight, and from now on each new call at once. */
  abortAll(): void {
    this.#stopped = true;
    for (const controller of this.#work.keys()) controller.abort();
  }

  /** Resolves when the calls that are in flight now have ended. */
  async drained(): Promise<void> {
    await Promise.allSettled([...this.#work.values()].map(({ running }) => running));
  }
}
