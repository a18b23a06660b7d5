/** The offsets of the records of a delimited text, and which of them contain quotes. */
export interface Records {
  /** The offset of each record, and finally the end of the text. */
  readonly offsets: Uint32Array;
  readonly quoted: ReadonlySet<number>;
  /** Records with a quoted line break. */
  readonly multiline: readonly number[];
  /** The record whose quotes do not match, and its offset. */
  readonly broken: { readonly record: number; readonly at: number } | undefined;
}

const QUOTE = 34;
const FEED = 10;
const RETURN = 13;
const SPACE = 32;

/**
 * Finds the records without parsing them, so that each needs only one number of memory besides the text. Quotes count only at the
 * beginning of a cell, as in spreadsheet programs (RFC 4180).
 */
export function findRecords(text: string, delimiter: string, newline: '\r\n' | '\n' | '\r'): Records {
  const starts: number[] = [0];
  const quoted = new Set<number>();
  const multiline: number[] = [];
  const separator = delimiter.charCodeAt(0);
  const end = newline === '\r' ? RETURN : FEED;
  const { length } = text;
  let fresh = true;
  for (let at = 0; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === end && (newline !== '\r\n' || text.charCodeAt(at - 1) === RETURN)) {
      starts.push(at + 1);
      fresh = true;
    } else if (code === QUOTE && fresh) {
      const record = starts.length - 1;
      const closed = closingQuote(text, at);
      quoted.add(record);
      if (closed === undefined || !endsCell(text, closed + 1, separator))
        return { offsets: Uint32Array.from(starts), quoted, multiline, broken: { record, at: starts[record] ?? 0 } };
      if (multiline.at(-1) !== record && /[\r\n]/.test(text.slice(at, closed))) multiline.push(record);
      at = closed;
      fresh = false;
    } else {
      fresh = code === separator;
    }
  }
  if (starts.at(-1) !== length) starts.push(length);
  return { offsets: Uint32Array.from(starts), quoted, multiline, broken: undefined };
}

function closingQuote(text: string, opening: number): number | undefined {
  for (let at = text.indexOf('"', opening + 1); at >= 0; at = text.indexOf('"', at + 2))
    if (text.charCodeAt(at + 1) !== QUOTE) return at;
  return undefined;
}

/** Whether the cell ends after its closing quote, apart from spaces. */
function endsCell(text: string, from: number, separator: number): boolean {
  let at = from;
  while (text.charCodeAt(at) === SPACE) at += 1;
  const code = text.charCodeAt(at);
  return at >= text.length || code === separator || code === FEED || code === RETURN;
}
