import { createHmac, timingSafeEqual } from 'node:crypto';

/** How long a value may be used. */
const VALID_MS = 10 * 60_000;

export interface Confirmable {
  readonly key: Buffer;
  /** Everything that the value permits; it is invalid for anything else. */
  readonly binding: string;
}

/** An unguessable value that proves to the second of two calls that the first was made: an expiry and a signature. */
export function confirmationFor({ key, binding }: Confirmable, now = Date.now()): string {
  return signed(key, binding, (now + VALID_MS).toString(36));
}

/** Whether a value was created for exactly this, less than ten minutes ago. */
export function isConfirmation(value: unknown, { key, binding }: Confirmable, now = Date.now()): boolean {
  if (typeof value !== 'string') return false;
  const [expiry = ''] = value.split('.');
  const expected = Buffer.from(signed(key, binding, expiry));
  const given = Buffer.from(value);
  return given.length === expected.length && timingSafeEqual(given, expected) && now < Number.parseInt(expiry, 36);
}

function signed(key: Buffer, binding: string, expiry: string): string {
  const signature = createHmac('sha256', key).update(`${expiry}\n${binding}`).digest('base64url');
  return `${expiry}.${signature}`;
}
