import { countryCode } from '../countries.ts';
import type { Concept } from './concepts.ts';

/**
 * The minimum share of cells that must look like the heading of their column. The rows with other cells are then rejected one by
 * one.
 */
const MIN_FITTING = 0.25;

const EMAIL = /^[^\s@<>;,()[\]]+@[^\s@<>;,()[\]]+\.[^\s@<>;,()[\].]{2,}$/;
const PHONE =
  /^(?:[\p{L} .]{0,12}:?\s*)?\(?[+\d][\d\s()./+-]{4,}\d(?:\s*(?:[\p{L}.#]{1,10}\s*\d+)?)?(?:\s*[,;/|].*)?$/u;
const DOMAIN = /^(?:https?:\/\/)?[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)+(?:[/?#].*)?$/u;
const SCIENTIFIC = /^[+-]?\d(?:[.,]\d+)?E[+-]?\d{1,3}$/i;
const POSTCODE =
  /^(?:[A-Z]{1,3}-)?(?:\d{4,5}(?:-\d{3,4})?|\d{3} ?\d{2}|\d{4} ?[A-Z]{2}|[A-Z]{1,2}\d[A-Z\d]? ?\d[A-Z]{2}|[A-Z]\d[A-Z] ?\d[A-Z]\d|[A-Z]\d{2} ?[A-Z\d]{4})$/i;

export function isEmail(text: string): boolean {
  return EMAIL.test(text);
}

/** Whether a spreadsheet program has shortened a number, so that its last digits are lost. */
export function isScientific(text: string): boolean {
  return SCIENTIFIC.test(text);
}

const LOOKS: Partial<Record<Concept, (text: string) => boolean>> = {
  email: (text) => text.includes('@'),
  billing_email: (text) => text.includes('@'),
  phone: (text) => (text.match(/\d/g)?.length ?? 0) >= 4 || isScientific(text),
  mobile: (text) => (text.match(/\d/g)?.length ?? 0) >= 4 || isScientific(text),
  website: (text) => DOMAIN.test(text),
  postcode: (text) => /\d/.test(text) && text.length <= 12,
  postcode_city: (text) => /\d/.test(text) && /\p{L}{2}/u.test(text),
  city: (text) => /\p{L}/u.test(text) && !text.includes('@'),
  country: (text) => countryCode(text) !== undefined,
  name: isWords,
  company: isWords,
  person: isWords,
  contact: isWords,
  contact_name: isWords,
  first: isWords,
  last: isWords,
  address: (text) => /\p{L}/u.test(text),
  language: (text) => /^[\p{L} ()_-]+$/u.test(text),
  registration: (text) => /\d/.test(text),
  tax: (text) => /\d/.test(text),
  id: (text) => text.length <= 100 && !text.includes('\n'),
};

function isWords(text: string): boolean {
  return /\p{L}/u.test(text) && !EMAIL.test(text);
}

/** Whether the cells of a column can have the concept of its heading; an empty column can. */
export function fits(concept: Concept, cells: readonly string[]): boolean {
  const looks = LOOKS[concept];
  return !looks || cells.length === 0 || share(cells, looks) >= MIN_FITTING;
}

/** The concept of a column with an unknown heading, if its cells are unmistakable. */
export function guessFromCells(cells: readonly string[]): Concept | undefined {
  if (cells.length === 0) return undefined;
  if (share(cells, isEmail) >= 0.8) return 'email';
  if (share(cells, (text) => POSTCODE.test(text)) >= 0.8) return 'postcode';
  if (share(cells, (text) => PHONE.test(text)) >= 0.8) return 'phone';
  if (share(cells, (text) => countryCode(text) !== undefined) >= 0.8) return 'country';
  if (share(cells, (text) => DOMAIN.test(text)) >= 0.8) return 'website';
  return undefined;
}

function share(cells: readonly string[], looks: (text: string) => boolean): number {
  return cells.filter(looks).length / cells.length;
}
