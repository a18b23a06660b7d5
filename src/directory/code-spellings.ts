import { MAX_SIMILAR, SPELLED } from './match.ts';

/** The number of digits up to which a code may have lost leading zeros. */
const MAX_PADDED = 8;

/** Between the letters and the digits of a code. */
const SEPARATORS = ['', '-', ' ', '_', '.', '/'];
/** A word before a code: `klantnr. 123`, `customer CRM-12`. */
const LABEL =
  /^(?:(?:account|client|code|customer|debit(?:eur|or)|id|klant|kunden?|met|mit|n[or°]|num(?:ber|mer|éro|ero)?|ref(?:erence|erentie)?|relatie|with)(?:en)?(?:code|id|nr|number|nummer)?[.:#]*\s+[:#]?\s*)+(?=\S*\d)/iu;

/** The codes that a typed text may be: all of it, and without the words before it, which may belong to the code. */
export function codesIn(typed: string): readonly string[] {
  const text = typed.trim();
  return [...new Set([text, text.replace(LABEL, '').replace(/^#\s*/, '')])];
}

/** The codes that differ from a typed one in case or in leading zeros, each with its score, for lists that find only exact codes. */
export function codeSpellings(typed: string): ReadonlyMap<string, number> {
  const scores = new Map<string, number>();
  for (const code of codesIn(typed)) addSpellings(code, scores);
  return scores;
}

function addSpellings(code: string, scores: Map<string, number>): void {
  const add = (spelling: string, score: number): void => void (scores.has(spelling) || scores.set(spelling, score));
  add(code, 1);
  add(code.toUpperCase(), SPELLED);
  add(code.toLowerCase(), SPELLED);
  const [, before = '', digits, after = ''] = /^(\D*)0*(\d+)(\D*)$/.exec(code) ?? [];
  for (let length = digits?.length ?? Infinity; length <= Math.max(MAX_PADDED, digits?.length ?? 0); length += 1)
    add(`${before}${digits?.padStart(length, '0')}${after}`, MAX_SIMILAR);
  const [, letters, number] = /^(\p{L}+)[\s._/-]*(\d+)$/u.exec(code) ?? [];
  if (letters !== undefined && number !== undefined)
    for (const separator of SEPARATORS)
      for (const prefix of [letters, letters.toUpperCase()]) add(prefix + separator + number, SPELLED);
}
