import { EXTENSION_ID, RESOURCE_MIME_TYPE } from '@modelcontextprotocol/ext-apps/server';
import { CallToolResultSchema, type CallToolResult } from '@modelcontextprotocol/sdk/types.js';
import { connect } from './client.ts';
import { SANDBOX } from './process.ts';
import type { Fields, ProviderKit } from './provider-kit.ts';

/** What a host that shows views announces. */
export const SHOWS_VIEWS = { [EXTENSION_ID]: { mimeTypes: [RESOURCE_MIME_TYPE] } };
export const VIEW_URI = 'ui://customers/view.html';

const OTHERS = [
  ['Birch & Sons', 'office@birch.example'],
  ['Café Lumière', 'bonjour@lumiere.example'],
  ['Delta Logistics International', 'accounts@delta.example'],
] as const;

/** The view as the server hands it out, and real answers of the sandbox, in the order in which they were given. */
export async function viewAnswers(kit: ProviderKit) {
  const { externalIdField: key, minimal } = kit;
  const bakery = kit.view.customer;
  const own = { [key]: 'crm-1042' };
  const { client, close } = await connect(
    { ...SANDBOX, CUSTOMERS_PROVIDER: kit.name, CUSTOMERS_CONFIRM: 'never' },
    { extensions: SHOWS_VIEWS },
  );
  const call = async (name: string, args: Fields): Promise<CallToolResult> =>
    CallToolResultSchema.parse(await client.callTool({ name, arguments: { ...args } }));
  const rows = OTHERS.map(([name, email], index) => ({ [key]: `crm-${1043 + index}`, ...minimal(name, email) }));
  const { contents } = await client.readResource({ uri: VIEW_URI });
  const [view] = contents;
  const answers = {
    created: await call('create_customer', { ...own, ...bakery }),
    repeated: await call('create_customer', { ...own, ...bakery }),
    got: await call('get_customer', own),
    imported: await call('import_customers', { rows: [...rows, { [key]: 'crm-9', no_such_field: 1 }, { ...bakery }] }),
    found: await call('search_customer', {}),
    nothing: await call('search_customer', kit.searchFor('unknown')),
    // Where the provider keeps the external id, that is taken; elsewhere the email is.
    duplicate: await call('create_customer', {
      [key]: kit.keepsExternalId ? 'crm-1042' : 'crm-2',
      ...minimal('Acme Baker', 'hello@acme.example'),
    }),
    refused: await call('create_customer', { ...own, no_such_field: 1 }),
    archived: await call('archive_customer', own),
  };
  await close();
  return { html: view && 'text' in view ? view.text : '', answers };
}
