import { z } from 'zod';
import { CustomerError } from '../errors.ts';
import type { CustomerRef } from '../identity/id-map.ts';
import type { Fields, ProviderCustomer } from '../providers/provider.ts';
import { outputs, toAnswer } from './answers.ts';
import { confirmation, nameOf, withConsent, type Action, type Approve } from './consent.ts';
import { customerRef, refShape } from './customer-ref.ts';
import { hints, type Operation, type ToolContext } from './tool.ts';

export const archiveCustomer: Operation = (provider) => {
  const { traits } = provider;
  const done = traits.archiveCanBeUndone ? 'archived' : 'deleted';
  return {
    name: 'archive_customer',
    title: `${traits.archiveCanBeUndone ? 'Archive' : 'Delete'} customer`,
    description: traits.archiveCanBeUndone
      ? [traits.onArchive, { tool: 'restore_customer', text: 'Undo with restore_customer.' }]
      : `${traits.onArchive} Asks the user first.`,
    input: z.strictObject({
      ...refShape(provider),
      ...(!traits.archiveCanBeUndone && { confirm: confirmation.optional() }),
    }),
    output: z.looseObject({
      outcome: z.enum([done, 'already_archived']).optional(),
      customer_id: outputs.text,
      customer: outputs.customer,
      ...(!traits.archiveCanBeUndone && { warnings: outputs.list }),
      error: outputs.error,
    }),
    hints: hints(traits.archiveCanBeUndone ? 'repeatable write' : 'destructive'),

    async run(input, context) {
      const ref = customerRef(input, provider);
      return withConsent(context, { tool: 'archive_customer', input }, async (approve, call) => {
        // By now another process may have linked the external id to another customer.
        if (!traits.archiveCanBeUndone && ref.externalId !== undefined) await context.ids.forget(ref.externalId);
        const found = await context.ids.read(ref, call, { evenDeleted: true });
        if (found.state !== 'active') return { outcome: 'already_archived', ...toAnswer(found) };
        return context.turns.runExclusive(found.id, call, ({ call: held }) =>
          archive({ ref, found, approve }, { ...context, call: held }),
        );
      });
    },
  };
};

/** A customer to archive, as it was found before this call took its turn. */
interface Archiving {
  readonly ref: CustomerRef;
  readonly found: ProviderCustomer;
  readonly approve: Approve;
}

async function archive({ ref, found, approve }: Archiving, context: ToolContext): Promise<Fields> {
  const { call, creates, directory, ids, provider } = context;
  const { traits, title } = provider;
  const externalId = found.externalId ?? ref.externalId;
  const shown = { customer_id: found.id, ...(externalId !== undefined && { external_id: externalId }) };
  if (traits.archiveCanBeUndone) {
    const archived = await provider.archiveCustomer(found.id, call);
    directory.noteWrite(archived);
    return { outcome: 'archived', ...shown, ...(archived && { customer: archived.document }) };
  }
  // Read again, because another call may have changed the customer before this one took its turn.
  const customer = await ids.read(ref, call, { evenDeleted: true });
  if (customer.id !== found.id) throw changedHands(found.id);
  if (customer.state !== 'active') return { outcome: 'already_archived', ...toAnswer(customer) };
  approve(deletionOf(customer, title));
  await provider.archiveCustomer(found.id, call);
  directory.noteDeletion(found.id);
  if (externalId !== undefined) await creates.release(externalId, found.id);
  const warning = `${title} cannot restore this customer. The answer shows it as it was before it was deleted.`;
  return { outcome: 'deleted', ...shown, customer: customer.document, warnings: [warning] };
}

function changedHands(id: string): CustomerError {
  const what = `The external ID was moved from the customer ${id} to another one at the same time; nothing was deleted.`;
  return new CustomerError('in_progress', what, { advice: 'Try again.', retry_after_s: 1 });
}

function deletionOf(customer: ProviderCustomer, title: string): Action {
  return {
    question: `Delete the ${title} customer ${nameOf(customer)}? This cannot be undone.`,
    subject: customer.id,
    state: customer.document,
  };
}
