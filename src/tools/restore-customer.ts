import { z } from 'zod';
import { hints, outputs, refOf, refShape, type Operation } from './tool.ts';

export const restoreCustomer: Operation = (provider) => {
  if (!provider.restoreCustomer) return undefined;
  return {
    name: 'restore_customer',
    title: 'Restore customer',
    description: 'Undoes archive_customer.',
    input: z.strictObject(refShape(provider)),
    output: z.looseObject({
      outcome: z.enum(['restored', 'already_active']).optional(),
      customer_id: outputs.text,
      customer: outputs.customer,
      error: outputs.error,
    }),
    hints: hints('repeatable write'),

    async run(input, { ids, call }) {
      const customer = await ids.read(refOf(input, provider), call);
      if (customer.state === 'active')
        return { outcome: 'already_active', customer_id: customer.id, customer: customer.document };
      const restored = await provider.restoreCustomer?.(customer.id, call);
      return { outcome: 'restored', customer_id: customer.id, ...(restored && { customer: restored.document }) };
    },
  };
};
