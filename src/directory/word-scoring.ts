import { nameWords } from '../identity/folding.ts';
import { initialsOf, type CustomerIndex } from './customer-index.ts';
import { compare, sum, together, typedWord, type Comparison, type Typed, type TypedWord } from './comparison.ts';
import type { Entry, Value } from './entry.ts';
import { EXACT, WEAK, type Scores } from './match.ts';
import { variantsOf } from './spellings.ts';

/** The score of an equal text that is not a name. */
const SAME_TEXT = 0.85;
const SAME_INITIALS = 0.6;
const NAME_IN_QUERY = 0.6;
/** The score of words of several people or names, or of a number that can also be a code: probable, but not certain. */
const PROBABLE = 0.7;
/** Ranks a whole name before a part of one, and a city before a street; too little to be shown. */
const WHOLE = 0.004;
/** The maximum score of an entry that lacks a typed word. */
const MAX_SHARING = 0.49;
/** The minimum weight of the typed words in an entry that lacks some and is compared nevertheless, as a part of all. */
const MIN_SHARE = 0.5;
/** Further words are ignored. */
const MAX_WORDS = 12;
/** The minimum length of a part of a compound. */
const MIN_PART = 4;

/** Scores the entries by the words of a text. */
export function scoreWords(index: CustomerIndex, text: string, scores: Scores): void {
  const words = nameWords(text).slice(0, MAX_WORDS);
  const joined = words.join('');
  scores.noteValues([...index.placesOf('joined', joined), ...index.placesOf('word', joined)], ({ kind, folded }) => {
    if (folded !== joined || (kind !== 'name' && kind !== 'person' && kind !== 'text')) return 0;
    return kind === 'name' ? 1 : SAME_TEXT;
  });
  scoreInitials(index, words, scores);
  const isCode = words.length > 1 && /^\S*\p{N}\S*$/u.test(text.trim());
  const known = new Map<string, TypedWord>();
  for (const variant of [...variantsOf(text, words), ...compounds(index, words)]) {
    const typed = variant.slice(0, MAX_WORDS).map((word) => known.get(word) ?? typedWord(index, word));
    for (const word of typed) known.set(word.word, word);
    scoreVariant(index, together(typed, isCode), scores);
  }
}

/** The words with two of them written as one, or one as two, if customers have them so: `Loodgieters bedrijf`. */
function compounds(index: CustomerIndex, words: readonly string[]): readonly (readonly string[])[] {
  const isKnown = (word: string): boolean => word.length >= MIN_PART && index.placesOf('word', word).length > 0;
  return words.flatMap((word, at) => {
    const before = words.slice(0, at);
    const joined = word + (words[at + 1] ?? '');
    const others = at + 1 < words.length && isKnown(joined) ? [[...before, joined, ...words.slice(at + 2)]] : [];
    if (isKnown(word)) return others;
    const splits = Array.from({ length: Math.max(0, word.length - 2 * MIN_PART + 1) }, (_, n) => n + MIN_PART)
      .map((end) => [word.slice(0, end), word.slice(end)])
      .filter((parts) => parts.every(isKnown));
    return [...others, ...splits.map((parts) => [...before, ...parts, ...words.slice(at + 1)])];
  });
}

/** Matches `KLM` with a name of three words, and such a name with `KLM`. */
function scoreInitials(index: CustomerIndex, words: readonly string[], scores: Scores): void {
  const [only = '', ...others] = words;
  if (others.length === 0 && only.length > 1)
    scores.noteValues(index.placesOf('initials', only), ({ kind, words: own }) =>
      kind === 'name' && initialsOf(own) === only ? SAME_INITIALS : 0,
    );
  const initials = initialsOf(words);
  if (initials !== undefined)
    scores.noteValues(index.placesOf('word', initials), ({ kind, folded }) =>
      kind === 'name' && folded === initials ? SAME_INITIALS : 0,
    );
}

function scoreVariant(index: CustomerIndex, typed: Typed, scores: Scores): void {
  const longer = typed.words.filter(({ word }) => word.length > 1);
  // A single letter is not enough, unless nothing else was typed.
  const telling = longer.length > 0 ? longer : typed.words;
  for (const [place, { count, weight }] of placesSharing(index, telling)) {
    const entry = index.at(place);
    if (!entry) continue;
    const isPromising =
      count === telling.length || weight >= MIN_SHARE * typed.weight || entry.values.some(hasInitials);
    const compared = isPromising ? compare(entry, typed) : [];
    const scored = bestOf(compared, typed);
    scores.note(
      place,
      scored.score > 0 ? scored : { score: sharing(weight, typed), fields: fieldsSharing(entry, typed) },
    );
  }
}

/** The score of an entry that lacks typed words. */
function sharing(weight: number, typed: Typed): number {
  return MAX_SHARING * Math.min(1, weight / typed.weight);
}

function fieldsSharing(entry: Entry, typed: Typed): readonly string[] {
  const sharing = entry.values.filter(({ words }) => words.some((word) => typed.meant.has(word)));
  return (sharing.length > 0 ? sharing : compare(entry, typed).map(({ value }) => value)).map(({ field }) => field);
}

/** Whether a name contains initials, which stand for several words. */
function hasInitials({ kind, text }: Value): boolean {
  return (kind === 'name' || kind === 'person') && /(?<!\p{L})\p{L}(?:\.|(?!\p{L}))/u.test(text);
}

