import { domainToASCII } from 'node:url';

/**
 * Normalizes texts by which people recognize a customer, so that they can be compared with `===`. Folded texts are only for
 * comparison; they are never shown and never sent.
 */

/** Letters that NFKD does not decompose. */
const LETTERS: Readonly<Record<string, string>> = {
  ß: 'ss',
  æ: 'a',
  ø: 'o',
  œ: 'o',
  ł: 'l',
  đ: 'd',
  ð: 'd',
  þ: 'th',
  ı: 'i',
};

/** Legal forms of common countries, without dots. They are recognized only after the first word. */
const LEGAL_FORMS = new Set(
  [
    'bv nv vof cv ua eenmanszaak maatschap bvba sprl srl commv cvba vzw asbl', // the Netherlands, Belgium
    'gmbh ggmbh gesmbh mbh ag aktiengesellschaft kg kommanditgesellschaft kgaa ug og ohg gbr ev eg ek se partg mbb haftungsbeschrankt', // Germany, Austria, Switzerland
    'inc incorporated llc llp lp ltd limited plc corp corporation company cic dac clg pte pty pvt', // English-speaking countries
    'sa sarl sas sasu eurl sci snc scop', // France
    'spa srls sl slu sll sau lda limitada unipessoal', // Italy, Spain, Portugal
    'ab hb kb aktiebolag as asa aps oy oyj ehf', // Nordic countries
    'spzoo spk sro doo kft zrt uab', // Poland, Czechia, the Balkans, Hungary, Lithuania
  ].flatMap((forms) => forms.split(' ')),
);
/** Words before a surname, after which no word is a legal form: `Jan van As`. */
export const PARTICLES: ReadonlySet<string> = new Set(
  'van von de den der ter ten te op zu la le di da del mc mac'.split(' '),
);
/** Names that look like legal forms in lower case; as legal forms they are not written like this. */
const NAMES = /(?<=\p{L} )(?:Ab|As|Asa|Åsa|Eg|Ek|Sá|Spa)(?![\p{L}.])/gu;
/** Titles before a name. The word after them is the first of the name. */
export const TITLES: ReadonlySet<string> = new Set(
  'dr drs ir ing prof mr mrs ms mw mevr dhr herr frau mme mlle sr sra'.split(' '),
);
/** Words that join names or accompany a legal form (`GmbH & Co. KG`). */
const CONNECTIVES = new Set(['and', 'und', 'en', 'et', 'co']);
const APOSTROPHES = "'’‘`´ʼʻʹ′＇";
/** Spellings of several signs for one word. */
const SPELLINGS: readonly (readonly [RegExp, string])[] = [
  // `van 't Hof`
  [new RegExp(`(?<![\\p{L}\\p{N}])[${APOSTROPHES}]t(?![\\p{L}\\p{N}])`, 'giu'), 'het'],
  [/(?<=(?<!\p{L})(?:aan|in|op|over|uit|van) )t(?= )/giu, 'het'],
  // `t Hoekje`; `T Jansen` has an initial.
  [/^\s*t(?= \p{Lu})/gu, 'het'],
  // `'s-Hertogenbosch`
  [new RegExp(`(?<![\\p{L}\\p{N}])(?:[${APOSTROPHES}]s[- ]|s-)(?=\\p{L})`, 'giu'), 's'],
  [new RegExp(`[${APOSTROPHES}]`, 'g'), ''],
];
/** The same for legal forms and connectives, after lower case and without accents. */
const SPACED_FORMS: readonly (readonly [RegExp, string])[] = [
  // Written out.
  [
    /(?<=\s)(?:sp(?:olka|\.)? (?:z|s) ograniczona odpowiedzialnoscia|sociedad (?:limitada|anonima)(?: unipersonal)?|societe (?:anonyme|a responsabilite limitee)|(?:gesellschaft )?mit beschra?e?nkter haftung|(?:besloten|naamloze) vennootschap|vennootschap onder firma|societa (?:per azioni|a responsabilita limitata)|limited liability company|public limited company|sociedade anonima|spolecnost s rucenim omezenym)(?!\p{L})/gu,
    ' ',
  ],
  [/(?<=\s)spolka (?=z\.? ?o)/g, 'sp '],
  [/\bsp\.? ?z\.? ?o\.? ?o\b\.?/g, 'spzoo'],
  [/\bsp\.? ?[jk]\b\.?/g, 'spk'],
  [/\bspol\.? ?s ?r\.? ?o\b\.?/g, 'sro'],
  [/\bs\.? ?a\.? ?r\.? ?l\b\.?/g, 'sarl'],
  [/\bb\.?v\.? i\.? ?o\b\.?/g, 'bv'],
  [/\bges\.? ?m\.? ?b\.? ?h\b\.?/g, 'gmbh'],
  [
    /(?<=\s)(?:[aik]\/s(?![\p{L}\p{N}])|(?:san\.? ve tic\.? )?a\. ?s\.|v\. ?o\. ?s\.|ltd\.? sti\.?|s(?:oc)?\. ?coop\.?)/gu,
    ' ',
  ],
  // Letters at the end: `Jansen B V`.
  [/(?<=\p{L}{2}[.,]? )(?:b v|n v|v o f|c v|g m b h|s a|s l|s p a|s r l)$/gu, ' '],
  // Between words; elsewhere these letters are initials.
  [/(?<=\p{L}{2} )(?:y|u\.?) (?=\p{L}{2})/gu, ''],
  [/(?<=\p{L}{2} )e (?=h?i|figl|filh)/gu, ''],
];
/** Accents of Latin, Greek and Cyrillic letters, and vowel points. In other scripts, marks make other letters. */
const ACCENTS = /[\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670]/g;

