import type { CustomerError } from '../errors.ts';
import { countsOf, type RowResult } from '../tools/import-rows.ts';
import { Groups } from './groups.ts';
import { remarkFor, type RowRemark } from './remark.ts';
import { counted, wrap, type Paper } from './paper.ts';
import type { Plan } from './plan.ts';
import { commandFor, showGroups } from './preview.ts';

export interface End {
  readonly plan: Plan;
  readonly paper: Paper;
  readonly resultPath: string;
  readonly rejectedPath: string | undefined;
  readonly endedBy: CustomerError | undefined;
  readonly stopped: boolean;
}

interface Remarks {
  readonly problems?: readonly RowRemark[] | undefined;
  readonly notices?: readonly RowRemark[];
}

/** Collects the outcomes of all rows in limited memory. */
export class Report {
  readonly #counts = countsOf([]);
  readonly #failed = new Groups();
  readonly #unknown = new Groups();
  readonly #warned = new Groups();
  readonly #changed = new Groups();

  /** `problems` are those of a row that was not sent, `notices` what was changed about one that was. */
  add({ row, outcome, error, warnings = [] }: RowResult, { problems = [], notices = [] }: Remarks = {}): void {
    this.#counts[outcome] += 1;
    for (const problem of problems) this.#failed.add(row, problem);
    if (error && outcome !== 'not_started' && problems.length === 0)
      (outcome === 'unknown' ? this.#unknown : this.#failed).add(row, remarkFor(error, error.message));
    for (const notice of notices) this.#changed.add(row, notice);
    // Warnings have no code: equal sentences are one kind.
    for (const warning of warnings)
      this.#warned.add(row, { code: warning, what: warning, column: undefined, value: undefined });
  }

  /** Whether all rows are imported, with or without warnings. */
  get isComplete(): boolean {
    const { failed, unknown, not_started: left } = this.#counts;
    return failed + unknown + left === 0;
  }

  get needsAttention(): boolean {
    return !this.isComplete || !this.#warned.isEmpty;
  }

  /** The text that is printed at the end. */
  show({ plan, paper, resultPath, rejectedPath, endedBy, stopped }: End): string {
    const counts = this.#counts;
    const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const parts = Object.entries(counts).flatMap(([outcome, count]) =>
      count === 0 ? [] : [`${count.toLocaleString('en-US')} ${WORDS[outcome] ?? outcome}`],
    );
    const left = counts.not_started + counts.unknown;
    const again = commandFor(plan.file, plan.options.allowDuplicates ? ['--allow-duplicates'] : []);
    return [
      `\n${(this.needsAttention ? paper.warn : paper.good)(`${counted(total, 'row')}: ${parts.join(', ')}`)}\n`,
      endedBy
        ? wrap(`The import ended early: ${endedBy.message}`, paper.width, '')
        : stopped
          ? 'You stopped the import.\n'
          : '',
      showGroups('Not imported', this.#failed.list(), { paper, paint: paper.bad }),
      showGroups('Outcome unknown', this.#unknown.list(), { paper, paint: paper.warn }),
      showGroups('Imported with warnings', this.#warned.list(), { paper, paint: paper.warn }),
      showGroups('Changed or doubtful', this.#changed.list(), { paper, paint: paper.warn }),
      `\nResults for every row: ${resultPath}\n`,
      rejectedPath === undefined
        ? ''
        : `Rejected rows only: ${rejectedPath}\nCorrect them there and run: ${paper.bold(commandFor(rejectedPath, []))}\n`,
      left > 0 ? `Run the same command again for the remaining ${counted(left, 'row')}: ${paper.bold(again)}\n` : '',
    ].join('');
  }
}

const WORDS: Readonly<Record<string, string>> = {
  existing: 'existing',
  not_started: 'not started',
  failed: 'failed',
  unknown: 'unknown',
};
