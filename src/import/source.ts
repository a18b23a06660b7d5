import { isOfAddress, type Concept } from './concepts.ts';
import type { Column } from './columns.ts';

/** A part of a cell that contains several values, such as postal code and city. */
export type Piece = 'street' | 'postcode' | 'city' | 'country';

interface Part {
  readonly column: number;
  readonly piece?: Piece;
}

/** Columns whose cells are joined; empty ones are skipped. */
export type Join = readonly Part[];

/** The source of a field's value: the first alternative that is not empty, otherwise the constant. */
export interface Source {
  readonly alternatives: readonly Join[];
  readonly constant?: string;
}

export interface Value {
  readonly text: string;
  /** The columns from which it comes. */
  readonly columns: readonly number[];
  /** The index of the alternative; `undefined` for the constant and for an empty value. */
  readonly alternative: number | undefined;
}

/** The value for one row. */
export function valueFrom(source: Source, cells: readonly string[], concepts: readonly (Concept | undefined)[]): Value {
  for (const [alternative, join] of source.alternatives.entries()) {
    const parts = join.flatMap(({ column, piece }) => {
      const cell = cells[column] ?? '';
      const text = piece ? pieceOf(cell, piece) : cell;
      return text === '' ? [] : [{ column, text }];
    });
    if (parts.length > 0)
      return { text: joined(parts, concepts), columns: parts.map(({ column }) => column), alternative };
  }
  return { text: source.constant ?? '', columns: [], alternative: undefined };
}

const SPACED: readonly (readonly [Concept, Concept])[] = [
  ['street', 'house_number'],
  ['address', 'house_number'],
  ['house_number', 'house_addition'],
  ['street', 'house_addition'],
  ['postcode', 'city'],
  ['region', 'postcode'],
];

/** Joins parts of a name with a space and lines of an address with a comma. */
function joined(
  parts: readonly { column: number; text: string }[],
  concepts: readonly (Concept | undefined)[],
): string {
  const [only, ...others] = parts;
  if (only && others.length === 0 && !isOfAddress(concepts[only.column])) return only.text;
  let whole = '';
  let before: Concept | undefined;
  for (const { column, text } of parts) {
    const concept = concepts[column];
    const line = text.replace(/,?\s*[\r\n]+\s*/g, ', ');
    const spaced = !isOfAddress(concept) || SPACED.some(([left, right]) => left === before && right === concept);
    whole += whole === '' ? line : `${spaced ? ' ' : ', '}${line}`;
    before = concept;
  }
  return whole;
}

const POSTCODE =
  /(?:[A-Z]{1,2}-)?\d{4}\s?[A-Z]{2}\b|(?:[A-Z]{1,2}-)?\d{4,5}(?:-\d{3,4})?\b|[A-Z]{1,2}\d[A-Z\d]?\s?\d[A-Z]{2}\b/;
const POSTCODE_CITY = new RegExp(`^(${POSTCODE.source})[,\\s]+(\\p{L}.*)$`, 'u');
const CITY_POSTCODE = new RegExp(`^(\\p{L}.*?)[,\\s]+(${POSTCODE.source})$`, 'u');

/** Splits a text into street, postal code, city and country; `undefined` if it has another form. */
export function splitAddress(text: string): Partial<Record<Piece, string>> | undefined {
  const lines = text.split(/\s*[\r\n]+\s*|\s*,\s*/).filter((line) => line !== '');
  const at = lines.findIndex((line) => POSTCODE_CITY.test(line));
  const [, postcode, city] = POSTCODE_CITY.exec(lines[at] ?? '') ?? [];
  if (postcode === undefined || city === undefined || lines.length - at > 2) return undefined;
  const street = lines.slice(0, at).join(', ');
  const country = lines[at + 1];
  return { postcode, city, ...(street !== '' && { street }), ...(country !== undefined && { country }) };
}

function pieceOf(cell: string, piece: Piece): string {
  if (cell === '') return '';
  const whole = splitAddress(cell);
  if (whole) return whole[piece] ?? '';
  const [, city, postcode] = CITY_POSTCODE.exec(cell) ?? [];
  if (piece === 'postcode') return postcode ?? '';
  if (piece === 'city') return city ?? '';
  // A text of another form stays whole in the first line.
  return piece === 'street' ? cell : '';
}

/** A source for the preview: `First name + Last name`, alternatives with `otherwise`. */
export function describeSource({ alternatives, constant }: Source, columns: readonly Column[]): string {
  const texts = alternatives.map((join) =>
    join.map(({ column, piece }) => `${columns[column]?.heading ?? ''}${piece ? ` (${piece} in it)` : ''}`).join(' + '),
  );
  return [...texts, ...(constant === undefined ? [] : [JSON.stringify(constant)])].join(', otherwise ');
}
