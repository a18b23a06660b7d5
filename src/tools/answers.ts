import { z } from 'zod';
import type { Linked } from '../identity/link.ts';
import type { Changes, Fields, Provider, ProviderCustomer } from '../providers/provider.ts';
import { looksLikeEmail, NO_EMAIL } from '../text.ts';

// Output schemas are small and require nothing, because clients also validate error answers against them.
const text = z.string().optional();
const list = z.array(z.unknown()).optional();
const customer = z.looseObject({}).optional();
const changed = customer;
const error = customer;

/** Parts of the output schemas. */
export const outputs = { text, list, customer, changed, error };

/** A customer in the form of answers; `externalId` is the caller's own id, for a provider that stores none. */
export function toAnswer(
  found: ProviderCustomer,
  externalId?: string,
): { customer_id: string; external_id?: string; customer: Fields } {
  const own = found.externalId ?? externalId;
  return { customer_id: found.id, ...(own !== undefined && { external_id: own }), customer: found.document };
}

/** A warning for each invalid email. It is sent anyway if the provider states no format. */
export function emailNotes(fields: Fields, { traits }: Provider): string[] {
  return traits.identity.emails
    .filter((field) => typeof fields[field] === 'string' && !looksLikeEmail(fields[field]))
    .map((field) => `${field} ${NO_EMAIL}. Check it with the user.`);
}

/** Warnings for sent values that the answer lacks: the provider accepted the request, but perhaps not all of it. */
export function missingFields({ set, clear }: Changes, { fields }: ProviderCustomer, title: string): string[] {
  const missing = Object.keys(set).filter((field) => fields[field] === undefined);
  const other = Object.keys(set).filter(
    (field) => fields[field] !== undefined && typeof set[field] !== 'object' && fields[field] !== set[field],
  );
  const left = clear.filter((field) => fields[field] !== undefined);
  return [
    ...missing.map((field) => `${title} accepted the request but its answer has no ${field}.`),
    ...other.map((field) => `${title} accepted the request but its answer has a different ${field}.`),
    ...left.map((field) => `${title} accepted the request but its answer still has ${field}.`),
  ];
}

/** Sentences for the external ids that a customer had before it was linked to another one. */
export function unlinkedNotes({ unlinked }: Linked, { traits }: Provider): string[] {
  return unlinked.map(
    (id) => `The customer had the ${traits.externalIdField} ${JSON.stringify(id)}, which is no longer linked to it.`,
  );
}
