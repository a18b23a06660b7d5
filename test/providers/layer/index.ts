import type { ProviderKit } from '../../support/provider-kit.ts';
import { LAYER_BUSINESS_ID, LAYER_CLIENT_ID, LAYER_CLIENT_SECRET, startLayer } from './stand-in.ts';

const TEXT = { type: 'string' };

export const kit: ProviderKit = {
  name: 'layer',
  title: 'Layer',

  // Tokens that wear out have tests of their own; elsewhere they would add requests.
  start: () => startLayer({ tokenUses: Infinity }),
  secrets: [
    LAYER_CLIENT_SECRET,
    encodeURIComponent(LAYER_CLIENT_SECRET),
    Buffer.from(`${LAYER_CLIENT_ID}:${LAYER_CLIENT_SECRET}`).toString('base64'),
  ],
  settings: {
    credentials: ['LAYER_CLIENT_ID', 'LAYER_CLIENT_SECRET'],
    secret: 'LAYER_CLIENT_SECRET',
    baseUrl: 'LAYER_BASE_URL',
    version: '/v1',
  },
  renewsToken: true,
  otherMethod: true,
  customersPath: `/v1/businesses/${LAYER_BUSINESS_ID}/customers`,

  customer: (n) => ({
    individual_name: `Grete Hermann ${n}`,
    company_name: `Hermann Optics ${n}`,
    email: `grete.${n}@hermann.example`,
    mobile_phone: `+49 151 555 ${n}`,
    office_phone: `+49 421 555 ${n}`,
    address_string: `Contrescarpe ${n}, 28195 Bremen`,
    notes: `Prefers to be called on day ${n}`,
    tags: [
      { key: 'department', value: `sales ${n}` },
      { key: 'region', value: 'north' },
    ],
  }),
  findable: (phone, city) => ({ office_phone: phone, address_string: `Kerkstraat 12, 3511 AB ${city}` }),
  contact: 'individual_name',
  minimal: (name, email) => ({ company_name: name, email }),
  externalIdField: 'external_id',
  nameField: { field: 'company_name', stored: 'company_name' },
  change: { field: 'email', value: 'new@hermann.example', stored: ({ email }) => email },
  clear: { field: 'notes', stored: ({ memo }) => memo },
  rest: ({ email: _email, memo: _memo, transaction_tags: tags, ...rest }) => ({ ...rest, tags: tagsOf(tags) }),
  text: { field: 'address_string', stored: 'address_string' },

  keepsExternalId: true,
  lookUp: 'list',
  read: 'get',
  probe: 'list',
  findsEmail: false,
  upserts: true,
  updateOperations: ['get', 'update'],
  archive: { operation: 'archive', outcome: 'archived', done: (document) => document?.['status'] === 'ARCHIVED' },

  ownArguments: {
    create: { allow_duplicate: { type: 'boolean' } },
    update: { customer_id: TEXT, clear: { type: 'array' } },
    search: { find: { ...TEXT, maxLength: 300 }, without: TEXT },
  },
  limitField: 'limit',
  answer: (document) => ({ data: document }),
  cursorField: 'cursor',
  list: (rows, cursor = '') => ({
    data: rows,
    meta: { pagination: { sort_by: 'id', sort_order: 'ASC', cursor: cursor || null, has_more: cursor !== '' } },
  }),
  exact: {
    external_id: 'external_id',
    external_id_contains: 'external_id',
    name: 'company_name',
    name_contains: 'company_name',
  },
  searchFor: (name) => ({ name }),
  wrong: [
    { tool: 'create_customer', given: { email: 5 }, path: 'email' },
    { tool: 'create_customer', given: { company_name: { first: 'a' } }, path: 'company_name' },
    { tool: 'create_customer', given: { external_id: 7 }, path: 'external_id' },
    { tool: 'create_customer', given: { tags: 'vip' }, path: 'tags' },
    { tool: 'create_customer', given: { tags: [{ key: 'a' }] }, path: 'tags.0.value' },
    { tool: 'update_customer', given: { mobile_phone: 5 }, path: 'mobile_phone' },
    { tool: 'update_customer', given: { clear: ['external_id'] }, path: 'clear.0' },
    { tool: 'get_customer', given: { customer_id: 5 }, path: 'customer_id' },
    { tool: 'search_customer', given: { limit: 0 }, path: 'limit' },
    { tool: 'search_customer', given: { limit: '10' }, path: 'limit' },
    { tool: 'search_customer', given: { sort_order: 'UP' }, path: 'sort_order' },
    { tool: 'search_customer', given: { include_archived: 'yes' }, path: 'include_archived' },
  ],
  typo: { given: 'e_mail', meant: 'email' },
  refusal: (words) => ({ errors: [{ type: 'RequestError', description: words, error_enum: 'INVALID_REQUEST' }] }),

  view: {
    customer: {
      company_name: 'Acme Bakery',
      individual_name: 'Jo Miller',
      email: 'hello@acme.example',
      office_phone: '+1 555 0100',
      address_string: '12 Harbour Street, Portland, OR 97201',
      notes: 'Delivers before 6 am.\nInvoice at the end of the month.',
      tags: [
        { key: 'tier', value: 'gold' },
        { key: 'region', value: 'west' },
      ],
    },
    lines: {
      'Individual name': 'Jo Miller',
      Email: 'hello@acme.example',
      'Office phone': '+1 555 0100',
      Address: '12 Harbour Street, Portland, OR 97201',
      Notes: 'Delivers before 6 am.\nInvoice at the end of the month.',
      Status: 'Active',
      Tags: 'tier: gold\nregion: west',
    },
    archivedLines: { Status: 'Archived' },
    columns: ['Name', 'Email', 'External ID', 'Customer ID'],
  },
};

/** Layer's tags as they are written. */
function tagsOf(tags: unknown): unknown {
  return Array.isArray(tags) ? tags.map(({ key, value }) => ({ key, value })) : tags;
}
