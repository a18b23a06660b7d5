import { randomUUID } from 'node:crypto';
import { Refusal, hasMediaType, isRecord, oddName, paginate, serve } from '../../support/stand-in.ts';
import { BLANK, EMAIL, STATUSES, badEmail, fieldFault, resembles } from './stand-in-fields.ts';
import type { Fault422 } from './stand-in-fields.ts';
import type { StandInAccount } from '../../support/provider-kit.ts';
import type { Answer, Call, Route, StandIn } from '../../support/stand-in.ts';

export const DAYZERO_TOKEN = 'dz_stand_in_token';
/** Of this test file alone, because an account is the same at every address and shared stores keep rows for longer. */
export const DAYZERO_BUSINESS_ID = randomUUID();

export interface DayZeroOptions {
  /** `wrapped` is `{success, message, code, data}`; `alternate` changes from answer to answer. Errors and deletions are the same in all. */
  readonly envelope?: 'bare' | 'wrapped' | 'alternate';
  readonly token?: string;
  readonly businessId?: string;
  /** Rows of a page when no limit is sent. */
  readonly pageSize?: number;
  /** A second living customer with the same e-mail is a 409. */
  readonly uniqueEmail?: boolean;
  /** How long after its creation a customer stays out of lists. */
  readonly searchLagMs?: number;
  /** The form of `detail` in a 422: the documented list, or a sentence. */
  readonly detail?: 'text' | 'list';
}

const LIST_QUERY = [
  'id',
  'email',
  'search',
  'status',
  'cursor',
  'limit',
  'direction',
  'include_total_count',
  'sort_by',
  'descending',
];
const SORT_KEYS = ['created_at', 'updated_at', 'name', 'email'];

/** DayZero's customers, as strict as its pages allow. */
export async function startDayZero(options: DayZeroOptions = {}): Promise<StandInAccount> {
  const standIn = await serveDayZero(options);
  const environment = {
    CUSTOMERS_PROVIDER: 'dayzero',
    DAYZERO_BASE_URL: standIn.origin,
    DAYZERO_API_TOKEN: DAYZERO_TOKEN,
    DAYZERO_BUSINESS_ID: options.businessId ?? DAYZERO_BUSINESS_ID,
  };
  return { standIn, environment };
}

