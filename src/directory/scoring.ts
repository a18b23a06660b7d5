import { allWords, foldCode, foldEmail, isLegalForm, nameWords, withoutLeadingZeros } from '../identity/folding.ts';
import { codesIn } from './code-spellings.ts';
import { domainOf, phoneTail, type CustomerIndex } from './customer-index.ts';
import type { Entry, Value } from './entry.ts';
import { EXACT, MAX_SIMILAR, Scores, SPELLED, WEAK, type Match } from './match.ts';
import { comparePhones, homeCode, phonesIn } from './phones.ts';
import { scoreWords } from './word-scoring.ts';

const SAME_DOMAIN = 0.35;
/** A domain of more customers counts as that of an email provider. */
const MAX_SHARING_DOMAIN = 20;
/** The maximum score of a name beside an email that the customer does not have, or after a legal form that it may not have. */
const NOT_ALL_TYPED = 0.85;
/** A word before others. */
const FIRST_WORD = /^\S+\s+(?=\S)/u;
const MIN_SHOWN = 0.15;
/** Emails within other text, such as `Jansen <info@jansen.example>`. */
const EMAIL_IN_TEXT = /[^\s<>(),;:"]+@[^\s<>(),;:"]+/gu;

/** What a search found. */
export interface Searched {
  readonly matches: readonly Match[];
  /** The number of archived customers that were left out and match better than all others. */
  readonly archived: number;
}

/** The customers for which `isMeant` is true and that a text may mean, or all; with `archived`, archived ones too. */
export function searchIndex(
  index: CustomerIndex,
  { text, archived }: { readonly text: string | undefined; readonly archived: boolean },
  isMeant: (entry: Entry) => boolean,
): Searched {
  const all =
    text === undefined
      ? [...index.entries()].filter(isMeant).map((entry) => ({ entry, score: 1, matched: [] }))
      : search(index, text, isMeant);
  const matches = hitsOf(archived ? all : all.filter(({ entry }) => !entry.archived));
  const [best] = matches;
  const isHidden = ({ entry, score }: Match): boolean => entry.archived && score >= WEAK && score > (best?.score ?? 0);
  return { matches, archived: archived ? 0 : all.filter(isHidden).length };
}

/** Without customers that only share a word, if there are better matches. */
function hitsOf(matches: readonly Match[]): readonly Match[] {
  const hits = matches.filter(({ score }) => score >= WEAK);
  return hits.length > 0 ? hits : matches;
}

/** The customers that a typed text may mean, the best first, among those for which `isMeant` is true. */
function search(index: CustomerIndex, typed: string, isMeant: (entry: Entry) => boolean): Match[] {
  const text = typed.trim();
  const kinds = [scoreIds, scoreEmails, scorePhones, scoreCodes, scoreText].map((score) => {
    const scores = new Scores(index);
    score(index, text, scores);
    return scores;
  });
  return [...new Set(kinds.flatMap((scores) => [...scores.places()]))]
    .flatMap((place) => matchAt(place, index, kinds) ?? [])
    .filter(({ score, entry }) => score >= MIN_SHOWN && isMeant(entry))
    .map((match) => ({ ...match, spelled: spelledLike(match, text) }))
    .sort((a, b) => b.score - a.score || b.spelled - a.spelled || b.exact - a.exact || b.support - a.support)
    .map(({ entry, score, matched }): Match => ({ entry, score, matched }));
}

/** The match at a place, if there is an entry; `exact` is its score unrounded, and `support` is what all kinds of values contribute. */
function matchAt(
  place: number,
  index: CustomerIndex,
  kinds: readonly Scores[],
): (Match & { readonly exact: number; readonly support: number }) | undefined {
  const entry = index.at(place);
  if (!entry) return undefined;
  const scored = kinds.flatMap((scores) => scores.at(place) ?? []);
  const score = Math.max(...scored.map((kind) => kind.score));
  const best = scored.filter((kind) => kind.score === score);
  return {
    entry,
    score: Math.round(score * 100) / 100,
    exact: score,
    matched: [...new Set(best.flatMap(({ fields }) => fields))],
    support: scored.reduce((sum, kind) => sum + kind.score, 0),
  };
}

/**
 * How closely the spelling of an entry's best value resembles the typed one: 3 if it is the same, 2 if only the case differs, 1 if
 * it has the same words, with legal forms.
 */
function spelledLike({ entry: { values }, score }: Match, text: string): number {
  const lower = text.toLowerCase();
  const wordsOf = (name: string): string => allWords(name).toSorted().join(' ');
  const words = score === 1 ? wordsOf(text) : '';
  return Math.max(
    ...values.map(({ kind, text: own }) => {
      if (own.trim() === text) return 3;
      if (own.trim().toLowerCase() === lower) return 2;
      return Number(words !== '' && kind === 'name' && wordsOf(own) === words);
    }),
    0,
  );
}

function scoreIds(index: CustomerIndex, text: string, scores: Scores): void {
  const place = index.placeOf(text);
  if (place !== undefined) scores.note(place, { score: 1, fields: ['customer_id'] });
}

