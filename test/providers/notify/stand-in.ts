import { randomUUID } from 'node:crypto';
import { Refusal, hasMediaType, isRecord, oddName, serve } from '../../support/stand-in.ts';
import type { StandInAccount } from '../../support/provider-kit.ts';
import type { Answer, Call, Route, StandIn } from '../../support/stand-in.ts';

export const NOTIFY_API_KEY = 'test_stand_in_key';

export interface NotifyOptions {
  readonly apiKey?: string;
  /** Whether one customer can be read; else the status that GET /v2/customers/{id} always answers. */
  readonly getOne?: true | 404 | 405;
  /** A create with a code that exists, without Overwrite: a 400, a 200 with the customer as it was, or a second customer. */
  readonly duplicateCode?: 'refuse' | 'return-existing-200' | 'duplicate';
  /** A search that finds nothing: a 404, or a 200 with an empty object. */
  readonly searchMiss?: 404 | 'empty';
  /** `number`: rows of a list have the id under customerCode and the code under number, as one of the two samples shows. */
  readonly listShape?: 'id' | 'number';
  /** Links to the next page point to another origin, to where no key may be sent. */
  readonly foreignNext?: boolean;
  /** Ids of customers that have invoices and so cannot be deleted; may be filled later. */
  readonly hasInvoices?: Set<string>;
  /** Rows of a page when no limit is sent. */
  readonly pageSize?: number;
}

/** Parameters in lower case, with the name the answers use and the longest value. */
const FIELDS: Readonly<Record<string, { readonly name: string; readonly max: number }>> = {
  customercode: { name: 'customerCode', max: 250 },
  name: { name: 'name', max: 250 },
  address: { name: 'address', max: 250 },
  postalcode: { name: 'postalcode', max: 10 },
  city: { name: 'city', max: 250 },
  country: { name: 'country', max: 2 },
  contact: { name: 'contact', max: 250 },
  phone: { name: 'phone', max: 20 },
  mobile: { name: 'mobile', max: 20 },
  email: { name: 'email', max: 250 },
  invoiceemail: { name: 'invoiceEmail', max: 250 },
  registrationnumber: { name: 'registrationNumber', max: 10 },
  language: { name: 'language', max: 10 },
};
const IN_ADDRESS = ['address', 'postalcode', 'city', 'country'];
const LANGUAGES = ['dutch', 'english', 'german', 'french'];
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  415: 'Unsupported Media Type',
};

/** Notify's customers, as strict as its pages allow. */
export async function startNotify(options: NotifyOptions = {}): Promise<StandInAccount> {
  const standIn = await serveNotify(options);
  const environment = { CUSTOMERS_PROVIDER: 'notify', NOTIFY_BASE_URL: standIn.origin, NOTIFY_API_KEY };
  return { standIn, environment };
}

function serveNotify(options: NotifyOptions): Promise<StandIn> {
  const {
    apiKey = NOTIFY_API_KEY,
    getOne = true,
    duplicateCode = 'refuse',
    searchMiss = 404,
    listShape = 'id',
    foreignNext = false,
    hasInvoices = new Set(),
    pageSize = 100,
  } = options;
  const customers = new Map<string, Record<string, unknown>>();

  function guarded(operation: string, method: string, path: RegExp, answer: (call: Call, id: string) => Answer): Route {
    return {
      operation,
      method,
      path,
      answer(call) {
        if (call.headers.authorization !== `Bearer ${apiKey}`) refuse(401, 'Invalid API key');
        return answer(call, call.params[0] ?? '');
      },
    };
  }

  /** Overwriting sets back what is not sent, and answers the only success this call is documented with. */
  function create(call: Call): Answer {
    const overwrite = readNames(call.query, ['overwrite']).get('overwrite') ?? 'false';
    if (overwrite !== 'true' && overwrite !== 'false') badField('overwrite', 'in wrong format');
    const changes = readFields(call);
    const existing = newestWith(changes.customerCode ?? '');
    if (existing && overwrite === 'false' && duplicateCode === 'refuse') badField('customerCode', 'already exists');
    if (existing && overwrite === 'false' && duplicateCode === 'return-existing-200')
      return { status: 200, body: existing };
    const id = existing && overwrite === 'true' ? String(existing.id) : randomUUID();
    return { status: 201, body: store(apply(blank(id), changes)) };
  }

  function update(call: Call, id: string): Answer {
    readNames(call.query, []);
    const before = known(id);
    const changes = readFields(call);
    if (changes.customerCode !== undefined) badField('customerCode', 'cannot be changed');
    return { status: 200, body: store(apply(before, changes)) };
  }

  function get(call: Call, id: string): Answer {
    refuseBody(call);
    readNames(call.query, []);
    if (getOne !== true) refuse(getOne, TITLES[getOne] ?? '');
    return { status: 200, body: known(id) };
  }

  /** A GET whose form body counts; the code in the query is not documented, so it is refused. */
  function search(call: Call): Answer {
    readNames(call.query, []);
    const code = readNames(form(call), ['customer']).get('customer') ?? '';
    if (code === '') badField('customer', 'is required');
    const found = newestWith(code);
    if (found) return { status: 200, body: { resource: 'customer', id: found.id, customerCode: found.customerCode } };
    return searchMiss === 'empty' ? { status: 200, body: {} } : refuse(404, 'Customer not found');
  }

  function list(call: Call): Answer {
    refuseBody(call);
    const query = readNames(call.query, ['limit', 'from']);
    const limit = query.get('limit') ?? String(pageSize);
    if (!/^[1-9]\d{0,2}$/.test(limit) || Number(limit) > 250) badField('limit', 'must be from 1 to 250');
    const newestFirst = [...customers.values()].reverse();
    const from = query.get('from');
    const start = from === undefined ? 0 : newestFirst.findIndex(({ id }) => id === from);
    if (start < 0) badField('from', 'is not the id of a customer');
    const end = start + Number(limit);
    const rows = newestFirst.slice(start, end);
    const here = `http://${call.headers.host ?? ''}`;
    const link = (origin: string, row: Record<string, unknown> | undefined): unknown =>
      row
        ? { href: `${origin}/v2/customers?limit=${limit}&from=${String(row.id)}`, type: 'application/hal+json' }
        : null;
    const previous = start > 0 ? link(here, newestFirst[Math.max(0, start - Number(limit))]) : null;
    const next = link(foreignNext ? 'http://127.0.0.1:9' : here, newestFirst[end]);
    return { status: 200, body: { customers: rows.map(row), count: rows.length, links: { previous, next } } };
  }

  function row({ id, customerCode, ...rest }: Record<string, unknown>): Record<string, unknown> {
    return listShape === 'id' ? { ...rest, id, customerCode } : { ...rest, customerCode: id, number: customerCode };
  }

  function remove(call: Call, id: string): Answer {
    refuseBody(call);
    readNames(call.query, []);
    known(id);
    if (hasInvoices.has(id)) refuse(400, 'Customer is not empty');
    customers.delete(id);
    return { status: 204 };
  }

  function newestWith(code: string): Record<string, unknown> | undefined {
    return code === '' ? undefined : [...customers.values()].findLast(({ customerCode }) => customerCode === code);
  }

  function known(id: string): Record<string, unknown> {
    return customers.get(id) ?? refuse(404, 'Customer not found');
  }

  function store(document: Record<string, unknown>): Record<string, unknown> {
    customers.set(String(document.id), document);
    return document;
  }

  const all = /^\/v2\/customers$/;
  const one = /^\/v2\/customers\/([^/]+)$/;
  return serve({
    mediaType: 'application/hal+json',
    errorMediaType: 'application/json',
    customers,
    errorBody,
    routes: [
      guarded('search', 'GET', /^\/v2\/customers\/search$/, search),
      guarded('create', 'POST', all, create),
      guarded('list', 'GET', all, list),
      guarded('get', 'GET', one, get),
      guarded('update', 'PATCH', one, update),
      guarded('delete', 'DELETE', one, remove),
    ],
  });
}

