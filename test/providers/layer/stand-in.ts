import { randomUUID } from 'node:crypto';
import { Refusal, hasMediaType, isRecord, oddName, paginate, serve } from '../../support/stand-in.ts';
import { LAYER_CLIENT_ID, LAYER_CLIENT_SECRET, layerTokens } from './stand-in-tokens.ts';
import type { TokenOptions } from './stand-in-tokens.ts';
import type { StandInAccount } from '../../support/provider-kit.ts';
import type { Answer, Call, Route, StandIn } from '../../support/stand-in.ts';

export { LAYER_ACCESS_TOKEN, LAYER_CLIENT_ID, LAYER_CLIENT_SECRET } from './stand-in-tokens.ts';
/** Of this test file alone, because an account is the same at every address and shared stores keep rows for longer. */
export const LAYER_BUSINESS_ID = randomUUID();

export interface LayerOptions extends TokenOptions {
  /** Of answers that hold one customer; `alternate` changes from answer to answer. Lists and errors are always wrapped. */
  readonly envelope?: 'data' | 'bare' | 'alternate';
  readonly businessId?: string;
  /** The name the answers use; requests may use either, not both. */
  readonly answerField?: 'notes' | 'memo';
  /** PUT clears what it does not name, external_id, tags, metadata and reference_number included. */
  readonly putReplaces?: boolean;
  /** PATCH is not there, and this is the status that says so. */
  readonly patchMissing?: 404 | 405;
  /** PATCH takes metadata and reference_number, which no page offers. */
  readonly patchTakesExtras?: boolean;
  /** Only `memo` exists: requests may use `notes`, and nothing comes of it. */
  readonly memoOnly?: boolean;
  /** Rows of a page when no limit is sent. */
  readonly pageSize?: number;
  readonly maxLimit?: number;
}

const TEXTS = [
  'external_id',
  'individual_name',
  'company_name',
  'email',
  'mobile_phone',
  'office_phone',
  'address_string',
  'notes',
  'memo',
];
const DOCUMENT_FIELDS = [...TEXTS, 'tags'];
// Neither notes nor tags are on the page of the partial update; Layer's own client adds external_id to that page's list.
const PATCH_FIELDS = [...TEXTS.filter((name) => name !== 'notes'), 'status'];
/** What only some customers have; no page says how they are written. */
const EXTRAS = ['metadata', 'reference_number'];
const LIST_QUERY = [
  'include_archived',
  'external_id',
  'external_id_contains',
  'name',
  'name_contains',
  'cursor',
  'limit',
  'show_total_count',
  'sort_by',
  'sort_order',
];
const SORT_KEYS = ['created_at', 'external_id', 'individual_name', 'company_name', 'email', 'status'];
const ENUMS: Readonly<Record<number, string>> = {
  400: 'INVALID_REQUEST',
  401: 'UNAUTHORIZED',
  404: 'NOT_FOUND',
  405: 'METHOD_NOT_ALLOWED',
  409: 'CONFLICT',
  415: 'UNSUPPORTED_MEDIA_TYPE',
  429: 'RATE_LIMITED',
};

/** Layer's customers and token endpoint, as strict as its pages allow. */
export async function startLayer(options: LayerOptions = {}): Promise<StandInAccount> {
  const standIn = await serveLayer(options);
  const environment = {
    CUSTOMERS_PROVIDER: 'layer',
    LAYER_BASE_URL: standIn.origin,
    LAYER_TOKEN_URL: `${standIn.origin}/oauth2/token`,
    LAYER_CLIENT_ID,
    LAYER_CLIENT_SECRET,
    LAYER_BUSINESS_ID,
  };
  return { standIn, environment };
}

