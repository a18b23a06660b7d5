import { RELEASED_STATE, type Rows } from '../stores/store.ts';
import { guarded } from './ledger.ts';

/** No key of an intent or a lease has this prefix. */
const PREFIX = 'v1/used/';

/**
 * Marks an unguessable value as used, for all processes on the store. The row has the state of rows that a store removes
 * eventually; the value must have expired by then.
 * @returns `false` if it was used before.
 * @throws CustomerError `store_unavailable`.
 */
export async function useOnce(rows: Rows, value: string): Promise<boolean> {
  const row = { key: PREFIX + value, state: RELEASED_STATE, epoch: 1, data: '{}', leaseMs: 0 };
  return (await guarded(() => rows.insert(row))) === undefined;
}
