import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { SandboxCustomer, SandboxCustomers, SandboxReply, SandboxRequest } from '../../sandbox.ts';
import { isRecord } from '../../text.ts';
import { notifyDocuments } from './documents.ts';

export const notifySandbox = { apiKey: 'test_sandbox' } as const;

const HAL = 'application/hal+json';
const ADDRESS = ['Address', 'Postalcode', 'City', 'Country'];

/** Notify's customer API as documented. It has no call that gets one customer, because the pages have none. */
export async function handleNotify(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const { method, headers, segments } = request;
  const [version, collection, id] = segments;
  if (headers.authorization !== `Bearer ${notifySandbox.apiKey}`)
    return refuse(401, 'Unauthorized', 'The API key is wrong');
  if (version !== 'v2' || collection !== 'customers' || segments.length > 3)
    return refuse(404, 'Not Found', 'Page not found');

  if (id === undefined) {
    if (method === 'POST') return create(request, customers);
    return method === 'GET' ? list(request, customers) : refuse(405, 'Method Not Allowed', 'Method not allowed');
  }
  if (method === 'GET' && id === 'search') return search(request, customers);
  if (method !== 'PATCH' && method !== 'DELETE') return refuse(405, 'Method Not Allowed', 'Method not allowed');
  const customer = await customers.get(id);
  if (!customer) return refuse(404, 'Not Found', 'Customer not found');
  if (method === 'DELETE') {
    await customers.delete(id);
    return { status: 204 };
  }
  const sent = readForm(request, notifyDocuments.update);
  if ('status' in sent) return sent;
  return save(200, merge(customer, sent.fields), customers);
}

async function create(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const sent = readForm(request, notifyDocuments.create.omit({ Overwrite: true }));
  if ('status' in sent) return sent;
  const code = sent.fields['CustomerCode'];
  const [existing] = code ? await customers.having('customerCode', code) : [];
  const overwrite = [...request.query].some(([name, value]) => name.toLowerCase() === 'overwrite' && value === 'true');
  if (existing && !overwrite) return refuse(400, 'Bad Request', 'Customer already exists');
  const blank = {
    resource: 'customer',
    id: existing?.id ?? randomUUID(),
    customerCode: code ?? '',
    name: '',
    address: { address: '', postalcode: '', city: '', country: 'NL' },
    contact: '',
    phone: '',
    mobile: '',
    email: '',
    invoiceEmail: '',
    registrationNumber: '',
    language: 'dutch',
  };
  return save(201, merge(blank, sent.fields), customers);
}

async function search(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const sent = readForm(request, notifyDocuments.search.pick({ Customer: true }));
  if ('status' in sent) return sent;
  const [found] = await customers.having('customerCode', sent.fields['Customer']);
  if (!found) return refuse(404, 'Not Found', 'Customer not found');
  return {
    status: 200,
    contentType: HAL,
    body: { resource: 'customer', id: found.id, customerCode: found['customerCode'] },
  };
}

/** Newest first, starting with the customer `from`. */
async function list({ query, origin }: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const given = new Map([...query].map(([name, value]) => [name.toLowerCase(), value]));
  const limit = Number(given.get('limit') ?? 50);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > 250)
    return refuse(400, 'Bad Request', 'Field limit in wrong format');
  const rows = (await customers.all()).reverse();
  const from = given.get('from');
  const start = from === undefined ? 0 : rows.findIndex((row) => row.id === from);
  if (start < 0) return refuse(404, 'Not Found', 'Customer not found');
  const link = (first: SandboxCustomer | undefined) =>
    first ? { href: `${origin}/v2/customers?limit=${limit}&from=${first.id}`, type: HAL } : null;
  const page = rows.slice(start, start + limit);
  const links = {
    previous: link(start > 0 ? rows[Math.max(0, start - limit)] : undefined),
    next: link(rows[start + limit]),
  };
  return { status: 200, contentType: HAL, body: { customers: page, count: page.length, links } };
}

/** The form fields under the names of the documents; Notify ignores case. */
function readForm(request: SandboxRequest, schema: z.ZodObject): { fields: Record<string, string> } | SandboxReply {
  if (!String(request.headers['content-type']).startsWith('application/x-www-form-urlencoded')) {
    return refuse(415, 'Unsupported Media Type', 'The body must be form-encoded');
  }
  const fields: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(request.body)) {
    const field = Object.keys(schema.shape).find((own) => own.toLowerCase() === name.toLowerCase());
    if (field === undefined) return refuse(400, 'Bad Request', `Field ${name} is unknown`);
    fields[field] = value;
  }
  const checked = schema.safeParse(Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')));
  const wrong = checked.success
    ? ['Email', 'InvoiceEmail'].find((field) => fields[field] && !fields[field].includes('@'))
    : String(checked.error.issues[0]?.path[0]);
  return wrong === undefined ? { fields } : refuse(400, 'Bad Request', `Field ${wrong.toLowerCase()} in wrong format`);
}

function merge(customer: SandboxCustomer, fields: Readonly<Record<string, string>>): SandboxCustomer {
  const lower = Object.entries(fields).map(([name, value]) => ({
    name,
    own: name.charAt(0).toLowerCase() + name.slice(1),
    value,
  }));
  const address = Object.fromEntries(
    lower.filter(({ name }) => ADDRESS.includes(name)).map(({ own, value }) => [own, value]),
  );
  const rest = Object.fromEntries(
    lower.filter(({ name }) => !ADDRESS.includes(name)).map(({ own, value }) => [own, value]),
  );
  return {
    ...customer,
    ...rest,
    address: { ...(isRecord(customer['address']) ? customer['address'] : {}), ...address },
  };
}

async function save(status: number, customer: SandboxCustomer, customers: SandboxCustomers): Promise<SandboxReply> {
  await customers.put(customer);
  return { status, body: customer, contentType: HAL };
}

function refuse(status: number, title: string, detail: string): SandboxReply {
  return { status, body: { status, title, detail } };
}
