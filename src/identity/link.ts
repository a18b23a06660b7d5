import { CustomerError } from '../errors.ts';
import type { Call } from '../http-client/call.ts';
import type { ProviderCustomer } from '../providers/provider.ts';
import type { Attempts } from './attempts.ts';
import { inProgress, linkedElsewhere } from './errors.ts';
import { accountPrefix } from './id-map.ts';
import { done, released, unlinked } from './intent.ts';
import type { Matching } from './matching.ts';

export interface Linked {
  readonly outcome: 'linked' | 'already_linked';
  /** The external ids that were released from this customer. */
  readonly unlinked: readonly string[];
}

/** Changes which customer an external id belongs to, through the user or a deletion instead of a create. */
export class Links {
  readonly #attempts: Attempts;
  readonly #matching: Matching;

  constructor(attempts: Attempts, matching: Matching) {
    this.#attempts = attempts;
    this.#matching = matching;
  }

  /**
   * Links an external id to an existing customer, regardless of an earlier create with that id. A customer has one external id:
   * its other ids are released.
   * @throws CustomerError `not_found` for a deleted customer, `conflict` if the id belongs to another customer, `in_progress`,
   * `store_unavailable`.
   */
  async link(externalId: string, customer: ProviderCustomer, call: Call): Promise<Linked> {
    if (customer.state === 'deleted') {
      throw new CustomerError('not_found', `The customer ${customer.id} is deleted, so it was not linked.`, {
        advice: [{ tool: 'search_customer', text: 'Use search_customer with find to get another.' }],
      });
    }
    return this.#attempts.runExclusiveFor(externalId, call, () => this.#link(externalId, customer, call));
  }

  async #link(externalId: string, customer: ProviderCustomer, call: Call): Promise<Linked> {
    // Acquired even if it is done, so that a process that found the old customer deleted cannot release the new link.
    const { attempt } = await this.#attempts.begin(externalId, { reopen: true, evenDamaged: true }, call);
    const { state, data } = attempt.claimed;
    const previousId = state === 'DONE' ? data.customerId : undefined;
    if (previousId !== undefined && previousId !== customer.id) {
      await attempt.releaseOnError(async () => {
        const other = await this.#matching.getRecorded(data, call);
        if (other) throw linkedElsewhere(externalId, other);
      });
    }
    let begun = false;
    try {
      return await this.#attempts.runLeased(customer.id, call, async () => {
        begun = true;
        // The fields that were sent under this id before do not describe the customer that it is linked to now.
        if (!(await attempt.transition(done({ ...data, fingerprint: {} }, customer.id))))
          throw inProgress(externalId, 1_000);
        const outcome = previousId === customer.id ? 'already_linked' : 'linked';
        return { outcome, unlinked: await this.#unlinkOthers(externalId, customer.id) };
      });
    } catch (error) {
      if (!begun) await attempt.release();
      throw error;
    }
  }

  /**
   * Runs under the customer's lease, so that only one of two concurrent links stays. @returns the customer's former external
   * ids.
   */
  async #unlinkOthers(externalId: string, customerId: string): Promise<readonly string[]> {
    const { ledger, provider } = this.#attempts.account;
    const intents = await ledger.findByCustomerId(accountPrefix(provider), [customerId]);
    const others = intents.filter(({ data }) => data.externalId !== externalId);
    for (const other of others) await ledger.transition(other, unlinked(other.data));
    return others.map(({ data }) => data.externalId);
  }

  /**
   * Releases the external id of a deleted customer, unless it already belongs to another customer that was created after the
   * deletion.
   */
  async release(externalId: string, customerId: string): Promise<void> {
    const { ids, ledger } = this.#attempts.account;
    await ids.forget(externalId);
    try {
      const intent = await this.#attempts.get(externalId);
      if (intent?.state === 'DONE' && intent.data.customerId === customerId)
        await ledger.transition(intent, released(intent.data));
    } catch {
      // The next create with this external id detects the deletion itself.
    }
  }
}
