import { CustomerError } from '../errors.ts';
import type { KnownCustomers } from '../directory/known-customers.ts';
import { belongsToAnother, looksLikeRow, looksTheSame } from '../identity/errors.ts';
import { recognitionKeys, recognize } from '../identity/recognition.ts';
import { checkRows, type Row, type RowResult } from './import-rows.ts';
import type { ToolContext } from './tool.ts';

/** What an import would do. */
export interface Preview {
  readonly results: readonly RowResult[];
  /** What could not be compared. */
  readonly warnings: readonly string[];
}

/**
 * The problems of each row, and which customers exist according to this server's records and to the provider's list, as far as
 * it can be read within the call. Writes nothing.
 */
export async function previewRows(rows: readonly unknown[], context: ToolContext): Promise<Preview> {
  const { provider, directory, call } = context;
  const checked = checkRows(rows, provider);
  const known = await directory.known(call).catch((error: unknown) => {
    if (!(error instanceof CustomerError)) throw error;
    return { customers: undefined, warnings: [`Not compared with ${provider.title}'s customers: ${error.what}`] };
  });
  const firstWith = new Map<string, Row>();
  const { identity } = provider.traits;
  const results = checked.map((row) => {
    if (!('request' in row)) return row;
    const { fields } = row.request;
    const keys = recognitionKeys(fields, identity);
    const twin = keys
      .flatMap((key) => firstWith.get(key) ?? [])
      .find((earlier) => recognize(fields, earlier.request.fields, identity) === 'same');
    for (const key of keys) if (!firstWith.has(key)) firstWith.set(key, row);
    return previewRow(row, { customers: known.customers, twin: twin?.row }, context);
  });
  return { results: await Promise.all(results), warnings: known.warnings };
}

async function previewRow(
  { row, request }: Row,
  { customers, twin }: { readonly customers: KnownCustomers | undefined; readonly twin: number | undefined },
  { provider, ids }: ToolContext,
): Promise<RowResult> {
  const { externalId, fields, allowDuplicate } = request;
  const { identity } = provider.traits;
  const failed = (error: CustomerError): RowResult => ({ row, externalId, outcome: 'failed', error });
  const recorded = externalId === undefined ? undefined : await ids.recorded(externalId);
  const owner = externalId === undefined ? undefined : customers?.withExternalId(externalId);
  if (owner && recognize(fields, owner.fields, identity) === 'other')
    return failed(belongsToAnother(provider, { externalId, fields }, owner));
  const customerId = recorded ?? owner?.id;
  if (customerId !== undefined) return { row, externalId, outcome: 'existing', customerId };
  if (!allowDuplicate) {
    const like = customers?.maybeLike(fields) ?? [];
    const similar = like.filter((customer) => recognize(fields, customer.fields, identity) === 'same');
    if (similar.length > 0) return failed(looksTheSame(provider, externalId, await ids.withExternalIds(similar)));
    if (twin !== undefined) return failed(looksLikeRow(twin));
  }
  return { row, externalId, outcome: 'not_started' };
}
