import type { RowRemark } from './remark.ts';

const MAX_ROWS_KEPT = 200;
const MAX_KINDS = 500;

/** Remarks of one kind about one column. */
export interface Group {
  /** The first of them. */
  readonly example: RowRemark;
  /** The number of rows; `rows` contains the first of them. */
  count: number;
  readonly rows: number[];
}

/** Remarks about any number of rows, in limited memory. */
export class Groups {
  readonly #groups = new Map<string, Group>();

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  add(row: number, remark: RowRemark): void {
    const { column = '', code, namesValue, value = '' } = remark;
    const key = [column, code, ...(namesValue ? [value.trim()] : [])].join('\n');
    const known = this.#groups.get(key);
    if (!known && this.#groups.size >= MAX_KINDS) return;
    const group = known ?? { example: remark, count: 0, rows: [] };
    group.count += 1;
    if (group.rows.length < MAX_ROWS_KEPT) group.rows.push(row);
    this.#groups.set(key, group);
  }

  /** The most frequent kind first, each with its rows in their sequence. */
  list(): readonly Group[] {
    return [...this.#groups.values()]
      .toSorted((a, b) => b.count - a.count)
      .map((group) => ({ ...group, rows: group.rows.toSorted((a, b) => a - b) }));
  }
}
