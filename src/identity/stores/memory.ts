import { KeyvMemoryAdapter } from 'keyv';
import { isSettled, type Intent, type Ledger } from '../ledger.ts';
import type { Store } from './store.ts';

/** One row of the memory ledger. */
export interface Row {
  intent: Intent;
  leaseUntil: number;
  checkAt: number;
}

/** For trials and tests: it all ends with the process. */
export function memoryStore(): Store {
  return { ledger: memoryLedger(Date.now), cache: new KeyvMemoryAdapter(new Map()), close: async () => {} };
}

export function memoryLedger(now: () => number, rows = new Map<string, Row>()): Ledger {
  return {
    async claim(key, { leaseMs, data, reopen }) {
      const row = rows.get(key);
      const leaseUntil = now() + leaseMs;
      if (!row) {
        const intent: Intent = { key, state: 'PENDING', epoch: 1, data };
        rows.set(key, { intent, leaseUntil, checkAt: 0 });
        return { kind: 'owned', intent };
      }
      const { state, epoch } = row.intent;
      if (isSettled(row.intent, reopen)) return { kind: 'settled', intent: row.intent };
      if (row.leaseUntil > now()) return { kind: 'busy', retryInMs: row.leaseUntil - now() };
      const fresh = state === 'GONE';
      const intent: Intent = {
        key,
        state: fresh ? 'PENDING' : state === 'SENT' ? 'UNSURE' : state,
        epoch: epoch + 1,
        data: fresh ? data : row.intent.data,
      };
      rows.set(key, { intent, leaseUntil, checkAt: row.checkAt });
      return { kind: 'owned', intent };
    },

    async advance({ key, epoch, state }, to) {
      const row = rows.get(key);
      if (!row || row.intent.epoch !== epoch || row.intent.state !== state) return false;
      rows.set(key, {
        intent: { key, epoch, state: to.state, data: to.data },
        leaseUntil: to.leaseMs === 0 ? 0 : now() + to.leaseMs,
        checkAt: now() + (to.checkInMs ?? 0),
      });
      return true;
    },

    async get(key) {
      return rows.get(key)?.intent;
    },

    async due(prefix, limit, withinMs) {
      const open = (row: Row): boolean =>
        row.intent.key.startsWith(prefix) &&
        ['PENDING', 'SENT', 'UNSURE'].includes(row.intent.state) &&
        row.leaseUntil <= now() &&
        row.checkAt <= now() + withinMs;
      return [...rows.values()]
        .filter(open)
        .sort((a, b) => a.checkAt - b.checkAt)
        .slice(0, limit)
        .map((row) => row.intent);
    },
  };
}
