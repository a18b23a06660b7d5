import type { Fields, Identity } from '../providers/provider.ts';
import { textOf } from '../text.ts';
import { foldEmail, foldNumber, nameKeys } from './folding.ts';

/** The same customer, another one, or unknown because the two have no comparable fields in common. */
export type Recognition = 'same' | 'other' | 'unknown';

/** Whether two documents describe one customer: an email, a name or a number agrees, in any spelling. */
export function recognize(a: Fields, b: Fields, identity: Identity): Recognition {
  const [left, right] = [recognitionKeys(a, identity), recognitionKeys(b, identity)];
  if (left.some((key) => right.includes(key))) return 'same';
  return left.some((key) => right.some((other) => kindOf(key) === kindOf(other))) ? 'other' : 'unknown';
}

/**
 * The keys of a customer; two documents that have one in common describe one customer. Replicas find each other's creates by
 * hashes of them, so all versions must agree on them.
 */
export function recognitionKeys(fields: Fields, { names, emails, numbers = [] }: Identity): readonly string[] {
  const textsOf = (of: readonly string[]): string[] => of.flatMap((field) => textOf(fields[field]) ?? []);
  const folded = {
    email: textsOf(emails).map(foldEmail),
    name: textsOf(names).flatMap(nameKeys),
    number: textsOf(numbers).map(foldNumber),
  };
  const keys = Object.entries(folded).flatMap(([kind, texts]) =>
    texts.flatMap((text) => (text === '' ? [] : `${kind}/${text}`)),
  );
  return [...new Set(keys)].sort();
}

function kindOf(key: string): string {
  return key.slice(0, key.indexOf('/'));
}
