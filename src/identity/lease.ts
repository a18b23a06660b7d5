import { CustomerError } from '../errors.ts';
import { isOver, narrow, type Call } from '../http-client/call.ts';
import { KeyedMutex } from '../keyed-mutex.ts';
import { MAX_LEASE_MS, type NewRow, type Row, type Rows, type RowVersion } from '../stores/store.ts';
import type { Clock, Random } from './clock.ts';
import { guarded } from './ledger.ts';
import { POLL_JITTER_MS, POLL_MS, SWEEP_MS } from './timing.ts';

/** The prefix of the keys of leases, which no key of an intent has. */
const PREFIX = 'lease/';
/** A state that a store lists as due: a row whose lease is over is abandoned. */
const HELD = 'PENDING';
const MAX_SWEPT = 50;
/** An epoch has 31 bits in the stores. */
const MAX_EPOCH = 2 ** 31 - 1;

export interface LeaseOptions {
  /** How long the work may take, ms, at most `MAX_LEASE_MS`. A crashed holder excludes others for that long. */
  readonly leaseMs: number;
  /** How long to wait for the lease, ms; at most until the call ends. */
  readonly waitMs: number;
  readonly call: Call;
}

/**
 * Leases in the store: exclusive work on one key across all processes that share the store. A row exists while its lease is
 * held; a later user of leases removes the rows of crashed holders.
 */
export class Leases {
  readonly #rows: Rows;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #mutex = new KeyedMutex();
  /** Leases whose work is over but which the store could not release. */
  readonly #unreleased = new Map<string, RowVersion>();
  #sweepsAt = 0;

  constructor(rows: Rows, clock: Clock, random: Random) {
    this.#rows = rows;
    this.#clock = clock;
    this.#random = random;
  }

  /**
   * Runs `work` while no other work runs under the same key. The call that `work` receives ends before the lease, so work that
   * observes its deadline never overlaps.
   * @throws CustomerError `in_progress` if the lease does not become free in time; `store_unavailable`; whatever `work` throws.
   */
  withLease<T>(key: string, options: LeaseOptions, work: (call: Call) => Promise<T>): Promise<T> {
    return this.withLeases([key], options, work);
  }

  /** The same for several keys, which all callers name in the same order, so that two calls never wait for each other. */
  async withLeases<T>(keys: readonly string[], options: LeaseOptions, work: (call: Call) => Promise<T>): Promise<T> {
    const { leaseMs, waitMs, call } = options;
    if (leaseMs > MAX_LEASE_MS) throw new RangeError(`a lease lasts ${MAX_LEASE_MS} ms at most`);
    const waiting = narrow(call, { withinMs: waitMs }, this.#clock.monotonic());
    // Within this process, work runs in order of arrival without polling the store.
    return this.#mutex.runExclusiveForAll(keys, async () => {
      const held: RowVersion[] = [];
      let limited = call;
      try {
        for (const key of keys) {
          const acquired = await this.#acquire(PREFIX + key, leaseMs, waiting);
          held.push(acquired.held);
          limited = narrow(limited, { withinMs: leaseMs }, acquired.from);
        }
        return await work(limited);
      } finally {
        await Promise.all(held.map((row) => this.#release(row)));
        this.#sweep();
      }
    });
  }

  async #release(row: RowVersion): Promise<void> {
    await guarded(() => this.#rows.remove(row)).catch(() => this.#unreleased.set(row.key, row));
  }

  /** `from` is a reading of the monotonic clock before the request to the store, so that the work ends before the lease. */
  async #acquire(
    key: string,
    leaseMs: number,
    waiting: Call,
  ): Promise<{ readonly held: RowVersion; readonly from: number }> {
    for (let retryInMs = 0; ;) {
      const from = this.#clock.monotonic();
      if (isOver(waiting, { now: from })) throw notFree(retryInMs);
      const tried = await this.#tryAcquire(key, leaseMs);
      if (tried.held) return { held: tried.held, from };
      retryInMs = tried.retryInMs;
      const pauseMs = Math.min(retryInMs, POLL_MS + this.#random.random() * POLL_JITTER_MS);
      if (isOver(waiting, { inMs: pauseMs, now: this.#clock.monotonic() })) throw notFree(retryInMs);
      await this.#clock.sleep(pauseMs);
    }
  }

  async #tryAcquire(key: string, leaseMs: number): Promise<{ readonly held?: RowVersion; readonly retryInMs: number }> {
    // Random, so that a holder whose row others have removed and created again does not mistake it for its own.
    const epoch = 1 + Math.floor(this.#random.random() * (MAX_EPOCH - 1));
    const row: NewRow = { key, state: HELD, epoch, data: '{}', leaseMs };
    try {
      return await guarded(async () => {
        const present = await this.#rows.insert(row);
        if (!present) return { held: row, retryInMs: 0 };
        const isOurs = present.epoch === this.#unreleased.get(key)?.epoch;
        if (present.leasedMs > 0 && !isOurs) return { retryInMs: present.leasedMs };
        // Removed and not replaced, because the next epoch would be the same for all processes that try, and one that timed out
        // could then release the lease of another.
        await this.#rows.remove(present);
        this.#unreleased.delete(key);
        return { retryInMs: 0 };
      });
    } catch (error) {
      // The store may still run the insert when it is back; a removal reverts it.
      void this.#rows.remove(row).catch(() => this.#unreleased.set(key, row));
      throw error;
    }
  }

  /** Removes rows of crashed holders, and rows that this process could not release, in the background from time to time. */
  #sweep(): void {
    if (this.#clock.monotonic() < this.#sweepsAt) return;
    this.#sweepsAt = this.#clock.monotonic() + SWEEP_MS;
    void this.#removeAbandoned().catch(() => {});
  }

  async #removeAbandoned(): Promise<void> {
    for (const [key, held] of this.#unreleased) {
      await this.#rows.remove(held);
      if (this.#unreleased.get(key) === held) this.#unreleased.delete(key);
    }
    const abandoned: readonly Row[] = await this.#rows.due({ prefix: PREFIX, limit: MAX_SWEPT, withinMs: 0 });
    for (const row of abandoned) await this.#rows.remove(row);
  }
}

function notFree(retryInMs: number): CustomerError {
  return new CustomerError('in_progress', 'Another call is changing this customer right now.', {
    advice: 'Try again in a few seconds.',
    retry_after_s: Math.max(1, Math.ceil(retryInMs / 1_000)),
  });
}
