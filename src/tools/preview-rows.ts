import { NOTHING_CREATED, withAssurance, type CustomerError } from '../errors.ts';
import { looksLikeRow, looksTheSame } from '../identity/errors.ts';
import { checkRows, type Row, type RowResult } from './import-rows.ts';
import { RowComparison, type Finding } from './row-comparison.ts';
import type { ToolContext } from './tool.ts';

/** What an import would do. */
export interface Preview {
  readonly results: readonly RowResult[];
  /** What could not be compared. */
  readonly warnings: readonly string[];
}

/**
 * The problems of each row, and what an import would make of it according to this server's records and to the provider, as far as
 * it can be read within the call. Writes nothing.
 */
export async function previewRows(rows: readonly unknown[], context: ToolContext): Promise<Preview> {
  const comparison = await RowComparison.start(context, context.call);
  const results = checkRows(rows, context.provider).map(async (row) =>
    'request' in row ? resultOf(row, await comparison.compare(row), context) : row,
  );
  return { results: await Promise.all(results), warnings: comparison.warnings };
}

async function resultOf({ row, request }: Row, finding: Finding, { provider, ids }: ToolContext): Promise<RowResult> {
  const { externalId } = request;
  const failed = (error: CustomerError): RowResult => ({ row, externalId, outcome: 'failed', error });
  switch (finding.kind) {
    case 'new':
      return { row, externalId, outcome: 'not_started' };
    case 'existing': {
      const { customerId, changed } = finding;
      if (Object.keys(changed).length === 0) return { row, externalId, outcome: 'existing', customerId };
      return { row, externalId, outcome: 'updated', customerId, changed };
    }
    case 'conflict':
      return failed(withAssurance(finding.error, NOTHING_CREATED));
    case 'like_customers':
      return failed(looksTheSame(provider, externalId, await ids.withExternalIds(finding.similar)));
    case 'like_row':
      return failed(looksLikeRow(finding.earlier));
  }
}