function errorBody(status: number, detail: string): unknown {
  return { status, title: TITLES[status] ?? 'Error', detail };
}

function refuse(status: number, detail: string): never {
  throw new Refusal(status, errorBody(status, detail));
}

/** Notify's page shows 405 in the body of this 400. */
function badField(name: string, problem: string): never {
  throw new Refusal(400, { status: 405, title: 'Bad Request', detail: `Field ${name} ${problem}` });
}

function refuseBody(call: Call): void {
  if (call.rawBody !== '') refuse(400, 'This call takes no body');
}

function form(call: Call): URLSearchParams {
  if (!hasMediaType(call.headers, 'application/x-www-form-urlencoded'))
    refuse(415, 'Content-Type must be application/x-www-form-urlencoded');
  return new URLSearchParams(call.rawBody);
}

/** Parameters by lower-case name: the manual mixes all casings, but invents no names and repeats none. */
function readNames(parameters: URLSearchParams, known: readonly string[]): Map<string, string> {
  const entries = [...parameters].map(([name, value]): [string, string] => [name.toLowerCase(), value]);
  const odd = oddName(
    entries.map(([name]) => name),
    known,
  );
  if (odd !== undefined) badField(odd, known.includes(odd) ? 'is repeated' : 'is unknown');
  return new Map(entries);
}

/** Checked fields under the names of the answers. `number` is what the create example calls the code. */
function readFields(call: Call): Record<string, string> {
  const given = readNames(form(call), [...Object.keys(FIELDS), 'number']);
  const number = given.get('number');
  if (number !== undefined && given.has('customercode')) badField('number', 'is repeated');
  if (number !== undefined) given.set('customercode', number);
  given.delete('number');
  const changes: Record<string, string> = {};
  for (const [parameter, value] of given) {
    const { name = parameter, max = 0 } = FIELDS[parameter] ?? {};
    if ([...value].length > max) badField(name, `is longer than ${max} characters`);
    if (!wellFormed(name, value)) badField(name, 'in wrong format');
    changes[name] = value;
  }
  return changes;
}

function wellFormed(name: string, value: string): boolean {
  if (value === '') return true;
  if (name === 'country') return /^[A-Za-z]{2}$/.test(value);
  if (name === 'language') return LANGUAGES.includes(value);
  return !(name === 'email' || name === 'invoiceEmail') || /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value);
}

function blank(id: string): Record<string, unknown> {
  const texts = { contact: '', phone: '', mobile: '', email: '', invoiceEmail: '', registrationNumber: '' };
  return {
    resource: 'customer',
    id,
    customerCode: '',
    name: '',
    address: { address: '', postalcode: '', city: '', country: 'NL' },
    ...texts,
    language: 'dutch',
  };
}

/** Flat fields into the nested document. An emptied country or language falls back to its default. */
function apply(document: Record<string, unknown>, changes: Readonly<Record<string, string>>): Record<string, unknown> {
  const address: Record<string, unknown> = isRecord(document.address) ? { ...document.address } : {};
  const changed: Record<string, unknown> = { ...document };
  for (const [name, value] of Object.entries(changes)) {
    if (name === 'country') address.country = value || 'NL';
    else if (IN_ADDRESS.includes(name)) address[name] = value;
    else changed[name] = name === 'language' ? value || 'dutch' : value;
  }
  return { ...changed, address };
}
