// Mirrors Layer's pages, read 2026-11-20:
//   create  https://docs.layerfi.com/api-reference/customer/create-customer
//   update  https://docs.layerfi.com/api-reference/customer/update-customer
//   search  https://docs.layerfi.com/api-reference/customer/list-customers and …/api-details/pagination
// The pages mark no field as required and state no lengths.
import { z } from 'zod';

const writable = {
  individual_name: z.string().describe('Name of the person or contact').optional(),
  company_name: z.string().describe('Name of the company').optional(),
  email: z.string().describe('Email address').optional(),
  mobile_phone: z.string().describe('Mobile phone number').optional(),
  office_phone: z.string().describe('Office phone number').optional(),
  address_string: z.string().describe('Full address').optional(),
  notes: z.string().describe('Notes about the customer').optional(),
  tags: z
    .array(z.strictObject({ key: z.string(), value: z.string() }))
    .describe('All its tags')
    .optional(),
};

export const layerDocuments = {
  create: z.strictObject({
    external_id: z.string().describe('Its ID in your system; idempotency key').optional(),
    ...writable,
  }),
  update: z.strictObject({
    external_id: z.string().describe('Its ID in your system').optional(),
    ...writable,
  }),
  search: z.strictObject({
    include_archived: z.boolean().describe('Default false').optional(),
    external_id: z.string().describe('Exact ID in your system').optional(),
    external_id_contains: z.string().describe('Part of it, any case').optional(),
    name: z.string().describe('Exact name').optional(),
    name_contains: z.string().describe('Part of a name, any case').optional(),
    cursor: z.string().describe('next_cursor of the last page').optional(),
    limit: z.number().int().min(1).describe('Page size').optional(),
    sort_by: z.string().describe('Field to sort by').optional(),
    sort_order: z.enum(['ASC', 'DESC']).describe('Default ASC').optional(),
  }),
};
