import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import {
  byField,
  pageOf,
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
const BUSINESS_TOKEN = 'sandbox-business-token';
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

const TEXT = z.string().nullable().optional();
const patchDocument = z.strictObject({
  individual_name: TEXT,
  company_name: TEXT,
  email: TEXT,
  mobile_phone: TEXT,
  office_phone: TEXT,
  address_string: TEXT,
  memo: TEXT,
  status: z.enum(['ACTIVE', 'ARCHIVED']).optional(),
});

/**
 * Layer's customer API as documented. The pages do not state whether PUT replaces or merges; here it replaces, which is harder
 * on the client.
 */
export async function handleLayer(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const [version, , businessId, collection, id, action] = request.segments;
  if (request.method === 'POST' && request.segments.join('/') === 'oauth2/token') return issueToken(request);
  const { authorization } = request.headers;
  const isForBusiness = authorization === `Bearer ${BUSINESS_TOKEN}`;
  if (!isForBusiness && authorization !== `Bearer ${TOKEN}`)
    return refuse(401, 'Authentication', 'The access token is missing, wrong or expired.');
  if (version !== 'v1' || businessId !== layerSandbox.businessId) return refuse(404, 'NotFound', 'No such business.');
  if (collection === 'auth-token')
    return isForBusiness ? refuse(403, 'Authorization', 'The token is limited to a business.') : issueFor(request);
  if (collection !== 'customers') return refuse(404, 'NotFound', 'No such collection.');

  if (id === undefined) {
    if (request.method === 'POST') return create(request, customers);
    return request.method === 'GET' ? list(request, customers) : refuse(405, 'Request', 'Method not allowed.');
  }
  const customer = await customers.get(id);
  if (!customer) return refuse(404, 'NotFound', 'Customer not found.');
  if (request.method === 'GET' && action === undefined) return { status: 200, body: { data: customer } };
  if (request.method === 'PUT' && action === undefined) return replace(request, customer, customers);
  if (request.method === 'PATCH' && action === undefined) return patch(request, customer, customers);
  if (request.method === 'POST' && (action === 'archive' || action === 'unarchive')) {
    return save(200, { ...customer, status: action === 'archive' ? 'ARCHIVED' : 'ACTIVE' }, customers);
  }
  if (request.method === 'POST' && action === 'merge') return merge(request, customer, customers);
  return refuse(405, 'Request', 'Method not allowed.');
}

/** https://docs.layerfi.com/api-reference/v1/merge-customers: the customer of the path stays, the other one is archived. */
async function merge(
  request: SandboxRequest,
  customer: SandboxCustomer,
  customers: SandboxCustomers,
): Promise<SandboxReply> {
  const checked = z.strictObject({ customer_to_archive_id: z.string() }).safeParse(parseJson(request.body));
  if (!checked.success) return invalid(checked.error);
  const { customer_to_archive_id: id } = checked.data;
  if (id === customer.id) return refuse(400, 'Validation', 'A customer cannot be merged with itself.');
  const other = await customers.get(id);
  if (!other) return refuse(404, 'NotFound', 'Customer not found.');
  await customers.put({ ...other, status: 'ARCHIVED' });
  return { status: 200, body: { data: customer } };
}

function issueToken(request: SandboxRequest): SandboxReply {
  const expected = `Basic ${Buffer.from(`${layerSandbox.clientId}:${layerSandbox.clientSecret}`).toString('base64')}`;
  if (request.headers.authorization !== expected) return { status: 401, body: { error: 'invalid_client' } };
  if (new URLSearchParams(request.body).get('grant_type') !== 'client_credentials')
    return { status: 400, body: { error: 'unsupported_grant_type' } };
  return { status: 200, body: { access_token: TOKEN, expires_in: 3600, token_type: 'Bearer' } };
}

/** https://docs.layerfi.com/api-reference/v1/create-business-auth-token */
function issueFor(request: SandboxRequest): SandboxReply {
  if (request.method !== 'POST') return refuse(405, 'Request', 'Method not allowed.');
  const body = z.strictObject({ session_duration: z.int().positive().max(86_400).default(3_600) });
  const checked = body.safeParse(parseJson(request.body) ?? {});
  if (!checked.success) return invalid(checked.error);
  const { session_duration: life } = checked.data;
  return { status: 200, body: { access_token: BUSINESS_TOKEN, expires_in: life, token_type: 'Bearer' } };
}

async function create(request: SandboxRequest, customers: SandboxCustomers): Promise<SandboxReply> {
  const sent = readBody(request, layerDocuments.create);
  if ('status' in sent) return sent;
  const externalId = sent.fields['external_id'];
  const [existing] = externalId === undefined ? [] : await customers.having('external_id', externalId);
  if (existing) return save(200, { ...existing, ...stored(sent.fields) }, customers);
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
  const owners = externalId === undefined ? [] : await customers.having('external_id', externalId);
  if (owners.some(({ id }) => id !== customer.id))
    return refuse(409, 'Conflict', 'Another customer has this external_id.');
  const blank = Object.fromEntries(FIELDS.map((field) => [field, null]));
  return save(200, { ...customer, ...blank, transaction_tags: [], ...stored(sent.fields) }, customers);
}

/** https://docs.layerfi.com/api-reference/v1/patch-update-customer: null clears a field, omitted fields stay. */
async function patch(
  request: SandboxRequest,
  customer: SandboxCustomer,
  customers: SandboxCustomers,
): Promise<SandboxReply> {
  const checked = patchDocument.safeParse(parseJson(request.body));
  if (!checked.success) return invalid(checked.error);
  const { memo, ...fields } = checked.data;
  return save(200, { ...customer, ...fields, ...(memo !== undefined && { notes: memo }) }, customers);
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
  const externalId = query.get('external_id');
  const candidates = externalId === null ? await customers.all() : await customers.having('external_id', externalId);
  const rows = candidates.filter(
    (customer) =>
      (query.get('include_archived') === 'true' || customer['status'] === 'ACTIVE') &&
      holds(customer['external_id'], query.get('external_id_contains')) &&
      (name === null || names(customer).includes(name)) &&
      names(customer).some((own) => holds(own, query.get('name_contains'))),
  );
  const sortBy = query.get('sort_by');
  const order = query.get('sort_order') === 'DESC' ? 'DESC' : 'ASC';
  if (sortBy !== null) rows.sort(byField(sortBy));
  if (order === 'DESC') rows.reverse();
  const page = pageOf(rows, query, { size: 100, maxSize: Number.POSITIVE_INFINITY });
  if (!page) return refuse(400, 'Request', 'Bad limit or cursor.');
  const pagination = {
    sort_by: sortBy,
    sort_order: order,
    cursor: page.nextCursor,
    has_more: page.nextCursor !== null,
    ...(query.get('show_total_count') === 'true' && { total_count: rows.length }),
  };
  return { status: 200, body: { data: page.rows, meta: { pagination } } };
}

function readBody(request: SandboxRequest, schema: z.ZodObject): { fields: Record<string, unknown> } | SandboxReply {
  const body = parseJson(request.body);
  if (!isRecord(body)) return refuse(400, 'Request', 'The body is not a JSON object.');
  const fields = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null));
  const checked = schema.safeParse(fields);
  return checked.success ? { fields: checked.data } : invalid(checked.error);
}

function invalid({ issues }: z.ZodError): SandboxReply {
  return refuse(400, 'Validation', issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '));
}

/** A request body as it is stored: tags get ids and display names. */
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
