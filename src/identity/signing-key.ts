import { randomBytes } from 'node:crypto';
import type { Rows } from '../stores/store.ts';
import { isRecord, textOf } from '../text.ts';
import { guarded } from './ledger.ts';

/** No key of an intent or a lease has this prefix. */
const ROW = 'v1/keys/consent';
const STATE = 'KEY';
const KEY_BYTES = 32;

/**
 * The key for signing values that clients send back. All processes on the store share it; it is created at first use. It is
 * read each time, so that replicas also agree after the store was emptied.
 * @throws CustomerError `store_unavailable`.
 */
export async function signingKey(rows: Rows): Promise<Buffer> {
  const made = randomBytes(KEY_BYTES);
  const row = { key: ROW, state: STATE, epoch: 1, data: JSON.stringify({ key: made.toString('base64') }) };
  const present = await guarded(() => rows.insert({ ...row, leaseMs: 0 }));
  if (!present) return made;
  const kept = keyIn(present.data);
  if (kept) return kept;
  // Otherwise a damaged row would invalidate every consent permanently.
  await guarded(() => rows.replace(present, { ...row, leaseMs: 0, checkInMs: 0, durable: true }));
  return signingKey(rows);
}

/** `undefined` for a damaged row. */
function keyIn(data: string): Buffer | undefined {
  try {
    const stored: unknown = JSON.parse(data);
    const key = Buffer.from((isRecord(stored) ? textOf(stored['key']) : undefined) ?? '', 'base64');
    return key.length === KEY_BYTES ? key : undefined;
  } catch {
    return undefined;
  }
}
