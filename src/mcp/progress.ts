import { setTimeout as sleep } from 'node:timers/promises';
import { metaOf, type Frame } from './message.ts';
import type { Exchange } from './method.ts';

const MIN_INTERVAL_MS = 500;
/**
 * Two writes closer together than this can reach the client as one, and the client treats progress of an ended call as an
 * error.
 */
const QUIET_MS = 20;

/**
 * The progress of one call, limited to two notifications per second, without 100 %, which the answer implies, and without any
 * in the last 20 ms before the answer. SDK clients report progress of a call that has ended as an unknown token, and some then
 * drop the connection.
 */
class Progress {
  readonly #send: (done: number, total: number) => void;
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(send: (done: number, total: number) => void) {
    this.#send = send;
  }

  report(done: number, total: number): void {
    const now = performance.now();
    if (done >= total || now - this.#sentAt < MIN_INTERVAL_MS) return;
    this.#sentAt = now;
    this.#send(done, total);
  }

  /** Resolves when the answer may be sent. */
  async drained(): Promise<void> {
    const waitMs = this.#sentAt + QUIET_MS - performance.now();
    if (waitMs > 0) await sleep(waitMs);
  }
}

/** The progress notifications of a request that asked for them, none of them after its result. */
export async function withProgress<T>(
  { frame, sendNotification }: { readonly frame: Frame; sendNotification(notification: object): void },
  run: (report: Exchange['progress']) => Promise<T>,
): Promise<T> {
  const { progressToken } = metaOf(frame);
  if (progressToken === undefined) return run(() => {});
  const progress = new Progress((done, total) => {
    const params = { progressToken, progress: done, total };
    sendNotification({ jsonrpc: '2.0', method: 'notifications/progress', params });
  });
  try {
    return await run((done, total) => progress.report(done, total));
  } finally {
    await progress.drained();
  }
}
