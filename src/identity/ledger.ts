import type { DueQuery, PageQuery, Row, RowPage, Rows } from '../stores/store.ts';
import { STORE_TIMEOUT_MS, withTimeout } from '../stores/timeout.ts';
import { storeUnavailable } from './errors.ts';
import { next, type Intent, type IntentData, type Transition } from './intent.ts';
import { decodeIntent, decodeIntents, encodeIntent, storedState } from './stored-intent.ts';

export type Claim =
  /** The row belongs to this process until the lease ends. A row taken over from `SENT` is `UNKNOWN`. */
  | { readonly kind: 'acquired'; readonly intent: Intent }
  /** `DONE` or `CONFLICT`: a create has nothing to do. */
  | { readonly kind: 'final'; readonly intent: Intent }
  | { readonly kind: 'held'; readonly retryInMs: number };

export interface ClaimOptions {
  readonly leaseMs: number;
  /** The record of a new intent. */
  readonly data: IntentData;
  /** Also acquire a `DONE` row, to send again for it. */
  readonly reopen: boolean;
  /**
   * The state and record as which an unreadable row is acquired. Without it, such a row is an error, and no decision is based
   * on it.
   */
  readonly damagedAs?: Pick<Intent, 'state' | 'data'>;
}

/**
 * The record that decides whether a create may be sent. A lost record leads to a duplicate, so rows do not expire; only released
 * ones are removed, after `RELEASED_MS`. Leases are measured by the store's own clock.
 */
export interface Ledger {
  claim(key: string, options: ClaimOptions): Promise<Claim>;
  /** Compare-and-swap. `undefined`: another process has changed the intent. */
  transition(intent: Intent, to: Transition): Promise<Intent | undefined>;
  get(key: string): Promise<Intent | undefined>;
  /**
   * Open intents with this key prefix without a lease whose check is due, now or within so many ms; longest due first. With
   * `limitEach`, at most so many of each account, and the first of each account first.
   */
  due(query: DueQuery): Promise<readonly Intent[]>;
  /** All rows, page by page, as they are stored. */
  list(query: PageQuery): Promise<RowPage>;
  /** `DONE` intents with this key prefix that record one of these customers. */
  findByCustomerId(prefix: string, customerIds: readonly string[]): Promise<readonly Intent[]>;
}

/** The ledger's state machine on a store's rows. */
export function createLedger(rows: Rows): Ledger {
  return {
    async claim(key, { leaseMs, data, reopen, damagedAs }) {
      const row = await rows.insert({ key, epoch: 1, ...encodeIntent('PENDING', data), leaseMs });
      if (!row) return { kind: 'acquired', intent: { key, epoch: 1, state: 'PENDING', data } };
      const intent = decodeOr(row, damagedAs);
      if (isFinal(intent, reopen)) return { kind: 'final', intent };
      if (row.leasedMs > 0) return { kind: 'held', retryInMs: row.leasedMs };
      const taken = takenOver(intent, data);
      // Every change increments the epoch, so a row that can be replaced is as it was read, and its lease is over. A claim need
      // not survive a failure of the machine, because nothing is sent on the basis of a claim alone.
      const change = { ...encodeIntent(taken.state, taken.data), leaseMs, checkInMs: 0, durable: false };
      if (await rows.replace(row, change)) return { kind: 'acquired', intent: next(intent, taken) };
      return { kind: 'held', retryInMs: leaseMs };
    },

    async transition(intent, to) {
      const { key, epoch } = intent;
      const version = { key, epoch, state: storedState(intent.state) };
      const change = { ...encodeIntent(to.state, to.data), leaseMs: to.leaseMs, durable: true };
      const replaced = await rows.replace(version, { ...change, checkInMs: Math.round(to.checkInMs ?? 0) });
      return replaced ? next(intent, to) : undefined;
    },

    async get(key) {
      const row = await rows.read(key);
      return row && decodeIntent(row);
    },

    async due(query) {
      return decodeIntents(await rows.due(query));
    },

    list: (query) => rows.list(query),
    async findByCustomerId(prefix, customerIds) {
      return decodeIntents(await rows.findByCustomerId(prefix, customerIds));
    },
  };
}

/** @throws Error for an unreadable row without `damagedAs`. */
function decodeOr(row: Row, damagedAs: ClaimOptions['damagedAs']): Intent {
  try {
    return decodeIntent(row);
  } catch (error) {
    if (!damagedAs) throw error;
    return { key: row.key, epoch: row.epoch, ...damagedAs };
  }
}

/**
 * Whether a create has nothing to do for an intent. With `reopening`, it waits for another create that sends again for a `DONE`
 * intent.
 */
function isFinal({ state }: Intent, reopening: boolean): boolean {
  return state === 'CONFLICT' || (state === 'DONE' && !reopening);
}

/** The state and record with which an intent without a lease is taken over; `fresh` is the new record of a released one. */
function takenOver({ state, data }: Intent, fresh: IntentData): Pick<Intent, 'state' | 'data'> {
  if (state === 'RELEASED') return { state: 'PENDING', data: fresh };
  return { state: state === 'SENT' ? 'UNKNOWN' : state, data };
}

/** Limits every call to `STORE_TIMEOUT_MS`, and turns every failure into `store_unavailable`. */
export function withDeadline(ledger: Ledger): Ledger {
  return {
    claim: (key, options) => guarded(() => ledger.claim(key, options)),
    transition: (intent, to) => guarded(() => ledger.transition(intent, to)),
    get: (key) => guarded(() => ledger.get(key)),
    due: (query) => guarded(() => ledger.due(query)),
    list: (query) => guarded(() => ledger.list(query)),
    findByCustomerId: (prefix, customerIds) => guarded(() => ledger.findByCustomerId(prefix, customerIds)),
  };
}

/**
 * Runs work on the store within `STORE_TIMEOUT_MS`.
 * @throws CustomerError `store_unavailable` for every failure.
 */
export async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await withTimeout(STORE_TIMEOUT_MS, work());
  } catch (error) {
    throw storeUnavailable(error);
  }
}
