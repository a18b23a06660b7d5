import type { KeyvStorageAdapter } from 'keyv';
import type { IRateLimiterStoreOptions, RateLimiterAbstract } from 'rate-limiter-flexible';
import type { Ledger } from '../ledger.ts';

/** One engine: the ledger and the storage under Keyv, on one connection. */
export interface Store {
  readonly ledger: Ledger;
  readonly cache: KeyvStorageAdapter;
  /** What about the server's settings could make it forget; for the operator. Absent where there is nothing to set. */
  warnings?(): Promise<readonly string[]>;
  /** Counts for all processes that share the store. Absent where nobody shares it. */
  rateLimiter?(options: RateLimiterOptions): Promise<RateLimiterAbstract>;
  close(): Promise<void>;
}

export type RateLimiterOptions = Omit<IRateLimiterStoreOptions, 'storeClient'>;
