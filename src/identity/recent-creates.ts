import { isRecord, textOf } from '../text.ts';
import type { Account } from './account.ts';
import { quietly } from './cache.ts';
import { identityKey } from './id-map.ts';
import { QUIET_AFTER_SEND_MS } from './timing.ts';

/** A create of the last minutes whose customer a search may not show yet. */
export interface RecentCreate {
  /** Absent for a create without one. */
  readonly externalId: string | undefined;
  /** Absent as long as it is unknown whether the create ran. */
  readonly customerId: string | undefined;
  /** How long it still counts as recent, ms. */
  readonly leftMs: number;
}

/**
 * Remembers creates for two minutes by what their customers are recognized by, for all processes on the store, because a search
 * may show a new customer late, and cannot show one whose create runs after its caller gave up. Best effort: while the cache
 * does not respond, nothing is remembered.
 */
export class RecentCreates {
  readonly #account: Account;

  constructor(account: Account) {
    this.#account = account;
  }

  /** Remembers a create that is about to be sent, or the customer of one that was sent without an external id. */
  async remember(keys: readonly string[], { externalId, customerId }: Partial<RecentCreate>): Promise<void> {
    const { cache, clock } = this.#account;
    const entry = { externalId, customerId, until: clock.now() + QUIET_AFTER_SEND_MS };
    await Promise.all(keys.map((key) => quietly(() => cache.set(recentKey(key), entry, QUIET_AFTER_SEND_MS))));
  }

  /** Forgets a create that did not run. */
  async forget(keys: readonly string[]): Promise<void> {
    await Promise.all(keys.map((key) => quietly(() => this.#account.cache.delete(recentKey(key)))));
  }

  /**
   * The creates of other external ids under these keys that ran or may have run.
   * @throws CustomerError `store_unavailable`.
   */
  async others(keys: readonly string[], externalId: string | undefined): Promise<readonly RecentCreate[]> {
    const { cache } = this.#account;
    const entries = await Promise.all(keys.map((key) => quietly(() => cache.get<unknown>(recentKey(key)))));
    const recent = new Map<string, RecentCreate>();
    for (const entry of entries) {
      const read = this.#decode(entry);
      const isOwn = externalId !== undefined && read?.externalId === externalId;
      const found = read && !isOwn && (await this.#settled(read));
      if (found) recent.set(JSON.stringify([found.externalId, found.customerId]), found);
    }
    return [...recent.values()];
  }

  #decode(entry: unknown): RecentCreate | undefined {
    if (!isRecord(entry) || typeof entry['until'] !== 'number') return undefined;
    const leftMs = entry['until'] - this.#account.clock.now();
    if (leftMs <= 0) return undefined;
    return { externalId: textOf(entry['externalId']), customerId: textOf(entry['customerId']), leftMs };
  }

  /** The ledger knows what became of a create with an external id. `undefined`: it did not run. */
  async #settled(recent: RecentCreate): Promise<RecentCreate | undefined> {
    const { ledger, provider } = this.#account;
    if (recent.externalId === undefined) return recent;
    const intent = await ledger.get(identityKey(provider, recent.externalId));
    if (intent?.state === 'DONE') return { ...recent, customerId: intent.data.customerId };
    return intent?.state === 'SENT' || intent?.state === 'UNKNOWN' ? recent : undefined;
  }
}

function recentKey(key: string): string {
  return `recent/${key}`;
}
