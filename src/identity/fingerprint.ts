import { createHash } from 'node:crypto';
import type { Fields } from '../providers/provider.ts';

/** A salted hash per field: enough for the ledger to recognize a customer, without containing customer data. */
export type Fingerprint = Readonly<Record<string, string>>;

export function fingerprint(salt: string, fields: Fields): Fingerprint {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([field, value]): [string, string] => [field, hash(`${salt}\n${field}\n${canonical(field, value)}`)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/**
 * Whether `shown` has every field of `sent` with the same value. Additional fields do not matter, because providers add their
 * own.
 */
export function covers(shown: Fingerprint, sent: Fingerprint): boolean {
  return Object.entries(sent).every(([field, value]) => shown[field] === value);
}

/** Whether both have the same fields with the same values. */
export function same(a: Fingerprint, b: Fingerprint): boolean {
  return covers(a, b) && covers(b, a);
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

/** Normalizes the spellings that providers are known to change. */
function canonical(field: string, value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const text = value.normalize('NFC').trim();
  return JSON.stringify(/email$/i.test(field) ? text.toLowerCase() : text);
}
