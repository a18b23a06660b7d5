import { CustomerError, type ErrorKind } from '../errors.ts';
import { startCall, type Call } from '../http-client/call.ts';
import type { Attempt } from './attempt.ts';
import type { Attempts } from './attempts.ts';
import { accountOfKey } from './id-map.ts';
import { released, type Intent, type IntentData, type Transition } from './intent.ts';
import type { Matching } from './matching.ts';
import { FIRST_CHECK_MS, FIRST_ROUND_MS, LAST_CHECK_MS, MAX_CHECKS, ROUND_MS } from './timing.ts';

/** The rows of one account in one round. */
const MAX_AT_ONCE = 50;
/** The accounts that one round checks side by side. */
const MAX_ACCOUNTS_AT_ONCE = 20;
/** Errors that the next row of the same account would meet too. */
const OUTAGES: readonly ErrorKind[] = ['unavailable', 'rate_limited', 'unauthorized', 'forbidden', 'store_unavailable'];

/** Resolves rows that crashes and lost answers left open. Looks up their customers, and sends no creates. */
export class Reconciler {
  readonly #attempts: Attempts;
  readonly #matching: Matching;

  constructor(attempts: Attempts, matching: Matching) {
    this.#attempts = attempts;
    this.#matching = matching;
  }

  /**
   * Open rows of this account without a lease whose check is due, now or within so many ms.
   * @throws CustomerError `store_unavailable`.
   */
  async open(limit: number, withinMs: number): Promise<readonly Intent[]> {
    return this.#attempts.due(limit, withinMs);
  }

  /**
   * Looks up the customer of one open row, and resolves the row if possible; a row in `CONFLICT`, if only one customer matches
   * by now.
   * @returns the current intent, or `undefined` if another process is working on it.
   * @throws CustomerError `store_unavailable`, or whatever the provider answered.
   */
  async resolve({ data: { externalId } }: Intent, call: Call): Promise<Intent | undefined> {
    return this.#attempts.runExclusiveFor(externalId, call, async () => {
      const begun = await this.#attempts.tryBegin(externalId, call);
      if (begun?.attempt.claimed.state === 'CONFLICT') return this.#resolveConflict(begun.attempt);
      if (!begun?.acquired) return begun?.attempt.claimed;
      const { attempt } = begun;
      const { state, data } = attempt.claimed;
      const to = state === 'PENDING' ? released(data) : await attempt.releaseOnError(() => this.#classify(data, call));
      return this.#record(attempt, to);
    });
  }

  /** Not claimed, so that it remains a conflict for all others; the user may have deleted or merged customers since. */
  async #resolveConflict(attempt: Attempt): Promise<Intent | undefined> {
    const { claimed, call } = attempt;
    const [only, ...others] = await this.#matching.search(claimed.data, undefined, call);
    return only && others.length === 0 ? this.#record(attempt, this.#matching.found(claimed.data, only)) : claimed;
  }

  /** `undefined`: another process has changed the row. */
  async #record(attempt: Attempt, to: Transition): Promise<Intent | undefined> {
    const { externalId, call, claimed } = attempt;
    const { customerId } = to.data;
    const record = (): Promise<boolean> => attempt.transition(to);
    const exists = to.state === 'DONE' && customerId !== undefined;
    const recorded = exists
      ? this.#attempts.runExclusiveForCustomer({ customerId, externalId }, call, record)
      : record();
    if (!(await recorded)) return undefined;
    if (exists) await this.#attempts.account.ids.remember(externalId, customerId);
    return { ...claimed, state: to.state, data: to.data };
  }

  /** Decides, by a search, about a create that may or may not have run. */
  async #classify(data: IntentData, call: Call): Promise<Transition> {
    const [only, ...others] = await this.#matching.search(data, undefined, call);
    if (only && others.length > 0) return { state: 'CONFLICT', data, leaseMs: 0 };
    if (only) return this.#matching.found(data, only);
    const checks = (data.checks ?? 0) + 1;
    // No caller is waiting, so releasing early has no benefit, and a late commit would leave a customer without a record.
    const hopeless = checks > MAX_CHECKS && this.#attempts.mayBeSentAgain(data);
    if (hopeless || this.#attempts.wasNeverSent(data)) return released(data);
    const jitter = 0.9 + this.#attempts.account.random.random() * 0.2;
    const checkInMs = Math.min(FIRST_CHECK_MS * 2 ** (checks - 1), LAST_CHECK_MS) * jitter;
    return { state: 'UNKNOWN', data: { ...data, checks }, leaseMs: 0, checkInMs };
  }
}

