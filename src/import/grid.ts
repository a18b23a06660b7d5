/** A sheet. Row 0 is the row that a spreadsheet program shows as row 1. */
export interface Grid {
  readonly size: number;
  cells(index: number): readonly string[];
  /** Facts about the file for the preview, such as its encoding. */
  readonly facts: readonly string[];
  /** The separator of the cells, for a result file that the same program opens. */
  readonly delimiter: string;
}
