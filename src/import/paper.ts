/** Formats text for a terminal. */
export interface Paper {
  readonly width: number;
  bold(text: string): string;
  dim(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  bad(text: string): string;
}

export function makePaper(colors: boolean, width: number): Paper {
  const paint = (code: number) => (text: string) => (colors && text !== '' ? `\u001b[${code}m${text}\u001b[0m` : text);
  return {
    width: Math.max(60, Math.min(width, 120)),
    bold: paint(1),
    dim: paint(2),
    good: paint(32),
    warn: paint(33),
    bad: paint(31),
  };
}

/** A text on one line, truncated to `max` characters. */
export function short(text: string, max: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length <= max ? line : `${line.slice(0, Math.max(1, max - 1))}…`;
}

/** A text in indented lines that fit the width. */
export function wrap(text: string, width: number, indent: string): string {
  const max = Math.max(20, width - indent.length);
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > max) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((text) => `${indent}${text}\n`).join('');
}

const SHOWN_RANGES = 6;

/** `rows 2, 4-9 and 12 more`; `count` if `rows` contains only the first of them. */
export function rowNumbers(rows: readonly number[], count = rows.length): string {
  const ranges: string[] = [];
  let at = 0;
  let covered = 0;
  while (at < rows.length && ranges.length < SHOWN_RANGES) {
    let end = at;
    while (rows[end + 1] === (rows[end] ?? 0) + 1) end += 1;
    ranges.push(end > at + 1 ? `${rows[at]}-${rows[end]}` : rows.slice(at, end + 1).join(', '));
    covered += end - at + 1;
    at = end + 1;
  }
  const more = count - covered;
  return `${count === 1 ? 'row' : 'rows'} ${ranges.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** An argument, quoted for the shells of all systems. */
export function shellArgument(text: string): string {
  return /^[\w./:@=,-]+$/.test(text) && text !== '' ? text : `"${text.replaceAll('"', '\\"')}"`;
}

/** `1 row`, `1,204 rows`. */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? noun : `${noun}s`}`;
}
