import type { Finding, RowComparison } from '../tools/row-comparison.ts';
import { Groups, type Group } from './groups.ts';
import type { RowRemark } from './remark.ts';
import { checkRows, type CheckedRow, type RowChecker } from './rows.ts';

const SHOWN_CUSTOMERS = 3;

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
  readonly first: readonly CheckedRow[];
}

/** Checks every row and sends none. */
export async function inspect(checker: RowChecker, comparison: RowComparison): Promise<Inspection> {
  const groups = { problems: new Groups(), notices: new Groups(), duplicates: new Groups() };
  const footers: number[] = [];
  const first: CheckedRow[] = [];
  let [total, sendable, known] = [0, 0, 0];
  for (const row of checkRows(checker)) {
    if (row.footer) {
      footers.push(row.number);
      continue;
    }
    total += 1;
    for (const remark of row.problems) groups.problems.add(row.number, remark);
    for (const remark of row.notices) groups.notices.add(row.number, remark);
    if (!row.request) continue;
    const finding = await comparison.compare({ row: row.number, request: row.request });
    const remark = remarkOn(finding, row);
    if (finding.kind === 'other' && remark) {
      groups.problems.add(row.number, remark);
      continue;
    }
    sendable += 1;
    if (first.length < SHOWN_CUSTOMERS) first.push(row);
    if (finding.kind === 'existing') known += 1;
    if (remark) groups.duplicates.add(row.number, remark);
  }
  return {
    total,
    sendable,
    known,
    footers,
    problems: groups.problems.list(),
    notices: groups.notices.list(),
    duplicates: groups.duplicates.list(),
    first,
  };
}

/** What speaks against sending a row. */
function remarkOn(finding: Finding, { externalId = '' }: CheckedRow): RowRemark | undefined {
  switch (finding.kind) {
    case 'new':
    case 'existing':
      return undefined;
    case 'other': {
      const { name, id } = finding.owner;
      const what = 'has the ID of another customer';
      return { code: 'id_of_another', what, column: undefined, value: `${externalId} of ${name ?? id}` };
    }
    case 'like_customers': {
      const [{ name, id } = { name: undefined, id: '' }] = finding.similar;
      return { code: 'like_customer', what: 'resembles an existing customer', column: undefined, value: name ?? id };
    }
    case 'like_row': {
      const what = 'has the same name or email address as an earlier row';
      return { code: 'like_row', what, column: undefined, value: `row ${finding.earlier}` };
    }
  }
}
