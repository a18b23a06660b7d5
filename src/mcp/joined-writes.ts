import type { Writable } from 'node:stream';

/**
 * Joins everything that is written in this turn of the event loop into one write: writing is most of the cost of an answer.
 *
 * Measured with get_customer in the sandbox: with 32 calls in flight, a call without it takes 9 % more time and 13 % more CPU;
 * with one call in flight there is no difference. `npm run compare BEFORE/main.js AFTER/main.js` measures two builds.
 */
export function joinWrites(stdout: Writable): void {
  if (stdout.writableCorked > 0) return;
  stdout.cork();
  setImmediate(() => stdout.uncork());
}

/** Writes what is still to be joined, because the process ends. */
export function writeJoined(stdout: Writable): void {
  stdout.uncork();
}
