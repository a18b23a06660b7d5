import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { CustomerError, invalidInput, NOTHING_CREATED, textFor, withAssurance, type FieldError } from '../errors.ts';
import { startCall, type CallStats } from '../http-client/call.ts';
import { ImportPace, type PaceOptions } from '../http-client/retry.ts';
import type { CreateRequest } from '../identity/create-request.ts';
import type { Changed } from '../identity/difference.ts';
import type { Provider } from '../providers/provider.ts';
import { isRecord, textOf } from '../text.ts';
import { missingFields } from './answers.ts';
import { readArguments } from './arguments.ts';
import { createInput, createRequestOf } from './create-customer.ts';
import { recognizeRow } from './known-row.ts';
import { schemaOf } from './list-tools.ts';
import { recordRow, type Recording } from './recording.ts';
import type { ToolContext } from './tool.ts';

/** The result of one row; `row` is its number as the user counts. */
export interface RowResult {
  readonly row: number;
  readonly externalId: string | undefined;
  readonly outcome: 'created' | 'updated' | 'existing' | 'failed' | 'unknown' | 'not_started';
  readonly customerId?: string;
  readonly error?: CustomerError;
  /** The changes of an existing customer. */
  readonly changed?: Changed;
  readonly warnings?: readonly string[];
}

/** A row that can be sent. */
export interface Row {
  readonly row: number;
  readonly request: CreateRequest;
  /** The customer that an earlier import created for this row. */
  readonly customerId?: string | undefined;
}

/** How many rows had each outcome. */
export function countsOf(results: readonly RowResult[]): Record<RowResult['outcome'], number> {
  const counts = { created: 0, updated: 0, existing: 0, failed: 0, unknown: 0, not_started: 0 };
  for (const { outcome } of results) counts[outcome] += 1;
  return counts;
}

/** The JSON Schema of one row. */
export function rowSchema(provider: Provider): object {
  return schemaOf(rowInput(provider));
}

/** The fields of a create, without the one that overwrites: an import cannot ask for consent. */
function rowInput(provider: Provider): z.ZodObject {
  const { overwriteField } = provider.traits;
  const { shape } = createInput(provider);
  return z.strictObject(Object.fromEntries(Object.entries(shape).filter(([field]) => field !== overwriteField)));
}

/** @throws CustomerError `invalid_input` for a row that would overwrite; the row without the field if its value is false or empty. */
function withoutOverwrite(given: unknown, { traits: { overwriteField } }: Provider): unknown {
  if (overwriteField === undefined || !isRecord(given)) return given;
  const { [overwriteField]: overwrites, ...fields } = given;
  if ([undefined, null, '', false].some((value) => value === overwrites)) return fields;
  const message =
    'cannot be used in an import, because it needs consent for each customer. Omit it, and change existing customers one at a time';
  throw invalidInput([{ path: overwriteField, message }]);
}

/** The error of a row with those problems of its ID that it does not name yet. */
function withProblems(error: CustomerError, idProblems: readonly FieldError[]): CustomerError {
  const { fields } = error.details;
  const missing = idProblems.filter(({ path }) => !fields?.some((field) => field.path === path));
  return fields && missing.length > 0 ? invalidInput([...fields, ...missing]) : error;
}

