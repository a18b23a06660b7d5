import { CustomerError } from '../errors.ts';
import { isRecord } from '../text.ts';

/**
 * Where an identity stands.
 * `PENDING` claimed, nothing sent · `SENT` a create may be on its way · `DONE` the customer exists, id known ·
 * `UNSURE` a create may or may not have happened · `CONFLICT` several customers may be it, a person decides ·
 * `GONE` free again: released before anything was sent, or the customer was deleted.
 */
export const states = ['PENDING', 'SENT', 'UNSURE', 'DONE', 'CONFLICT', 'GONE'] as const;
export type State = (typeof states)[number];

/** What is kept of an identity besides its lock. Ids and hashes only, no customer data. */
export interface IntentData {
  /** Random, stable for the intent; salts `fields`. */
  readonly op: string;
  readonly externalId: string;
  /** Salted hash per field that was sent: enough to recognise the customer and to name what differs. */
  readonly fields: Readonly<Record<string, string>>;
  /** When the create was sent, ms since 1970 by this machine's clock. */
  readonly sentAt?: number;
  /** The provider accepted it, but its answer held no id. */
  readonly committed?: boolean;
  readonly remoteId?: string;
  /** Customers that looked the same before the send, and so are not what it left. */
  readonly before?: readonly string[];
  /** How often the reconciler looked without finding anything. */
  readonly checks?: number;
}

/** One identity: lock and record in one row. */
export interface Intent {
  readonly key: string;
  readonly state: State;
  /** Fencing token: one higher at every takeover. */
  readonly epoch: number;
  readonly data: IntentData;
}

export type Claim =
  /** Ours until the lease ends. A row taken over from `SENT` comes as `UNSURE`. */
  | { readonly kind: 'owned'; readonly intent: Intent }
  /** `DONE` or `CONFLICT`: nothing to be done about it by a create. */
  | { readonly kind: 'settled'; readonly intent: Intent }
  | { readonly kind: 'busy'; readonly retryInMs: number };

export interface ClaimOptions {
  readonly owner: string;
  readonly leaseMs: number;
  /** The record of a new intent. */
  readonly data: IntentData;
  /** Own a `DONE` row too, to send again for it. */
  readonly reopen: boolean;
}

export interface Advance {
  readonly state: State;
  readonly data: IntentData;
  /** A new lease from now; 0 gives the row free. */
  readonly leaseMs: number;
  /** For the reconciler: not to be looked at before this many ms from now. */
  readonly checkInMs?: number;
}

/**
 * The record that decides whether a create may be sent. Rows of open intents never expire: a record that is forgotten is a
 * duplicate waiting to happen. Leases are measured by the store's own clock.
 */
export interface Ledger {
  claim(key: string, options: ClaimOptions): Promise<Claim>;
  /** Compare-and-swap on epoch and state. `false`: somebody else has it now. */
  advance(intent: Intent, to: Advance): Promise<boolean>;
  get(key: string): Promise<Intent | undefined>;
  /**
   * Open intents under this beginning of a key that nobody has a lease on and whose check is due now, or within so many ms;
   * longest due first.
   */
  due(prefix: string, limit: number, withinMs: number): Promise<readonly Intent[]>;
}

/**
 * Whether a row that could not be claimed is out of a create's hands. `reopening`: somebody is sending again for a `DONE` one,
 * which is worth waiting for.
 */
export function isSettled({ state }: Intent, reopening: boolean): boolean {
  return state === 'CONFLICT' || (state === 'DONE' && !reopening);
}

/**
 * A row as an engine gives it: key, state, epoch, and the data as JSON.
 * @throws Error for a row that is not ours or is damaged; nothing may be decided on it.
 */
export function readIntent(row: Readonly<Record<string, unknown>>): Intent {
  const state = states.find((one) => one === row['state']);
  const epoch = Number(row['epoch']);
  const data: unknown = JSON.parse(String(row['data']));
  if (!state || !Number.isSafeInteger(epoch) || !isIntentData(data) || (state === 'DONE' && !data.remoteId)) {
    throw new Error('the ledger holds a row that cannot be read');
  }
  return { key: String(row['key']), state, epoch, data };
}

/** The rows that can be read: one that is damaged must not keep the others open. */
export function readIntents(rows: readonly Readonly<Record<string, unknown>>[]): Intent[] {
  return rows.flatMap((row) => {
    try {
      return [readIntent(row)];
    } catch {
      return [];
    }
  });
}

function isIntentData(data: unknown): data is IntentData {
  if (!isRecord(data)) return false;
  const { op, externalId, fields, remoteId = '', sentAt = 0, before = [] } = data;
  return (
    [op, externalId, remoteId].every((text) => typeof text === 'string') &&
    typeof sentAt === 'number' &&
    Array.isArray(before) &&
    isRecord(fields) &&
    Object.values(fields).every((hash) => typeof hash === 'string')
  );
}

export const STORE_DEADLINE_MS = 500;

/** Every call bounded by a deadline of ours, and every failure the same `store_unavailable`. */
export function guardLedger(ledger: Ledger): Ledger {
  return {
    claim: (key, options) => guarded(() => ledger.claim(key, options)),
    advance: (intent, to) => guarded(() => ledger.advance(intent, to)),
    get: (key) => guarded(() => ledger.get(key)),
    due: (prefix, limit, withinMs) => guarded(() => ledger.due(prefix, limit, withinMs)),
  };
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await within(STORE_DEADLINE_MS, work());
  } catch (error) {
    throw new CustomerError(
      'store_unavailable',
      'The store that keeps customers from being created twice does not answer, so nothing was sent. Check CUSTOMERS_STORE, then call again.',
      { cause: error },
    );
  }
}

/** The store did not answer within the deadline; what was asked of it may be carried out yet. */
export class TooLate extends Error {
  override readonly name = 'TooLate';
}

/** The result of some work, or `TooLate` after so many ms. No option of the drivers does this reliably. */
export async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new TooLate('the store took too long')), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
