import { z } from 'zod';

/**
 * An external ID as an argument. It is exact: surrounding white space is trimmed, and characters that not every store and
 * provider preserves are rejected. `maxLength` in characters, if the provider documents one.
 */
export function externalId(maxLength?: number) {
  const text = z.string().trim();
  return (maxLength === undefined ? text : text.max(maxLength)).refine(isExact, INEXACT);
}

/** A part of an external ID, for searches. */
export function partOfExternalId() {
  return z.string().refine(isExact, INEXACT);
}

const INEXACT = 'contains a control character or an unpaired surrogate';

function isExact(id: string): boolean {
  return id.isWellFormed() && !/\p{Cc}/u.test(id);
}
