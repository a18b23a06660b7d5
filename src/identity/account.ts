import type { Keyv } from 'keyv';
import type { Provider } from '../providers/provider.ts';
import type { Clock, Random } from './clock.ts';
import type { IdMap } from './id-map.ts';
import type { Leases } from './lease.ts';
import type { Ledger } from './ledger.ts';

/** One account, with the ledger and the cache of its external ids. */
export interface Account {
  readonly provider: Provider;
  readonly ledger: Ledger;
  readonly ids: IdMap;
  readonly leases: Leases;
  /** See `openCache`. */
  readonly cache: Keyv;
  readonly clock: Clock;
  readonly random: Random;
}