function serveLayer(options: LayerOptions): Promise<StandIn> {
  const { envelope = 'data', clientId = LAYER_CLIENT_ID, businessId = LAYER_BUSINESS_ID } = options;
  const { answerField = 'memo', putReplaces = true, pageSize = 100, maxLimit = 100 } = options;
  const { patchMissing, patchTakesExtras = false, memoOnly = false } = options;
  const customers = new Map<string, Record<string, unknown>>();
  const patchFields = patchTakesExtras ? [...PATCH_FIELDS, ...EXTRAS] : PATCH_FIELDS;
  const tokens = layerTokens(options);
  let wrapped = envelope !== 'bare';

  /** Checks what every call needs. The rate headers only ever say that there is room. */
  function guarded(operation: string, method: string, path: RegExp, answer: (call: Call, id: string) => Answer): Route {
    return {
      operation,
      method,
      path,
      answer(call) {
        const [business, id = ''] = call.params;
        const admitted = tokens.admits(call, business);
        if (admitted === 'none') refuse(401, 'Missing, unknown or expired access token');
        const wanted = operation === 'business-token' ? 'all' : options.businessOnly ? 'business' : admitted;
        if (admitted === 'other' || admitted !== wanted) refuse(403, 'The access token does not permit this');
        if (business !== undefined && business !== businessId) refuse(404, 'Business not found');
        const right = answer(call, id);
        const rate = {
          'x-ratelimit-limit': '100',
          'x-ratelimit-remaining': '99',
          'x-ratelimit-reset': String(Math.floor(Date.now() / 1000) + 1),
        };
        return { ...right, headers: rate };
      },
    };
  }

  /** The page: one optional whole number, and an answer that is not wrapped. */
  function issueForBusiness(call: Call): Answer {
    refuseQuery(call);
    if (!hasMediaType(call.headers, 'application/json')) refuse(415, 'Content-Type must be application/json');
    const { body } = call;
    if (!isRecord(body) || Object.keys(body).some((name) => name !== 'session_duration'))
      refuse(400, 'The body must hold session_duration and nothing else');
    const { session_duration: seconds = 3600 } = body;
    if (!Number.isInteger(seconds) || Number(seconds) < 1 || Number(seconds) > 86_400)
      refuse(400, 'session_duration must be a whole number of seconds, at most 86400');
    return tokens.issueFor(businessId);
  }

  function create(call: Call): Answer {
    const changes = readChanges(call, DOCUMENT_FIELDS);
    const existing = typeof changes.external_id === 'string' ? byExternalId(changes.external_id) : undefined;
    const blank = { type: 'CustomerData', id: randomUUID(), ...blankFields(), status: 'ACTIVE' };
    return show(existing ? 200 : 201, store({ ...(existing ?? blank), ...changes }));
  }

  function update(call: Call, id: string): Answer {
    if (call.method === 'PATCH' && patchMissing !== undefined) refuse(patchMissing, 'No such call');
    const before = known(id);
    const replaces = call.method === 'PUT' && putReplaces;
    const changes = readChanges(call, call.method === 'PUT' ? DOCUMENT_FIELDS : patchFields);
    const owner = typeof changes.external_id === 'string' ? byExternalId(changes.external_id) : undefined;
    if (owner && owner.id !== id) refuse(409, 'external_id belongs to another customer');
    return show(
      200,
      store({ ...before, ...(replaces ? { ...blankFields(), ...blankExtras(before) } : {}), ...changes }),
    );
  }

  function list(call: Call): Answer {
    refuseBody(call);
    const odd = oddName(call.query.keys(), LIST_QUERY);
    if (odd !== undefined) refuse(400, `Unknown or repeated query parameter ${odd}`);
    const parameter = (name: string): string | undefined => call.query.get(name) ?? undefined;
    const archivedToo =
      oneOf('include_archived', parameter('include_archived') ?? 'false', ['true', 'false']) === 'true';
    const sortBy = oneOf('sort_by', parameter('sort_by') ?? 'created_at', SORT_KEYS);
    const sortOrder = oneOf('sort_order', parameter('sort_order') ?? 'ASC', ['ASC', 'DESC']);
    const counts = oneOf('show_total_count', parameter('show_total_count') ?? 'false', ['true', 'false']) === 'true';
    const limit = parameter('limit') ?? String(Math.min(pageSize, maxLimit));
    if (!/^[1-9]\d{0,5}$/.test(limit) || Number(limit) > maxLimit)
      refuse(400, `limit must be a whole number from 1 to ${maxLimit}`);
    const names = (customer: Record<string, unknown>): string[] =>
      [customer.individual_name, customer.company_name].filter((name) => typeof name === 'string');
    const contains = (text: unknown, part: string): boolean =>
      typeof text === 'string' && text.toLowerCase().includes(part.toLowerCase());
    const { external_id, external_id_contains, name, name_contains } = Object.fromEntries(call.query);
    const found = [...customers.values()].filter(
      (customer) =>
        (archivedToo || customer.status !== 'ARCHIVED') &&
        (external_id === undefined || customer.external_id === external_id) &&
        (external_id_contains === undefined || contains(customer.external_id, external_id_contains)) &&
        (name === undefined || names(customer).includes(name)) &&
        (name_contains === undefined || names(customer).some((one) => contains(one, name_contains))),
    );
    if (sortBy !== 'created_at') found.sort((a, b) => String(a[sortBy]).localeCompare(String(b[sortBy])));
    if (sortOrder === 'DESC') found.reverse();
    const scope = JSON.stringify([
      archivedToo,
      external_id,
      external_id_contains,
      name,
      name_contains,
      sortBy,
      sortOrder,
    ]);
    const page = paginate(found, { limit: Number(limit), cursor: parameter('cursor') ?? null, scope });
    if (!page) refuse(400, 'cursor is invalid, or was made for another query');
    const pagination = {
      sort_by: sortBy,
      sort_order: sortOrder,
      cursor: page.cursor,
      has_more: page.hasMore,
      ...(counts && { total_count: found.length }),
    };
    return { status: 200, body: { data: page.rows, meta: { pagination } } };
  }

  function setStatus(status: 'ACTIVE' | 'ARCHIVED') {
    return (call: Call, id: string): Answer => {
      refuseBody(call);
      refuseQuery(call);
      return show(200, store({ ...known(id), status }));
    };
  }

  /** Validates a body and gives it the names of the stored document. Null clears, as Layer's own client expects. */
  function readChanges(call: Call, fields: readonly string[]): Record<string, unknown> {
    refuseQuery(call);
    if (!hasMediaType(call.headers, 'application/json')) refuse(415, 'Content-Type must be application/json');
    const { body } = call;
    if (!isRecord(body)) refuse(400, 'The body must be a JSON object');
    const changes: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(body)) {
      if (!fields.includes(name)) refuse(400, `Unknown field ${name}`);
      if (name === 'tags') changes.transaction_tags = readTags(value);
      else if (EXTRAS.includes(name)) changes[name] = value;
      else if (name === 'status') changes.status = oneOf('status', value, ['ACTIVE', 'ARCHIVED']);
      else if (typeof value !== 'string' && value !== null) refuse(400, `${name} must be a string`);
      else if (name === 'notes' && memoOnly) continue;
      else changes[name === 'notes' || name === 'memo' ? answerField : name] = value;
    }
    if ('notes' in body && 'memo' in body) refuse(400, 'Send notes or memo, not both');
    return changes;
  }

  function blankFields(): Record<string, unknown> {
    const texts = TEXTS.filter((name) => name !== 'notes' && name !== 'memo').map((name) => [name, null]);
    return { ...Object.fromEntries(texts), [answerField]: null, transaction_tags: [] };
  }

  function blankExtras(before: Record<string, unknown>): Record<string, unknown> {
    return Object.fromEntries(EXTRAS.filter((name) => name in before).map((name) => [name, null]));
  }

  function byExternalId(externalId: string): Record<string, unknown> | undefined {
    return [...customers.values()].find((customer) => customer.external_id === externalId);
  }

  function known(id: string): Record<string, unknown> {
    return customers.get(id) ?? refuse(404, 'Customer not found');
  }

  function store(document: Record<string, unknown>): Record<string, unknown> {
    customers.set(String(document.id), document);
    return document;
  }

  function show(status: number, document: Record<string, unknown>): Answer {
    const body = wrapped ? { data: document } : document;
    if (envelope === 'alternate') wrapped = !wrapped;
    return { status, body };
  }

  /** The answer is the customer that stays. */
  function merge(call: Call, id: string): Answer {
    refuseQuery(call);
    if (!hasMediaType(call.headers, 'application/json')) refuse(415, 'Content-Type must be application/json');
    const { body } = call;
    if (!isRecord(body) || Object.keys(body).join() !== 'customer_to_archive_id')
      refuse(400, 'The body must hold customer_to_archive_id and nothing else');
    const stays = known(id);
    const goes = known(String(body.customer_to_archive_id));
    if (goes.id === id) refuse(400, 'A customer cannot be merged with itself');
    store({ ...goes, status: 'ARCHIVED' });
    return show(200, stays);
  }

  function get(call: Call, id: string): Answer {
    refuseBody(call);
    refuseQuery(call);
    return show(200, known(id));
  }

  const all = /^\/v1\/businesses\/([^/]+)\/customers$/;
  const one = /^\/v1\/businesses\/([^/]+)\/customers\/([^/]+)$/;
  return serve({
    mediaType: 'application/json',
    errorMediaType: 'application/json',
    customers,
    errorBody,
    routes: [
      { operation: 'token', method: 'POST', path: /^\/oauth2\/token$/, answer: tokens.issue },
      guarded('whoami', 'GET', /^\/whoami$/, () => ({
        status: 200,
        body: { data: { type: 'whoami', clientName: 'Stand-in', clientId } },
      })),
      guarded('business-token', 'POST', /^\/v1\/businesses\/([^/]+)\/auth-token$/, issueForBusiness),
      guarded('create', 'POST', all, create),
      // The page of the list writes its path with a slash at the end, the others do not.
      guarded('list', 'GET', /^\/v1\/businesses\/([^/]+)\/customers\/?$/, list),
      guarded('get', 'GET', one, get),
      guarded('update', 'PUT', one, update),
      guarded('update', 'PATCH', one, update),
      guarded('archive', 'POST', /^\/v1\/businesses\/([^/]+)\/customers\/([^/]+)\/archive$/, setStatus('ARCHIVED')),
      guarded('merge', 'POST', /^\/v1\/businesses\/([^/]+)\/customers\/([^/]+)\/merge$/, merge),
      guarded('unarchive', 'POST', /^\/v1\/businesses\/([^/]+)\/customers\/([^/]+)\/unarchive$/, setStatus('ACTIVE')),
    ],
  });
}

