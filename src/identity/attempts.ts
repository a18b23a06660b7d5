import { endedBeforeSend } from '../errors.ts';
import { isOver, narrow, type Call } from '../http-client/call.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import type { Account } from './account.ts';
import { Attempt, NeverSent } from './attempt.ts';
import { inProgress, stillRecorded } from './errors.ts';
import { accountPrefix, identityKey } from './id-map.ts';
import { released, type Intent, type IntentData } from './intent.ts';
import type { Claim } from './ledger.ts';
import { customerLease } from './customer-turns.ts';
import { findUnresolved, type Unresolved } from './unresolved.ts';
import {
  LEASE_MS,
  POLL_JITTER_MS,
  POLL_MS,
  RECORD_LEASE_MS,
  RESERVE_MS,
  SEND_MS,
  QUIET_AFTER_SEND_MS,
  WAIT_MS,
} from './timing.ts';

export interface Begun {
  readonly attempt: Attempt;
  /** `false`: the row is `DONE` or `CONFLICT` and was not claimed. */
  readonly acquired: boolean;
}

/** A fingerprint that matches no customer: no provider has such a field, and no hash is empty. */
const UNRECOGNIZABLE = { '': '' };

export interface BeginOptions {
  /** Also acquire a row that is `DONE`. */
  readonly reopen: boolean;
  /** Acquire an unreadable row as `UNKNOWN`, if the provider or the user can decide without the record. */
  readonly evenDamaged: boolean;
}

/** Starts attempts on the external ids of one account: one at a time per id, in this process and across processes. */
export class Attempts {
  readonly account: Account;
  readonly #mutex = new KeyedMutex();
  readonly #neverSent = new NeverSent();

  constructor(account: Account) {
    this.account = account;
  }

