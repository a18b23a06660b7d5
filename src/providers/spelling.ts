import { domainToASCII, domainToUnicode } from 'node:url';

/** Search terms for customers that may be stored in another spelling. */

const MIN_PART = 4;

/**
 * A part of a name that is the same in its usual spellings: it contains no letters that are also written with an accent or as two
 * letters, no punctuation and no spaces. The longest such part, or the longest word if that part is too short for a search.
 */
export function distinctPart(name: string): string | undefined {
  const plain = name.normalize('NFC').toLowerCase();
  const longest = (parts: readonly string[]): string => parts.toSorted((a, b) => b.length - a.length)[0] ?? '';
  const part = longest(plain.split(/[^a-z0-9]+|[aou]e?|ss/));
  return (part.length >= MIN_PART ? part : longest(plain.split(/[^\p{L}\p{N}]+/u))) || undefined;
}

/** Whether a text contains another one in any spelling of its letters. */
export function containsPart(text: string, part: string): boolean {
  const plain = (given: string): string =>
    given
      .normalize('NFKD')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '');
  return plain(text).includes(plain(part));
}

export function isSameEmail(one: string, other: string): boolean {
  return emailSpellings(one.toLowerCase()).includes(other.toLowerCase());
}

/** The spellings in which an email may be stored: all in lower case or only the domain, which is in Unicode or in punycode. */
export function emailSpellings(email: string): readonly string[] {
  const at = email.lastIndexOf('@');
  const [local, domain] = [email.slice(0, at), email.slice(at + 1).toLowerCase()];
  const domains = [domain, domainToASCII(domain) || domain, domainToUnicode(domain) || domain];
  return [...new Set([email, ...domains.flatMap((host) => [`${local}@${host}`, `${local.toLowerCase()}@${host}`])])];
}