function errorBody(status: number, description: string): unknown {
  const type = status >= 500 ? 'ServerError' : 'RequestError';
  return { errors: [{ type, description, ...(status < 500 ? { error_enum: ENUMS[status] ?? 'BAD_REQUEST' } : {}) }] };
}

function refuse(status: number, description: string): never {
  throw new Refusal(status, errorBody(status, description));
}

function refuseBody(call: Call): void {
  if (call.rawBody !== '') refuse(400, 'This call takes no body');
}

function refuseQuery(call: Call): void {
  const odd = oddName(call.query.keys(), []);
  if (odd !== undefined) refuse(400, `Unknown query parameter ${odd}`);
}

function oneOf(name: string, value: unknown, choices: readonly string[]): string {
  return choices.find((choice) => choice === value) ?? refuse(400, `${name} must be one of ${choices.join(', ')}`);
}

function readTags(value: unknown): unknown[] {
  if (!Array.isArray(value)) refuse(400, 'tags must be an array');
  return value.map((tag: unknown) => {
    if (!isRecord(tag) || typeof tag.key !== 'string' || typeof tag.value !== 'string' || Object.keys(tag).length !== 2)
      refuse(400, 'A tag has exactly a key and a value, both strings');
    const now = new Date().toISOString();
    return {
      id: randomUUID(),
      key: tag.key,
      value: tag.value,
      dimension_id: randomUUID(),
      definition_id: randomUUID(),
      dimension_display_name: tag.key.toUpperCase(),
      value_display_name: tag.value.toUpperCase(),
      created_at: now,
      updated_at: now,
      deleted_at: null,
      archived_at: null,
    };
  });
}
