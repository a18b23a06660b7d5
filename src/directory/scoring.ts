import { foldCode, foldEmail, nameWords, withoutLeadingZeros } from '../identity/folding.ts';
import { abbreviated, domainOf, glued, initialsOf, phoneTail, type CustomerIndex } from './customer-index.ts';
import { comparePhones, homeCode, phonesIn } from './phones.ts';
import { variantsOf } from './spellings.ts';
import type { Entry, Value } from './entry.ts';

/** A customer that was found. */
export interface Match {
  readonly entry: Entry;
  /** 1 if equal after folding; at least {@link EXACT} if all words are found as typed; below {@link WEAK} if only some are. */
  readonly score: number;
  /** The names of the matching fields in requests. */
  readonly matched: readonly string[];
}

const EXACT = 0.8;
export const WEAK = 0.5;
/** The maximum score of a match that is only similar. */
export const MAX_SIMILAR = 0.79;
/** The score of a value that differs only in case, punctuation or country code. */
export const SPELLED = 0.95;
/** The score of an equal text that is not a name. */
const SAME_TEXT = 0.85;
const SAME_INITIALS = 0.6;
const NAME_IN_QUERY = 0.6;
const SAME_DOMAIN = 0.35;
/** A domain of more customers counts as that of an email provider. */
const MAX_SHARING_DOMAIN = 20;
/** The similarity of an initial to a word that begins with it. */
const INITIAL = 0.7;
const MIN_SHOWN = 0.15;
/** Further words are ignored. */
const MAX_WORDS = 12;
/** The similarity of a word to the same word before the `@` of an email, which can belong to another name. */
const IN_MAILBOX = 0.7;
/** The similarity of `v.d. Berg` to `van den Berg`, which can be another name than `van der Berg`. */
const ABBREVIATED = 0.9;
/** Emails within other text, such as `Jansen <info@jansen.example>`. */
const EMAIL_IN_TEXT = /[^\s<>(),;:"]+@[^\s<>(),;:"]+/gu;

/** A typed word, and the words that it may mean. */
interface TypedWord {
  readonly word: string;
  /** The similarity of each word of the index. */
  readonly like: ReadonlyMap<string, number>;
  /** Larger for rarer words. */
  readonly weight: number;
}

interface Scored {
  readonly score: number;
  readonly fields: readonly string[];
}

type Best = Map<number, { score: number; fields: string[] }>;

/**
 * The customers that a typed text may mean, the best first, among those for which `isMeant` is true. Customers that only share a
 * word are omitted if there are better matches.
 */
export function search(index: CustomerIndex, typed: string, isMeant: (entry: Entry) => boolean): Match[] {
  const best: Best = new Map();
  const text = typed.trim();
  const place = index.placeOf(text);
  if (place !== undefined) note(best, place, { score: 1, fields: ['customer_id'] });
  for (const email of new Set([text, ...(text.match(EMAIL_IN_TEXT) ?? [])])) scoreEmails(index, email, best);
  scorePhones(index, phonesIn(text), best);
  scoreCodes(index, text, best);
  scoreWords(index, nameWords(text).slice(0, MAX_WORDS), best);
  const matches = [...best].flatMap(([at, { score, fields }]): Match[] => {
    const entry = index.at(at);
    return entry && score >= MIN_SHOWN && isMeant(entry)
      ? [{ entry, score: Math.round(score * 100) / 100, matched: [...new Set(fields)] }]
      : [];
  });
  matches.sort((a, b) => b.score - a.score);
  const found = matches.some(({ score }) => score >= WEAK);
  return found ? matches.filter(({ score }) => score >= WEAK) : matches;
}

function note(best: Best, place: number, { score, fields }: Scored): void {
  const before = best.get(place);
  if (!before || before.score < score) best.set(place, { score, fields: [...fields] });
  else if (before.score === score) before.fields.push(...fields);
}

/** Scores the values of one kind of the entries at these places. */
function noteValues(
  { index, best }: { readonly index: CustomerIndex; readonly best: Best },
  places: readonly number[],
  score: (value: Value) => number,
): void {
  for (const place of places)
    for (const value of index.at(place)?.values ?? []) {
      const scored = score(value);
      if (scored > 0) note(best, place, { score: scored, fields: [value.field] });
    }
}

