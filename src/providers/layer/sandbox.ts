import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import {
  parseJson,
  type SandboxCustomer,
  type SandboxCustomers,
  type SandboxReply,
  type SandboxRequest,
} from '../../sandbox.ts';
import { isRecord } from '../../text.ts';
import { layerDocuments } from './documents.ts';

export const layerSandbox = { clientId: 'sandbox', clientSecret: 'sandbox', businessId: 'sandbox-business' } as const;

const TOKEN = 'sandbox-token';
const FIELDS = [
  'external_id',
  'individual_name',
  'company_name',
  'email',
  'mobile_phone',
  'office_phone',
  'address_string',
  'notes',
];

/** Layer's customer API as its pages describe it. PUT replaces, the harsher of the two readings that they leave open. */
export async function handleLayer(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const [version, , businessId, , id, action] = request.segments;
  if (request.method === 'POST' && request.segments.join('/') === 'oauth2/token') return issueToken(request);
  if (request.headers.authorization !== `Bearer ${TOKEN}`)
    return refuse(401, 'Authentication', 'The access token is missing, wrong or expired.');
  if (version !== 'v1' || businessId !== layerSandbox.businessId || request.segments[3] !== 'customers')
    return refuse(404, 'NotFound', 'No such business.');

  if (id === undefined) {
    if (request.method === 'POST') return create(request, customers);
    return request.method === 'GET' ? list(request, customers) : refuse(405, 'Request', 'Method not allowed.');
  }
  const customer = await customers.get(id);
  if (!customer) return refuse(404, 'NotFound', 'Customer not found.');
  if (request.method === 'GET' && action === undefined) return { status: 200, body: { data: customer } };
  if (request.method === 'PUT' && action === undefined) return replace(request, customer, customers);
  if (request.method === 'POST' && (action === 'archive' || action === 'unarchive')) {
    return save(200, { ...customer, status: action === 'archive' ? 'ARCHIVED' : 'ACTIVE' }, customers);
  }
  return refuse(405, 'Request', 'Method not allowed.');
}

function issueToken(request: SandboxRequest): SandboxReply {
  const expected = `Basic ${Buffer.from(`${layerSandbox.clientId}:${layerSandbox.clientSecret}`).toString('base64')}`;
  if (request.headers.authorization !== expected) return { status: 401, body: { error: 'invalid_client' } };
  if (new URLSearchParams(request.body).get('grant_type') !== 'client_credentials')
    return { status: 400, body: { error: 'unsupported_grant_type' } };
  return { status: 200, body: { access_token: TOKEN, expires_in: 3600, token_type: 'Bearer' } };
}

async function create(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const sent = readBody(request, layerDocuments.create);
  if ('status' in sent) return sent;
  const externalId = sent.fields['external_id'];
  const twin =
    externalId === undefined ? undefined : (await customers.all()).find((one) => one['external_id'] === externalId);
  if (twin) return save(200, { ...twin, ...stored(sent.fields) }, customers);
  const blank = Object.fromEntries(FIELDS.map((field) => [field, null]));
  const customer = { type: 'CustomerData', id: randomUUID(), ...blank, status: 'ACTIVE', transaction_tags: [] };
  return save(201, { ...customer, ...stored(sent.fields) }, customers);
}

async function replace(
  request: SandboxRequest,
  customer: SandboxCustomer,
  customers: SandboxCustomers,
): Promise<SandboxReply> {
  const sent = readBody(request, layerDocuments.update);
  if ('status' in sent) return sent;
  const externalId = sent.fields['external_id'];
  const taken =
    externalId !== undefined &&
    (await customers.all()).some((one) => one['external_id'] === externalId && one.id !== customer.id);
  if (taken) return refuse(409, 'Conflict', 'Another customer has this external_id.');
  const blank = Object.fromEntries(FIELDS.map((field) => [field, null]));
  return save(200, { ...customer, ...blank, transaction_tags: [], ...stored(sent.fields) }, customers);
}

async function list(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const { query } = request;
  const unknown = [...query.keys()].find((key) => !(key in layerDocuments.search.shape));
  if (unknown !== undefined) return refuse(400, 'Request', `Unknown query parameter ${unknown}.`);
  const holds = (value: unknown, part: string | null): boolean =>
    part === null ||
    String(value ?? '')
      .toLowerCase()
      .includes(part.toLowerCase());
  const names = (one: SandboxCustomer): unknown[] => [one['individual_name'], one['company_name']];
  const name = query.get('name');
  const rows = (await customers.all()).filter(
    (one) =>
      (query.get('include_archived') === 'true' || one['status'] === 'ACTIVE') &&
      (!query.has('external_id') || one['external_id'] === query.get('external_id')) &&
      holds(one['external_id'], query.get('external_id_contains')) &&
      (name === null || names(one).includes(name)) &&
      names(one).some((own) => holds(own, query.get('name_contains'))),
  );
  const sortBy = query.get('sort_by');
  const order = query.get('sort_order') === 'DESC' ? 'DESC' : 'ASC';
  if (sortBy !== null) rows.sort((a, b) => String(a[sortBy] ?? '').localeCompare(String(b[sortBy] ?? '')));
  if (order === 'DESC') rows.reverse();
  const limit = Number(query.get('limit') ?? 100);
  const from = Number(query.get('cursor') ?? 0);
  if (!Number.isSafeInteger(limit) || limit < 1 || !Number.isSafeInteger(from))
    return refuse(400, 'Request', 'Bad limit or cursor.');
  const hasMore = from + limit < rows.length;
  const pagination = {
    sort_by: sortBy,
    sort_order: order,
    cursor: hasMore ? String(from + limit) : null,
    has_more: hasMore,
    total_count: rows.length,
  };
  return { status: 200, body: { data: rows.slice(from, from + limit), meta: { pagination } } };
}

function readBody(request: SandboxRequest, schema: z.ZodObject): { fields: Record<string, unknown> } | SandboxReply {
  const body = parseJson(request.body);
  if (!isRecord(body)) return refuse(400, 'Request', 'The body is not a JSON object.');
  const fields = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  const checked = schema.safeParse(fields);
  if (checked.success) return { fields: checked.data };
  return refuse(
    400,
    'Validation',
    checked.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
  );
}

/** What a body turns into when it is kept: tags get ids and display names of their own. */
function stored({ tags, ...fields }: Record<string, unknown>): Record<string, unknown> {
  if (!Array.isArray(tags)) return fields;
  const at = new Date().toISOString();
  const transactionTags = tags.filter(isRecord).map(({ key, value }) => ({
    id: randomUUID(),
    key,
    value,
    dimension_display_name: key,
    value_display_name: value,
    dimension_id: randomUUID(),
    definition_id: randomUUID(),
    created_at: at,
    updated_at: at,
    deleted_at: null,
    archived_at: null,
  }));
  return { ...fields, transaction_tags: transactionTags };
}

async function save(status: number, customer: SandboxCustomer, customers: SandboxCustomers): Promise<SandboxReply> {
  await customers.put(customer);
  return { status, body: { data: customer } };
}

function refuse(status: number, type: string, description: string): SandboxReply {
  return { status, body: { errors: [{ type, description }] } };
}