/** The places that contain a word that may be meant, each with the number and the weight of the typed words found there. */
function placesSharing(
  index: CustomerIndex,
  words: readonly TypedWord[],
): ReadonlyMap<number, { readonly count: number; readonly weight: number }> {
  const shared = new Map<number, { count: number; weight: number }>();
  for (const { like, weight } of words) {
    const here = new Map<number, number>();
    for (const [word, similarity] of like)
      for (const place of index.placesOf('word', word))
        if ((here.get(place) ?? 0) < similarity) here.set(place, similarity);
    for (const [place, similarity] of here) {
      const found = shared.get(place) ?? { count: 0, weight: 0 };
      shared.set(place, { count: found.count + 1, weight: found.weight + weight * similarity });
    }
  }
  return shared;
}

/** The best score of one value, or of several that contain all typed words together; 0 if there is none. */
function bestOf(
  compared: readonly Comparison[],
  typed: Typed,
): { readonly score: number; readonly fields: readonly string[] } {
  let best = { score: 0, fields: [''] };
  for (const comparison of compared) {
    const score = scoreValue(comparison, typed);
    if (score > best.score) best = { score, fields: [comparison.value.field] };
    else if (score > 0 && score === best.score) best.fields.push(comparison.value.field);
  }
  const spread = scoreSpread(compared, typed);
  return spread.score > best.score ? spread : best;
}

function scoreValue(comparison: Comparison, { words, weight }: Typed): number {
  const { value, similarities, covered } = comparison;
  if (similarities.every((similarity) => similarity > 0)) {
    const exact = exactScore(comparison, words);
    return level(similarities, exact, value.kind === 'name' ? 0.29 * (0.6 + 0.4 * covered) : 0.2);
  }
  if (value.kind !== 'name' || value.words.length < 2) return 0;
  const known = value.words.every((own) => words.some(({ word }) => word === own));
  const found = sum(words.map((word, at) => word.weight * (similarities[at] ?? 0)));
  return known && found >= MIN_SHARE * weight ? NAME_IN_QUERY : 0;
}

/** The score of a value that contains all typed words as typed. */
function exactScore(
  { value: { kind }, covered, isEnd, otherInitial }: Comparison,
  words: readonly TypedWord[],
): number {
  if (covered === 1) return kind === 'name' ? 1 : SAME_TEXT;
  const isNumber = kind === 'text' && words.every(({ word }) => /^\p{N}+$/u.test(word));
  const isOtherPerson = otherInitial && words.some(({ word }) => word.length === 1);
  if (isNumber || isOtherPerson) return PROBABLE;
  if (kind === 'name') return EXACT + 0.1 * covered;
  // The last words of an address are its city.
  return isEnd ? EXACT + WHOLE : EXACT;
}

/** Scores an entry in which several values contain the typed words together. */
function scoreSpread(
  compared: readonly Comparison[],
  { words }: Typed,
): { readonly score: number; readonly fields: string[] } {
  if (compared.length < 2) return NOT_SPREAD;
  // `New York` is rather the whole city than a part of the name.
  const wholeFirst = compared.toSorted((a, b) => Number(b.isWhole) - Number(a.isWhole));
  const similarities: number[] = [];
  const used: Comparison[] = [];
  for (const [at, { word }] of words.entries()) {
    // If a value has a word once that was typed twice, it is matched with the first.
    const first = words.findIndex((other) => other.word === word);
    const isUsed = (other: Comparison): boolean =>
      used.some((earlier, place) => earlier === other && words[place]?.word === word);
    let [similarity, best] = [0, wholeFirst[0]];
    for (const other of wholeFirst) {
      const own = other.similarities[at] || (isUsed(other) ? 0 : (other.similarities[first] ?? 0));
      if (own > similarity) [similarity, best] = [own, other];
    }
    if (!best || similarity === 0) return NOT_SPREAD;
    similarities.push(similarity);
    used.push(best);
  }
  if (new Set(used).size < 2) return NOT_SPREAD;
  const fields = used.map(({ value: { field } }) => field);
  return { score: level(similarities, certainty(used, words), 0.15), fields };
}

const NOT_SPREAD = { score: 0, fields: [] };

/**
 * The score of words as typed that several values contain. They can only mean this customer if they are its whole names, or a part
 * of its name and then its place. The first name of one person and the surname of another one are nobody's name; neither is a
 * street before a surname, nor the number of a house after a part of a name.
 */
function certainty(used: readonly Comparison[], words: readonly TypedWord[]): number {
  const isName = ({ value: { kind } }: Comparison): boolean => kind === 'name' || kind === 'person';
  const names = [...new Set(used.filter(isName))];
  const place = used.findIndex((comparison) => !isName(comparison));
  if (place >= 0 && used.slice(place).some(isName)) return PROBABLE;
  if (names.every(({ isWhole }) => isWhole)) return EXACT + WHOLE;
  const isPlace = place >= 0 && used.slice(place).every(({ isWhole, isEnd }) => isWhole || isEnd);
  const isNumber = place >= 0 && words.slice(place).every(({ word }) => /^\p{N}+$/u.test(word));
  return names.length === 1 && names[0]?.value.kind === 'name' && isPlace && !isNumber ? EXACT : PROBABLE;
}

/** `exact` if all words are as typed, otherwise a score from {@link WEAK} upwards by their similarity. */
function level(similarities: readonly number[], exact: number, range: number): number {
  if (similarities.every((similarity) => similarity === 1)) return exact;
  return WEAK + range * Math.max(0, (sum(similarities) / similarities.length - 0.5) / 0.5);
}
