import type { Provider } from '../providers/provider.ts';
import type { DueQuery, PageQuery, RowPage } from '../stores/store.ts';
import { accountPrefixes } from './id-map.ts';
import type { Intent } from './intent.ts';
import type { Ledger } from './ledger.ts';

type Prefixes = ReturnType<typeof accountPrefixes>;

/**
 * A ledger that also finds what is recorded under former names of the account: a row counts until there is one with the present
 * name. `Attempts` carries a row over when a create uses its external id next.
 */
export function withFormerAccounts(ledger: Ledger, provider: Provider): Ledger {
  let computed: Prefixes | undefined;
  // Computed when first needed: a start does without the hash functions, see `accountKey`.
  const prefixesOf = (): Prefixes => (computed ??= accountPrefixes(provider));
  const isOwn = (prefix: string | undefined): boolean => prefix === prefixesOf()[0];
  return {
    ...ledger,

    async get(key) {
      const [present, ...former] = prefixesOf();
      if (!key.startsWith(present)) return ledger.get(key);
      return getFirst(ledger, [key, ...former.map((prefix) => prefix + key.slice(present.length))]);
    },

    due: async (query) => (isOwn(query.prefix) ? dueUnder(prefixesOf(), ledger, query) : ledger.due(query)),

    list: async (query) => (isOwn(query.prefix) ? listUnder(prefixesOf(), ledger, query) : ledger.list(query)),

    /** The last row of a customer counts, so those of the present name come last. */
    async findByCustomerId(prefix, customerIds) {
      if (!isOwn(prefix)) return ledger.findByCustomerId(prefix, customerIds);
      const found = await Promise.all(prefixesOf().map((one) => ledger.findByCustomerId(one, customerIds)));
      return found.toReversed().flat();
    },
  };
}

async function getFirst(ledger: Ledger, keys: readonly string[]): Promise<Intent | undefined> {
  for (const key of keys) {
    const intent = await ledger.get(key);
    if (intent) return intent;
  }
  return undefined;
}

async function dueUnder(prefixes: Prefixes, ledger: Ledger, query: DueQuery): Promise<readonly Intent[]> {
  const found: Intent[] = [];
  for (const prefix of prefixes)
    if (found.length < query.limit)
      found.push(...(await ledger.due({ ...query, prefix, limit: query.limit - found.length })));
  return found;
}

/** A cursor begins with the index of its prefix. */
async function listUnder(prefixes: Prefixes, ledger: Ledger, query: PageQuery): Promise<RowPage> {
  const [index = '0', ...rest] = (query.cursor ?? '0').split(' ');
  const at = Number(index);
  const { rows, cursor } = await ledger.list({
    ...query,
    prefix: prefixes[at] ?? prefixes[0],
    cursor: rest.length > 0 ? rest.join(' ') : undefined,
  });
  if (cursor !== undefined) return { rows, cursor: `${index} ${cursor}` };
  return { rows, cursor: at + 1 < prefixes.length ? String(at + 1) : undefined };
}
