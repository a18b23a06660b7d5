import type { Settings } from '../settings.ts';
import { memoryStore } from './memory.ts';
import type { Store } from './store.ts';

interface Engine {
  readonly schemes: readonly string[];
  /** What its addresses look like, for messages and documents. */
  readonly examples: readonly string[];
  /** Whether an address with one of its schemes is valid. */
  accepts(address: string): boolean;
  /** Loads the engine, which is loaded only on demand, and opens the store. */
  open(address: string): Promise<Store>;
}

const engines: readonly Engine[] = [
  {
    schemes: ['sqlite'],
    examples: ['sqlite:PATH'],
    accepts: (address) => isFilePath(pathOf(address)),
    open: async (address) => (await import('./sqlite.ts')).sqliteStore(pathOf(address)),
  },
  {
    schemes: ['redis', 'rediss'],
    examples: ['redis://…', 'rediss://…'],
    accepts: (address) => isServer(address, /^\/?\d*$/),
    open: async (address) => (await import('./redis.ts')).redisStore(address),
  },
  {
    schemes: ['postgres', 'postgresql'],
    examples: ['postgres://…'],
    accepts: (address) => isServer(address, /^/),
    open: async (address) => (await import('./postgres.ts')).postgresStore(address),
  },
  { schemes: ['memory'], examples: ['memory:'], accepts: () => true, open: async () => memoryStore() },
];

const examples = engines.flatMap((engine) => engine.examples);

/** The addresses that a store can have, as a list in a sentence. Not with `Intl`, which takes 10 ms to load at each start. */
export const storeAddresses = `${examples.slice(0, -1).join(', ')} or ${examples.at(-1)}`;

/**
 * Chooses the engine for a store address; the result opens it, after the settings have proved valid. Rejects unknown addresses,
 * for which Keyv would silently use memory.
 */
export function chooseStore(address: string, settings: Settings): () => Promise<Store> {
  const scheme = /^([a-z]+):/.exec(address)?.[1] ?? '';
  const engine = engines.find(({ schemes }) => schemes.includes(scheme));
  if (engine?.accepts(address)) return () => engine.open(address);
  settings.problem(`CUSTOMERS_STORE must be ${storeAddresses}.`);
  return async () => memoryStore();
}

/** The path in `sqlite:path` and `sqlite://path`. */
function pathOf(address: string): string {
  return address.slice(address.indexOf(':') + 1).replace(/^\/\//, '');
}

/**
 * Whether a path is a file path. Rejects paths that SQLite interprets differently, and another user's home folder, which only a
 * shell expands.
 */
function isFilePath(path: string): boolean {
  return path !== '' && path !== ':memory:' && !/^(?:file:|~)|\/$/.test(path);
}

/** Whether an address names a host, and a database in this engine's format. */
function isServer(address: string, database: RegExp): boolean {
  if (!/^[a-z]+:\/\//.test(address) || !URL.canParse(address)) return false;
  const { hostname, pathname } = new URL(address);
  return hostname !== '' && database.test(pathname);
}