  /** Runs work on the same key one after the other within this process; the claim excludes other processes. */
  runExclusive<T>(key: string, call: Call, work: () => Promise<T>): Promise<T> {
    return this.#mutex.runExclusive(key, () => {
      const expired = isOver(call, { inMs: RESERVE_MS, now: this.account.clock.monotonic() });
      return expired ? Promise.reject(inProgress(undefined, 1_000)) : work();
    });
  }

  /** The same for one external id. */
  runExclusiveFor<T>(externalId: string, call: Call, work: () => Promise<T>): Promise<T> {
    return this.runExclusive(this.#key(externalId), call, work);
  }

  /**
   * Claims an external id, and waits while another process holds it.
   * @throws CustomerError `in_progress` if it is held for too long; `store_unavailable`.
   */
  async begin(externalId: string, options: BeginOptions, call: Call): Promise<Begun> {
    const { clock, random } = this.account;
    const waiting = narrow(call, { withinMs: WAIT_MS, reserveMs: RESERVE_MS }, clock.monotonic());
    for (;;) {
      const claim = await this.#claim(externalId, options);
      if (claim.kind !== 'held') return this.#begun(claim, call);
      const pauseMs = Math.min(claim.retryInMs, POLL_MS + random.random() * POLL_JITTER_MS);
      if (isOver(waiting, { inMs: pauseMs, now: clock.monotonic() })) throw inProgress(externalId, claim.retryInMs);
      await clock.sleep(pauseMs);
    }
  }

  /** The same without waiting. `undefined`: another process holds it. */
  async tryBegin(externalId: string, call: Call): Promise<Begun | undefined> {
    const claim = await this.#claim(externalId, { reopen: false, evenDamaged: false });
    return claim.kind === 'held' ? undefined : this.#begun(claim, call);
  }

  get(externalId: string): Promise<Intent | undefined> {
    return this.account.ledger.get(this.#key(externalId));
  }

  /** Open rows of the account without a lease whose check is due, now or within so many ms. */
  due(limit: number, withinMs: number): Promise<readonly Intent[]> {
    return this.account.ledger.due({ prefix: accountPrefix(this.account.provider), limit, withinMs });
  }

  /** See `findUnresolved`. */
  unresolved(limit: number): Promise<Unresolved> {
    return findUnresolved(this.account.ledger, accountPrefix(this.account.provider), limit);
  }

  /** Whether this send never left this process, although the store may have recorded it. */
  wasNeverSent(data: IntentData): boolean {
    return this.#neverSent.has(data);
  }

  /** Whether "not found" proves that the send will not appear later. Never, if only the fields identify a customer. */
  mayBeSentAgain(data: IntentData): boolean {
    const { createUpserts, externalIdKeptBy } = this.account.provider.traits;
    if (createUpserts || this.wasNeverSent(data)) return true;
    return externalIdKeptBy === 'provider' && !data.committed && this.quietForMs(data) <= 0;
  }

  /** How long "not found" still proves nothing about a send; 0 or less if it does. */
  quietForMs({ sentAt = 0 }: IntentData): number {
    return sentAt + QUIET_AFTER_SEND_MS - this.account.clock.now();
  }

  /**
   * The call for a create: it cannot be canceled, ends within the lease, and leaves time to record the result.
   * @throws CustomerError `unavailable` if the call was canceled before.
   */
  uncancellable(call: Call): Call {
    const { provider, clock } = this.account;
    if (call.signal.aborted) throw endedBeforeSend(provider.title, true);
    return narrow(call, { withinMs: SEND_MS, reserveMs: RESERVE_MS, uncancellable: true }, clock.monotonic());
  }

  /**
   * Records an existing customer for an external id, exclusively, and not if the customer is recorded for another id. If the
   * provider stores external ids, its answer decides.
   * @throws CustomerError `in_progress` if another external id was recorded first; `store_unavailable`; whatever `work` throws.
   */
  async runExclusiveForCustomer<T>(
    { customerId, externalId }: { readonly customerId: string; readonly externalId: string },
    call: Call,
    work: () => Promise<T>,
  ): Promise<T> {
    const { provider, ids } = this.account;
    if (provider.traits.externalIdKeptBy === 'provider') return work();
    return this.runLeased(customerId, call, async () => {
      const recorded = (await ids.externalIds([customerId])).get(customerId) ?? externalId;
      if (recorded !== externalId) throw stillRecorded(externalId, customerId);
      return work();
    });
  }

  /** Runs work on one customer under its lease. @throws CustomerError as above. */
  runLeased<T>(customerId: string, call: Call, work: () => Promise<T>): Promise<T> {
    const { provider, leases } = this.account;
    const options = { leaseMs: RECORD_LEASE_MS, waitMs: WAIT_MS, call };
    return leases.withLease(customerLease(provider, customerId), options, work);
  }

  async #claim(externalId: string, { reopen, evenDamaged }: BeginOptions): Promise<Claim> {
    const { ledger, random, clock } = this.account;
    const data: IntentData = { salt: random.uuid(), externalId, fingerprint: {} };
    // The sent fields are unknown: the send may be recent, and no customer can be recognized by its fields.
    const damagedAs = {
      state: 'UNKNOWN',
      data: { ...data, fingerprint: UNRECOGNIZABLE, sentAt: clock.now() },
    } as const;
    const options = { leaseMs: LEASE_MS, data, reopen, ...(evenDamaged && { damagedAs }) };
    const claim = await ledger.claim(this.#key(externalId), options);
    if (claim.kind !== 'acquired' || claim.intent.state !== 'PENDING') return claim;
    const carried = await this.#carryOver(claim.intent);
    if (carried === undefined) return claim;
    return carried ? ledger.claim(this.#key(externalId), options) : { kind: 'held', retryInMs: LEASE_MS };
  }

  /**
   * Carries over the record of an external id from a former name of the account. The claim of the id excludes others that do
   * the same; a claim under that name prevents servers that still use it from sending meanwhile.
   * @returns `undefined` if there is no record, `false` while another process is working on it; the claim is then released.
   */
  async #carryOver(fresh: Intent): Promise<boolean | undefined> {
    const { ledger } = this.account;
    const former = await this.#formerly(fresh.data.externalId);
    if (!former) return undefined;
    const taken = await ledger.claim(former.key, { leaseMs: LEASE_MS, data: fresh.data, reopen: true });
    if (taken.kind === 'held') {
      await ledger.transition(fresh, released(fresh.data));
      return false;
    }
    const { state, data } = taken.intent;
    const carried = state === 'PENDING' ? undefined : await ledger.transition(fresh, { state, data, leaseMs: 0 });
    if (state === 'PENDING' || carried) await ledger.transition(taken.intent, released(data));
    return state === 'PENDING' ? undefined : carried !== undefined;
  }

  async #formerly(externalId: string): Promise<Intent | undefined> {
    const { ledger, provider } = this.account;
    const { name, formerAccounts = [] } = provider;
    for (const account of formerAccounts) {
      const intent = await ledger.get(identityKey({ name, account }, externalId));
      if (intent && intent.state !== 'RELEASED') return intent;
    }
    return undefined;
  }

  #begun({ kind, intent }: Exclude<Claim, { kind: 'held' }>, call: Call): Begun {
    const context = { ...this.account, neverSent: this.#neverSent };
    return { acquired: kind === 'acquired', attempt: new Attempt(intent, call, context) };
  }

  #key(externalId: string): string {
    return identityKey(this.account.provider, externalId);
  }
}
