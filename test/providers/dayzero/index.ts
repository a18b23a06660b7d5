import type { ProviderKit } from '../../support/provider-kit.ts';
import { DAYZERO_TOKEN, startDayZero } from './stand-in.ts';

const TEXT = { type: 'string' };
const YES_NO = { type: 'boolean' };
const NEW_EXTERNAL_ID = { type: 'string', maxLength: 255 };
const TIME = /^\d{4}-\d\d-\d\dT[\d:.]+Z$/;

export const kit: ProviderKit = {
  name: 'dayzero',
  title: 'DayZero',

  start: () => startDayZero(),
  secrets: [DAYZERO_TOKEN],
  settings: {
    credentials: ['DAYZERO_API_TOKEN', 'DAYZERO_BUSINESS_ID'],
    secret: 'DAYZERO_API_TOKEN',
    baseUrl: 'DAYZERO_BASE_URL',
    version: '/api/v1',
  },
  renewsToken: false,
  otherMethod: false,
  customersPath: '/api/v1/customers',

  customer: (n) => ({
    name: `Contract Works ${n} Inc.`,
    email: `contract-${n}@works.example`,
    address: `${n} Foundry Lane, Springfield`,
    phone: `+1 555 ${1_000_000 + n}`,
    tax_id: `EIN 98-${1_000_000 + n}`,
    website: `https://works-${n}.example`,
    notes: `Ring the bell ${n} times`,
    credit_limit_cents: 100_000 + n,
    default_payment_term_id: `term-of-${n}-days`,
    status: 'inactive',
    category: `Wholesale of kind ${n}`,
    invoice_footer: `Payable within ${n} days`,
  }),
  findable: (phone, city) => ({ phone, address: `Kerkstraat 12, 3511 AB ${city}` }),
  minimal: (name, email) => ({ name, email }),
  externalIdField: 'external_id',
  nameField: { field: 'name', stored: 'name' },
  change: { field: 'phone', value: '+31 20 000 0000', stored: ({ phone }) => phone },
  clear: { field: 'notes', stored: ({ notes }) => notes },
  rest: ({ updated_at: _at, phone: _phone, notes: _notes, ...rest }) => rest,
  text: { field: 'address', stored: 'address' },

  keepsExternalId: false,
  probe: 'list',
  findsEmail: true,
  read: 'get',
  upserts: false,
  insist: 'allow_duplicate',
  updateOperations: ['get', 'update'],
  archive: { operation: 'delete', outcome: 'deleted', done: (document) => document?.['is_deleted'] === true },

  ownArguments: {
    create: { external_id: NEW_EXTERNAL_ID, allow_duplicate: YES_NO, resend: YES_NO, confirm: TEXT },
    update: { customer_id: TEXT, external_id: TEXT, clear: { type: 'array' } },
    search: { find: { ...TEXT, maxLength: 300 }, without: TEXT },
  },
  limitField: 'limit',
  answer: (document) => ({ data: document }),
  cursorField: 'cursor',
  list: (rows, cursor = '') => ({ items: rows, next_cursor: cursor || null, has_more: cursor !== '' }),
  exact: { id: 'id', email: 'email' },
  searchFor: (search) => ({ search }),
  wrong: [
    { tool: 'create_customer', given: { email: 'no address' }, path: 'email' },
    { tool: 'create_customer', given: { credit_limit_cents: 10.5 }, path: 'credit_limit_cents' },
    { tool: 'create_customer', given: { credit_limit_cents: '100' }, path: 'credit_limit_cents' },
    { tool: 'create_customer', given: { status: 'ACTIVE' }, path: 'status' },
    { tool: 'create_customer', given: { name: null }, path: 'name' },
    { tool: 'create_customer', given: { allow_duplicate: 'yes' }, path: 'allow_duplicate' },
    { tool: 'update_customer', given: { email: '@' }, path: 'email' },
    { tool: 'update_customer', given: { status: 'deleted' }, path: 'status' },
    { tool: 'search_customer', given: { limit: 1001 }, path: 'limit' },
    { tool: 'search_customer', given: { limit: 0 }, path: 'limit' },
    { tool: 'search_customer', given: { search: 'x'.repeat(201) }, path: 'search' },
    { tool: 'search_customer', given: { direction: 'sideways' }, path: 'direction' },
    { tool: 'search_customer', given: { include_total_count: 'true' }, path: 'include_total_count' },
  ],
  typo: { given: 'e_mail', meant: 'email' },
  refusal: (words) => ({ detail: words }),

  view: {
    customer: {
      name: 'Acme Bakery',
      email: 'hello@acme.example',
      phone: '+1 555 0100',
      address: '12 Harbour Street, Portland, OR 97201',
      tax_id: '12-3456789',
      credit_limit_cents: 250000,
      status: 'active',
    },
    lines: {
      Email: 'hello@acme.example',
      Address: '12 Harbour Street, Portland, OR 97201',
      Phone: '+1 555 0100',
      'Tax ID': '12-3456789',
      'Credit limit (cents)': '250000',
      Status: 'Active',
      'Created at': TIME,
      'Updated at': TIME,
    },
    archivedLines: {},
    columns: ['Name', 'Email', 'External ID', 'Customer ID'],
  },
};
