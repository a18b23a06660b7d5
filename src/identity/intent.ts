import type { Fingerprint } from './fingerprint.ts';

/**
 * The state of an external id. `PENDING` claimed, nothing sent · `SENT` a create may be on its way · `DONE` the customer
 * exists, its id is known · `UNKNOWN` a create may or may not have run · `CONFLICT` several customers match, the user decides ·
 * `RELEASED` free again: released before anything was sent, or the customer was deleted.
 */
export const states = ['PENDING', 'SENT', 'UNKNOWN', 'DONE', 'CONFLICT', 'RELEASED'] as const;
export type State = (typeof states)[number];

/** The record of an external id: ids and hashes only, no customer data. */
export interface IntentData {
  /** Random, stable for the intent; salts `fingerprint`. */
  readonly salt: string;
  readonly externalId: string;
  /** Of the fields that were sent: enough to recognize the customer and to name fields that differ. */
  readonly fingerprint: Fingerprint;
  /** When the create was sent, ms since 1970 by this machine's clock. */
  readonly sentAt?: number;
  /** The provider accepted the create, but its answer contained no id. */
  readonly committed?: boolean;
  readonly customerId?: string;
  /** Customers that looked the same before the send, and are therefore not its result. */
  readonly excludedIds?: readonly string[];
  /** How often the reconciler has found nothing. */
  readonly checks?: number;
}

/** One external id: lock and record in one row. */
export interface Intent {
  readonly key: string;
  readonly state: State;
  /** Fencing token: one higher at every change. */
  readonly epoch: number;
  readonly data: IntentData;
}

export interface Transition {
  readonly state: State;
  readonly data: IntentData;
  /** A new lease from now; 0 releases the row. */
  readonly leaseMs: number;
  /** The reconciler does not check the row before this many ms from now. */
  readonly checkInMs?: number;
}

/** The customer exists. */
export function done(data: IntentData, customerId: string): Transition {
  return { state: 'DONE', data: { ...data, customerId }, leaseMs: 0 };
}

/** The external id is free. */
export function released(data: IntentData): Transition {
  return { state: 'RELEASED', data, leaseMs: 0 };
}

/** The external id is free, and no customer has it. */
export function unlinked({ salt, externalId }: IntentData): Transition {
  return { state: 'RELEASED', data: { salt, externalId, fingerprint: {} }, leaseMs: 0 };
}

/** The intent before a send that did not run; an earlier send may still be in flight. */
export function asBefore({ state, data }: Intent): Transition {
  return state === 'PENDING' ? released(data) : { state, data, leaseMs: 0 };
}

/** An intent after a change. */
export function next({ key, epoch }: Intent, { state, data }: Pick<Intent, 'state' | 'data'>): Intent {
  return { key, state, epoch: epoch + 1, data };
}
