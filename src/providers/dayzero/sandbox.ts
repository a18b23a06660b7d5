import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import {
  byField,
  pageOf,
  parseJson,
  type SandboxCustomers,
  type SandboxReply,
  type SandboxRequest,
} from '../../sandbox.ts';
import { isRecord } from '../../text.ts';
import { dayzeroDocuments } from './documents.ts';

export const dayzeroSandbox = { apiToken: 'dz_sandbox', businessId: 'sandbox-business' } as const;

/** DayZero's customer API as documented, with bare answers and errors under `detail`. */
export async function handleDayZero(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const { method, headers, segments } = request;
  const id = segments[3];
  if (headers.authorization !== `Bearer ${dayzeroSandbox.apiToken}`) return refuse(401, 'Not authenticated');
  if (headers['x-business-id'] !== dayzeroSandbox.businessId) return refuse(404, 'Not Found');
  if (segments.slice(0, 3).join('/') !== 'api/v1/customers' || segments.length > 4) return refuse(404, 'Not Found');

  if (id === undefined) {
    if (method === 'POST') return create(request, customers);
    return method === 'GET' ? list(request, customers) : refuse(405, 'Method Not Allowed');
  }
  const customer = await customers.get(id);
  if (!customer) return refuse(404, 'Customer not found');
  if (method === 'GET') return { status: 200, body: customer };
  if (customer['is_deleted'] === true) return refuse(404, 'Customer not found');
  const now = new Date().toISOString();
  if (method === 'PUT') {
    const sent = readBody(request, dayzeroDocuments.update);
    if ('status' in sent) return sent;
    const changed = { ...customer, ...sent.fields, updated_at: now };
    await customers.put(changed);
    return { status: 200, body: changed };
  }
  if (method !== 'DELETE') return refuse(405, 'Method Not Allowed');
  await customers.put({ ...customer, is_deleted: true, deleted_at: now, updated_at: now });
  return { status: 200, body: { success: true, message: 'Customer deleted', code: 'OK' } };
}

async function create(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const sent = readBody(request, dayzeroDocuments.create);
  if ('status' in sent) return sent;
  const now = new Date().toISOString();
  const blank = Object.fromEntries(Object.keys(dayzeroDocuments.create.shape).map((field) => [field, null]));
  const customer = {
    id: randomUUID(),
    business_id: dayzeroSandbox.businessId,
    created_at: now,
    updated_at: now,
    ...blank,
    status: 'active',
    ...sent.fields,
    is_deleted: false,
    deleted_at: null,
    stripe_customer_id: null,
    contacts: [],
  };
  await customers.put(customer);
  return { status: 201, body: customer };
}

async function list({ query }: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const unknown = [...query.keys()].find((key) => !(key in dayzeroDocuments.search.shape));
  if (unknown !== undefined)
    return refuse(422, [{ loc: ['query', unknown], msg: 'Extra inputs are not permitted', type: 'extra_forbidden' }]);
  const is = (name: string, value: unknown): boolean => !query.has(name) || query.get(name) === value;
  const words = query.get('search')?.toLowerCase();
  const email = query.get('email');
  const candidates = email === null ? await customers.all() : await customers.having('email', email);
  const rows = candidates.filter(
    (customer) =>
      customer['is_deleted'] !== true &&
      is('id', customer.id) &&
      is('status', customer['status']) &&
      (words === undefined || String(customer['name']).toLowerCase().includes(words)),
  );
  rows.sort(byField(query.get('sort_by') ?? 'created_at'));
  if (query.get('descending') !== 'false') rows.reverse();
  if (query.get('direction') === 'prev') rows.reverse();

  const page = pageOf(rows, query, { size: 50, maxSize: 1000 });
  if (!page) return refuse(400, 'Invalid request parameters');
  return {
    status: 200,
    body: {
      items: page.rows,
      next_cursor: page.nextCursor,
      has_more: page.nextCursor !== null,
      ...(query.get('include_total_count') === 'true' && { total_count: rows.length }),
    },
  };
}

function readBody(request: SandboxRequest, schema: z.ZodObject): { fields: Record<string, unknown> } | SandboxReply {
  const body = parseJson(request.body);
  if (!isRecord(body))
    return refuse(422, [{ loc: ['body'], msg: 'Input should be a valid dictionary', type: 'model_type' }]);
  const given = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  const checked = schema.safeParse(given);
  if (checked.success) return { fields: { ...body, ...checked.data } };
  return refuse(
    422,
    checked.error.issues.map((issue) => ({ loc: ['body', ...issue.path], msg: issue.message, type: issue.code })),
  );
}

function refuse(status: number, detail: unknown): SandboxReply {
  return { status, body: { detail } };
}
