/** The subject of a check, its result, and the remedy for the operator. */
export interface Check {
  readonly check: 'settings' | 'store' | 'audit' | 'provider' | 'credentials' | 'clock' | 'open creates';
  /** The business, if the server serves several. */
  readonly tenant?: string;
  readonly ok: boolean;
  readonly found: string;
  /** Absent if `found` already states it. */
  readonly remedy?: string;
  /** The store's rows that `found` names. */
  readonly rows?: readonly CheckedRow[];
  /** The number of further rows. */
  readonly more?: number;
}

export interface CheckedRow {
  readonly key: string;
  readonly state: string;
  readonly external_id?: string;
  readonly note?: string;
}
