import type { Call } from '../http-client.ts';
import type { CreateOnce } from './create-once.ts';
import type { Intent } from './ledger.ts';

const EVERY_MS = 60_000;
/** Soon after a start there may be rows of the process before; their leases are over by then. */
const FIRST_MS = 20_000;
const MOST_AT_ONCE = 50;

export interface Settled {
  readonly externalId: string;
  readonly state: Intent['state'];
  readonly remoteId: string | undefined;
}

/**
 * Looks at every identity that is open and due, now or within so many ms, one after the other. What cannot be looked at now
 * waits for the next round.
 */
export async function settleOpen(creates: CreateOnce, callFor: () => Call, withinMs = 0): Promise<readonly Settled[]> {
  const settled: Settled[] = [];
  for (const intent of await creates.open(MOST_AT_ONCE, withinMs)) {
    const call = callFor();
    if (call.signal.aborted) break;
    const now = await creates.settle(intent, call).catch(() => intent);
    const { state, data } = now ?? intent;
    settled.push({ externalId: data.externalId, state, remoteId: data.remoteId });
  }
  return settled;
}

/**
 * Settles in the background what crashed processes and lost answers left open, about once a minute, for as long as the server
 * runs. Does not keep the process alive. Resolves when `signal` aborts and the round under way is over.
 */
export async function reconcile(
  creates: CreateOnce,
  signal: AbortSignal,
  budgetMs: number,
  settled: (round: readonly Settled[]) => void,
): Promise<void> {
  let pauseMs = FIRST_MS;
  while (await pause(pauseMs * (0.9 + Math.random() * 0.2), signal)) {
    pauseMs = EVERY_MS;
    // A store that is down has nothing to tell now; the next round asks again.
    settled(await settleOpen(creates, () => ({ signal, deadline: performance.now() + budgetMs })).catch(() => []));
  }
}

/** `false` when it was cut short. */
function pause(ms: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(false);
    const stop = (): void => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve(true);
    }, ms);
    timer.unref();
    signal.addEventListener('abort', stop, { once: true });
  });
}
