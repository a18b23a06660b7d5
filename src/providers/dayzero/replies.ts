import type { ProviderError } from '../../http-client/failures.ts';
import { isRecord, textOf } from '../../text.ts';
import type { Fields, Page, ProviderCustomer } from '../provider.ts';
import { heldIn, readPaging, readRows, unwrap } from '../replies.ts';
import { dayzeroDocuments } from './documents.ts';

/** The pages show both the bare document and `{success, message, code, data}`. */
export function readCustomer(body: unknown): ProviderCustomer | undefined {
  return readDocument(unwrap(body));
}

export function readDocument(document: Fields): ProviderCustomer | undefined {
  const id = textOf(document['id']);
  if (id === undefined) return undefined;
  const createdAt = Date.parse(textOf(document['created_at']) ?? '');
  return {
    id,
    externalId: undefined,
    name: textOf(document['name']),
    state: document['is_deleted'] === true || textOf(document['deleted_at']) !== undefined ? 'deleted' : 'active',
    createdAt: Number.isNaN(createdAt) ? undefined : createdAt,
    document,
    fields: heldIn(document, Object.keys(dayzeroDocuments.create.shape)),
    extras: heldIn(document, ['contacts', 'stripe_customer_id']),
  };
}

/** https://www.ondayzero.com/docs/guides/pagination; bare, or under `data` with the paging fields inside or beside it. */
export function readPage(title: string, body: unknown): Page {
  const inner = isRecord(body) && 'data' in body ? body['data'] : body;
  const page = isRecord(inner) ? inner : {};
  const rows = readRows(title, Array.isArray(inner) ? inner : page['items'], readCustomer);
  const beside: Fields = isRecord(body) ? body : {};
  return { ...rows, ...readPaging([page, beside], 'next_cursor') };
}

/** `detail` as a sentence or as a list (https://www.ondayzero.com/docs/guides/error-handling); newer pages have `message`. */
export function parseError(body: unknown): ProviderError {
  if (!isRecord(body)) return {};
  const { detail } = body;
  if (!Array.isArray(detail)) return { message: textOf(detail) ?? textOf(body['message']) ?? textOf(body['code']) };
  const fields = detail.filter(isRecord).map((item) => ({
    path: (Array.isArray(item['loc']) ? item['loc'] : [])
      .filter((part) => part !== 'body' && part !== 'query')
      .join('.'),
    message: textOf(item['msg']) ?? 'was refused',
  }));
  return {
    message:
      fields.map(({ path: field, message }) => (field === '' ? message : `${field}: ${message}`)).join('; ') ||
      undefined,
    fields,
  };
}