/**
 * The words of a name in their order: lower case, without accents, punctuation, legal forms and connectives; `ü`, `ue` and `u`
 * are the same letter, and so are the other umlauts. A name that consists only of such words keeps them.
 */
export function nameWords(name: string): readonly string[] {
  const words = allWords(name);
  const first = words.findIndex((word) => !TITLES.has(word));
  const names = (name.match(NAMES) ?? []).flatMap(allWords);
  const isForm = (word: string, index: number): boolean =>
    isLegalForm(word) && !names.includes(word) && !PARTICLES.has(words[index - 1] ?? '');
  const telling = words.filter((word, index) => index <= first || !(isForm(word, index) || CONNECTIVES.has(word)));
  return telling.length > 0 ? telling : words;
}

/** Whether a folded word is a legal form where one is expected. */
export function isLegalForm(word: string): boolean {
  return LEGAL_FORMS.has(word);
}

/** The words of a text as {@link nameWords} returns them, with those that look like legal forms and connectives. */
export function allWords(text: string): readonly string[] {
  return plainWords(text).map((word) => word.replace(/([aou])e/g, '$1'));
}

/** The words of {@link allWords} in which `ue` stays different from `u`, and so do the other umlauts. */
export function plainWords(text: string): readonly string[] {
  const folded = respell(text, SPELLINGS)
    .normalize('NFKD')
    .toLowerCase()
    .replace(ACCENTS, '')
    .normalize('NFKC')
    .replace(/[ßæøœłđðþı]/g, (letter) => LETTERS[letter] ?? letter);
  // Abbreviations are one word: B.V., S.r.l.
  const plain = respell(folded, SPACED_FORMS).replace(/(?<![\p{L}\p{N}])(?:\p{L}\.){2,}\p{L}?/gu, (letters) =>
    letters.replaceAll('.', ''),
  );
  return plain.match(/[\p{L}\p{N}][\p{L}\p{M}\p{N}]*/gu) ?? [];
}

function respell(text: string, spellings: readonly (readonly [RegExp, string])[]): string {
  return spellings.reduce((respelled, [pattern, spelling]) => respelled.replace(pattern, spelling), text);
}

/**
 * The keys of a name: its words in any order, and its words written as one. Names that have a key in common count as the same.
 */
export function nameKeys(name: string): readonly string[] {
  const words = nameWords(name);
  const keys = words.length > 0 ? [words.toSorted().join(' '), words.join('')] : [name.trim()];
  return [...new Set(keys)].filter((key) => key !== '');
}

/** A number of an authority in one spelling: its digits without zeros before them. */
export function foldNumber(number: string): string {
  const digits = number.normalize('NFKC').replace(/\(0\)/g, '').replace(/\D/g, '').replace(/^0+/, '');
  return digits || number.trim().toLowerCase();
}

/** An email address in one spelling, independent of case and of Unicode or punycode in the domain. */
export function foldEmail(email: string): string {
  const plain = email
    .normalize('NFKC')
    .trim()
    .replace(/^mailto:/i, '')
    .toLowerCase();
  const at = plain.lastIndexOf('@');
  const domain = plain.slice(at + 1);
  // `domainToASCII` returns an empty string for an invalid domain.
  return at < 0 ? plain : `${plain.slice(0, at)}@${domainToASCII(domain) || domain}`;
}

/** A code in one spelling: any case of letters, without blanks and punctuation. Empty if it contains no letter or digit. */
export function foldCode(code: string): string {
  return (
    code
      .normalize('NFKC')
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu) ?? []
  ).join('');
}

/** A folded code without the zeros that spreadsheets lose: those at the beginning of each run of digits. */
export function withoutLeadingZeros(code: string): string {
  return code.replace(/(?<!\d)0+(?=\d)/g, '');
}

/** The highest number of typos at which two folded words count as the same. Different short words often differ by only one letter. */
export function typosAllowed(length: number): number {
  if (length < 4) return 0;
  return length < 8 ? 1 : 2;
}

/**
 * The number of letters to add, remove, replace or swap with the next to turn one word into the other; more than `max` is
 * returned as `max + 1`.
 */
export function typosBetween(a: string, b: string, max: number): number {
  if (Math.abs(a.length - b.length) > max) return max + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const here = a.charCodeAt(row - 1);
    const present = [row];
    let left = row;
    let min = row;
    for (let column = 1; column <= b.length; column += 1) {
      const there = b.charCodeAt(column - 1);
      const replaced = (last[column - 1] ?? 0) + (here === there ? 0 : 1);
      left = Math.min(replaced, (last[column] ?? 0) + 1, left + 1);
      const crossed = here === b.charCodeAt(column - 2) && there === a.charCodeAt(row - 2);
      if (crossed) left = Math.min(left, (beforeLast[column - 2] ?? 0) + 1);
      present.push(left);
      if (left < min) min = left;
    }
    if (min > max) return max + 1;
    beforeLast = last;
    last = present;
  }
  return Math.min(last[b.length] ?? 0, max + 1);
}