/** Each row as a request, or its problems. Sends nothing. */
export function checkRows(rows: readonly unknown[], provider: Provider): readonly (Row | RowResult)[] {
  const schema = rowInput(provider);
  const { externalIdField } = provider.traits;
  const seen = new Map<string, number>();
  return rows.map((given, index) => {
    const row = index + 1;
    const externalId = isRecord(given) ? textOf(given[externalIdField])?.trim() : undefined;
    // Duplicates are detected first, also among invalid rows: after its correction, a row must not share an ID with another.
    const duplicate = externalId === undefined ? undefined : seen.get(externalId);
    if (externalId !== undefined && duplicate === undefined) seen.set(externalId, row);
    const idProblems: FieldError[] = [];
    if (isRecord(given) && externalId === undefined)
      idProblems.push({ path: externalIdField, message: 'is required to make the import safe to repeat' });
    if (duplicate !== undefined) idProblems.push({ path: externalIdField, message: `duplicates row ${duplicate}` });
    try {
      const input = readArguments(schema, withoutOverwrite(given, provider));
      const request = createRequestOf(input, provider);
      if (request.externalId !== undefined && Object.keys(input).every((name) => name === externalIdField))
        idProblems.push({ path: externalIdField, message: 'is the only value in the row; add a name' });
      if (idProblems.length > 0) throw invalidInput(idProblems);
      return { row, request };
    } catch (error) {
      if (!(error instanceof CustomerError)) throw error;
      return { row, externalId, outcome: 'failed', error: withProblems(error, idProblems) };
    }
  });
}

/** The context of an import, its pace, and its listener. */
export interface Sending {
  readonly context: ToolContext;
  readonly pace: PaceOptions;
  /** Called once for each row, when it is finished. */
  done(result: RowResult): void | Promise<void>;
}

/**
 * Creates the customers of rows, each at most once, at the pace that the provider accepts. A row that another process is
 * creating is tried again later and does not delay the others. The import ends early if the credentials are refused, the
 * provider stays unavailable, the signal aborts or the time is over; rows that were not sent by then are `not_started`.
 * @returns the error that ended it early, if it was one.
 */
export async function sendRows(rows: Iterable<Row>, sending: Sending): Promise<CustomerError | undefined> {
  const source = rows[Symbol.iterator]();
  const { context, done } = sending;
  const pace = new ImportPace(context.call.signal, sending.pace);
  const queue = new RowQueue(source, (row) => recordRow(row, context));
  const running = new Set<Promise<void>>();

  const finish = async (result: RowResult, recording?: Recording): Promise<void> => {
    const { outcome, error, customerId, changed } = result;
    const failed = error !== undefined && outcome !== 'not_started';
    const unrecorded = await recording?.end({ customerId, changed, ...(failed ? { error: error.kind } : { outcome }) });
    await done(unrecorded?.length ? { ...result, warnings: [...(result.warnings ?? []), ...unrecorded] } : result);
  };
  const work = async (waiting: Waiting): Promise<void> => {
    const stats: CallStats = { attempt: 0, status: undefined };
    const result = await createRow(waiting, context, stats);
    const inMs = pace.again(result.error, waiting.tries, stats.attempt);
    if (inMs !== undefined) return queue.putBack(waiting, inMs);
    const unsent = result.error && pace.isUnsent(result.error);
    await finish(unsent ? { ...result, outcome: 'not_started' } : result, waiting.recording);
  };

  while (!pace.over) {
    const next = running.size < pace.limit && pace.resumesInMs === 0 ? queue.next() : undefined;
    if (next) {
      const run = work(next).finally(() => running.delete(run));
      running.add(run);
    } else if (running.size === 0 && queue.isEmpty) {
      break;
    } else {
      const mayStart =
        running.size < pace.limit ? Math.max(pace.resumesInMs, queue.nextInMs) : Number.POSITIVE_INFINITY;
      await firstOf(running, Math.min(mayStart, pace.endsInMs), context.call.signal);
    }
  }
  await Promise.all(running);
  for (const { row, request, recording } of queue.rest()) {
    const error = pace.endedBy && { error: pace.endedBy };
    await finish({ row, externalId: request.externalId, outcome: 'not_started', ...error }, recording);
  }
  return pace.endedBy;
}

/** Resolves when a row is finished, the time is over, or the signal aborts. */
async function firstOf(running: ReadonlySet<Promise<void>>, ms: number, signal: AbortSignal): Promise<void> {
  if (!Number.isFinite(ms)) {
    await Promise.race(running);
    return;
  }
  const woken = new AbortController();
  const timer = sleep(Math.max(1, ms), undefined, { signal: AbortSignal.any([woken.signal, signal]) }).catch(() => {});
  await Promise.race([...running, timer]);
  woken.abort();
}

