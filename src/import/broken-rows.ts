import type { Table } from './table.ts';

const MIN_WIDTH = 3;
const MAX_PIECES = 4;
/** If a larger share of the rows is short, the program that wrote the file omits empty cells at the end. */
const MAX_SHORT = 0.2;

/**
 * The rows that a line break without quotes has split: consecutive short rows that together are as wide as one row. The numbers
 * are those that a spreadsheet program shows.
 */
export function brokenRows({ grid, headerRow, headings: { length: width } }: Table): ReadonlySet<number> {
  const broken = new Set<number>();
  if (width < MIN_WIDTH || headerRow === 0) return broken;
  const shapes = new Map<string, number>();
  const short: { index: number; length: number; shape: string }[] = [];
  for (let index = headerRow; index < grid.size; index += 1) {
    const cells = grid.cells(index);
    const shape = shapeOf(cells[0] ?? '');
    if (cells.length < width) short.push({ index, length: cells.length, shape });
    else shapes.set(shape, (shapes.get(shape) ?? 0) + 1);
  }
  const full = [...shapes.values()].reduce((sum, count) => sum + count, 0);
  if (short.length > Math.max(MAX_PIECES, full * MAX_SHORT)) return broken;
  for (const [at, first] of short.entries()) {
    if (broken.has(first.index + 1)) continue;
    let length = first.length;
    for (let pieces = 2; pieces <= MAX_PIECES; pieces += 1) {
      const next = short[at + pieces - 1];
      if (!next || next.index !== first.index + pieces - 1 || shapes.has(next.shape)) break;
      length += next.length - 1;
      if (length === width) for (let piece = 0; piece < pieces; piece += 1) broken.add(first.index + 1 + piece);
      if (length >= width) break;
    }
  }
  return broken;
}

/** The pattern of a cell, such as `a-9` for "DE-104". */
function shapeOf(cell: string): string {
  return cell
    .trim()
    .replace(/\p{L}+/gu, 'a')
    .replace(/\d+/g, '9');
}
