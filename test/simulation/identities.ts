import type { KeyvStorageAdapter } from 'keyv';
import type { Provider } from '../../src/providers/provider.ts';
import { identityOf } from '../support/identity.ts';
import type { ForgetfulStore } from './forgetful-store.ts';
import type { Machine, World } from './world.ts';

interface Parts {
  readonly world: World;
  readonly machine: Machine;
  readonly provider: Provider;
  readonly store: ForgetfulStore;
  /** What the store caches; by default for this machine alone. */
  readonly storage?: KeyvStorageAdapter;
}

/** What one machine remembers identities with, in virtual time and with the random numbers of the seed. */
export function identityOn({ world, machine, provider, store, storage }: Parts) {
  return identityOf({
    provider,
    rows: store.seenFrom(machine),
    ...(storage && { storage }),
    clock: { now: () => world.now, monotonic: () => world.now, sleep: (ms) => machine.sleep(ms) },
    random: { random: world.random, uuid: () => String(world.random()) },
  });
}
