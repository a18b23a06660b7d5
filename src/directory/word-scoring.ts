import { nameWords } from '../identity/folding.ts';
import { initialsOf, type CustomerIndex } from './customer-index.ts';
import type { Entry, Value } from './entry.ts';
import { EXACT, WEAK, type Scores } from './match.ts';
import { readings, variantsOf, type Reading } from './spellings.ts';

/** The score of an equal text that is not a name. */
const SAME_TEXT = 0.85;
const SAME_INITIALS = 0.6;
const NAME_IN_QUERY = 0.6;
/** The score of words of several people or names, or of a number that can also be a code: probable, but not certain. */
const PROBABLE = 0.7;
/** The maximum score of an entry that lacks a typed word. */
const MAX_SHARING = 0.49;
/** The minimum weight of the typed words in an entry that lacks some and is compared nevertheless, as a part of all. */
const MIN_SHARE = 0.5;
/** The similarity of an initial to a word that begins with it. */
const INITIAL = 0.7;
/** Further words are ignored. */
const MAX_WORDS = 12;
/** The similarity of a word to the same word before the `@` of an email, which can belong to another name. */
const IN_MAILBOX = 0.7;

/** A typed word, and the words that it may mean. */
interface TypedWord {
  readonly word: string;
  /** The similarity of each word of the index. */
  readonly like: ReadonlyMap<string, number>;
  /** Larger for rarer words. */
  readonly weight: number;
}

/** The typed words in one reading. */
interface Typed {
  readonly words: readonly TypedWord[];
  readonly weight: number;
  /** For each word of the index that may be meant, the places of the typed words with the similarities. */
  readonly meant: ReadonlyMap<string, readonly Pair[]>;
}

/** A typed word and a word of the index. */
interface Pair {
  /** The place of the typed word. */
  readonly at: number;
  readonly similarity: number;
}

/** What a value has in common with the typed words. */
interface Comparison {
  readonly value: Value;
  /** For each typed word, the similarity of the word of the value that it is matched with; 0 if there is none. */
  readonly similarities: readonly number[];
  /** The part of the value's words that are matched. */
  readonly covered: number;
}

