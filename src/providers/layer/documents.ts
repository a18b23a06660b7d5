// Mirrors Layer's pages, read 2026-11-20:
//   create  https://docs.layerfi.com/api-reference/customer/create-customer
//   update  https://docs.layerfi.com/api-reference/customer/update-customer
//   search  https://docs.layerfi.com/api-reference/customer/list-customers, and for cursor, limit, show_total_count,
//           sort_by and sort_order https://docs.layerfi.com/api-details/pagination
// The pages mark no field as required and state no lengths.
import { z } from 'zod';
import { externalId, partOfExternalId } from '../external-id.ts';

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
    .describe('Complete tag list; replaces the current tags')
    .optional(),
};

export const layerDocuments = {
  create: z.strictObject({
    external_id: externalId().describe('Its ID in your system; idempotency key').optional(),
    ...writable,
  }),
  update: z.strictObject({
    external_id: externalId().describe('Its ID in your system').optional(),
    ...writable,
  }),
  search: z.strictObject({
    include_archived: z.boolean().describe('Default false').optional(),
    external_id: externalId().describe('Exact ID in your system').optional(),
    external_id_contains: partOfExternalId().describe('Part of it, any case').optional(),
    name: z.string().describe('Exact name').optional(),
    name_contains: z.string().describe('Part of a name, any case').optional(),
    cursor: z.string().describe('next_cursor from the previous page').optional(),
    limit: z.number().int().min(1).describe('Page size').optional(),
    show_total_count: z.boolean().describe('Default false').optional(),
    sort_by: z.string().describe('Field to sort by').optional(),
    sort_order: z.enum(['ASC', 'DESC']).describe('Default ASC').optional(),
  }),
};

export const layerMeanings = {
  individual_name: 'person',
  company_name: 'company',
  email: 'email',
  mobile_phone: 'mobile',
  office_phone: 'phone',
  address_string: 'full_address',
  notes: 'notes',
} as const;
