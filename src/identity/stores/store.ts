import type { KeyvStorageAdapter } from 'keyv';
import type { Ledger } from '../ledger.ts';

/** One engine: the ledger and the storage under Keyv, on one connection. */
export interface Store {
  readonly ledger: Ledger;
  readonly cache: KeyvStorageAdapter;
  /** What about the server's settings could make it forget; for the operator. Absent where there is nothing to set. */
  warnings?(): Promise<readonly string[]>;
  close(): Promise<void>;
}
