import { setTimeout as sleep } from 'node:timers/promises';

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
export class Progress {
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
