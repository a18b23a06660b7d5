// The onboarding demo of the README: a real MCP client that launches the built server with a fresh sandbox.
import { styleText } from 'node:util';
import { build } from 'rolldown';
import { connect, errorOf, temporaryStore, type Connection, type ToolResult } from '../test/support/client.ts';
import { isRecord } from '../src/text.ts';
import { program } from './rolldown.config.ts';

const bold = (text: string): string => styleText('bold', text);
const dim = (text: string): string => styleText('dim', text);
const print = (text = ''): void => void process.stdout.write(`${text}\n`);

/** Runs and prints one step: the assistant's aim, its call, and the result. */
function stepsWith(server: Connection) {
  return async (aim: string, tool: string, args: Record<string, unknown>): Promise<ToolResult> => {
    print(`${bold('>')} ${aim}`);
    print(dim(`  ${tool} ${JSON.stringify(args)}`));
    const result = await server.call(tool, args);
    print(`  ${summary(result)}\n`);
    return result;
  };
}

function summary({ isError, data, text }: ToolResult): string {
  if (isError) return styleText('yellow', text);
  if (Array.isArray(data['customers'])) {
    const names = data['customers'].filter(isRecord).map(({ customer }) => name(customer));
    return styleText('green', `${names.length} found`) + (names.length > 0 ? `: ${names.join(', ')}` : '');
  }
  const fields = fieldNames(data['changed']);
  return [
    styleText('green', String(data['outcome'])) + (fields.length > 0 ? ` (${fields.join(', ')})` : ''),
    ...(isRecord(data['customer']) ? [name(data['customer'])] : []),
    dim(String(data['customer_id'])),
  ].join(' ');
}

/** `changed` is a list of fields, or an object with the old and the new value of each. */
function fieldNames(changed: unknown): readonly unknown[] {
  if (Array.isArray(changed)) return changed;
  return isRecord(changed) ? Object.keys(changed) : [];
}

function name(customer: unknown): string {
  if (!isRecord(customer)) return '';
  const [first] = ['company_name', 'individual_name', 'name'].map((field) => customer[field]).filter(Boolean);
  const details = ['email', 'office_phone', 'address_string', 'status'].map((field) => customer[field]).filter(Boolean);
  return `${String(first)} [${details.join(', ')}]`;
}

async function onboarding(store: string): Promise<void> {
  const server = await connect({ CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: store });
  const step = stepsWith(server);
  const { tools } = await server.client.listTools();
  print(
    `${bold('An assistant onboards a customer in Layer')} ${dim('(sandbox: simulated on this machine, no account)')}`,
  );
  print(dim(`Its tools: ${tools.map((tool) => tool.name).join(', ')}\n`));

  const acme = {
    external_id: 'crm-1042',
    company_name: 'Acme Bakery',
    email: 'hello@acme.example',
    office_phone: '555-0100',
  };
  await step('Does the customer exist?', 'search_customer', { find: 'Acme' });
  await step('No. Create it, under its id in the CRM.', 'create_customer', acme);
  await step('The connection dropped, so the assistant tries again. Still one customer:', 'create_customer', acme);
  await step('Find it, with a typing error.', 'search_customer', { find: 'acme bakry' });
  await step('The customer has moved. Fields that are not mentioned stay as they are:', 'update_customer', {
    external_id: 'crm-1042',
    address_string: '12 Mill Lane, Phoenix, AZ 85001',
  });
  await step('A typing error is caught before anything is sent:', 'update_customer', {
    external_id: 'crm-1042',
    e_mail: 'x@acme.example',
  });
  await step('The customer has closed. Archive it; in Layer that can be undone.', 'archive_customer', {
    external_id: 'crm-1042',
  });
  await server.close();
}

async function elsewhere(store: string): Promise<void> {
  print(bold('The same tools in DayZero, which has no external ids'));
  print();
  const server = await connect({ CUSTOMERS_PROVIDER: 'dayzero', CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: store });
  const step = stepsWith(server);
  await step('Create.', 'create_customer', {
    external_id: 'crm-7',
    name: 'Bolt Cycles',
    email: 'shop@bolt.example',
  });
  await step(
    'Another assistant creates it again under another id. The email shows that it exists:',
    'create_customer',
    {
      external_id: 'crm-8',
      name: 'Bolt Cycles Ltd',
      email: 'shop@bolt.example',
    },
  );
  const asked = await step('Delete it. That cannot be undone, so the user has to agree:', 'archive_customer', {
    external_id: 'crm-7',
  });
  await step('The user agreed.', 'archive_customer', {
    external_id: 'crm-7',
    confirm: errorOf(asked)?.['confirm'],
  });
  await server.close();
}

await build({ ...program('dist'), logLevel: 'silent' });
const { store, remove } = temporaryStore();
try {
  await onboarding(store);
  await elsewhere(store);
  print(
    `This was the sandbox; no data is kept. To use the server from your assistant, see ${bold('Add it to your client')} in the README.`,
  );
} finally {
  remove();
}
