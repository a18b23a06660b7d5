import type { Finding, RowComparison } from '../tools/row-comparison.ts';
import { Groups, type Group } from './groups.ts';
import { remarkFor, type RowRemark } from './remark.ts';
import { checkRows, type CheckedRow, type RowChecker } from './rows.ts';

const SHOWN_CUSTOMERS = 3;
/** So many rows are compared at once. */
const AT_ONCE = 50;

/** The result of checking every row without sending any. */
export interface Inspection {
  readonly total: number;
  readonly sendable: number;
  readonly known: number;
  readonly footers: readonly number[];
  readonly problems: readonly Group[];
  readonly notices: readonly Group[];
  /** Rows that resemble an earlier row or an existing customer. */
  readonly duplicates: readonly Group[];
  /** What the import would change about existing customers. */
  readonly changes: readonly Group[];
  readonly first: readonly CheckedRow[];
}

/** Checks every row and sends none. */
export async function inspect(checker: RowChecker, comparison: RowComparison): Promise<Inspection> {
  const groups = { problems: new Groups(), notices: new Groups(), duplicates: new Groups(), changes: new Groups() };
  const footers: number[] = [];
  const first: CheckedRow[] = [];
  let [total, sendable, known] = [0, 0, 0];
  const take = (row: CheckedRow, finding: Finding): void => {
    if (finding.kind === 'conflict')
      return groups.problems.add(row.number, remarkFor(finding.error, finding.error.what));
    sendable += 1;
    if (first.length < SHOWN_CUSTOMERS) first.push(row);
    if (finding.kind === 'existing') {
      known += 1;
      for (const remark of changesOf(finding)) groups.changes.add(row.number, remark);
    } else if (finding.kind !== 'new') groups.duplicates.add(row.number, duplicateOf(finding));
  };
  let batch: Promise<readonly [CheckedRow, Finding]>[] = [];
  const takeBatch = async (): Promise<void> => {
    for (const [row, finding] of await Promise.all(batch)) take(row, finding);
    batch = [];
  };
  for (const row of checkRows(checker)) {
    if (row.footer) {
      footers.push(row.number);
      continue;
    }
    total += 1;
    for (const remark of row.problems) groups.problems.add(row.number, remark);
    for (const remark of row.notices) groups.notices.add(row.number, remark);
    if (!row.request) continue;
    const compared = comparison.compare({ row: row.number, request: row.request });
    batch.push(compared.then((finding) => [row, finding]));
    if (batch.length >= AT_ONCE) await takeBatch();
  }
  await takeBatch();
  return {
    total,
    sendable,
    known,
    footers,
    problems: groups.problems.list(),
    notices: groups.notices.list(),
    duplicates: groups.duplicates.list(),
    changes: groups.changes.list(),
    first,
  };
}

function duplicateOf(finding: Extract<Finding, { kind: 'like_customers' | 'like_row' }>): RowRemark {
  if (finding.kind === 'like_row') {
    const what = 'has the same name or email address as an earlier row';
    return { code: finding.kind, what, column: undefined, value: `row ${finding.earlier}` };
  }
  const [first] = finding.similar;
  const what = 'resembles an existing customer';
  return { code: finding.kind, what, column: undefined, value: first?.name ?? first?.id };
}

function changesOf({ changed }: Extract<Finding, { kind: 'existing' }>): readonly RowRemark[] {
  const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));
  return Object.entries(changed).map(([field, { from, to }]) => ({
    code: from === null ? 'added' : 'changed',
    what: from === null ? 'is added' : 'is changed',
    column: field,
    value: from === null ? shown(to) : `${shown(from)} -> ${shown(to)}`,
  }));
}
