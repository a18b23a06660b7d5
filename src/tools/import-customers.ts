import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { CustomerError, invalidInput, type ErrorKind } from '../errors.ts';
import type { CreateRequest } from '../identity/create-once.ts';
import type { Fields, Provider } from '../providers/provider.ts';
import { isRecord, textOf } from '../text.ts';
import { readArguments } from './arguments.ts';
import { createInput, createRequestOf } from './create-customer.ts';
import { schemaOf } from './list-tools.ts';
import { hints, outputs, unkept, type Operation, type Session } from './tool.ts';

const MOST_ROWS = 500;
/** Clients commonly give a call up after a minute. */
const LONGEST_MS = 50_000;
/** Rows under way at once: enough to hide the provider's latency, and few enough for its rate limit. */
const AT_ONCE = 4;
const MOST_TRIES = 5;
/** So many rows in a row that find the provider away end the import. */
const MOST_OUTAGES = 3;
/** What is wrong with one row is wrong with all. */
const HOPELESS: readonly ErrorKind[] = ['unauthorized', 'forbidden', 'store_unavailable'];
/** What may become of such a row shows when the import is run again. */
const OPEN: readonly ErrorKind[] = ['outcome_unknown', 'in_progress'];

/** What became of one row; `row` counts from 1. */
export interface RowResult {
  readonly row: number;
  readonly externalId: string | undefined;
  readonly outcome: 'created' | 'updated' | 'existing' | 'failed' | 'unknown' | 'not_started';
  readonly customerId?: string;
  readonly error?: CustomerError;
  readonly warnings?: readonly string[];
}

export const importCustomers: Operation = (provider) => {
  const { traits, title } = provider;
  return {
    name: 'import_customers',
    title: 'Import customers',
    description: `Creates many ${title} customers, each row as for create_customer and with ${traits.externalIdField}. Answers with the rows that need attention. Safe to repeat: what is done stays as it is, the rest goes on.`,
    input: z.strictObject({
      rows: z.array(z.looseObject({})).min(1).max(MOST_ROWS).describe('Fields as in create_customer'),
    }),
    output: z.looseObject({
      total: z.number().optional(),
      counts: z.looseObject({}).optional(),
      rows: outputs.list,
      next: outputs.text,
      error: outputs.error,
    }),
    hints: hints('repeatable write'),

    async run({ rows }, session) {
      const results = await importRows(Array.isArray(rows) ? rows : [], session, LONGEST_MS);
      const counts = countsOf(results);
      const left = counts.not_started + counts.unknown;
      return {
        total: results.length,
        counts,
        rows: results.filter(needsAttention).map(lineOf),
        ...(left > 0 && { next: 'Call again with the same rows: those that are done stay as they are.' }),
      };
    },
  };
};

/** How many rows had each outcome. */
export function countsOf(results: readonly RowResult[]): Record<RowResult['outcome'], number> {
  const counts = { created: 0, updated: 0, existing: 0, failed: 0, unknown: 0, not_started: 0 };
  for (const { outcome } of results) counts[outcome] += 1;
  return counts;
}

function needsAttention({ outcome, warnings = [] }: RowResult): boolean {
  return outcome === 'failed' || outcome === 'unknown' || warnings.length > 0;
}

function lineOf({ row, externalId, outcome, customerId, error, warnings }: RowResult): Fields {
  return {
    row,
    ...(externalId !== undefined && { external_id: externalId }),
    ...(error ? { error: { kind: error.kind, message: error.message } } : { outcome }),
    ...(customerId !== undefined && { customer_id: customerId }),
    ...(warnings && warnings.length > 0 && { warnings }),
  };
}

interface Row {
  readonly row: number;
  readonly request: CreateRequest;
}

/**
 * Checks all rows, then creates the good ones, each once whatever happens, a few at a time. A provider that asks for patience
 * gets it, and so does a create that is under way elsewhere; one that stays away, or credentials that are refused, end the
 * import, and so does the time when it is over.
 */
