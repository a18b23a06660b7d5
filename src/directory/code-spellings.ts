import { MAX_SIMILAR, SPELLED } from './match.ts';

/** The number of digits up to which a code may have lost leading zeros. */
const MAX_PADDED = 8;

/** Between the letters and the digits of a code. */
const SEPARATORS = ['', '-', ' ', '_', '.', '/'];
/** A word before a code: `klantnr. 123`, `customer CRM-12`. */
const LABEL =
  /^(?:(?:account|client|code|customer|debit(?:eur|or)|id|klant|kunden?|no|nr|num|relatie)(?:en)?(?:code|id|nr|number|nummer)?\b[.:#\s]*)+(?=\S*\d)/iu;

/** The code in a typed text, without the words before it. */
export function codeIn(typed: string): string {
  return typed.trim().replace(LABEL, '');
}

/** The codes that differ from a typed one in case or in leading zeros, each with its score, for lists that find only exact codes. */
export function codeSpellings(typed: string): ReadonlyMap<string, number> {
  const text = codeIn(typed);
  const scores = new Map([[text, 1]]);
  const add = (code: string, score: number): void => void (scores.has(code) || scores.set(code, score));
  add(text.toUpperCase(), SPELLED);
  add(text.toLowerCase(), SPELLED);
  const [, before = '', digits, after = ''] = /^(\D*)0*(\d+)(\D*)$/.exec(text) ?? [];
  for (let length = digits?.length ?? Infinity; length <= Math.max(MAX_PADDED, digits?.length ?? 0); length += 1)
    add(`${before}${digits?.padStart(length, '0')}${after}`, MAX_SIMILAR);
  const [, letters, number] = /^(\p{L}+)[\s._/-]*(\d+)$/u.exec(text) ?? [];
  if (letters !== undefined && number !== undefined)
    for (const separator of SEPARATORS)
      for (const prefix of [letters, letters.toUpperCase()]) add(prefix + separator + number, SPELLED);
  return scores;
}
