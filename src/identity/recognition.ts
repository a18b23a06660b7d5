import type { Fields, Identity } from '../providers/provider.ts';
import { textOf } from '../text.ts';
import { foldEmail, foldNumber, nameKeys } from './folding.ts';

/** The same customer, another one, or unknown because the two have no comparable fields in common. */
export type Recognition = 'same' | 'other' | 'unknown';

/** What a customer is recognized by: a folded text, and what it is. */
export interface RecognitionTerm {
  readonly kind: 'email' | 'name' | 'number';
  readonly text: string;
}

/** Whether two documents describe one customer: an email, a name or a number agrees, in any spelling. */
export function recognize(a: Fields, b: Fields, identity: Identity): Recognition {
  const [left, right] = [recognitionTerms(a, identity), recognitionTerms(b, identity)];
  const comparable = left.flatMap((own) =>
    right.filter(({ kind }) => kind === own.kind).map(({ text }) => text === own.text),
  );
  if (comparable.length === 0) return 'unknown';
  return comparable.includes(true) ? 'same' : 'other';
}

/** The terms of a customer; two documents that have one in common describe one customer. */
export function recognitionTerms(
  fields: Fields,
  { names, emails, numbers = [] }: Identity,
): readonly RecognitionTerm[] {
  const textsOf = (of: readonly string[]): string[] => of.flatMap((field) => textOf(fields[field]) ?? []);
  const folded = {
    email: textsOf(emails).map(foldEmail),
    name: textsOf(names).flatMap(nameKeys),
    number: textsOf(numbers).map(foldNumber),
  };
  return (['email', 'name', 'number'] as const).flatMap((kind) =>
    folded[kind].filter((text) => text !== '').map((text) => ({ kind, text })),
  );
}

/** The terms as texts, in one order. Replicas find each other's creates by hashes of them, so all versions must agree on them. */
export function recognitionKeys(fields: Fields, identity: Identity): readonly string[] {
  return [...new Set(recognitionTerms(fields, identity).map(({ kind, text }) => `${kind}/${text}`))].sort();
}
