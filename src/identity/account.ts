import type { Keyv } from 'keyv';
import type { Call } from '../http-client/call.ts';
import type { Fields, Nearby, Provider, ProviderCustomer } from '../providers/provider.ts';
import type { Clock, Random } from './clock.ts';
import type { IdMap } from './id-map.ts';
import type { Leases } from './lease.ts';
import type { Ledger } from './ledger.ts';

/** The customers of an account that are like one to create, from its list. */
interface Similarity {
  /** As far as the list can be read soon. */
  similarTo(fields: Fields, call: Call): Promise<Nearby>;
  /** Without a request. */
  rememberedLike(fields: Fields): readonly ProviderCustomer[];
}

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
  readonly directory: Similarity;
}
