import { KeyvMemoryAdapter } from 'keyv';
import {
  DUE_STATES,
  MAX_CHECK_MS,
  RELEASED_MS,
  RELEASED_STATE,
  RECORDED_STATE,
  customerIdIn,
  remainingLease,
  type Row,
  type Rows,
  type RowVersion,
  type Store,
  type StoredRow,
} from './store.ts';

/** A row of this engine; times in ms since 1970. */
export interface MemoryRow extends Row {
  readonly leaseUntil: number;
  readonly checkAt: number;
}

/** A store for trials and tests, whose data is lost with the process. */
export function memoryStore(): Store {
  const rows = new Map<string, MemoryRow>();
  return {
    rows: memoryRows(Date.now, rows),
    cache: new KeyvMemoryAdapter(new Map()),
    // Expired cache entries can stay, because there are only a few for each row of the ledger.
    async sweep(limit) {
      const isOld = ({ state, leaseUntil, checkAt }: MemoryRow): boolean =>
        state === RELEASED_STATE &&
        checkAt <= Date.now() - RELEASED_MS &&
        remainingLease(leaseUntil - Date.now()) === 0;
      for (const { key } of [...rows.values()].filter(isOld).slice(0, limit)) rows.delete(key);
    },
    close: async () => {},
  };
}

export function memoryRows(now: () => number, rows = new Map<string, MemoryRow>()): Rows {
  const isCurrent = ({ key, epoch, state }: RowVersion): boolean =>
    rows.get(key)?.epoch === epoch && rows.get(key)?.state === state;
  const stored = (key: string): StoredRow | undefined => {
    const row = rows.get(key);
    return row && { ...row, leasedMs: remainingLease(row.leaseUntil - now()) };
  };
  return {
    async insert({ leaseMs, ...row }) {
      if (rows.has(row.key)) return stored(row.key);
      rows.set(row.key, { ...row, leaseUntil: now() + leaseMs, checkAt: now() });
      return undefined;
    },

    async read(key) {
      return stored(key);
    },

    async replace(version, { state, data, leaseMs, checkInMs }) {
      if (!isCurrent(version)) return false;
      const { key, epoch } = version;
      const times = { leaseUntil: leaseMs === 0 ? 0 : now() + leaseMs, checkAt: now() + checkInMs };
      rows.set(key, { key, state, epoch: epoch + 1, data, ...times });
      return true;
    },

    async remove(version) {
      return isCurrent(version) && rows.delete(version.key);
    },

    async due({ prefix, limit, withinMs, limitEach }) {
      const due = [...rows.values()]
        .filter((row) => row.key.startsWith(prefix) && isDue(row, now(), withinMs))
        .sort((a, b) => a.checkAt - b.checkAt);
      return (limitEach === undefined ? due : inTurns(due, limitEach)).slice(0, limit);
    },

    async list({ prefix }) {
      const found = [...rows.values()].filter(({ key }) => key.startsWith(prefix));
      return { rows: found.map((row) => ({ ...row, leaseEndsInMs: row.leaseUntil - now() })), cursor: undefined };
    },

    async findByCustomerId(prefix, customerIds) {
      return [...rows.values()]
        .filter(({ state, data }) => state === RECORDED_STATE && customerIds.includes(customerIdIn(data) ?? ''))
        .filter(({ key }) => key.startsWith(prefix))
        .sort((a, b) => (a.key < b.key ? -1 : 1));
    },
  };
}

/** The first row of each beginning of a key, then the second of each, and so on. */
function inTurns(due: readonly MemoryRow[], limitEach: number): MemoryRow[] {
  const groups = Map.groupBy(due, ({ key }) => key.slice(0, key.lastIndexOf('/')));
  return [...groups.values()]
    .flatMap((group) => group.slice(0, limitEach).map((row, n) => ({ row, n })))
    .sort((a, b) => a.n - b.n || a.row.checkAt - b.row.checkAt)
    .map(({ row }) => row);
}

function isDue({ state, leaseUntil, checkAt }: MemoryRow, now: number, withinMs: number): boolean {
  const checkDue = checkAt <= now + withinMs || checkAt > now + MAX_CHECK_MS;
  return DUE_STATES.includes(state) && remainingLease(leaseUntil - now) === 0 && checkDue;
}
