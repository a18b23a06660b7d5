import type { KeyvStorageAdapter } from 'keyv';
import type { Ledger } from '../ledger.ts';

/** One engine: the ledger and the storage under Keyv, on one connection. */
export interface Store {
  readonly ledger: Ledger;
  readonly cache: KeyvStorageAdapter;
  close(): Promise<void>;
}
