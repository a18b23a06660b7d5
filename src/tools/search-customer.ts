import { z } from 'zod';
import { hints, outputs, shown, type Operation } from './tool.ts';

/** Rows of a page when the agent does not say: enough to choose from, and still cheap to read. */
const STANDARD_PAGE = 25;

export const searchCustomer: Operation = (provider) => {
  const { documents, traits, title } = provider;
  return {
    name: 'search_customer',
    title: 'Search customers',
    description: `Finds ${title} customers, ${STANDARD_PAGE} a page. has_more: repeat with next_cursor.`,
    input: documents.search,
    output: z.looseObject({
      customers: outputs.list,
      has_more: z.boolean().optional(),
      next_cursor: outputs.text,
      total: z.number().optional(),
      warnings: outputs.list,
      error: outputs.error,
    }),
    hints: hints('read'),

    async run(input, { call }) {
      const { customers, hasMore, nextCursor, total, warnings } = await provider.searchCustomers(
        { [traits.limitField]: STANDARD_PAGE, ...input },
        call,
      );
      return {
        customers: customers.map((customer) => shown(customer)),
        has_more: hasMore,
        ...(nextCursor !== undefined && { next_cursor: nextCursor }),
        ...(total !== undefined && { total }),
        ...(warnings.length > 0 && { warnings }),
      };
    },
  };
};
