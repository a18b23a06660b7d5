import { createHash } from 'node:crypto';

/**
 * A short key for an account at a provider, a hash of its address and tenant that reveals neither. It is computed when it is
 * first needed, because a start does not need it and the hash functions take 8 of 90 ms to load (Node 26, `--cpu-prof`).
 */
export function accountKey(...parts: readonly string[]): () => string {
  let key: string | undefined;
  return () => (key ??= createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16));
}

/** How stored keys name an account; see `Provider.account` and `Provider.formerAccounts`. */
export interface AccountNames {
  readonly account: () => string;
  readonly formerAccounts?: readonly (() => string)[];
}

/** An account that the provider itself names. */
interface OwnName {
  /** The provider's own address, and the one through which it is reached, such as that of a gateway. */
  readonly host: string;
  readonly baseUrl: string;
  readonly business: string;
  /** The operator's name for the account, if there is one: two names are two accounts. */
  readonly name: string | undefined;
}

/** The names of such an account. They do not depend on the address through which it is reached; formerly they did. */
export function accountNames({ host, baseUrl, business, name }: OwnName): AccountNames {
  const byHost = accountKey(host, business);
  const byAddress = baseUrl === host ? [] : [accountKey(baseUrl, business)];
  if (name === undefined) return { account: byHost, formerAccounts: byAddress };
  return { account: accountKey(name, business), formerAccounts: [byHost, ...byAddress] };
}
