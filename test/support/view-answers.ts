import { EXTENSION_ID, RESOURCE_MIME_TYPE } from '@modelcontextprotocol/ext-apps/server';
import { CallToolResultSchema, type CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { connect } from './client.ts';
import { SANDBOX } from './process.ts';

type Fields = Readonly<Record<string, unknown>>;

/** What a host that shows views announces. */
export const SHOWS_VIEWS = { [EXTENSION_ID]: { mimeTypes: [RESOURCE_MIME_TYPE] } };
export const VIEW_URI = 'ui://customers/view.html';

export const examples = {
  layer: {
    key: 'external_id',
    nothing: { name: 'nobody' },
    bakery: {
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
    other: (name: string, email: string): Fields => ({ company_name: name, email }),
  },
  dayzero: {
    key: 'external_id',
    nothing: { search: 'nobody' },
    bakery: {
      name: 'Acme Bakery',
      email: 'hello@acme.example',
      phone: '+1 555 0100',
      address: '12 Harbour Street, Portland, OR 97201',
      tax_id: '12-3456789',
      credit_limit_cents: 250000,
      status: 'active',
    },
    other: (name: string, email: string): Fields => ({ name, email }),
  },
  notify: {
    key: 'CustomerCode',
    nothing: { Customer: 'nobody' },
    bakery: {
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
    other: (name: string, email: string): Fields => ({ Name: name, Email: email }),
  },
} as const;

export type Provider = keyof typeof examples;
export const providers = ['layer', 'dayzero', 'notify'] as const satisfies readonly Provider[];

const OTHERS = [
  ['Birch & Sons', 'office@birch.example'],
  ['Café Lumière', 'bonjour@lumiere.example'],
  ['Delta Logistics International', 'accounts@delta.example'],
] as const;

/** The view as the server hands it out, and real answers of the sandbox, in the order in which they were given. */
export async function viewAnswers(provider: Provider) {
  const { key, nothing, bakery, other } = examples[provider];
  const own = { [key]: 'crm-1042' };
  const { client, close } = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: provider }, { extensions: SHOWS_VIEWS });
  const call = async (name: string, args: Fields): Promise<CallToolResult> =>
    CallToolResultSchema.parse(await client.callTool({ name, arguments: { ...args } }));
  const rows = OTHERS.map(([name, email], index) => ({ [key]: `crm-${1043 + index}`, ...other(name, email) }));
  const { contents } = await client.readResource({ uri: VIEW_URI });
  const [view] = contents;
  const answers = {
    created: await call('create_customer', { ...own, ...bakery }),
    repeated: await call('create_customer', { ...own, ...bakery }),
    got: await call('get_customer', own),
    imported: await call('import_customers', { rows: [...rows, { [key]: 'crm-9', no_such_field: 1 }, { ...bakery }] }),
    found: await call('search_customer', {}),
    nothing: await call('search_customer', nothing),
    // At DayZero the email is taken, at Notify the code is, and Layer updates.
    twin: await call('create_customer', {
      [key]: provider === 'dayzero' ? 'crm-2' : 'crm-1042',
      ...other('Acme Baker', 'hello@acme.example'),
    }),
    refused: await call('create_customer', { ...own, no_such_field: 1 }),
    archived: await call('archive_customer', { ...own, ...(provider !== 'layer' && { confirm: 'Acme Bakery' }) }),
  };
  await close();
  return { html: view && 'text' in view ? view.text : '', answers };
}
