import type { ProviderError } from '../../http-client/failures.ts';
import { isRecord, textOf } from '../../text.ts';
import type { Fields, Page, ProviderCustomer } from '../provider.ts';
import { layerDocuments } from './documents.ts';
import { heldIn, readPaging, readRows, unwrap } from '../replies.ts';

/** The pages show both `{data: …}` and the bare object. */
export function readCustomer(body: unknown): ProviderCustomer | undefined {
  return readDocument(unwrap(body));
}

export function readDocument(document: Fields): ProviderCustomer | undefined {
  const id = textOf(document['id']);
  if (id === undefined) return undefined;
  return {
    id,
    externalId: textOf(document['external_id']),
    name: textOf(document['company_name']) ?? textOf(document['individual_name']),
    state: document['status'] === 'ARCHIVED' ? 'archived' : 'active',
    createdAt: undefined,
    document,
    fields: fieldsOf(document),
    extras: extrasOf(document),
  };
}

/** The document under the names that create and update use: `memo` is `notes`, `transaction_tags` are `tags`. */
function fieldsOf(document: Fields): Fields {
  const own = document['transaction_tags'] ?? document['tags'];
  const tags = (Array.isArray(own) ? own : [])
    .filter(isRecord)
    .filter((tag) => !tag['deleted_at'] && !tag['archived_at'])
    .map(({ key, value }) => ({ key, value }));
  return heldIn({ ...document, notes: document[notesName(document)], tags }, Object.keys(layerDocuments.update.shape));
}

/**
 * Members that PUT does not name: whether they can be written is undocumented, and `memo` is the PATCH page's name for `notes`.
 */
function extrasOf(document: Fields): Fields {
  const { memo: notes, metadata, reference_number: reference } = document;
  return heldIn({ notes, metadata, reference_number: reference }, ['notes', 'metadata', 'reference_number']);
}

/**
 * The name under which a customer has its notes: `memo` on all newer pages and the only one that PATCH accepts, `notes` on
 * older pages and in PUT.
 */
export function notesName(document: Fields): 'memo' | 'notes' {
  if (textOf(document['memo']) !== undefined) return 'memo';
  if (textOf(document['notes']) !== undefined) return 'notes';
  return 'notes' in document && !('memo' in document) ? 'notes' : 'memo';
}

/** https://docs.layerfi.com/api-details/pagination */
export function readPage(title: string, body: unknown): Page {
  const rows = readRows(title, Array.isArray(body) ? body : isRecord(body) ? body['data'] : undefined, readCustomer);
  const meta = isRecord(body) && isRecord(body['meta']) ? body['meta'] : {};
  const pagination = isRecord(meta['pagination']) ? meta['pagination'] : {};
  return { ...rows, ...readPaging([pagination], 'cursor') };
}

/** Names from Layer's own client (GitHub Layer-Fi/layer-react). */
const ENUM_STATUS: ReadonlyMap<unknown, number> = new Map([
  ['SpecifiedIdNotFound', 404],
  ['SpecifiedBadRequest', 400],
]);

/** `errors[]` (https://docs.layerfi.com/api-details/json-data). */
export function parseError(body: unknown): ProviderError {
  const errors = isRecord(body) && Array.isArray(body['errors']) ? body['errors'].filter(isRecord) : [];
  const sentences = errors.flatMap(
    (error) => textOf(error['description']) ?? textOf(error['error_enum']) ?? textOf(error['type']) ?? [],
  );
  const codes = errors.flatMap((error) => ENUM_STATUS.get(error['error_enum']) ?? []);
  return {
    message: sentences.length === 0 ? undefined : sentences.join('; '),
    status: codes[0],
  };
}