export async function importRows(
  rows: readonly unknown[],
  session: Session,
  longestMs: number,
): Promise<readonly RowResult[]> {
  const { provider, call } = session;
  const checked = checkRows(rows, provider);
  const results = checked.map((one, index): RowResult => {
    if (!('request' in one)) return one;
    return { row: index + 1, externalId: one.request.externalId, outcome: 'not_started' };
  });
  const waiting = checked.filter((one) => 'request' in one);
  const endsAt = performance.now() + longestMs;
  let finished = rows.length - waiting.length;
  let outages = 0;
  let resumesAt = 0;
  let hopeless = false;
  const isOver = (): boolean => hopeless || call.signal.aborted || Math.max(performance.now(), resumesAt) >= endsAt;

  const work = async (): Promise<void> => {
    for (;;) {
      const next = isOver() ? undefined : waiting.shift();
      if (!next) return;
      let result: RowResult | undefined;
      for (let tries = 1; result === undefined && tries <= MOST_TRIES && !isOver(); tries += 1) {
        await patience(resumesAt - performance.now(), call.signal);
        const outcome = await createRow(next, session);
        const { error } = outcome;
        if ((error?.kind === 'rate_limited' || error?.kind === 'in_progress') && tries < MOST_TRIES) {
          resumesAt = Math.max(resumesAt, performance.now() + (error.details.retry_after_s ?? 2 ** tries) * 1_000);
          continue;
        }
        result = outcome;
        outages = error?.kind === 'unavailable' ? outages + 1 : 0;
        hopeless ||= outages >= MOST_OUTAGES || (error !== undefined && HOPELESS.includes(error.kind));
      }
      if (!result) continue;
      results[next.row - 1] = result;
      finished += 1;
      session.progress(finished, rows.length);
    }
  };
  session.progress(finished, rows.length);
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

/** The JSON Schema of one row. */
export function rowSchema(provider: Provider): object {
  return schemaOf(createInput(provider));
}

/** Every row as it can be sent, or what is wrong with it. Sends nothing. */
export function checkRows(rows: readonly unknown[], provider: Provider): readonly (Row | RowResult)[] {
  const schema = createInput(provider);
  const { externalIdField } = provider.traits;
  const seen = new Map<string, number>();
  return rows.map((given, index) => {
    const row = index + 1;
    try {
      const request = createRequestOf(readArguments(schema, given), provider);
      const { externalId } = request;
      if (externalId === undefined)
        throw invalidInput([{ path: externalIdField, message: 'is needed, so that the import can be repeated' }]);
      const twin = seen.get(externalId);
      if (twin !== undefined)
        throw invalidInput([{ path: externalIdField, message: `is that of row ${twin} as well` }]);
      seen.set(externalId, row);
      return { row, request };
    } catch (error) {
      if (!(error instanceof CustomerError)) throw error;
      const externalId = isRecord(given) ? textOf(given[externalIdField]) : undefined;
      return { row, externalId, outcome: 'failed', error };
    }
  });
}

async function createRow({ row, request }: Row, { provider, creates, call, timeoutMs }: Session): Promise<RowResult> {
  const { externalId, fields } = request;
  const own = { ...call, deadline: performance.now() + timeoutMs };
  try {
    // Where a create writes over what is there, a repeated import would undo what was changed since.
    const { outcome, customer, warnings } =
      (await creates.onRecord(request, own)) ?? (await creates.create(request, own));
    const kept = customer && outcome !== 'existing' ? unkept(fields, [], customer, provider) : [];
    return {
      row,
      externalId,
      outcome,
      ...(customer && { customerId: customer.id }),
      warnings: [...warnings, ...kept],
    };
  } catch (error) {
    if (!(error instanceof CustomerError)) throw error;
    return { row, externalId, outcome: OPEN.includes(error.kind) ? 'unknown' : 'failed', error };
  }
}

async function patience(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => {});
}
