import { z } from 'zod';
import { hints, outputs, refOf, refShape, shown, type Operation } from './tool.ts';

export const getCustomer: Operation = (provider) => ({
  name: 'get_customer',
  title: 'Get customer',
  description: `Reads one customer by customer_id or ${provider.traits.externalIdField}.`,
  input: z.strictObject(refShape(provider)),
  output: z.looseObject({
    customer_id: outputs.text,
    external_id: outputs.text,
    customer: outputs.customer,
    error: outputs.error,
  }),
  hints: hints('read'),

  async run(input, { ids, call }) {
    const ref = refOf(input, provider);
    return shown(await ids.read(ref, call), ref.externalId);
  },
});
