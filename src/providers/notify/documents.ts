// Mirrors Notify's pages, read 2026-11-20:
//   create  https://docs.notify.nl/customers/create-customer
//   update  https://docs.notify.nl/customers/update-customer (the same fields without CustomerCode)
//   search  https://docs.notify.nl/customers/search-customer and https://docs.notify.nl/customers (list)
//   limits of RegistrationNumber and Language, and the languages: https://docs.notify.nl/information/fields
import { z } from 'zod';
import { looksLikeEmail, NO_EMAIL } from '../../text.ts';
import { externalId } from '../external-id.ts';

const text = (longest: number) => z.string().max(longest);

/** https://docs.notify.nl/information/fields: a wrong format is refused. */
const email = text(250).refine(looksLikeEmail, NO_EMAIL);

const CustomerCode = externalId(250).describe('Your unique customer code').optional();

const writable = {
  Name: text(250).describe('Customer name').optional(),
  Address: text(250).describe('Street and number').optional(),
  Postalcode: text(10).describe('Postal code').optional(),
  City: text(250).describe('City').optional(),
  Country: z.string().length(2).describe('Two-letter code; default NL').optional(),
  Contact: text(250).describe('Full name of the contact').optional(),
  Phone: text(20).describe('Phone number').optional(),
  Mobile: text(20).describe('Mobile number').optional(),
  Email: email.describe('Email address').optional(),
  InvoiceEmail: email.describe('For invoices only').optional(),
  RegistrationNumber: text(10).describe('Chamber of Commerce number').optional(),
  Language: z
    .enum(['dutch', 'english', 'german', 'french'])
    .meta({ maxLength: 10, description: "Default: the account's" })
    .optional(),
};

export const notifyDocuments = {
  create: z.strictObject({
    CustomerCode,
    ...writable,
    Overwrite: z.boolean().describe('Overwrite the customer with this code; prefer an update').optional(),
  }),
  update: z.strictObject(writable),
  search: z.strictObject({
    Customer: externalId(250).describe('Exact CustomerCode, not a name').optional(),
    Limit: z.number().int().min(1).max(250).describe('Page size').optional(),
    From: z.string().describe('next_cursor from the previous page').optional(),
  }),
};

export const notifyMeanings = {
  Name: 'name',
  Address: 'street',
  Postalcode: 'postcode',
  City: 'city',
  Country: 'country',
  Contact: 'contact_name',
  Phone: 'phone',
  Mobile: 'mobile',
  Email: 'email',
  InvoiceEmail: 'billing_email',
  RegistrationNumber: 'registration',
  Language: 'language',
} as const;