export interface Resolved {
  readonly externalId: string;
  readonly state: Intent['state'];
  readonly customerId: string | undefined;
}

/** A `Reconciler`, or an object that contains one. */
type Resolver = Pick<Reconciler, 'open' | 'resolve'>;

interface ResolveOptions {
  /** Rows whose check is due within so many ms count as due. */
  readonly withinMs?: number;
  /** The accounts whose provider failed in earlier rounds, the last one last; kept up to date. They come after the others. */
  readonly failed?: Set<string>;
}

/**
 * Resolves the open rows that are due: those of one account one after the other, several accounts side by side, so that an
 * account whose provider does not answer does not delay the others. A row that cannot be checked now waits for the next round,
 * and so do the further rows of an account whose provider fails.
 * @throws CustomerError `store_unavailable`.
 */
export async function resolveDue(
  reconciler: Resolver,
  callFor: () => Call,
  { withinMs = 0, failed = new Set() }: ResolveOptions = {},
): Promise<readonly Resolved[]> {
  const due = Map.groupBy(await reconciler.open(MAX_AT_ONCE, withinMs), ({ key }) => accountOfKey(key));
  const order = [...failed];
  const waiting = [...due].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b));
  const resolved: Resolved[] = [];
  const end = performance.now() + ROUND_MS;
  const resolveNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next && performance.now() < end; next = waiting.shift()) {
      const [account, intents] = next;
      failed.delete(account);
      if (!(await resolveAccount(intents, { reconciler, callFor, resolved }))) failed.add(account);
    }
  };
  await Promise.all(Array.from({ length: MAX_ACCOUNTS_AT_ONCE }, resolveNext));
  return resolved;
}

/** Adds each row to `resolved`. `false`: the account's provider failed, and the rows after that are as they were. */
async function resolveAccount(
  intents: readonly Intent[],
  {
    reconciler,
    callFor,
    resolved,
  }: { readonly reconciler: Resolver; readonly callFor: () => Call; readonly resolved: Resolved[] },
): Promise<boolean> {
  let works = true;
  for (const intent of intents) {
    const call = callFor();
    if (call.signal.aborted) break;
    const resolving = works ? reconciler.resolve(intent, call) : Promise.resolve(intent);
    const now = await resolving.catch((error: unknown) => {
      works = concernsOneRow(error);
      return intent;
    });
    const { state, data } = now ?? intent;
    resolved.push({ externalId: data.externalId, state, customerId: data.customerId });
  }
  return works;
}

/** Whether the next row of the same account may fare better. */
function concernsOneRow(error: unknown): boolean {
  return error instanceof CustomerError && !OUTAGES.includes(error.kind);
}

export interface ReconcileOptions {
  readonly signal: AbortSignal;
  /** The time limit for one row, ms. */
  readonly budgetMs: number;
  /** Called after each round. */
  onRound(resolved: readonly Resolved[]): void;
  /** Removes a bounded number of rows that are no longer needed; called once per round. */
  sweep(): Promise<void>;
}

/**
 * Resolves in the background, about once a minute, while the server runs. Does not keep the process alive. Resolves when
 * `signal` aborts and the current round has ended.
 */
export async function reconcile(
  reconciler: Resolver,
  { signal, budgetMs, onRound, sweep }: ReconcileOptions,
): Promise<void> {
  let pauseMs = FIRST_ROUND_MS;
  const failed = new Set<string>();
  while (await pause(pauseMs * (0.9 + Math.random() * 0.2), signal)) {
    pauseMs = ROUND_MS;
    // While the store is down, nothing can be resolved; the next round tries again.
    onRound(await resolveDue(reconciler, () => startCall(signal, budgetMs), { failed }).catch(() => []));
    await sweep().catch(() => {});
  }
}

/** `false` if it was aborted. */
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
