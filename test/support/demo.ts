// The onboarding story of the README, told through a real MCP client that launches the built server on a fresh sandbox.
import { styleText } from 'node:util';
import { connect, temporaryStore, type Connection, type ToolResult } from './client.ts';
import { isRecord } from '../../src/text.ts';

const bold = (text: string): string => styleText('bold', text);
const dim = (text: string): string => styleText('dim', text);
const print = (text = ''): void => void process.stdout.write(`${text}\n`);

/** One step: what the assistant is after, the call it makes, and what it gets. */
async function step(server: Connection, aim: string, tool: string, args: Record<string, unknown>): Promise<ToolResult> {
  print(`${bold('>')} ${aim}`);
  print(dim(`  ${tool} ${JSON.stringify(args)}`));
  const result = await server.call(tool, args);
  print(`  ${summary(result)}\n`);
  return result;
}

function summary({ isError, data, text }: ToolResult): string {
  if (isError) return styleText('yellow', text);
  if (Array.isArray(data['customers'])) {
    const names = data['customers'].filter(isRecord).map(({ customer }) => name(customer));
    return styleText('green', `${names.length} found`) + (names.length > 0 ? `: ${names.join(', ')}` : '');
  }
  const changed = Array.isArray(data['changed']) ? ` (${data['changed'].join(', ')})` : '';
  const shown = isRecord(data['customer']) ? name(data['customer']) : '';
  return `${styleText('green', String(data['outcome'] ?? 'read'))}${changed} ${shown} ${dim(String(data['customer_id']))}`;
}

function name(customer: unknown): string {
  if (!isRecord(customer)) return '';
  const [first] = ['company_name', 'individual_name', 'name'].map((field) => customer[field]).filter(Boolean);
  const details = ['email', 'office_phone', 'address_string', 'status'].map((field) => customer[field]).filter(Boolean);
  return `${String(first)} [${details.join(', ')}]`;
}

async function onboarding(store: string): Promise<void> {
  const server = await connect({ CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: store });
  const { tools } = await server.client.listTools();
  print(
    `${bold('An assistant onboards a customer at Layer')} ${dim('(sandbox: simulated on this machine, no account)')}`,
  );
  print(dim(`Its tools: ${tools.map((tool) => tool.name).join(', ')}\n`));

  const acme = {
    external_id: 'crm-1042',
    company_name: 'Acme Bakery',
    email: 'hello@acme.example',
    office_phone: '555-0100',
  };
  await step(server, 'Is it there already?', 'search_customer', { name_contains: 'acme' });
  await step(server, 'No. Create it, under its id in the CRM.', 'create_customer', acme);
  await step(
    server,
    'The connection dropped, so the assistant tries once more. Still one customer:',
    'create_customer',
    acme,
  );
  await step(server, 'Find it.', 'search_customer', { name_contains: 'bakery' });
  await step(server, 'It has moved. What is not named stays as it is:', 'update_customer', {
    external_id: 'crm-1042',
    address_string: '12 Mill Lane, Phoenix, AZ 85001',
  });
  await step(server, 'A typing mistake is caught before anything is sent:', 'update_customer', {
    external_id: 'crm-1042',
    e_mail: 'x@acme.example',
  });
  await step(server, 'It has closed. Archive it; at Layer that can be undone.', 'archive_customer', {
    external_id: 'crm-1042',
  });
  await server.close();
}

async function elsewhere(store: string): Promise<void> {
  print(bold('The same tools at DayZero, which knows no external ids'));
  print();
  const server = await connect({ CUSTOMERS_PROVIDER: 'dayzero', CUSTOMERS_SANDBOX: 'true', CUSTOMERS_STORE: store });
  await step(server, 'Create.', 'create_customer', {
    external_id: 'crm-7',
    name: 'Bolt Cycles',
    email: 'shop@bolt.example',
  });
  await step(server, 'Somebody creates it again under another id. The email gives it away:', 'create_customer', {
    external_id: 'crm-8',
    name: 'Bolt Cycles Ltd',
    email: 'shop@bolt.example',
  });
  await step(server, 'Delete it. That cannot be undone, so a person has to agree:', 'archive_customer', {
    external_id: 'crm-7',
  });
  await step(server, 'The person agreed.', 'archive_customer', { external_id: 'crm-7', confirm: 'Bolt Cycles' });
  await server.close();
}

const { store, remove } = temporaryStore();
try {
  await onboarding(store);
  await elsewhere(store);
  print(
    `That was the sandbox, in a store that is gone now. To use it from your assistant, see ${bold('Add it to your client')} in the README.`,
  );
} finally {
  remove();
}
