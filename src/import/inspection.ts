import { foldEmail, foldName } from '../identity/folding.ts';
import type { Existing } from './existing.ts';
import { Groups, type Group } from './groups.ts';
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
export async function inspect(checker: RowChecker, existing: Existing | undefined): Promise<Inspection> {
  const groups = { problems: new Groups(), notices: new Groups(), duplicates: new Groups() };
  const seen = new Map<string, number>();
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
    sendable += 1;
    if (first.length < SHOWN_CUSTOMERS) first.push(row);
    const isKnown = (await existing?.isKnown(row)) ?? false;
    if (isKnown) known += 1;
    const duplicate = duplicateOf(row, checker, seen);
    const similar = isKnown ? undefined : existing?.similarTo(row);
    if (duplicate !== undefined)
      groups.duplicates.add(row.number, {
        code: 'like_row',
        what: 'has the same name or email address as an earlier row',
        column: undefined,
        value: `row ${duplicate}`,
      });
    else if (similar !== undefined)
      groups.duplicates.add(row.number, {
        code: 'like_customer',
        what: 'resembles an existing customer',
        column: undefined,
        value: similar,
      });
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

/** The number of an earlier row with the same name or email address. */
function duplicateOf(
  { number, request }: CheckedRow,
  { mapping }: RowChecker,
  seen: Map<string, number>,
): number | undefined {
  let duplicate: number | undefined;
  for (const { field } of mapping.fields) {
    const value = request?.fields[field.name];
    if (typeof value !== 'string') continue;
    const folded =
      field.meaning === 'email'
        ? foldEmail(value)
        : field.meaning === 'name' || field.meaning === 'company'
          ? foldName(value)
          : '';
    if (folded === '') continue;
    const key = `${field.meaning} ${folded}`;
    duplicate ??= seen.get(key);
    if (!seen.has(key)) seen.set(key, number);
  }
  return duplicate;
}
