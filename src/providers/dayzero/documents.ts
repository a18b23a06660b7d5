// Mirrors DayZero's pages, read 2026-11-20:
//   create  https://www.ondayzero.com/docs/reference/customers/create-customer
//   update  https://www.ondayzero.com/docs/reference/customers/update-customer
//   search  https://www.ondayzero.com/docs/reference/customers/get-customers and …/docs/guides/pagination
// The update page also lists `id`, filled from the path and not to be sent.
import { z } from 'zod';
import { looksLikeEmail, NO_EMAIL } from '../../text.ts';

const name = z.string().describe('Person or company');
// The page's `format: email` is left out: Gemini's API refuses it, and with it every tool of the request (gemini-cli issue 2237).
const email = z.string().describe('For invoices and communications').refine(looksLikeEmail, NO_EMAIL);

const optional = {
  address: z.string().describe('Billing or shipping address').optional(),
  phone: z.string().describe('Phone number').optional(),
  tax_id: z.string().describe('Tax ID (EIN, VAT)').optional(),
  website: z.string().describe('Website URL').optional(),
  notes: z.string().describe('Internal notes').optional(),
  credit_limit_cents: z.number().int().describe('100000 = $1,000.00').optional(),
  default_payment_term_id: z.string().describe('For new invoices').optional(),
  status: z.enum(['active', 'inactive', 'blocked']).describe('Customer status').optional(),
  category: z.string().describe("Such as 'Retail'").optional(),
  invoice_footer: z.string().describe('Overrides the default footer').optional(),
};

export const dayzeroDocuments = {
  create: z.strictObject({ name, email, ...optional }),
  update: z.strictObject({ name: name.optional(), email: email.optional(), ...optional }),
  search: z.strictObject({
    id: z.string().describe('Customer ID').optional(),
    email: z.string().describe('Exact email').optional(),
    search: z.string().min(1).max(200).describe('Fuzzy name').optional(),
    status: optional.status,
    cursor: z.string().describe('next_cursor from the previous page').optional(),
    limit: z.number().int().min(1).max(1000).describe('Page size').optional(),
    direction: z.enum(['next', 'prev']).describe('Default next').optional(),
    include_total_count: z.boolean().describe('Slow; default false').optional(),
    sort_by: z.string().describe('Default created_at').optional(),
    descending: z.boolean().describe('Default true').optional(),
  }),
};

export const dayzeroMeanings = {
  name: 'name',
  email: 'email',
  address: 'full_address',
  phone: 'phone',
  tax_id: 'tax_number',
  website: 'website',
  notes: 'notes',
  status: 'status',
  category: 'category',
} as const;
