import type { ProviderKit } from '../../support/provider-kit.ts';
import { isRecord } from '../../support/stand-in.ts';
import { NOTIFY_API_KEY, startNotify } from './stand-in.ts';

const TEXT = { type: 'string' };

export const kit: ProviderKit = {
  name: 'notify',
  title: 'Notify',

  start: ({ allowDuplicates = false } = {}) => startNotify({ duplicateCode: allowDuplicates ? 'duplicate' : 'refuse' }),
  secrets: [NOTIFY_API_KEY],
  settings: {
    credentials: ['NOTIFY_API_KEY'],
    secret: 'NOTIFY_API_KEY',
    baseUrl: 'NOTIFY_BASE_URL',
    version: '/v2',
  },
  renewsToken: false,
  otherMethod: false,
  customersPath: '/v2/customers',

  customer: (n) => ({
    Name: `Contract Works ${n} B.V.`,
    Address: `Gieterijstraat ${n}`,
    Postalcode: `${1_000 + (n % 9_000)} AB`,
    City: `Plaats nummer ${n}`,
    Country: 'BE',
    Contact: `Contact Person ${n}`,
    Phone: `+32 2 ${1_000_000 + n}`,
    Mobile: `+32 4 ${2_000_000 + n}`,
    Email: `contract-${n}@works.example`,
    InvoiceEmail: `invoices-${n}@works.example`,
    RegistrationNumber: String(10_000_000 + n),
    Language: 'french',
  }),
  findable: (Phone, City) => ({ Phone, Address: 'Kerkstraat 12', Postalcode: '3511 AB', City }),
  contact: 'Contact',
  minimal: (name, email) => ({ Name: name, Email: email }),
  externalIdField: 'CustomerCode',
  nameField: { field: 'Name', stored: 'name', maxLength: 250 },
  change: {
    field: 'City',
    value: 'Brugge',
    stored: ({ address }) => (isRecord(address) ? address['city'] : undefined),
  },
  clear: { field: 'InvoiceEmail', stored: ({ invoiceEmail }) => invoiceEmail },
  rest: ({ invoiceEmail: _invoiceEmail, address, ...rest }) => ({
    ...rest,
    address: isRecord(address) ? { ...address, city: '' } : address,
  }),
  text: { field: 'Contact', stored: 'contact', maxLength: 60 },

  keepsExternalId: true,
  lookUp: 'search',
  probe: 'search',
  findsEmail: true,
  read: '*',
  upserts: false,
  insist: 'Overwrite',
  updateOperations: ['get', 'update'],
  archive: { operation: 'delete', outcome: 'deleted', done: (document) => document === undefined },

  ownArguments: {
    create: { allow_duplicate: { type: 'boolean' }, resend: { type: 'boolean' }, confirm: TEXT },
    update: { customer_id: TEXT, CustomerCode: TEXT, clear: { type: 'array' } },
    search: { find: { ...TEXT, maxLength: 300 }, without: TEXT },
  },
  limitField: 'Limit',
  answer: (document) => document,
  cursorField: 'From',
  list: (rows, cursor) => ({
    customers: rows,
    count: Array.isArray(rows) ? rows.length : 0,
    links: { previous: null, next: cursor === undefined ? null : { href: `/v2/customers?from=${cursor}` } },
  }),
  exact: { Customer: 'customerCode' },
  searchFor: (code) => ({ Customer: code }),
  wrong: [
    { tool: 'create_customer', given: { CustomerCode: 'x'.repeat(251) }, path: 'CustomerCode' },
    { tool: 'create_customer', given: { Postalcode: '12345678901' }, path: 'Postalcode' },
    { tool: 'create_customer', given: { Country: 'NLD' }, path: 'Country' },
    { tool: 'create_customer', given: { Language: 'Dutch' }, path: 'Language' },
    { tool: 'create_customer', given: { Overwrite: 'true' }, path: 'Overwrite' },
    { tool: 'create_customer', given: { Phone: 31201234567 }, path: 'Phone' },
    { tool: 'update_customer', given: { RegistrationNumber: '12345678901' }, path: 'RegistrationNumber' },
    { tool: 'update_customer', given: { Language: 'italian' }, path: 'Language' },
    { tool: 'search_customer', given: { Limit: 251 }, path: 'Limit' },
    { tool: 'search_customer', given: { Limit: 0 }, path: 'Limit' },
  ],
  typo: { given: 'E_mail', meant: 'Email' },
  refusal: (words) => ({ status: 405, title: 'Bad Request', detail: words }),

  view: {
    customer: {
      Name: 'Acme Bakery',
      Address: 'Oudegracht 12',
      Postalcode: '3511 AB',
      City: 'Utrecht',
      Contact: 'Jo Miller',
      Phone: '030 555 0100',
      Email: 'hello@acme.example',
      InvoiceEmail: 'invoices@acme.example',
      Language: 'dutch',
    },
    lines: {
      Address: 'Oudegracht 12, 3511 AB, Utrecht, NL',
      Contact: 'Jo Miller',
      Phone: '030 555 0100',
      Email: 'hello@acme.example',
      'Invoice email': 'invoices@acme.example',
      Language: 'dutch',
    },
    archivedLines: {},
    columns: ['Name', 'Email', 'External ID', 'Customer ID'],
  },
};
