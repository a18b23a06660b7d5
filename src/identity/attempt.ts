import type { Call } from '../http-client/call.ts';
import { inProgress } from './errors.ts';
import { asBefore, next, type Intent, type IntentData, type Transition } from './intent.ts';
import type { IdMap } from './id-map.ts';
import type { Ledger } from './ledger.ts';
import { LEASE_MS } from './timing.ts';

/** Sends that the store may have recorded but that never left this process; kept in memory. */
export class NeverSent {
  readonly #sends = new Set<string>();

  add({ salt, sentAt }: IntentData): void {
    this.#sends.add(`${salt}/${sentAt}`);
  }

  has({ salt, sentAt }: IntentData): boolean {
    return this.#sends.has(`${salt}/${sentAt}`);
  }
}

export interface AttemptContext {
  readonly ledger: Ledger;
  readonly ids: IdMap;
  readonly neverSent: NeverSent;
}

/** Work on one external id: to create its customer, to link one, or to resolve an open row. */
export class Attempt {
  readonly call: Call;
  /** The intent at the start of the attempt. */
  readonly claimed: Intent;
  readonly #context: AttemptContext;
  #intent: Intent;

  constructor(claimed: Intent, call: Call, context: AttemptContext) {
    this.call = call;
    this.claimed = claimed;
    this.#context = context;
    this.#intent = claimed;
  }

  /** The current record, as far as this process knows. */
  get data(): IntentData {
    return this.#intent.data;
  }

  get externalId(): string {
    return this.claimed.data.externalId;
  }

  /** `false`: another process has taken the row over. */
  async transition(to: Transition): Promise<boolean> {
    const changed = await this.#context.ledger.transition(this.#intent, to);
    this.#intent = changed ?? this.#intent;
    return changed !== undefined;
  }

  /**
   * Records the send, which must be stored before the request is sent.
   * @throws CustomerError `in_progress` if another process has taken the row over; `store_unavailable`.
   */
  async markSent(data: IntentData): Promise<void> {
    const { ledger, neverSent } = this.#context;
    const to: Transition = { state: 'SENT', data, leaseMs: LEASE_MS };
    try {
      if (await this.transition(to)) return;
    } catch (error) {
      // The store may still run the write when it is back. Nothing was sent, so a further write reverts it; because that one
      // may be lost too, the send is also remembered in memory.
      if (this.claimed.state !== 'UNKNOWN') neverSent.add(data);
      void ledger.transition(next(this.claimed, to), asBefore(this.claimed)).catch(() => undefined);
      throw error;
    }
    throw inProgress(this.externalId, 1_000);
  }

  /**
   * Records the end of a send. The provider's result does not depend on the record, so a failure here is a warning. If another
   * process has taken the row over and left it unknown, this result still applies to the same send.
   * @returns warnings.
   */
  async finish(to: Transition): Promise<readonly string[]> {
    const { externalId, customerId } = to.data;
    const isKnown = to.state === 'DONE' && customerId !== undefined;
    const [recorded] = await Promise.all([
      this.#record(to).catch(() => false),
      isKnown && this.#context.ids.remember(externalId, customerId),
    ]);
    if (recorded) return [];
    return [
      `The store did not record the customer of ${JSON.stringify(externalId)}; the next call with it looks it up again.`,
    ];
  }

  async #record(to: Transition): Promise<boolean> {
    const { ledger } = this.#context;
    const { key, data } = this.#intent;
    if (await this.transition(to)) return true;
    const now = await ledger.get(key);
    if (now?.state === 'DONE' && now.data.customerId === to.data.customerId) return true;
    if (now?.state !== 'UNKNOWN' || to.state === 'UNKNOWN' || now.data.sentAt !== data.sentAt) return false;
    return (await ledger.transition(now, to)) !== undefined;
  }

  /** Restores the row as it was claimed, because nothing was sent or the send did not run. */
  async release(): Promise<void> {
    await this.#record(asBefore(this.claimed)).catch(() => false);
  }

  /** Runs work before a send. An error restores the row as it was claimed, or releases it if nothing was ever sent for it. */
  async releaseOnError<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const held = await this.transition(asBefore(this.claimed)).catch(() => true);
      // Another process took the row over meanwhile, so what was found may be its result.
      throw held ? error : inProgress(this.externalId, 1_000);
    }
  }
}