function scoreEmails(index: CustomerIndex, text: string, best: Best): void {
  if (/\s/.test(text)) return;
  const folded = foldEmail(text);
  const domain = domainOf(folded);
  const whole = folded.indexOf('@') > 0;
  const sharing = index.placesOf('domain', domain);
  if (!whole || sharing.length <= MAX_SHARING_DOMAIN)
    noteValues({ index, best }, sharing, ({ kind, folded: own }) => {
      if (kind !== 'email' || domainOf(own) !== domain) return 0;
      return whole ? SAME_DOMAIN : EXACT;
    });
  if (!whole) return;
  const scoreOf =
    (email: string, score: number) =>
    ({ kind, folded: own }: Value): number =>
      kind === 'email' && own === email ? score : 0;
  noteValues({ index, best }, index.placesOf('email', folded), scoreOf(folded, 1));
  for (const near of index.emailsLike(folded))
    noteValues({ index, best }, index.placesOf('email', near), scoreOf(near, MAX_SIMILAR - 0.04));
}

function scorePhones(index: CustomerIndex, typed: readonly string[], best: Best): void {
  if (typed.length === 0) return;
  const home = homeCode(phonesOf(index));
  const scores = { same: SPELLED, similar: MAX_SIMILAR, other: 0 };
  for (const phone of typed)
    noteValues({ index, best }, index.placesOf('phone', phoneTail(phone)), ({ kind, folded }) => {
      if (kind !== 'phone') return 0;
      return folded === phone ? 1 : scores[comparePhones(folded, phone, home)];
    });
}

function* phonesOf(index: CustomerIndex): Generator<string> {
  for (const { values } of index.entries()) for (const { kind, folded } of values) if (kind === 'phone') yield folded;
}

/** Scores codes. One that differs in leading zeros is only similar, because it can be another code. */
function scoreCodes(index: CustomerIndex, text: string, best: Best): void {
  const code = foldCode(text);
  const bare = withoutLeadingZeros(code);
  if (bare === '') return;
  noteValues({ index, best }, index.placesOf('code', bare), ({ kind, text: own, folded }) => {
    if (kind !== 'code' || withoutLeadingZeros(folded) !== bare) return 0;
    if (own.trim() === text) return 1;
    return folded === code ? SPELLED : MAX_SIMILAR;
  });
}

function scoreWords(index: CustomerIndex, words: readonly string[], best: Best): void {
  if (words.length === 0) return;
  const joined = words.join('');
  const sameJoined = ({ kind, folded }: Value): number => {
    if (folded !== joined || (kind !== 'name' && kind !== 'text')) return 0;
    return kind === 'name' ? 1 : SAME_TEXT;
  };
  noteValues({ index, best }, [...index.placesOf('joined', joined), ...index.placesOf('word', joined)], sameJoined);
  scoreInitials(index, words, best);

  for (const variant of variantsOf(words)) {
    const typed = variant.map((word) => typedWord(index, word));
    const total = typed.reduce((sum, { weight }) => sum + weight, 0);
    for (const [place, shared] of placesSharing(index, typed)) {
      const entry = index.at(place);
      if (!entry) continue;
      const scored = scoreEntry(entry, typed, total);
      if (scored) note(best, place, scored);
      else note(best, place, { score: Math.min(0.49, (0.49 * shared) / total), fields: fieldsSharing(entry, typed) });
    }
  }
}

/** Matches `KLM` with a name of three words, and such a name with `KLM`. */
function scoreInitials(index: CustomerIndex, words: readonly string[], best: Best): void {
  const [only = '', ...others] = words;
  if (others.length === 0 && only.length > 1)
    noteValues({ index, best }, index.placesOf('initials', only), ({ kind, words: own }) =>
      kind === 'name' && initialsOf(own) === only ? SAME_INITIALS : 0,
    );
  const initials = initialsOf(words);
  if (initials !== undefined)
    noteValues({ index, best }, index.placesOf('word', initials), ({ kind, folded }) =>
      kind === 'name' && folded === initials ? SAME_INITIALS : 0,
    );
}

