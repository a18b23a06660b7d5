import { KeyvMemoryAdapter, type KeyvStorageAdapter } from 'keyv';
import { systemClock, systemRandom, type Clock, type Random } from '../../src/identity/clock.ts';
import { Directory } from '../../src/directory/directory.ts';
import { CustomerTurns } from '../../src/identity/customer-turns.ts';
import { CreateOnce } from '../../src/identity/create-once.ts';
import { openCache } from '../../src/identity/cache.ts';
import { IdMap } from '../../src/identity/id-map.ts';
import { Leases } from '../../src/identity/lease.ts';
import { createLedger } from '../../src/identity/ledger.ts';
import { Updates } from '../../src/identity/update.ts';
import type { Provider } from '../../src/providers/provider.ts';
import type { Rows } from '../../src/stores/store.ts';

interface Parts {
  readonly provider: Provider;
  readonly rows: Rows;
  /** By default one of its own. */
  readonly storage?: KeyvStorageAdapter;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** What one process remembers identities with, put together as the server does. */
export function identityOf({
  provider,
  rows,
  storage = new KeyvMemoryAdapter(new Map()),
  clock = systemClock,
  random = systemRandom,
}: Parts) {
  const ledger = createLedger(rows);
  const cache = openCache(storage);
  const ids = new IdMap(provider, ledger, cache);
  const leases = new Leases(rows, clock, random);
  const account = { provider, ledger, ids, leases, cache, clock, random, directory: new Directory(provider) };
  const turns = new CustomerTurns(account);
  const updates = new Updates(account, turns);
  return { ...account, turns, updates, creates: new CreateOnce(account, { updates, turns }) };
}