/** Scores the entries by the words of a text. */
export function scoreWords(index: CustomerIndex, text: string, scores: Scores): void {
  const words = nameWords(text);
  const joined = words.join('');
  scores.noteValues([...index.placesOf('joined', joined), ...index.placesOf('word', joined)], ({ kind, folded }) => {
    if (folded !== joined || (kind !== 'name' && kind !== 'person' && kind !== 'text')) return 0;
    return kind === 'name' ? 1 : SAME_TEXT;
  });
  scoreInitials(index, words, scores);
  const known = new Map<string, TypedWord>();
  for (const variant of variantsOf(text, words)) {
    const typed = variant.slice(0, MAX_WORDS).map((word) => known.get(word) ?? typedWord(index, word));
    for (const word of typed) known.set(word.word, word);
    scoreVariant(index, together(typed), scores);
  }
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

function typedWord(index: CustomerIndex, word: string): TypedWord {
  const like = word.length === 1 ? new Map([[word, 1]]) : index.wordsLike(word);
  const places = index.placesOf('word', word).length;
  return { word, like, weight: Math.log(1 + (index.size + 1) / (places + 1)) };
}

function together(words: readonly TypedWord[]): Typed {
  const meant = new Map<string, Pair[]>();
  for (const [at, { like }] of words.entries())
    for (const [word, similarity] of like) {
      const pairs = meant.get(word);
      if (pairs) pairs.push({ at, similarity });
      else meant.set(word, [{ at, similarity }]);
    }
  return { words, weight: sum(words.map(({ weight }) => weight)), meant };
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

/** The values of an entry that have a typed word. */
function compare({ values }: Entry, typed: Typed): readonly Comparison[] {
  return values.flatMap((value) => {
    const comparisons = readings(value).flatMap((reading) => compareReading(reading, value, typed) ?? []);
    const [first, ...others] = comparisons;
    return first
      ? [others.reduce((best, other) => (sum(other.similarities) > sum(best.similarities) ? other : best), first)]
      : [];
  });
}

/** Matches each typed word with the most similar word; each written word counts once. `undefined`: there is none. */
function compareReading({ words, certainty }: Reading, value: Value, typed: Typed): Comparison | undefined {
  const pairs = words.flatMap((own, place) => {
    const factor = certainty === 1 || value.words.includes(own) ? 1 : certainty;
    return pairsOf(own, value, typed).map(({ at, similarity }) => ({ at, place, similarity: similarity * factor }));
  });
  if (pairs.length === 0) return undefined;
  pairs.sort((a, b) => b.similarity - a.similarity);
  const similarities = typed.words.map(() => 0);
  const taken = new Set<number>();
  for (const { at, place, similarity } of pairs) {
    if (similarities[at] !== 0 || taken.has(place)) continue;
    similarities[at] = similarity;
    taken.add(place);
  }
  const proved = proving(similarities, value, typed);
  return proved.some((similarity) => similarity > 0)
    ? { value, similarities: proved, covered: taken.size / words.length }
    : undefined;
}

/** The typed words that a word may be: the same, similar ones, and in names initials. */
function pairsOf(own: string, { kind }: Value, { words, meant }: Typed): readonly Pair[] {
  const pairs = meant.get(own) ?? NO_PAIRS;
  if (kind !== 'name' && kind !== 'person') return pairs;
  const initials = words.flatMap(({ word }, at) => (isInitial(word, own) ? [{ at, similarity: INITIAL }] : NO_PAIRS));
  return initials.length > 0 ? [...pairs, ...initials] : pairs;
}

const NO_PAIRS: readonly Pair[] = [];

function isInitial(a: string, b: string): boolean {
  return (a.length === 1) !== (b.length === 1) && a.charAt(0) === b.charAt(0);
}

/** The similarities without those that prove nothing in a value of this kind. */
function proving(similarities: readonly number[], { kind }: Value, { words }: Typed): readonly number[] {
  if (kind === 'email') return similarities.map((similarity) => (similarity === 1 ? IN_MAILBOX : 0));
  if (kind !== 'text') return similarities;
  // A letter after a house number is no initial.
  const isLong = (at: number): boolean => (words[at]?.word.length ?? 0) > 1;
  const some = similarities.some((similarity, at) => similarity > 0 && isLong(at));
  return some ? similarities : similarities.map((similarity, at) => (isLong(at) ? similarity : 0));
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

function scoreValue({ value: { kind, words }, similarities, covered }: Comparison, typed: Typed): number {
  if (similarities.every((similarity) => similarity > 0)) {
    if (kind === 'name')
      return level(similarities, covered === 1 ? 1 : EXACT + 0.1 * covered, 0.29 * (0.6 + 0.4 * covered));
    // A number in an address can also be a code.
    if (covered < 1 && typed.words.every(({ word }) => /^\p{N}+$/u.test(word)))
      return level(similarities, PROBABLE, 0.2);
    return level(similarities, covered === 1 ? SAME_TEXT : EXACT, 0.2);
  }
  if (kind !== 'name' || words.length < 2) return 0;
  const known = words.every((word) => typed.words.some(({ word: own }) => own === word));
  const weight = sum(typed.words.map((word, at) => word.weight * (similarities[at] ?? 0)));
  return known && weight >= MIN_SHARE * typed.weight ? NAME_IN_QUERY : 0;
}

/** Scores an entry in which several values contain the typed words together. */
function scoreSpread(
  compared: readonly Comparison[],
  { words }: Typed,
): { readonly score: number; readonly fields: string[] } {
  if (compared.length < 2) return NOT_SPREAD;
  const similarities: number[] = [];
  const used: Comparison[] = [];
  for (const at of words.keys()) {
    const [first, ...others] = compared;
    let best = first;
    for (const other of others) if ((other.similarities[at] ?? 0) > (best?.similarities[at] ?? 0)) best = other;
    const similarity = best?.similarities[at] ?? 0;
    if (!best || similarity === 0) return NOT_SPREAD;
    similarities.push(similarity);
    used.push(best);
  }
  const sources = [...new Set(used)];
  if (sources.length < 2) return NOT_SPREAD;
  const names = sources.filter(({ value: { kind } }) => kind === 'name' || kind === 'person');
  // A first name of one person and a surname of another one are nobody's name.
  const isCertain =
    names.every(({ covered }) => covered === 1) || (names.length === 1 && names[0]?.value.kind === 'name');
  const score = level(similarities, isCertain ? EXACT : PROBABLE, 0.15);
  return { score, fields: used.map(({ value: { field } }) => field) };
}

const NOT_SPREAD = { score: 0, fields: [] };

/** `exact` if all words are as typed, otherwise a score from {@link WEAK} upwards by their similarity. */
function level(similarities: readonly number[], exact: number, range: number): number {
  if (similarities.every((similarity) => similarity === 1)) return exact;
  return WEAK + range * Math.max(0, (sum(similarities) / similarities.length - 0.5) / 0.5);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
