import { z } from 'zod';
import { cleanText } from '../text.ts';
import { hints, outputs, refOf, refShape, requireConsent, type Operation } from './tool.ts';

export const archiveCustomer: Operation = (provider) => {
  const { traits, title } = provider;
  return {
    name: 'archive_customer',
    title: `${traits.archiveCanBeUndone ? 'Archive' : 'Delete'} customer`,
    description: traits.archiveCanBeUndone ? traits.onArchive : `${traits.onArchive} The person is asked first.`,
    input: z.strictObject({
      ...refShape(provider),
      ...(!traits.archiveCanBeUndone && {
        confirm: z.string().describe('Its name, when asked for').optional(),
      }),
    }),
    output: z.looseObject({
      outcome: z.enum(['archived', 'deleted', 'already_archived']).optional(),
      customer_id: outputs.text,
      customer: outputs.customer,
      error: outputs.error,
    }),
    hints: hints(traits.archiveCanBeUndone ? 'repeatable write' : 'destructive'),

    async run(input, session) {
      const ref = refOf(input, provider);
      const customer = await session.ids.read(ref, session.call, { evenDeleted: true });
      if (customer.state !== 'active')
        return { outcome: 'already_archived', customer_id: customer.id, customer: customer.document };

      let { call } = session;
      if (!traits.archiveCanBeUndone) {
        const name = cleanText(customer.name ?? '').trim() || customer.id;
        call = await requireConsent(
          session,
          `Deletes the ${title} customer ${JSON.stringify(name)} (${customer.id}).`,
          name,
          input['confirm'],
        );
      }
      const archived = await provider.archiveCustomer(customer.id, call);
      const externalId = customer.externalId ?? ref.externalId;
      if (!traits.archiveCanBeUndone && externalId !== undefined)
        await session.creates.release(externalId, customer.id);
      return {
        outcome: traits.archiveCanBeUndone ? 'archived' : 'deleted',
        customer_id: customer.id,
        ...(archived && { customer: archived.document }),
      };
    },
  };
};
