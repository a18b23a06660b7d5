import type { KeyvStorageAdapter } from 'keyv';
import type { IRateLimiterStoreOptions, RateLimiterAbstract } from 'rate-limiter-flexible';
import { isRecord, textOf } from '../text.ts';

/** An engine: its rows and the storage for Keyv, on one connection. */
export interface Store {
  readonly rows: Rows;
  readonly cache: KeyvStorageAdapter;
  /**
   * Removes expired cache entries and rows that have been in `RELEASED_STATE` for `RELEASED_MS` without a lease, at most
   * `limit` of each. Safe while other processes use the store.
   */
  sweep(limit: number): Promise<void>;
  /** Settings with which the engine can lose rows, for the operator. Absent if there are no such settings. */
  warnings?(): Promise<readonly string[]>;
  /** A rate limiter for all processes that share the store. Absent if processes cannot share it. */
  rateLimiter?(options: RateLimiterOptions): Promise<RateLimiterAbstract>;
  close(): Promise<void>;
}

/** A known problem of a store, and the remedy for the operator. */
export class StoreProblem extends Error {
  override readonly name = 'StoreProblem';
  readonly advice: string;

  constructor(what: string, advice: string) {
    super(what);
    this.advice = advice;
  }
}

export type RateLimiterOptions = Omit<IRateLimiterStoreOptions, 'storeClient'>;

/** One version of a row. */
export interface RowVersion {
  readonly key: string;
  readonly state: string;
  /** Incremented at every change of the row, so that no decision is based on an outdated version. */
  readonly epoch: number;
}

/** A record with its lease. The store does not interpret state and data. */
export interface Row extends RowVersion {
  /** JSON. */
  readonly data: string;
}

export interface NewRow extends Row {
  readonly leaseMs: number;
}

export interface StoredRow extends Row {
  /** The remaining lease in ms, by the store's clock; 0 if there is none. See `remainingLease`. */
  readonly leasedMs: number;
}

export interface RowChange {
  readonly state: string;
  readonly data: string;
  /** A new lease from now, at most `MAX_LEASE_MS`; 0 ends it. */
  readonly leaseMs: number;
  /** `due` does not list the row before this many ms from now, at most `MAX_CHECK_MS`. */
  readonly checkInMs: number;
  /**
   * Whether the change must survive a failure of the machine. A change that only makes others wait need not, because the
   * waiting processes fail with the machine.
   */
  readonly durable: boolean;
}

/** A row of a listing. */
export interface ListedRow extends Row {
  /** When its lease ends, ms from now by the store's clock; not yet limited. See `remainingLease`. */
  readonly leaseEndsInMs: number;
}

export interface PageQuery {
  /** The prefix of the rows' keys. */
  readonly prefix: string;
  /** The approximate number of rows; an engine may return more or fewer. */
  readonly limit: number;
  /** The `cursor` of the previous page. */
  readonly cursor: string | undefined;
}

export interface RowPage {
  readonly rows: readonly ListedRow[];
  /** Absent after the last page. */
  readonly cursor: string | undefined;
}

export interface DueQuery {
  /** The prefix of the rows' keys. */
  readonly prefix: string;
  readonly limit: number;
  /** Rows whose check is due within so many ms count as due. */
  readonly withinMs: number;
  /**
   * At most so many rows whose keys are the same up to the last slash; the first of each come first. Without it, the number
   * is not limited.
   */
  readonly limitEach?: number;
}

/**
 * Rows, which are removed only as `sweep` states. Each method is atomic and changes at most one row, and leases use the store's own clock. Methods
 * throw whatever the driver throws; the change may have been made anyway.
 */
export interface Rows {
  /** Adds a row in one round trip. @returns the existing row with the key, if nothing was added. */
  insert(row: NewRow): Promise<StoredRow | undefined>;
  read(key: string): Promise<StoredRow | undefined>;
  /** Compare-and-swap in one statement; increments the epoch. `false`: the row has changed. */
  replace(version: RowVersion, change: RowChange): Promise<boolean>;
  /** `false`: the row has changed. */
  remove(version: RowVersion): Promise<boolean>;
  /** Rows in one of the `DUE_STATES` that have no lease and whose check is due; longest due first. */
  due(query: DueQuery): Promise<readonly Row[]>;
  /**
   * All rows, page by page, including damaged ones. A row that exists throughout is on one of the pages; an engine may list a
   * row twice.
   */
  list(query: PageQuery): Promise<RowPage>;
  /**
   * Rows under this beginning of a key that are in `RECORDED_STATE` for one of these customers, by key. Covers the rows that older
   * versions wrote.
   */
  findByCustomerId(prefix: string, customerIds: readonly string[]): Promise<readonly Row[]>;
}

/** The state in which a row's data names a customer, under `CUSTOMER_ID`, as they are stored; engines have an index of them. */
export const RECORDED_STATE = 'DONE';
export const CUSTOMER_ID = 'remoteId';

/** The states that `due` lists, in their stored spelling; engines have an index of them. */
export const DUE_STATES: readonly string[] = ['PENDING', 'SENT', 'UNSURE'];

/** The same for SQL. */
export const DUE_STATES_SQL = DUE_STATES.map((state) => `'${state}'`).join(', ');

/**
 * The state of a row that is no longer needed, in its stored spelling. Engines have an index of such rows and remove them
 * eventually.
 */
export const RELEASED_STATE = 'GONE';
export const RELEASED_MS = 30 * 24 * 3_600_000;

/**
 * The limits of leases and of pauses between two checks. A later time was stored while a clock was wrong and counts as past;
 * otherwise it would keep a row locked or hidden for as long as the clock was ahead.
 */
export const MAX_LEASE_MS = 60_000;
export const MAX_CHECK_MS = 2 * 3_600_000;

/** The remaining time of a lease that ends so many ms from now. */
export function remainingLease(endsInMs: number): number {
  return endsInMs > MAX_LEASE_MS ? 0 : Math.max(0, endsInMs);
}

/** The customer that a row's data names, if it can be read. */
export function customerIdIn(data: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(data);
    return isRecord(parsed) ? textOf(parsed[CUSTOMER_ID]) : undefined;
  } catch {
    return undefined;
  }
}

/** A row from an engine's columns. Damaged values are passed on unchanged; the reader of the row has to handle them. */
export function rowOf(columns: Readonly<Record<string, unknown>>): Row {
  return {
    key: String(columns['key']),
    state: String(columns['state']),
    epoch: Number(columns['epoch']),
    data: String(columns['data']),
  };
}
