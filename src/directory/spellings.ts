import { allWords, nameWords, PARTICLES, plainWords, TITLES } from '../identity/folding.ts';
import type { Value } from './entry.ts';

/** A way to read the words of a value. */
export interface Reading {
  readonly words: readonly string[];
  /** How likely a word that the value itself does not have is meant. */
  readonly certainty: number;
}

/** Words between a name and a place. */
const PREPOSITIONS = new Set(['in', 'at', 'from', 'te', 'uit', 'aus', 'bij', 'bei']);
/** Words before a number. */
const NUMBER_SIGNS = new Set(['nr', 'no', 'num', 'nummer', 'number', 'n']);
/** Words before the name of a person or a firm. */
const SALUTATIONS = new Set([
  ...TITLES,
  ...'heer mevrouw fam familie family sir herrn monsieur madame senor senora don dona mag fa firma'.split(' '),
]);
/** Those that are also names of companies, unless a whole name follows. */
const DEGREES = new Set('dr drs prof ing ir mag'.split(' '));
/** Between a company and a person there. */
const ATTENTION = /(?<!\p{L})(?:t\.? ?a\.? ?v\.?|c\/o|attn?\.?|z\.? ?hd\.?)(?!\p{L})/giu;
/** Initials written together, as in `J.P. Jansen` and `Jansen, J.P.` */
const INITIALS = /(?<=^|, *)(?:\p{L}\.){2,4}(?= *(?:\p{L}{2}|$))/u;
/** The similarity of `v.d. Berg` to `van den Berg`, which can be another name than `van der Berg`. */
const ABBREVIATED = 0.9;

/** The words of a typed text, and what else they may mean. */
export function variantsOf(text: string, words: readonly string[]): readonly (readonly string[])[] {
  const [first = '', ...others] = words;
  const variants = [
    words,
    // The customer's name may have particles written together with the next word.
    mergeParticles(words),
    abbreviate(words),
    withoutPrepositions(words),
    withoutSalutation(words),
    withoutPrepositions(withoutSalutation(words)),
    // `Kruidvat nr. 12`
    words.filter((word, at) => !(NUMBER_SIGNS.has(word) && /^\p{N}/u.test(words[at + 1] ?? ''))),
    // `t hoekje`
    first === 't' ? ['het', ...others] : words,
    nameWords(text.replace(ATTENTION, ' ')),
    nameWords(text.replace(/^([^,]+),(.+)$/u, '$2 $1')),
    initialsApart(text),
    numbersApart(words),
    // In an address, they are no legal forms.
    allWords(text),
    numbersApart(allWords(text)),
    // `Rboert` has swapped letters and no umlaut.
    plainWords(text),
  ];
  return [...new Map(variants.map((variant) => [variant.join(' '), variant])).values()];
}

/** The words of a value, and what they are if they are written together or apart. */
export function readings({ kind, text, words, folded }: Value): readonly Reading[] {
  const whole = { words, certainty: 1 };
  if (kind === 'email' || words.length === 0) return [whole];
  const [merged, abbreviated, apart] = [mergeParticles(words), abbreviate(words), numbersApart(words)];
  const initials = kind === 'text' ? [] : initialsApart(text);
  return [
    whole,
    ...(words.length > 1 ? [{ words: [folded], certainty: 1 }] : []),
    ...(merged === words ? [] : [{ words: merged, certainty: 1 }]),
    ...(abbreviated === words ? [] : [{ words: abbreviated, certainty: ABBREVIATED }]),
    ...(apart === words ? [] : [{ words: apart, certainty: 1 }]),
    ...(initials.length > 0 ? [{ words: initials, certainty: 1 }] : []),
  ];
}

function withoutPrepositions(words: readonly string[]): readonly string[] {
  return words.filter((word, at) => at === 0 || !PREPOSITIONS.has(word));
}

/** The words without `de heer`, `Herr Dr.` and the like before them. */
function withoutSalutation([first = '', ...others]: readonly string[]): readonly string[] {
  const [second = '', third] = others;
  if (PARTICLES.has(first) && SALUTATIONS.has(second) && third !== undefined) return withoutSalutation(others);
  const follows = others.filter((word) => !SALUTATIONS.has(word)).length;
  const isSalutation = SALUTATIONS.has(first) && follows >= (DEGREES.has(first) ? 2 : 1);
  return isSalutation ? withoutSalutation(others) : [first, ...others];
}

/** The words of a name with its initials as single words, if they are written together; or none. */
function initialsApart(name: string): readonly string[] {
  const [initials] = INITIALS.exec(name.trim()) ?? [];
  // Not as `nameWords`, which takes some of them for a legal form.
  return initials === undefined ? [] : allWords(name.trim().replace(INITIALS, initials.replaceAll('.', '. ')));
}

/** The words with numbers apart from letters: `3511ab` is `3511 ab`. */
function numbersApart(words: readonly string[]): readonly string[] {
  if (!words.some((word) => /\p{N}\P{N}|\P{N}\p{N}/u.test(word))) return words;
  return words.flatMap((word) => word.match(/\p{N}+|\P{N}+/gu) ?? []);
}

/** The words, with particles written together with the next word. */
function mergeParticles(words: readonly string[]): readonly string[] {
  if (!words.some((word) => PARTICLES.has(word))) return words;
  const merged: string[] = [];
  let run = '';
  for (const word of words) {
    run += word;
    if (PARTICLES.has(word)) continue;
    merged.push(run);
    run = '';
  }
  return run === '' ? merged : [...merged, run];
}

/** The additional words that arise if particles are written together with the next word. */
export function glued(words: readonly string[]): readonly string[] {
  return mergeParticles(words).filter((word) => !words.includes(word));
}

/** The words with `van der` and its kin abbreviated and joined to the next word: `vdberg` for `van den Berg` and `v.d. Berg`. */
function abbreviate(words: readonly string[]): readonly string[] {
  if (!words.some((word) => word === 'vd' || word === 'van' || word === 'v')) return words;
  return words
    .join(' ')
    .replace(/\b(?:vd|(?:v|van) (?:d|de|den|der)) (?=\p{L})/gu, 'vd')
    .split(' ');
}

/** The additional words that arise by {@link abbreviate}. */
export function abbreviated(words: readonly string[]): readonly string[] {
  return abbreviate(words).filter((word) => !words.includes(word));
}

/** Words of which each stands for the others, folded. */
const EQUIVALENTS = [
  'gebr gebroders gebruder',
  'st sint sankt saint',
  'fa firma',
  'zn zonen zoon',
  'str strasse straat',
].map((words) => words.split(' '));
/** The number of digits up to which a number may have zeros before it. */
const MAX_DIGITS = 6;

/** Other spellings of a word: its abbreviations, or the same number with other zeros. */
export function equivalents(word: string): readonly string[] {
  const bare = /^0*(\d+)$/.exec(word)?.[1];
  const numbers =
    bare === undefined
      ? []
      : Array.from({ length: Math.max(1, MAX_DIGITS - bare.length + 1) }, (_, zeros) => '0'.repeat(zeros) + bare);
  const group = EQUIVALENTS.find((words) => words.includes(word)) ?? [];
  return [...numbers, ...group].filter((other) => other !== word);
}
