import { z } from 'zod';
import { outputs, toAnswer } from './answers.ts';
import { customerRef, refShape } from './customer-ref.ts';
import { hints, type Operation } from './tool.ts';

export const restoreCustomer: Operation = (provider) => {
  if (!provider.restoreCustomer) return undefined;
  return {
    name: 'restore_customer',
    title: 'Restore customer',
    description: [
      { tool: 'archive_customer', text: 'Undo archive_customer.', otherwise: 'Restore an archived customer.' },
    ],
    input: z.strictObject(refShape(provider)),
    output: z.looseObject({
      outcome: z.enum(['restored', 'already_active']).optional(),
      customer_id: outputs.text,
      customer: outputs.customer,
      error: outputs.error,
    }),
    hints: hints('repeatable write'),

    async run(input, { ids, turns, directory, call }) {
      const customer = await ids.read(customerRef(input, provider), call);
      if (customer.state === 'active') return { outcome: 'already_active', ...toAnswer(customer) };
      const restored = await turns.runExclusive(customer.id, call, async (turn) =>
        provider.restoreCustomer?.(customer.id, turn.call),
      );
      directory.noteWrite(restored);
      return { outcome: 'restored', ...(restored ? toAnswer(restored) : { customer_id: customer.id }) };
    },
  };
};
