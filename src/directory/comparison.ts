import type { CustomerIndex } from './customer-index.ts';
import type { Entry, Value } from './entry.ts';
import { readings, type Reading } from './spellings.ts';

/** The similarity of a typed initial to a word that begins with it, and of a typed word to a written initial. */
const INITIAL = { typed: 0.9, written: 0.7 };
/** The similarity of initials to the same in another order. */
const SWAPPED_INITIALS = 0.9;
/** The similarity of a word to the same word before the `@` of an email, which can belong to another name. */
const IN_MAILBOX = 0.7;
/** The similarity of a part of a code to a word of an address or another text. */
const PART_OF_CODE = 0.9;

/** A typed word, and the words that it may mean. */
export interface TypedWord {
  readonly word: string;
  /** The similarity of each word of the index. */
  readonly like: ReadonlyMap<string, number>;
  /** Larger for rarer words. */
  readonly weight: number;
}

/** The typed words in one reading. */
export interface Typed {
  /** Whether they were typed as one, with a sign between them, as codes are: in an address they may stand apart. */
  readonly isCode: boolean;
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
export interface Comparison {
  readonly value: Value;
  /** For each typed word, the similarity of the word of the value that it is matched with; 0 if there is none. */
  readonly similarities: readonly number[];
  /** The part of the value's words that are matched. */
  readonly covered: number;
  /** Whether all of them are matched with the same words. */
  readonly isWhole: boolean;
  /** Whether the last of them is, as the city of an address. */
  readonly isEnd: boolean;
  /** Whether the value has an initial that is not matched. */
  readonly otherInitial: boolean;
}

/** A typed word with the words of the index that it may mean. */
export function typedWord(index: CustomerIndex, word: string): TypedWord {
  const like = word.length === 1 ? new Map([[word, 1]]) : index.wordsLike(word);
  const places = index.placesOf('word', word).length;
  return { word, like, weight: Math.log(1 + (index.size + 1) / (places + 1)) };
}

/** The typed words of one reading. */
export function together(words: readonly TypedWord[], isCode: boolean): Typed {
  const meant = new Map<string, Pair[]>();
  for (const [at, { like }] of words.entries())
    for (const [word, similarity] of like) {
      const pairs = meant.get(word);
      if (pairs) pairs.push({ at, similarity });
      else meant.set(word, [{ at, similarity }]);
    }
  return { isCode, words, weight: sum(words.map(({ weight }) => weight)), meant };
}

/** The values of an entry that have a typed word. */
export function compare({ values }: Entry, typed: Typed): readonly Comparison[] {
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
  const taken = new Map<number, number>();
  const initials: { readonly at: number; readonly place: number }[] = [];
  for (const { at, place, similarity } of pairs) {
    if (similarities[at] !== 0 || taken.has(place)) continue;
    similarities[at] = similarity;
    taken.set(place, similarity);
    if (typed.words[at]?.word.length === 1 && words[place]?.length === 1) initials.push({ at, place });
  }
  if (areSwapped(initials)) for (const { at } of initials) similarities[at] = SWAPPED_INITIALS;
  const proved = proving(similarities, value, typed);
  if (!proved.some((similarity) => similarity > 0)) return undefined;
  const otherInitial = words.some((own, place) => own.length === 1 && !taken.has(place));
  const isSame = (place: number): boolean => taken.get(place) === 1;
  const isWhole = words.every((_, place) => isSame(place));
  const covered = taken.size / words.length;
  return { value, similarities: proved, covered, isWhole, isEnd: isSame(words.length - 1), otherInitial };
}

/** Whether typed initials have another order than the written ones. */
function areSwapped(initials: readonly { readonly at: number; readonly place: number }[]): boolean {
  const places = initials.toSorted((a, b) => a.at - b.at).map(({ place }) => place);
  return places.some((place, before) => place > (places[before + 1] ?? place));
}

/** The typed words that a word may be: the same, similar ones, and in names initials. */
function pairsOf(own: string, { kind }: Value, { words, meant }: Typed): readonly Pair[] {
  const pairs = meant.get(own) ?? NO_PAIRS;
  if (kind !== 'name' && kind !== 'person') return pairs;
  // The last word that was typed is a surname, which an initial does not stand for.
  const last = own.length === 1 && words.length > 1 ? words.length - 1 : words.length;
  const similarity = own.length === 1 ? INITIAL.written : INITIAL.typed;
  const initials = words
    .slice(0, last)
    .flatMap(({ word }, at) => (isInitial(word, own) ? [{ at, similarity }] : NO_PAIRS));
  return initials.length > 0 ? [...pairs, ...initials] : pairs;
}

const NO_PAIRS: readonly Pair[] = [];

const LETTER = /^\p{L}/u;

function isInitial(a: string, b: string): boolean {
  return (a.length === 1) !== (b.length === 1) && a.charAt(0) === b.charAt(0) && LETTER.test(a);
}

/** The similarities without those that prove nothing in a value of this kind. */
function proving(similarities: readonly number[], { kind }: Value, { words, isCode }: Typed): readonly number[] {
  if (kind === 'email') return similarities.map((similarity) => (similarity === 1 ? IN_MAILBOX : 0));
  if (kind !== 'text') return similarities;
  if (isCode) return similarities.map((similarity) => similarity * PART_OF_CODE);
  // A letter after a house number is no initial.
  const isLong = (at: number): boolean => (words[at]?.word.length ?? 0) > 1;
  const some = similarities.some((similarity, at) => similarity > 0 && isLong(at));
  return some ? similarities : similarities.map((similarity, at) => (isLong(at) ? similarity : 0));
}

/** The sum of some numbers. */
export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
