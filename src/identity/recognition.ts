import type { Fields, Identity } from '../providers/provider.ts';
import { textOf } from '../text.ts';
import { foldEmail, foldNumber, nameKeys, sameName } from './folding.ts';

/** The same customer, another one, or unknown because the two have no comparable fields in common. */
export type Recognition = 'same' | 'other' | 'unknown';

/** Whether two documents describe one customer: an email, a name or a number agrees, in any spelling. */
export function recognize(a: Fields, b: Fields, identity: Identity): Recognition {
  const pairs = [
    ...comparisons([a, b], identity.emails, (one, other) => foldEmail(one) === foldEmail(other)),
    ...comparisons([a, b], identity.names, sameName),
    ...comparisons([a, b], identity.numbers ?? [], (one, other) => foldNumber(one) === foldNumber(other)),
  ];
  if (pairs.length === 0) return 'unknown';
  return pairs.includes(true) ? 'same' : 'other';
}

/**
 * Texts of which at least one agrees in two documents that {@link recognize} takes for one customer. Replicas find each other's
 * creates by hashes of them, so all versions must agree on them.
 */
export function recognitionKeys(fields: Fields, { names, emails, numbers = [] }: Identity): readonly string[] {
  const folded = [
    ...textsOf(fields, emails).map((email) => `email/${foldEmail(email)}`),
    ...textsOf(fields, names).flatMap((name) => nameKeys(name).map((key) => `name/${key}`)),
    ...textsOf(fields, numbers).map((number) => `number/${foldNumber(number)}`),
  ];
  return [...new Set(folded.filter((key) => !key.endsWith('/')))].sort();
}

function comparisons(
  [a, b]: readonly [Fields, Fields],
  names: readonly string[],
  agree: (one: string, other: string) => boolean,
): boolean[] {
  return textsOf(a, names).flatMap((one) => textsOf(b, names).map((other) => agree(one, other)));
}

function textsOf(fields: Fields, names: readonly string[]): string[] {
  return names.flatMap((name) => textOf(fields[name]) ?? []);
}
