import type { Writable } from 'node:stream';
import { CustomerError } from '../errors.ts';
import { startCall } from '../http-client/call.ts';
import { sendRows, type Row, type RowResult } from '../tools/import-rows.ts';
import type { ServerContext } from '../tools/tool.ts';
import { cleanCell } from './clean-cell.ts';
import type { Paper } from './paper.ts';
import type { Plan } from './plan.ts';
import { Progress } from './progress.ts';
import { Report } from './report.ts';
import type { ResultFile } from './result-file.ts';
import type { RowRemark } from './remark.ts';
import { checkRows, type CheckedRow } from './rows.ts';

/** The streams to which an import prints, and the signal that stops it. */
export interface Output {
  readonly stdout: Writable & { readonly columns?: number | undefined };
  readonly stderr: Writable & { readonly isTTY?: boolean | undefined };
  /** Whether colors are wanted on stdout. */
  readonly colors: boolean;
  readonly signal: AbortSignal;
}

/** The import ends if the provider asks for a longer pause. */
const MAX_PAUSE_MS = 180_000;
/** Shorter pauses are not announced. */
const MIN_SHOWN_PAUSE_MS = 3_000;
const SHOWN_VALUE = 60;

interface Parts {
  readonly results: ResultFile;
  readonly context: ServerContext;
  readonly output: Output;
}

/** One import of a file: sends its rows to the provider and their results to the result file and the report. */
export class FileImport {
  readonly #plan: Plan;
  readonly #parts: Parts;
  readonly #progress: Progress;
  readonly #report = new Report();
  /** Rows in progress, each with its place in the result. */
  readonly #begun = new Map<number, Pick<CheckedRow, 'cells' | 'notices'> & { readonly index: number }>();

  constructor(plan: Plan, parts: Parts) {
    this.#plan = plan;
    this.#parts = parts;
    let total = 0;
    for (const { footer } of plan.table.rows()) if (!footer) total += 1;
    this.#progress = new Progress(total, parts.output.stderr);
  }

  /** Sends the valid rows and prints the report. @returns the exit code. */
  async run(paper: Paper): Promise<number> {
    const { results, output } = this.#parts;
    const endedBy = await this.#send().finally(() => this.#progress.end());
    const rejectedPath = await results.close();
    const stopped = output.signal.aborted;
    const { broken } = results;
    output.stdout.write(
      this.#report.show({ plan: this.#plan, paper, resultPath: results.path, rejectedPath, endedBy, stopped }),
    );
    if (broken.signal.aborted)
      output.stdout.write(
        `The results could not be written completely (${String(broken.signal.reason)}). Free some disk space and run the same command again; no duplicates are created.\n`,
      );
    return this.#report.isComplete && !broken.signal.aborted ? 0 : 1;
  }

  #send(): Promise<CustomerError | undefined> {
    const { context, output, results } = this.#parts;
    const signal = AbortSignal.any([output.signal, results.broken.signal]);
    const call = startCall(signal, Number.POSITIVE_INFINITY);
    return sendRows(this.#rows(), {
      context: { ...context, blanks: [], progress() {}, ask: async () => 'unavailable', call },
      pace: {
        withinMs: Number.POSITIVE_INFINITY,
        maxPauseMs: MAX_PAUSE_MS,
        paused: (ms, { message }) => {
          if (ms >= MIN_SHOWN_PAUSE_MS)
            this.#progress.print(`${message} The import continues in ${Math.ceil(ms / 1_000)} s.`);
        },
      },
      done: (result) => this.#finish(result),
    });
  }

  /** The valid rows; reports the others as failed. */
  *#rows(): Generator<Row> {
    const { columns, checker } = this.#plan;
    const known = columns.find(({ own, heading }) => own && heading === 'import_customer_id')?.index;
    let index = 0;
    for (const checked of checkRows(checker)) {
      if (checked.footer) continue;
      const { number: row, cells, request, externalId, problems, notices } = checked;
      this.#begun.set(row, { index, cells, notices });
      index += 1;
      const customerId = known === undefined ? undefined : cleanCell(cells[known] ?? '').text || undefined;
      if (request) yield { row, request, customerId };
      else {
        const error = refusal(checked);
        void this.#finish(
          { row, externalId, outcome: 'failed', error, ...(customerId !== undefined && { customerId }) },
          problems,
        );
      }
    }
  }

  async #finish(result: RowResult, problems?: readonly RowRemark[]): Promise<void> {
    const begun = this.#begun.get(result.row);
    this.#begun.delete(result.row);
    // Of a customer that was there before, nothing was changed.
    const isWritten = result.outcome === 'created' || result.outcome === 'updated';
    const notices = isWritten ? (begun?.notices ?? []) : [];
    this.#report.add(result, { problems, notices });
    this.#progress.step();
    if (begun)
      await this.#parts.results.add(begun.index, { cells: begun.cells, result, notices: notices.map(clauseOf) });
  }
}

/** The problems of a row, in one text for its line of the result. */
function refusal({ problems }: CheckedRow): CustomerError {
  return new CustomerError('invalid_input', `${problems.map(clauseOf).join('; ')}.`);
}

function clauseOf({ column, what, namesValue, value = '' }: RowRemark): string {
  const shown = namesValue || value === '' ? '' : ` (${value.slice(0, SHOWN_VALUE)})`;
  return `${column ?? 'This row'} ${what}${shown}`;
}
