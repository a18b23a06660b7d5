import Papa from 'papaparse';
import { readOwnFile, openDraft, removeOwnFile, type Draft } from './own-files.ts';
import { rejectedPath, resultPath } from './mapping-file.ts';
import { RESULT_COLUMNS, type Table } from './table.ts';
import type { RowResult } from '../tools/import-rows.ts';
import { cleanText } from '../text.ts';

/** The byte-order mark, by which spreadsheet programs recognize UTF-8. */
const BYTE_ORDER_MARK = '\ufeff';
/** Lines are written after so many of them or after this time. */
const FLUSH_LINES = 200;
const FLUSH_MS = 1_000;

export interface ResultLine {
  readonly cells: readonly string[];
  readonly result: RowResult;
  /** Clauses that say what was changed about the values. */
  readonly notices: readonly string[];
}

/**
 * Writes the columns of the source and the outcome of each row to one file, and the rejected rows to another. Both grow while the
 * import runs, in the sequence of the source.
 */
export class ResultFile {
  readonly path: string;
  /** Aborted when the files cannot be written, as on a full disk; nothing is written afterwards. */
  readonly broken = new AbortController();
  readonly #own: readonly number[];
  readonly #delimiter: string;
  readonly #main: Draft;
  readonly #source: string;
  readonly #heading: string;
  #rejected: Draft | undefined;
  readonly #done = new Map<number, ResultLine>();
  #next = 0;
  #lines: string[] = [];
  #rejectedLines: string[] = [];
  #flushedAt = performance.now();
  #flushing: Promise<void> = Promise.resolve();

  /** @throws UsageError if the file cannot be written. */
  static async open(source: string, table: Table): Promise<ResultFile> {
    const main = await openDraft(resultPath(source), source);
    const file = new ResultFile(source, table, main);
    await main.handle.writeFile(BYTE_ORDER_MARK + file.#heading);
    return file;
  }

  private constructor(source: string, { headings, grid, headerRow }: Table, main: Draft) {
    this.path = resultPath(source);
    this.#source = source;
    this.#main = main;
    this.#delimiter = grid.delimiter;
    const top = headerRow === 0 ? headings : grid.cells(headerRow - 1);
    const names = headings.map((_, index) => top[index] ?? '');
    this.#own = names.flatMap((name, index) => (isOwn(name) ? [] : [index]));
    this.#heading = this.#line([...this.#own.map((index) => names[index] ?? ''), ...RESULT_COLUMNS]);
  }

  /** Adds the line of a row; `index` counts the rows from 0 without a gap. */
  add(index: number, line: ResultLine): Promise<void> {
    this.#done.set(index, line);
    for (let ready = this.#done.get(this.#next); ready; ready = this.#done.get(this.#next)) {
      this.#done.delete(this.#next);
      this.#next += 1;
      const text = this.#text(ready);
      this.#lines.push(text);
      if (ready.result.outcome === 'failed') this.#rejectedLines.push(text);
    }
    if (this.#lines.length < FLUSH_LINES && performance.now() - this.#flushedAt < FLUSH_MS) return this.#flushing;
    return this.#flush();
  }

  /** Finishes both files. @returns the path of the rejected rows, if there are any. */
  async close(): Promise<string | undefined> {
    await this.#flush();
    await this.#main.commit();
    const path = rejectedPath(this.#source);
    if (this.#rejected) {
      await this.#rejected.commit();
      return path;
    }
    // The rejected rows of an earlier run are outdated.
    const old = await readOwnFile(path);
    const heading = old?.split(/\r?\n/, 1)[0] ?? '';
    if (RESULT_COLUMNS.every((column) => heading.includes(column))) await removeOwnFile(path);
    return undefined;
  }

  #flush(): Promise<void> {
    this.#flushing = this.#flushing.then(() => this.#write()).catch((error: unknown) => this.broken.abort(error));
    return this.#flushing;
  }

  async #write(): Promise<void> {
    const [lines, rejected] = [this.#lines, this.#rejectedLines];
    this.#lines = [];
    this.#rejectedLines = [];
    this.#flushedAt = performance.now();
    if (this.broken.signal.aborted) return;
    if (lines.length > 0) await this.#main.handle.writeFile(lines.join(''));
    if (rejected.length === 0) return;
    if (!this.#rejected) {
      this.#rejected = await openDraft(rejectedPath(this.#source), this.#source);
      await this.#rejected.handle.writeFile(BYTE_ORDER_MARK + this.#heading);
    }
    await this.#rejected.handle.writeFile(rejected.join(''));
  }

  #text({ cells, result, notices }: ResultLine): string {
    const { outcome, customerId = '', error, changed = {}, warnings = [] } = result;
    const cleaned = notices.map((notice) => `${notice}.`);
    const message = error
      ? `${error.kind}: ${error.message}`
      : [...changesIn(changed), ...warnings, ...cleaned].join(' ');
    return this.#line([
      ...this.#own.map((index) => cells[index] ?? ''),
      outcome,
      customerId,
      cleanText(message, 1_000),
    ]);
  }

  #line(cells: readonly string[]): string {
    return `${Papa.unparse([cells.map(guarded)], { delimiter: this.#delimiter })}\r\n`;
  }
}

/** A sentence with the fields that an update changed. */
function changesIn(changed: Readonly<Record<string, unknown>>): readonly string[] {
  const fields = Object.keys(changed);
  return fields.length === 0 ? [] : [`Changed: ${fields.join(', ')}.`];
}

function isOwn(heading: string): boolean {
  return RESULT_COLUMNS.some((column) => column === heading.trim());
}

/**
 * A cell that a spreadsheet program shows unchanged: not as a formula, and with all its zeros and digits. The programs' own mark
 * for text is an apostrophe, which an import of the file removes.
 */
function guarded(cell: string): string {
  const formula = /^[=+@\t\r]/.test(cell) || /^-(?!-*$)/.test(cell);
  const number =
    /^0\d+$/.test(cell) || /^\d{12,}$/.test(cell) || /^\d+E\d+$/i.test(cell) || /^\d{1,2}[-/]\d{1,2}$/.test(cell);
  return formula || number ? `'${cell}` : cell;
}
