import { createHash } from 'node:crypto';
import { CustomerError } from '../errors.ts';
import { narrow, type Call } from '../http-client/call.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import type { Provider } from '../providers/provider.ts';
import { MAX_LEASE_MS } from '../stores/store.ts';
import type { Account } from './account.ts';
import { accountPrefix } from './id-map.ts';
import { LEASE_MARGIN_MS, WAIT_MS } from './timing.ts';

/** Exclusive work on one customer. */
export interface Turn {
  readonly call: Call;
  /** Whether other processes on the store are excluded too. */
  readonly leased: boolean;
}

/** The key of a customer's lease, which every write to an existing customer takes. */
export function customerLease(provider: Provider, customerId: string): string {
  const hash = createHash('sha256').update(customerId.toLowerCase()).digest('hex');
  return `customer/${accountPrefix(provider)}${hash}`;
}

/**
 * Runs one write at a time for each existing customer, so that what was read and shown to the user is what the write finds:
 * updates, deletions, merges, and creates that write over a customer.
 */
export class CustomerTurns {
  readonly #account: Account;
  readonly #mutex = new KeyedMutex();

  constructor(account: Account) {
    this.#account = account;
  }

  /**
   * Always exclusive within this process, and across processes unless the store is down.
   * @throws CustomerError `in_progress` while another call works on the customer; whatever `work` throws.
   */
  async runExclusive<T>(id: string, call: Call, work: (turn: Turn) => Promise<T>): Promise<T> {
    const { provider, leases, clock } = this.#account;
    const key = customerLease(provider, id);
    return this.#mutex.runExclusive(key, async () => {
      const now = clock.monotonic();
      // The lease is longer than the work, so that it is not taken over while a write may still arrive.
      const limited = narrow(call, { withinMs: MAX_LEASE_MS - LEASE_MARGIN_MS }, now);
      const leaseMs = Math.min(MAX_LEASE_MS, Math.max(0, Math.ceil(limited.deadline - now)) + LEASE_MARGIN_MS);
      let begun = false;
      try {
        return await leases.withLease(key, { leaseMs, waitMs: WAIT_MS, call: limited }, (held) => {
          begun = true;
          return work({ call: held, leased: true });
        });
      } catch (error) {
        if (begun || !(error instanceof CustomerError) || error.kind !== 'store_unavailable') throw error;
        return work({ call, leased: false });
      }
    });
  }

  /** The same for two customers, always in the same sequence, so that two calls never wait for each other. */
  runExclusiveForBoth<T>(ids: readonly [string, string], call: Call, work: (turn: Turn) => Promise<T>): Promise<T> {
    const [first = '', second = ''] = ids.map((id) => id.toLowerCase()).toSorted();
    return this.runExclusive(first, call, ({ call: held }) => this.runExclusive(second, held, work));
  }
}