function scoreEmails(index: CustomerIndex, text: string, scores: Scores): void {
  const site = text.replace(/^(?:https?:\/\/)?www\./i, '').replace(/\/$/, '');
  for (const email of new Set([text, site, ...(text.match(EMAIL_IN_TEXT) ?? [])])) scoreEmail(index, email, scores);
}

function scoreEmail(index: CustomerIndex, text: string, scores: Scores): void {
  if (/\s/.test(text)) return;
  const folded = foldEmail(text);
  const domain = domainOf(folded);
  const whole = folded.indexOf('@') > 0;
  const sharing = index.placesOf('domain', domain);
  if (!whole || sharing.length <= MAX_SHARING_DOMAIN)
    scores.noteValues(sharing, ({ kind, folded: own }) => {
      if (kind !== 'email' || domainOf(own) !== domain) return 0;
      return whole ? SAME_DOMAIN : EXACT;
    });
  if (!whole) return;
  const scoreOf =
    (email: string, score: number) =>
    ({ kind, folded: own }: Value): number =>
      kind === 'email' && own === email ? score : 0;
  scores.noteValues(index.placesOf('email', folded), scoreOf(folded, 1));
  for (const near of index.emailsLike(folded))
    scores.noteValues(index.placesOf('email', near), scoreOf(near, MAX_SIMILAR - 0.04));
}

function scorePhones(index: CustomerIndex, text: string, scores: Scores): void {
  const typed = phonesIn(text);
  if (typed.length === 0) return;
  const home = homeCode(phonesOf(index));
  const scoreOf = { same: SPELLED, similar: MAX_SIMILAR, other: 0 };
  for (const phone of typed)
    scores.noteValues(index.placesOf('phone', phoneTail(phone)), ({ kind, folded }) => {
      if (kind !== 'phone') return 0;
      return folded === phone ? 1 : scoreOf[comparePhones(folded, phone, home)];
    });
}

function* phonesOf(index: CustomerIndex): Generator<string> {
  for (const { values } of index.entries()) for (const { kind, folded } of values) if (kind === 'phone') yield folded;
}

/** Scores codes. One that differs in leading zeros is only similar, because it can be another code. */
function scoreCodes(index: CustomerIndex, text: string, scores: Scores): void {
  for (const typed of codesIn(text)) scoreCode(index, typed, scores);
}

function scoreCode(index: CustomerIndex, typed: string, scores: Scores): void {
  const code = foldCode(typed);
  const bare = withoutLeadingZeros(code);
  if (bare === '') return;
  scores.noteValues(index.placesOf('code', bare), ({ kind, text: own, folded }) => {
    if ((kind !== 'code' && kind !== 'number') || withoutLeadingZeros(folded) !== bare) return 0;
    if (own.trim() === typed) return 1;
    return folded === code ? SPELLED : MAX_SIMILAR;
  });
}

/**
 * Scores names and other texts. The words of an email count only if it is all that was typed; a name beside it is not all that was
 * typed, and the email may be that of another customer. A legal form before a name (`AB Volvo`) may be written after it or not at
 * all, or it may be a word of another name (`AS Roma`).
 */
function scoreText(index: CustomerIndex, text: string, scores: Scores): void {
  const name = text.replace(EMAIL_IN_TEXT, ' ').trim();
  if (nameWords(text).length === 0) return scoreSigns(index, text, scores);
  if (name !== text && nameWords(name).length > 0) return scorePart(index, { part: name }, scores);
  scoreWords(index, text, scores);
  const rest = text.replace(FIRST_WORD, '');
  const [form = ''] = allWords(text);
  const { length } = nameWords(rest);
  if (rest === text || length === 0 || !isLegalForm(form)) return;
  // Only for a whole name without another form: `S.A. Smit` is a person, and others have the surname.
  const isMeant = ({ kind, words, text: own }: Value): boolean => {
    if (kind !== 'name' || words.length !== length) return false;
    const forms = allWords(own).filter((word) => !words.includes(word));
    return forms.length === 0 || forms.includes(form);
  };
  scorePart(index, { part: rest, isMeant }, scores);
}

/** Scores a part of what was typed, for customers with a value for which `isMeant` is true. */
function scorePart(
  index: CustomerIndex,
  { part, isMeant = () => true }: { readonly part: string; readonly isMeant?: (value: Value) => boolean },
  scores: Scores,
): void {
  const found = new Scores(index);
  scoreWords(index, part, found);
  for (const place of found.places()) {
    const { score = 0, fields = [] } = found.at(place) ?? {};
    if (index.at(place)?.values.some(isMeant)) scores.note(place, { score: Math.min(score, NOT_ALL_TYPED), fields });
  }
}

/** Scores a text without letters and digits, such as an emoji. */
function scoreSigns(index: CustomerIndex, text: string, scores: Scores): void {
  if (text === '') return;
  const isPicture = /\p{Extended_Pictographic}/u.test(text);
  scores.noteValues(index.places(), ({ kind, text: own }) => {
    if (own.trim() === text) return 1;
    return kind === 'name' && isPicture && own.includes(text) ? EXACT : 0;
  });
}
