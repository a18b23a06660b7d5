import { remainingLease, type ListedRow, type RowPage } from '../stores/store.ts';
import { isRecord, textOf } from '../text.ts';
import { externalIdHash } from './id-map.ts';
import type { Intent } from './intent.ts';
import type { Ledger } from './ledger.ts';
import { decodeIntent } from './stored-intent.ts';

const PAGE = 1_000;

/** A row that needs attention: no process is working on it, and it does not resolve by itself. */
export interface UnresolvedRow {
  readonly key: string;
  /** Absent if the row cannot be read. */
  readonly intent?: Intent;
  /** Absent if it cannot be read, or does not belong to the key. */
  readonly externalId?: string;
  /** The row was leased while a clock was ahead; the lease counts as over. */
  readonly leasedTooLong: boolean;
}

/** Rows of one kind: the first few, and the total number. */
export interface UnresolvedRows {
  readonly rows: readonly UnresolvedRow[];
  readonly total: number;
}

export interface Unresolved {
  /** Rows of creates with an unknown end. */
  readonly open: UnresolvedRows;
  /** Rows that several customers match. */
  readonly conflict: UnresolvedRows;
  /** Unreadable rows. */
  readonly damaged: UnresolvedRows;
}

/**
 * Reads all rows of an account page by page, and returns at most `limit` of each kind.
 * @throws CustomerError `store_unavailable`.
 */
export async function findUnresolved(ledger: Ledger, prefix: string, limit: number): Promise<Unresolved> {
  const found = { open: collect(limit), conflict: collect(limit), damaged: collect(limit) };
  let cursor: string | undefined;
  do {
    const page: RowPage = await ledger.list({ prefix, limit: PAGE, cursor });
    for (const row of page.rows) {
      const { kind, unresolved } = classify(row);
      if (kind) found[kind].add(unresolved);
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
  return { open: found.open.result(), conflict: found.conflict.result(), damaged: found.damaged.result() };
}

function classify(row: ListedRow): { readonly kind?: keyof Unresolved; readonly unresolved: UnresolvedRow } {
  const leased = remainingLease(row.leaseEndsInMs) > 0;
  const leasedTooLong = row.leaseEndsInMs > 0 && !leased;
  const { key } = row;
  let intent: Intent;
  try {
    intent = decodeIntent(row);
  } catch {
    const externalId = externalIdIn(row);
    return { kind: 'damaged', unresolved: { key, leasedTooLong, ...(externalId !== undefined && { externalId }) } };
  }
  const unresolved = { key, intent, externalId: intent.data.externalId, leasedTooLong };
  if (intent.state === 'CONFLICT') return { kind: 'conflict', unresolved };
  const isOpen = intent.state !== 'DONE' && intent.state !== 'RELEASED' && !leased;
  return isOpen ? { kind: 'open', unresolved } : { unresolved };
}

/** Collects the first rows, each key once, because an engine may list a row twice. */
function collect(limit: number) {
  const keys = new Set<string>();
  const first: UnresolvedRow[] = [];
  return {
    add(row: UnresolvedRow): void {
      if (keys.has(row.key)) return;
      keys.add(row.key);
      if (first.length < limit) first.push(row);
    },
    result: (): UnresolvedRows => ({ rows: first, total: keys.size }),
  };
}

/** The external id in a damaged row, if it is still readable. */
function externalIdIn({ key, data }: ListedRow): string | undefined {
  try {
    const stored: unknown = JSON.parse(data);
    const externalId = isRecord(stored) ? textOf(stored['externalId']) : undefined;
    return externalId !== undefined && key.endsWith(externalIdHash(externalId)) ? externalId : undefined;
  } catch {
    return undefined;
  }
}
