import { z } from 'zod';
import type { Fields } from '../providers/provider.ts';
import { outputs } from './answers.ts';
import { createInput } from './create-customer.ts';
import { checkRows, countsOf, sendRows, type RowResult } from './import-rows.ts';
import { previewRows } from './preview-rows.ts';
import { hints, type Operation, type ToolContext } from './tool.ts';

const MAX_ROWS = 500;
/** Many clients time out after a minute. */
const MAX_MS = 50_000;
/** A server has other callers, too. */
const MAX_IN_FLIGHT = 4;

/** States that it is open: converters to OpenAI's strict mode otherwise close it, and the agent could only send empty rows. */
const OPEN_ROW = z.looseObject({}).meta({ additionalProperties: true });

export const importCustomers: Operation = (provider) => {
  const { traits, title } = provider;
  return {
    name: 'import_customers',
    title: 'Import customers',
    description: [
      {
        tool: 'create_customer',
        text: `Create many ${title} customers; each row as in create_customer, with ${traits.externalIdField}.`,
        otherwise: `Create many ${title} customers. A row is an object with ${traits.externalIdField} and any of ${Object.keys(createInput(provider).shape).join(', ')}.`,
      },
      'Returns rows that need attention. Safe to retry: finished rows are skipped.',
    ],
    input: z.strictObject({
      rows: z.array(OPEN_ROW).min(1).max(MAX_ROWS).describe('Customers'),
      dry_run: z.boolean().describe('Check only').optional(),
    }),
    output: z.looseObject({
      total: z.number().optional(),
      counts: z.looseObject({}).optional(),
      rows: outputs.list,
      next: outputs.text,
      warnings: outputs.list,
      error: outputs.error,
    }),
    hints: hints('repeatable write'),
    recordsRows: true,

    async run({ rows, dry_run: dryRun }, context) {
      const given = Array.isArray(rows) ? rows : [];
      if (dryRun === true) {
        const { results, warnings } = await previewRows(given, context);
        return { ...summaryOf(results, context), ...(warnings.length > 0 && { warnings }), dry_run: true };
      }
      const results = await importRows(given, context);
      const next = nextStep(results);
      return { ...summaryOf(results, context), ...(next !== undefined && { next }) };
    },
  };
};

function summaryOf(results: readonly RowResult[], { tools }: ToolContext): Fields {
  const rows = results.filter(needsAttention).map((result) => lineOf(result, tools));
  return { total: results.length, counts: countsOf(results), rows };
}

/** Checks all rows, then creates the customers of the valid ones. */
async function importRows(rows: readonly unknown[], context: ToolContext): Promise<readonly RowResult[]> {
  const checked = checkRows(rows, context.provider);
  const results = checked.map((row, index): RowResult => {
    if (!('request' in row)) return row;
    return { row: index + 1, externalId: row.request.externalId, outcome: 'not_started' };
  });
  const good = checked.filter((row) => 'request' in row);
  let finished = rows.length - good.length;
  context.progress(finished, rows.length);
  await sendRows(good, {
    context,
    pace: { withinMs: MAX_MS, maxPauseMs: MAX_MS, maxLimit: MAX_IN_FLIGHT },
    done(result) {
      results[result.row - 1] = result;
      if (result.outcome === 'not_started') return;
      finished += 1;
      context.progress(finished, rows.length);
    },
  });
  return results;
}

function needsAttention({ error, changed, warnings = [] }: RowResult): boolean {
  return error !== undefined || changed !== undefined || warnings.length > 0;
}

/** The next step and when to take it, if not all rows are finished. */
function nextStep(results: readonly RowResult[]): string | undefined {
  const left = results.filter(({ outcome }) => outcome === 'not_started' || outcome === 'unknown');
  if (left.length === 0) return undefined;
  const waitS = Math.max(...left.map(({ error }) => error?.details.retry_after_s ?? 0));
  return `Call again with the same rows${waitS > 0 ? ` in ${waitS} s` : ''}; finished rows are skipped.`;
}

function lineOf(
  { row, externalId, outcome, customerId, error, changed, warnings }: RowResult,
  tools: ToolContext['tools'],
): Fields {
  return {
    row,
    ...(externalId !== undefined && { external_id: externalId }),
    ...(error ? { error: { kind: error.kind, message: error.messageFor(tools) } } : { outcome }),
    ...(error?.details.candidates && { candidates: error.details.candidates }),
    ...(customerId !== undefined && { customer_id: customerId }),
    ...(changed && { changed }),
    ...(warnings && warnings.length > 0 && { warnings }),
  };
}