function typedWord(index: CustomerIndex, word: string): TypedWord {
  const like = word.length === 1 ? new Map([[word, 1]]) : index.wordsLike(word);
  const places = index.placesOf('word', word).length;
  return { word, like, weight: Math.log(1 + (index.size + 1) / (places + 1)) };
}

/** The places that contain a word that may be meant, each with the weight of the typed words found there. */
function placesSharing(index: CustomerIndex, typed: readonly TypedWord[]): ReadonlyMap<number, number> {
  const shared = new Map<number, number>();
  for (const { like, weight } of typed) {
    const here = new Map<number, number>();
    for (const [word, similarity] of like)
      for (const place of index.placesOf('word', word))
        if ((here.get(place) ?? 0) < similarity) here.set(place, similarity);
    for (const [place, similarity] of here) shared.set(place, (shared.get(place) ?? 0) + weight * similarity);
  }
  return shared;
}

/** The score of an entry; `undefined` if it lacks a typed word and has no name that consists of typed words. */
function scoreEntry(
  { values }: Entry,
  typed: readonly TypedWord[],
  total: number,
): { readonly score: number; readonly fields: string[] } | undefined {
  const readable = values.filter(({ words }) => words.length > 0);
  let result = { score: 0, fields: [''] };
  const anywhere = typed.map(() => ({ similarity: 0, field: '' }));
  for (const value of readable) {
    const similarities = typed.map((word) => similarityIn(value, word));
    similarities.forEach((similarity, index) => {
      if (similarity > (anywhere[index]?.similarity ?? 0)) anywhere[index] = { similarity, field: value.field };
    });
    const score = scoreValue(value, similarities, { typed, total });
    if (score > result.score) result = { score, fields: [value.field] };
    else if (score > 0 && score === result.score) result.fields.push(value.field);
  }
  const spread = anywhere.every(({ similarity }) => similarity > 0)
    ? level(
        anywhere.map(({ similarity }) => similarity),
        EXACT,
        0.15,
      )
    : 0;
  if (spread > result.score) return { score: spread, fields: anywhere.map(({ field }) => field) };
  return result.score > 0 ? result : undefined;
}

function scoreValue(
  { kind, words }: Value,
  similarities: readonly number[],
  { typed, total }: { readonly typed: readonly TypedWord[]; readonly total: number },
): number {
  if (similarities.every((similarity) => similarity > 0)) {
    const share = Math.min(1, typed.length / words.length);
    if (kind !== 'name') return level(similarities, share === 1 ? SAME_TEXT : EXACT, 0.2);
    return level(similarities, share === 1 ? 1 : EXACT + 0.1 * share, 0.29 * (0.6 + 0.4 * share));
  }
  if (kind !== 'name' || words.length < 2) return 0;
  const known = words.every((word) => typed.some(({ word: own }) => own === word));
  const weight = typed.reduce((sum, word, index) => sum + word.weight * (similarities[index] ?? 0), 0);
  return known && weight >= 0.5 * total ? NAME_IN_QUERY : 0;
}

/** `exact` if all words are as typed, otherwise a score from {@link WEAK} upwards by their similarity. */
function level(similarities: readonly number[], exact: number, range: number): number {
  if (similarities.every((similarity) => similarity === 1)) return exact;
  const average = similarities.reduce((sum, similarity) => sum + similarity, 0) / similarities.length;
  return WEAK + range * Math.max(0, (average - 0.5) / 0.5);
}

function similarityIn({ kind, words, folded }: Value, { word, like }: TypedWord): number {
  let max = 0;
  for (const own of words) max = Math.max(max, like.get(own) ?? initial(word, own));
  if (kind === 'email') return max < 1 ? 0 : IN_MAILBOX;
  // The typed word can be the whole name, written as one word.
  if (max < 1 && word.length > 3 && (folded === word || glued(words).includes(word))) return 1;
  return max < ABBREVIATED && abbreviated(words).includes(word) ? ABBREVIATED : max;
}

function initial(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return short.length === 1 && long.startsWith(short) ? INITIAL : 0;
}

function fieldsSharing({ values }: Entry, typed: readonly TypedWord[]): string[] {
  return values
    .filter(({ words }) => words.some((word) => typed.some(({ like }) => like.has(word))))
    .map(({ field }) => field);
}
