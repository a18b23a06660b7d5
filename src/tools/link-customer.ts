import { z } from 'zod';
import { outputs, toAnswer, unlinkedNotes } from './answers.ts';
import { ledgerId } from './customer-ref.ts';
import { hints, type Operation } from './tool.ts';

export const linkCustomer: Operation = (provider) => {
  const { traits, title } = provider;
  // Other providers keep external ids themselves.
  if (traits.externalIdKeptBy !== 'ledger') return undefined;
  return {
    name: 'link_customer',
    title: 'Link customer',
    description: `Link your ${traits.externalIdField} to an existing customer.`,
    input: z.strictObject({
      external_id: ledgerId,
      customer_id: z.string().describe(`${title}'s ID`),
    }),
    output: z.looseObject({
      outcome: z.enum(['linked', 'already_linked']).optional(),
      customer_id: outputs.text,
      external_id: outputs.text,
      customer: outputs.customer,
      warnings: outputs.list,
      error: outputs.error,
    }),
    hints: hints('repeatable write'),

    async run({ external_id: externalId, customer_id: customerId }, { ids, creates, call }) {
      const customer = await ids.read({ customerId: String(customerId), externalId: undefined }, call);
      const linked = await creates.link(String(externalId), customer, call);
      const warnings = unlinkedNotes(linked, provider);
      return {
        outcome: linked.outcome,
        ...toAnswer({ ...customer, externalId: String(externalId) }),
        ...(warnings.length > 0 && { warnings }),
      };
    },
  };
};