interface Waiting extends Row {
  readonly tries: number;
  /** The record of all tries in the audit trail. */
  readonly recording: Recording | undefined;
}

/** Rows in their order. Rows to try again come first when their pause is over. */
class RowQueue {
  readonly #source: Iterator<Row>;
  readonly #record: (row: Row) => Recording | undefined;
  readonly #again: { readonly row: Waiting; readonly at: number }[] = [];
  #drained = false;

  constructor(source: Iterator<Row>, record: (row: Row) => Recording | undefined) {
    this.#source = source;
    this.#record = record;
  }

  get isEmpty(): boolean {
    return this.#drained && this.#again.length === 0;
  }

  /** The time until the first row that was put back is due, ms; infinite if there is none. */
  get nextInMs(): number {
    return Math.max(0, Math.min(...this.#again.map(({ at }) => at)) - performance.now());
  }

  next(): Waiting | undefined {
    const due = this.#again.findIndex(({ at }) => at <= performance.now());
    const [again] = due < 0 ? [] : this.#again.splice(due, 1);
    if (again) return again.row;
    const next = this.#drained ? undefined : this.#source.next();
    if (next === undefined || next.done === true) {
      this.#drained = true;
      return undefined;
    }
    return { ...next.value, tries: 1, recording: this.#record(next.value) };
  }

  putBack(row: Waiting, inMs: number): void {
    this.#again.push({ row: { ...row, tries: row.tries + 1 }, at: performance.now() + inMs });
  }

  /** The rows that are left; those without a recording were never begun. */
  *rest(): Generator<Row & Partial<Pick<Waiting, 'recording'>>> {
    yield* this.#again.map(({ row }) => row);
    for (let next = this.#source.next(); next.done !== true; next = this.#source.next()) yield next.value;
  }
}

/** A create that is in progress or lost has an unknown outcome until it is repeated. */
function outcomeAfter({ kind }: CustomerError): RowResult['outcome'] {
  return kind === 'outcome_unknown' || kind === 'in_progress' ? 'unknown' : 'failed';
}

async function createRow(given: Waiting, context: ToolContext, stats: CallStats): Promise<RowResult> {
  const { row, customerId } = given;
  const { provider, ids, creates, directory, call, timeoutMs } = context;
  const { externalId } = given.request;
  const own = startCall(call.signal, timeoutMs, stats);
  try {
    if (given.tries === 1) await given.recording?.begin();
    const known =
      customerId === undefined
        ? undefined
        : await recognizeRow(given.request, customerId, { provider, ids, call: own });
    if (known?.kind === 'same') return { row, externalId, outcome: 'existing', customerId: known.customer.id };
    const { request } = known ?? given;
    // If the provider's create updates the existing customer, a repeated import would revert later changes.
    const { outcome, customer, changed, warnings } =
      (await creates.onRecord(request, own)) ?? (await creates.create(request, own));
    directory.noteWrite(customer);
    const kept =
      customer && outcome !== 'existing'
        ? missingFields({ set: request.fields, clear: [] }, customer, provider.title)
        : [];
    return {
      row,
      externalId,
      outcome,
      ...(customer && { customerId: customer.id }),
      ...(changed && { changed }),
      warnings: [...warnings.map((warning) => textFor(warning, context.tools)), ...kept],
    };
  } catch (error) {
    if (!(error instanceof CustomerError)) throw error;
    if (error.kind === 'outcome_unknown') directory.noteWrite(undefined);
    return {
      row,
      externalId,
      outcome: outcomeAfter(error),
      error: withAssurance(error, NOTHING_CREATED),
      ...(customerId !== undefined && { customerId }),
    };
  }
}
