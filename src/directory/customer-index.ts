import { foldNumber, nameKeys, typosAllowed, typosBetween, withoutLeadingZeros } from '../identity/folding.ts';
import { sameEntry, type Entry, type Value } from './entry.ts';
import { abbreviated, equivalents, glued } from './spellings.ts';

/** The places of the entries that contain a term, usually one. */
type Places = number | number[];

/** The number of final digits by which phone numbers with and without a country code are compared. */
const PHONE_TAIL = 7;
/** The minimum similarity of a word to its beginning. */
const PREFIX = 0.7;
const MIN_PREFIX = 3;
/** The similarity of a word to its abbreviation, and of a number to the same with zeros. */
const EQUIVALENT = 0.9;
/** Scripts that separate no words: a typed word can be any part of a written one. */
const UNSPACED = /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Hangul}\p{sc=Thai}]/u;
const MIN_UNSPACED = 2;

/** The kinds of terms. */
export type TermKind = 'word' | 'joined' | 'name' | 'email' | 'domain' | 'phone' | 'code' | 'number' | 'initials';

/**
 * Entries by their terms. A changed entry gets a new place, and its old place stays empty. The index is rebuilt once too many are
 * empty.
 */
export class CustomerIndex {
  #entries: (Entry | undefined)[] = [];
  readonly #places = new Map<string, number>();
  readonly #terms: Readonly<Record<TermKind, Map<string, Places>>> = {
    word: new Map(),
    joined: new Map(),
    name: new Map(),
    email: new Map(),
    domain: new Map(),
    phone: new Map(),
    code: new Map(),
    number: new Map(),
    initials: new Map(),
  };
  readonly #wordsByLength = new Map<number, Set<string>>();

  get size(): number {
    return this.#places.size;
  }

  has(id: string): boolean {
    return this.#places.has(id);
  }

  /** All entries, in the order of their last change. */
  *entries(): Generator<Entry> {
    for (const entry of this.#entries) if (entry) yield entry;
  }

  /** The places of all entries. */
  places(): Iterable<number> {
    return this.#places.values();
  }

  get(id: string): Entry | undefined {
    return this.at(this.#places.get(id) ?? -1);
  }

  /** The entry at a place; `undefined` if it was deleted or changed. */
  at(place: number): Entry | undefined {
    return this.#entries[place];
  }

  placeOf(id: string): number | undefined {
    return this.#places.get(id);
  }

  put(entry: Entry): void {
    const before = this.get(entry.id);
    if (before && sameEntry(before, entry)) return;
    if (before) this.delete(entry.id);
    const place = this.#entries.push(entry) - 1;
    this.#places.set(entry.id, place);
    for (const value of entry.values)
      for (const [kind, term] of termsOf(value)) {
        if (kind === 'word') this.#addWord(term);
        add(this.#terms[kind], term, place);
      }
    if (this.#entries.length > 2 * this.size + 1_000) this.#rewrite();
  }

  delete(id: string): void {
    const place = this.#places.get(id);
    if (place === undefined) return;
    this.#entries[place] = undefined;
    this.#places.delete(id);
  }

  clear(): void {
    this.#entries = [];
    this.#places.clear();
    for (const terms of Object.values(this.#terms)) terms.clear();
    this.#wordsByLength.clear();
  }

  /** The places of a term; some may be empty. */
  placesOf(kind: TermKind, term: string): readonly number[] {
    const places = this.#terms[kind].get(term);
    return typeof places === 'number' ? [places] : (places ?? []);
  }

  /** The words that a typed word may mean, each with its similarity: 1 for the word itself. */
  wordsLike(typed: string): ReadonlyMap<string, number> {
    const found = new Map<string, number>();
    const maxTypos = typosAllowed(typed.length + 1);
    const unspaced = UNSPACED.test(typed);
    for (const [length, words] of this.#wordsByLength) {
      const isNear = Math.abs(length - typed.length) <= maxTypos;
      const isLonger = length > typed.length && typed.length >= MIN_PREFIX;
      if (!isNear && !isLonger && !unspaced) continue;
      const allowed = typosAllowed(Math.max(length, typed.length));
      for (const word of words) {
        const part = unspaced ? partOf(typed, word) : 0;
        const similarity = Math.max(part, similarityOf(typed, word, isNear ? allowed : 0));
        if (similarity > 0) found.set(word, similarity);
      }
    }
    for (const word of equivalents(typed)) if (this.#terms.word.has(word)) found.set(word, EQUIVALENT);
    return found;
  }

  /** The emails that differ from this one by a typo. */
  emailsLike(email: string): readonly string[] {
    const maxTypos = typosAllowed(email.length);
    return [...this.#terms.email.keys()].filter(
      (other) => other !== email && typosBetween(email, other, maxTypos) <= maxTypos,
    );
  }

  #addWord(word: string): void {
    const words = this.#wordsByLength.get(word.length);
    if (words) words.add(word);
    else this.#wordsByLength.set(word.length, new Set([word]));
  }

  #rewrite(): void {
    const entries = [...this.entries()];
    this.clear();
    for (const entry of entries) this.put(entry);
  }
}

function add(terms: Map<string, Places>, term: string, place: number): void {
  const places = terms.get(term);
  if (places === undefined) terms.set(term, place);
  else if (typeof places === 'number') {
    if (places !== place) terms.set(term, [places, place]);
  } else if (places.at(-1) !== place) places.push(place);
}

function similarityOf(typed: string, word: string, allowed: number): number {
  if (typed === word) return 1;
  // Another number is no typo.
  const typos = allowed > 0 && digitsOf(typed) === digitsOf(word) ? typosBetween(typed, word, allowed) : allowed + 1;
  const similar = typos <= allowed ? 1 - typos / Math.max(typed.length, word.length) : 0;
  const begins = typed.length >= MIN_PREFIX && word.startsWith(typed);
  return Math.max(similar, begins ? PREFIX + (0.95 - PREFIX) * (typed.length / word.length) : 0);
}

function digitsOf(word: string): string {
  return word.replace(/\P{Nd}+/gu, '');
}

/** The similarity of two words of which one contains the other. */
function partOf(a: string, b: string): number {
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length < MIN_UNSPACED || short === long || !long.includes(short) || !UNSPACED.test(short)) return 0;
  return PREFIX + (0.95 - PREFIX) * (short.length / long.length);
}

function termsOf({ kind, text, folded, words }: Value): [TermKind, string][] {
  switch (kind) {
    case 'email':
      return [
        ['email', folded],
        ['domain', domainOf(folded)],
        ...words.map((word): [TermKind, string] => ['word', word]),
      ];
    case 'phone':
      return [['phone', phoneTail(folded)]];
    case 'code':
      return [['code', withoutLeadingZeros(folded)]];
    case 'number':
      return [
        ['code', withoutLeadingZeros(folded)],
        ['number', foldNumber(text)],
      ];
    default: {
      const initials = kind === 'name' ? initialsOf(words) : undefined;
      return [
        ...words.map((word): [TermKind, string] => ['word', word]),
        ...[...glued(words), ...abbreviated(words)].map((word): [TermKind, string] => ['word', word]),
        ...(words.length > 1 ? [['joined', folded] satisfies [TermKind, string]] : []),
        ...(kind === 'name' ? nameKeys(text) : []).map((key): [TermKind, string] => ['name', key]),
        ...(initials === undefined ? [] : [['initials', initials] satisfies [TermKind, string]]),
      ];
    }
  }
}

/** The first letters of a name of two words or more. */
export function initialsOf(words: readonly string[]): string | undefined {
  return words.length < 2 ? undefined : words.map((word) => word.charAt(0)).join('');
}

export function domainOf(email: string): string {
  return email.slice(email.lastIndexOf('@') + 1);
}

export function phoneTail(folded: string): string {
  return folded.slice(-PHONE_TAIL);
}
