import { Keyv, type KeyvStorageAdapter } from 'keyv';
import { withTimeout } from '../stores/timeout.ts';

const CACHE_TIMEOUT_MS = 150;

/** Keyv on a store's storage, for data that must not be lost: a failure is an error. */
export function openKept(storage: KeyvStorageAdapter): Keyv {
  return new Keyv({ store: storage });
}

/** Keyv on a store's storage. A failure of the cache counts as a miss, because no promise depends on the cache. */
export function openCache(storage: KeyvStorageAdapter): Keyv {
  const cache = new Keyv({ store: storage });
  // Without a listener Keyv throws, and a dropped connection ends the process.
  cache.on('error', () => {});
  return cache;
}

/** Work on the cache; `undefined` if it fails or takes too long. */
export async function quietly<T>(work: () => Promise<T>): Promise<T | undefined> {
  return withTimeout(CACHE_TIMEOUT_MS, work()).catch(() => undefined);
}