function serveDayZero(options: DayZeroOptions): Promise<StandIn> {
  const {
    envelope = 'bare',
    token = DAYZERO_TOKEN,
    businessId = DAYZERO_BUSINESS_ID,
    pageSize = 50,
    uniqueEmail = false,
    searchLagMs = 0,
    detail = 'list',
  } = options;
  const customers = new Map<string, Record<string, unknown>>();
  let wrapped = envelope === 'wrapped';

  function guarded(operation: string, method: string, path: RegExp, answer: (call: Call, id: string) => Answer): Route {
    return {
      operation,
      method,
      path,
      answer(call) {
        const { authorization, 'x-business-id': business, 'x-user-email': user } = call.headers;
        if (authorization !== `Bearer ${token}`) refuse(401, 'Not authenticated');
        if (business === undefined) refuse(400, 'x-business-id header is required');
        if (business !== businessId) refuse(404, 'Business not found');
        if (user !== undefined && !(typeof user === 'string' && EMAIL.test(user)))
          invalid([badEmail(['header', 'x-user-email'], user)]);
        return answer(call, call.params[0] ?? '');
      },
    };
  }

  function create(call: Call): Answer {
    const fields = readFields(call, ['name', 'email']);
    refuseTakenEmail(fields.email, '');
    const now = new Date().toISOString();
    const kept = { is_deleted: false, deleted_at: null, stripe_customer_id: null, contacts: [] };
    return show(
      201,
      'Customer created',
      store({
        id: randomUUID(),
        business_id: businessId,
        created_at: now,
        updated_at: now,
        ...BLANK,
        ...fields,
        ...kept,
      }),
    );
  }

  function update(call: Call, id: string): Answer {
    const before = living(id);
    const fields = readFields(call, []);
    refuseTakenEmail(fields.email, id);
    return show(200, 'Customer updated', store({ ...before, ...fields, updated_at: new Date().toISOString() }));
  }

  function get(call: Call, id: string): Answer {
    refuseBody(call);
    readQuery(call, []);
    return show(200, 'Customer retrieved', customers.get(id) ?? refuse(404, 'Customer not found'));
  }

  /** Soft: the customer leaves the lists and stays readable. A second deletion finds nothing. */
  function remove(call: Call, id: string): Answer {
    refuseBody(call);
    readQuery(call, []);
    const now = new Date().toISOString();
    store({ ...living(id), is_deleted: true, deleted_at: now, updated_at: now });
    return { status: 200, body: { success: true, message: 'Customer deleted', code: 'SUCCESS' } };
  }

  function list(call: Call): Answer {
    refuseBody(call);
    const query = readQuery(call, LIST_QUERY);
    const { id, email, search, cursor = null, limit = String(pageSize), status } = query;
    if (!/^[1-9]\d{0,3}$/.test(limit) || Number(limit) > 1000)
      invalid([queryFault('limit', 'Input should be a valid integer from 1 to 1000', limit)]);
    if (search !== undefined && (search.length < 1 || search.length > 200))
      invalid([queryFault('search', 'String should have from 1 to 200 characters', search)]);
    if (status !== undefined) choice(query, 'status', status, STATUSES);
    const sortBy = choice(query, 'sort_by', 'created_at', SORT_KEYS);
    const descending = choice(query, 'descending', 'true', ['true', 'false']) === 'true';
    const backwards = choice(query, 'direction', 'next', ['next', 'prev']) === 'prev';
    const counted = choice(query, 'include_total_count', 'false', ['true', 'false']) === 'true';
    const found = [...customers.values()].filter(
      (customer) =>
        customer.is_deleted !== true &&
        Date.parse(String(customer.created_at)) + searchLagMs <= Date.now() &&
        (id === undefined || customer.id === id) &&
        (email === undefined || customer.email === email) &&
        (status === undefined || customer.status === status) &&
        (search === undefined || resembles(String(customer.name), search)),
    );
    found.sort((a, b) => (String(a[sortBy]) < String(b[sortBy]) ? -1 : String(a[sortBy]) > String(b[sortBy]) ? 1 : 0));
    if (descending) found.reverse();
    const scope = JSON.stringify([id, email, search, status, sortBy, descending]);
    const page = paginate(found, { limit: Number(limit), cursor, scope, backwards });
    if (!page) refuse(400, 'Invalid cursor, or one made for another query');
    const body = { items: page.rows, next_cursor: page.cursor, has_more: page.hasMore };
    return show(200, 'Customers retrieved', counted ? { ...body, total_count: found.length } : body);
  }

  /** Validates a body. A field is required when creating needs it; where none is, null clears what is optional. */
  function readFields(call: Call, required: readonly string[]): Record<string, unknown> {
    readQuery(call, []);
    const { body } = call;
    if (!hasMediaType(call.headers, 'application/json') || !isRecord(body)) {
      invalid([
        {
          loc: ['body'],
          msg: 'Input should be a JSON object, sent as application/json',
          type: 'model_attributes_type',
        },
      ]);
    }
    const mayClear = required.length === 0;
    const faults: Fault422[] = required
      .filter((name) => !(name in body))
      .map((name) => ({ loc: ['body', name], msg: 'Field required', type: 'missing', input: body }));
    const fields: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(body)) {
      const problem = fieldFault(name, value, mayClear);
      if (problem) faults.push(problem);
      else fields[name] = value === null ? Object.entries(BLANK).find(([blank]) => blank === name)?.[1] : value;
    }
    if (faults.length > 0) invalid(faults);
    return fields;
  }

  function readQuery(call: Call, names: readonly string[]): Record<string, string> {
    const odd = oddName(call.query.keys(), names);
    if (odd !== undefined) invalid([queryFault(odd, 'Unknown or repeated query parameter', call.query.get(odd))]);
    return Object.fromEntries(call.query);
  }

  function choice(query: Record<string, string>, name: string, fallback: string, choices: readonly string[]): string {
    const value = query[name] ?? fallback;
    return choices.includes(value)
      ? value
      : invalid([queryFault(name, `Input should be one of ${choices.join(', ')}`, value)]);
  }

  function refuseBody(call: Call): void {
    if (call.rawBody !== '') invalid([{ loc: ['body'], msg: 'This call takes no body', type: 'extra_forbidden' }]);
  }

  function refuseTakenEmail(email: unknown, id: string): void {
    if (!uniqueEmail || typeof email !== 'string') return;
    const owner = [...customers.values()].find(
      (customer) =>
        customer.id !== id &&
        customer.is_deleted !== true &&
        String(customer.email).toLowerCase() === email.toLowerCase(),
    );
    if (owner) refuse(409, 'A customer with this email already exists');
  }

  function living(id: string): Record<string, unknown> {
    const customer = customers.get(id);
    return customer && customer.is_deleted !== true ? customer : refuse(404, 'Customer not found');
  }

  function store(document: Record<string, unknown>): Record<string, unknown> {
    customers.set(String(document.id), document);
    return document;
  }

  function show(status: number, message: string, data: Record<string, unknown>): Answer {
    const body = wrapped ? { success: true, message, code: 'SUCCESS', data } : data;
    if (envelope === 'alternate') wrapped = !wrapped;
    return { status, body };
  }

  function invalid(faults: readonly Fault422[]): never {
    const text = faults.map(({ loc, msg }) => `${loc.join('.')}: ${msg}`).join('; ');
    throw new Refusal(422, { detail: detail === 'list' ? faults : text });
  }

  const all = /^\/api\/v1\/customers$/;
  const one = /^\/api\/v1\/customers\/([^/]+)$/;
  return serve({
    mediaType: 'application/json',
    errorMediaType: 'application/json',
    customers,
    errorBody,
    routes: [
      guarded('create', 'POST', all, create),
      guarded('list', 'GET', all, list),
      guarded('get', 'GET', one, get),
      guarded('update', 'PUT', one, update),
      guarded('delete', 'DELETE', one, remove),
    ],
  });
}

function errorBody(_status: number, detail: string): unknown {
  return { detail };
}

function refuse(status: number, detail: string): never {
  throw new Refusal(status, { detail }, status === 401 ? { 'www-authenticate': 'Bearer' } : {});
}

function queryFault(name: string, msg: string, input: unknown): Fault422 {
  return { loc: ['query', name], msg, type: 'value_error', input };
}
