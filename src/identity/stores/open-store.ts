import type { Settings } from '../../config.ts';
import { memoryStore } from './memory.ts';
import type { Store } from './store.ts';

/**
 * The engine that a store address names, to be opened when the settings are known to be sound. An engine is loaded only when
 * it is asked for. Keyv would quietly use memory for an address it does not know, so that is refused here.
 */
export function chooseStore(address: string, settings: Settings): () => Promise<Store> {
  const { scheme, rest } = /^(?<scheme>[a-z]+):(?<rest>.*)$/s.exec(address)?.groups ?? {};
  if (scheme === 'memory') return async () => memoryStore();
  if (scheme === 'sqlite' && rest)
    return async () => (await import('./sqlite.ts')).sqliteStore(rest.replace(/^\/\//, ''));
  if ((scheme === 'redis' || scheme === 'rediss') && isServer(address, /^\/?\d*$/))
    return async () => (await import('./redis.ts')).redisStore(address);
  if ((scheme === 'postgres' || scheme === 'postgresql') && isServer(address, /^/))
    return async () => (await import('./postgres.ts')).postgresStore(address);
  settings.problem('CUSTOMERS_STORE must be memory:, sqlite:<path>, redis://…, rediss://… or postgres://….');
  return async () => memoryStore();
}

/** Whether an address names a host, and a database in the form that this engine has. */
function isServer(address: string, database: RegExp): boolean {
  if (!/^[a-z]+:\/\//.test(address) || !URL.canParse(address)) return false;
  const { hostname, pathname } = new URL(address);
  return hostname !== '' && database.test(pathname);
}
