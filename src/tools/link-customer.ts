import { z } from 'zod';
import { hints, outputs, ownId, shown, type Operation } from './tool.ts';

export const linkCustomer: Operation = (provider) => {
  const { traits, title } = provider;
  // Elsewhere the provider keeps the external id itself.
  if (traits.externalIdInUpdate !== 'linked') return undefined;
  return {
    name: 'link_customer',
    title: 'Link customer',
    description: `Ties your ${traits.externalIdField} to an existing customer.`,
    input: z.strictObject({
      external_id: ownId,
      customer_id: z.string().describe(`${title}'s ID`),
    }),
    output: z.looseObject({
      outcome: z.enum(['linked', 'already_linked']).optional(),
      customer_id: outputs.text,
      external_id: outputs.text,
      customer: outputs.customer,
      error: outputs.error,
    }),
    hints: hints('repeatable write'),

    async run({ external_id: externalId, customer_id: customerId }, { ids, creates, call }) {
      const customer = await ids.read({ customerId: String(customerId), externalId: undefined }, call);
      const outcome = await creates.link(String(externalId), customer, call);
      return { outcome, ...shown(customer, String(externalId)) };
    },
  };
};
