/**
 * Compares phone numbers by their digits. A number without a country code belongs to a country that is not known, so it is the
 * number of a customer only if the country is; otherwise it is similar.
 */

/** An extension at the end of a number. It belongs to a person, and the rest to the customer. */
const EXTENSION =
  /[\s,;(]*(?:ext(?:ension|\.)?|x|#|toestel|tst\.?|durchwahl|dw\.?|poste|doorkies(?:nummer|nr\.?)?)[\s.:]*\d{1,6}\)?\s*$/iu;
/** `+31`, `0031`, and `31 (0)30`. */
const INTERNATIONAL = /^\D*(?:\+|00|\d{1,3}\s*\(\s*0\s*\))/;
/** The country code of digits in international form. No code is the beginning of another one. */
const COUNTRY_CODE = /^(?:1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|\d{3})/;
const MIN_DIGITS = 7;
const MAX_AREA_CODE_DIGITS = 4;
/** So many numbers show it. */
const ENOUGH = 1_000;

const IN_TEXT = /(?<![\p{L}\p{N}+(-])\(?\+?\(?\d[\d ()./-]{4,}\d(?![\p{L}\p{N}-])/gu;
const ALONE = /^[+\d(][+\d\s()./-]*$/;

/** The phone numbers in a text such as `tel. 030-1234567`, folded. */
export function phonesIn(text: string): readonly string[] {
  const plain = withoutExtension(text).replace(/\p{Pd}/gu, '-');
  const numbers = [plain, ...(plain.match(IN_TEXT) ?? [])].filter((number) => ALONE.test(number));
  return [...new Set(numbers.map(foldPhone))].filter((folded) => digitsOf(folded).length >= MIN_DIGITS);
}

/**
 * A phone number in one spelling: `+` and digits with a country code, `0` and digits in national form, and digits alone where the
 * number does not show which it is. The zero after a country code, which callers from abroad omit, is omitted.
 */
export function foldPhone(phone: string): string {
  const plain = withoutExtension(phone);
  const digits = plain.replace(/\D/g, '');
  const bare = digits.replace(/^0+/, '');
  if (INTERNATIONAL.test(plain)) {
    const [code = ''] = COUNTRY_CODE.exec(bare) ?? [];
    return `+${code}${bare.slice(code.length).replace(/^0+/, '')}`;
  }
  return digits.startsWith('0') ? `0${bare}` : bare;
}

/** How one folded number relates to another; `home` is the country code of numbers without one, where that is known. */
export function comparePhones(a: string, b: string, home: string | undefined): 'same' | 'similar' | 'other' {
  const [international, other] = a.startsWith('+') ? [a, b] : [b, a];
  if (a === b || (!other.startsWith('+') && !other.startsWith('0') && digitsOf(international) === other)) return 'same';
  if (!international.startsWith('+')) return compareNational(a, b, home);
  if (other.startsWith('+')) return 'other';
  const code = codeOf(international);
  const national = digitsOf(international).slice(code.length);
  if (national === digitsOf(other)) return code === home ? 'same' : 'similar';
  return isLocal(other, national) ? 'similar' : 'other';
}

/** Compares two numbers of which neither shows a country code; one that begins without a zero may contain it. */
function compareNational(a: string, b: string, home: string | undefined): 'same' | 'similar' | 'other' {
  const [short, long] = digitsOf(a).length <= digitsOf(b).length ? [a, b] : [b, a];
  // Spreadsheets remove the zero at the beginning.
  if (digitsOf(short) === digitsOf(long)) return 'same';
  if (!long.startsWith('0')) {
    const code = codeOf(`+${long}`);
    if (long.slice(code.length) === digitsOf(short)) return code === home ? 'same' : 'similar';
  }
  return isLocal(short, digitsOf(long)) ? 'similar' : 'other';
}

/** Whether a number is the end of another one, which has an area code before it. */
function isLocal(local: string, national: string): boolean {
  return (
    !local.startsWith('0') &&
    local.length >= MIN_DIGITS &&
    national.endsWith(local) &&
    national.length - local.length <= MAX_AREA_CODE_DIGITS
  );
}

/** The country code that most of these folded numbers have: it is the country of the business, whose users omit its code. */
export function homeCode(phones: Iterable<string>): string | undefined {
  const counts = new Map<string, number>();
  let total = 0;
  for (const phone of phones) {
    const code = codeOf(phone);
    if (code === '') continue;
    total += 1;
    counts.set(code, (counts.get(code) ?? 0) + 1);
    if (total === ENOUGH) break;
  }
  const [most] = [...counts].toSorted(([, x], [, y]) => y - x);
  return most && most[1] > total / 2 ? most[0] : undefined;
}

/** The country code of a folded number, or an empty text. */
function codeOf(folded: string): string {
  return folded.startsWith('+') ? (COUNTRY_CODE.exec(folded.slice(1))?.[0] ?? '') : '';
}

function digitsOf(folded: string): string {
  return folded.replace(/^[+0]/, '');
}

function withoutExtension(phone: string): string {
  return phone.normalize('NFKC').trim().replace(EXTENSION, '');
}
