import type { CustomerError } from '../errors.ts';

/** What was changed about a value, what looks doubtful about it, or what is wrong with it. */
export interface Remark {
  /** The kind of the remark. Remarks of one kind about one column are shown together, whatever their values. */
  readonly code: string;
  /** A clause whose subject is the column or the row. */
  readonly what: string;
  /** The clause already names the value, which is then not repeated behind it. */
  readonly namesValue?: true;
}

/** A remark about one row. */
export interface RowRemark extends Remark {
  /** `undefined` for the whole row. */
  readonly column: string | undefined;
  readonly value: string | undefined;
}

/** A remark with the text of an error. Errors of one kind are shown together: their sentences can name the customer. */
export function remarkFor({ kind, details: { fields = [], ...others } }: CustomerError, what: string): RowRemark {
  const code = [kind, ...Object.keys(others), ...fields.map(({ path }) => path)].join(' ');
  return { code, what, column: undefined, value: undefined };
}
