import { z } from 'zod';
import { CustomerError, invalidInput } from '../errors.ts';
import type { Fields, ProviderCustomer } from '../providers/provider.ts';
import { outputs } from './answers.ts';
import { confirmation, nameOf, withConsent, type Action, type Approve } from './consent.ts';
import { customerRef, refShape } from './customer-ref.ts';
import { hints, type Operation, type ToolContext } from './tool.ts';

export const mergeCustomers: Operation = (provider) => {
  const { title } = provider;
  if (!provider.mergeCustomers) return undefined;
  return {
    name: 'merge_customers',
    title: 'Merge customers',
    description: `Merge a duplicate ${title} customer: archives customer_to_archive_id and keeps the other. Cannot be undone. Asks the user first.`,
    input: z.strictObject({
      ...refShape(provider),
      customer_to_archive_id: z.string().describe('ID of the duplicate'),
      confirm: confirmation.optional(),
    }),
    output: z.looseObject({
      outcome: z.enum(['merged']).optional(),
      customer_id: outputs.text,
      archived_customer_id: outputs.text,
      customer: outputs.customer,
      warnings: outputs.list,
      error: outputs.error,
    }),
    hints: hints('destructive'),

    async run(input, context) {
      const ref = customerRef(input, provider);
      const archivedId = String(input['customer_to_archive_id']);
      return withConsent(context, { tool: 'merge_customers', input }, async (approve, call) => {
        const { id } = await context.ids.read(ref, call);
        if (isSame(id, archivedId)) throw sameTwice();
        return context.turns.runExclusiveForBoth([id, archivedId], call, (turn) =>
          merge([id, archivedId], approve, { ...context, call: turn.call }),
        );
      });
    },
  };
};

/** Merges the second customer into the first, with the consent of the user to both as they are now. */
async function merge(
  pair: readonly [stays: string, goes: string],
  approve: Approve,
  { call, ids, directory, provider }: ToolContext,
): Promise<Fields> {
  const { title } = provider;
  const read = (customerId: string): Promise<ProviderCustomer> => ids.read({ customerId, externalId: undefined }, call);
  const [stays, goes] = await Promise.all([read(pair[0]), read(pair[1])]);
  for (const customer of [stays, goes]) if (customer.state !== 'active') throw notActive(customer, title);
  approve(mergeOf(stays, goes, title));
  const merged = await provider.mergeCustomers?.(stays.id, goes.id, call);
  if (goes.externalId !== undefined) await ids.forget(goes.externalId);
  const left = await provider.getCustomer(goes.id, call).catch(() => undefined);
  directory.noteWrite(merged);
  directory.noteWrite(left);
  const warnings = ownIdNotes(goes, left, provider.traits.externalIdField);
  return {
    outcome: 'merged',
    customer_id: stays.id,
    archived_customer_id: goes.id,
    ...(merged && { customer: merged.document }),
    ...(warnings.length > 0 && { warnings }),
  };
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function mergeOf(stays: ProviderCustomer, goes: ProviderCustomer, title: string): Action {
  return {
    question: `Merge the ${title} customer ${nameOf(goes)} into ${nameOf(stays)}? ${nameOf(goes)} is archived; ${nameOf(stays)} stays. This cannot be undone.`,
    subject: stays.id,
    state: [stays.document, goes.document],
  };
}

function sameTwice(): CustomerError {
  const message = 'must be the ID of another customer, the duplicate to archive';
  return invalidInput([{ path: 'customer_to_archive_id', message }]);
}

function notActive(customer: ProviderCustomer, title: string): CustomerError {
  return new CustomerError(
    'conflict',
    `The ${title} customer ${nameOf(customer)} is archived, so nothing was merged.`,
    {
      advice: [
        'It may have been merged before.',
        { tool: 'restore_customer', text: 'If not, call restore_customer for it, then merge again.' },
      ],
    },
  );
}

/** A note on the external ID of the archived customer. */
function ownIdNotes({ externalId }: ProviderCustomer, left: ProviderCustomer | undefined, field: string): string[] {
  if (externalId === undefined) return [];
  const own = `${field} ${JSON.stringify(externalId)}`;
  if (!left)
    return [`The archived customer had the ${field} ${JSON.stringify(externalId)}; it could not be read again.`];
  return [
    left.externalId === externalId
      ? `The ${own} still belongs to the archived customer, not to the other.`
      : `The ${own} no longer belongs to the archived customer.`,
  ];
}
