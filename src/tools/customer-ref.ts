import { z } from 'zod';
import { invalidInput } from '../errors.ts';
import type { CustomerRef } from '../identity/id-map.ts';
import { externalId } from '../providers/external-id.ts';
import type { Fields, Provider } from '../providers/provider.ts';
import { textOf } from '../text.ts';

/** An external ID that only our ledger keeps. */
export const ledgerId = externalId(255).describe('Its ID in your system');

/** The arguments that select a customer. */
export function refShape({ title, documents, traits }: Provider) {
  const rule = documents.create.shape[traits.externalIdField] ?? ledgerId;
  // Checked by the rule for a create, which a list of tools shows only once.
  const own = z
    .string()
    .trim()
    .superRefine((id, context) => {
      for (const { message } of rule.safeParse(id).error?.issues ?? []) context.addIssue({ code: 'custom', message });
    });
  return {
    customer_id: z.string().describe(`${title}'s ID`).optional(),
    [traits.externalIdField]: own.describe('Your own ID').optional(),
  };
}

/**
 * The customer that a call is about.
 * @throws CustomerError `invalid_input` unless exactly one of the two ids is given.
 */
export function customerRef(input: Fields, { traits }: Provider): CustomerRef {
  const customerId = textOf(input['customer_id']);
  const ownId = textOf(input[traits.externalIdField]);
  if ((customerId === undefined) === (ownId === undefined)) {
    const how =
      customerId === undefined
        ? `pass customer_id or ${traits.externalIdField}`
        : `pass customer_id or ${traits.externalIdField}, not both`;
    throw invalidInput([{ path: 'customer_id', message: how }]);
  }
  return { customerId, externalId: ownId };
}
