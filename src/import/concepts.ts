import { readHeading, type Word } from './words.ts';

/** The kind of data in a column. */
export type Concept =
  | 'id'
  | 'name'
  | 'company'
  | 'person'
  | 'first'
  | 'middle'
  | 'infix'
  | 'initials'
  | 'last'
  | 'contact'
  | 'contact_name'
  | 'email'
  | 'billing_email'
  | 'phone'
  | 'mobile'
  | 'website'
  | 'address'
  | 'street'
  | 'street_more'
  | 'house_number'
  | 'house_addition'
  | 'postcode'
  | 'city'
  | 'postcode_city'
  | 'region'
  | 'country'
  | 'language'
  | 'notes'
  | 'registration'
  | 'tax'
  | 'status'
  | 'category'
  | 'tags';

/** Which of several addresses or numbers a column belongs to, the preferred one first; `shipping` is never used. */
export const scopes = ['billing', 'none', 'postal', 'work', 'visiting', 'home', 'other', 'shipping'] as const;
export type Scope = (typeof scopes)[number];

/** The meaning of a heading. */
export interface Recognized {
  readonly concept: Concept;
  readonly scope: Scope;
  /** Among columns of the same concept, the lowest is the most certain. */
  readonly rank: number;
  readonly ordinal: number | undefined;
}

/** Of a column with the legal names of companies, or of a less certain one. */
export const LEGAL_NAME_RANK = 3;

/** The words that a heading needs for a concept. The first rule that fits applies. `rank` as in {@link Recognized}. */
const RULES: readonly (readonly [needs: string, concept: Concept, rank: number])[] = [
  ['email', 'email', 0],
  ['website', 'website', 0],
  ['mobile', 'mobile', 0],
  ['phone', 'phone', 0],
  ['first last', 'person', 0],
  ['first', 'first', 0],
  ['last', 'last', 0],
  ['middle', 'middle', 0],
  ['infix', 'infix', 0],
  ['initials', 'initials', 0],
  ['postcode city region', 'postcode_city', 0],
  ['postcode city', 'postcode_city', 0],
  ['postcode', 'postcode', 0],
  ['house addition', 'house_addition', 0],
  ['house street', 'street', 0],
  ['house address', 'address', 0],
  ['house', 'house_number', 0],
  ['street', 'street', 0],
  ['addition', 'street_more', 1],
  ['country', 'country', 0],
  ['city', 'city', 0],
  ['address region', 'region', 0],
  ['address', 'address', 0],
  ['region', 'region', 0],
  ['language', 'language', 0],
  ['taxcode', 'tax', 0],
  ['tax registration', 'tax', 0],
  ['tax number', 'tax', 0],
  ['tax id', 'tax', 0],
  ['registration', 'registration', 0],
  ['tax', 'tax', 2],
  ['notes', 'notes', 0],
  ['description', 'notes', 2],
  ['status', 'status', 0],
  ['category', 'category', 0],
  ['tags', 'tags', 0],
  ['external id', 'id', 0],
  ['customer number', 'id', 1],
  ['customer code', 'id', 1],
  ['customer id', 'id', 1],
  ['customer reference', 'id', 4],
  ['account number', 'id', 2],
  ['account id', 'id', 2],
  ['account code', 'id', 2],
  ['company number', 'registration', 3],
  ['id', 'id', 3],
  ['number', 'id', 4],
  ['code', 'id', 4],
  ['reference', 'id', 6],
  ['contact person', 'contact', 0],
  ['person name', 'person', 0],
  ['legal name', 'company', LEGAL_NAME_RANK],
  ['company', 'company', 0],
  ['person', 'person', 1],
  ['account name', 'company', 1],
  ['contact main', 'contact', 1],
  ['contact name', 'contact_name', 0],
  ['contact', 'contact', 1],
  ['customer full name', 'name', 0],
  ['customer name', 'name', 0],
  ['customer', 'name', 1],
  ['full name', 'name', 2],
  ['name', 'name', 1],
];

/** The words that a heading may have besides those of a rule. With any other word it means something else. */
const HARMLESS: ReadonlySet<Word> = new Set<Word>([
  'customer',
  'company',
  'contact',
  'person',
  'account',
  'record',
  'external',
  'main',
  'name',
  'full',
  'number',
  'id',
  'code',
  'address',
  'line',
  'phone',
]);
/** Concepts that exclude words that are harmless elsewhere. */
const STRICT: readonly (readonly [Concept, readonly Word[]])[] = [
  ['notes', ['number', 'id', 'code']],
  ['status', ['email', 'phone']],
];

/** Concepts that an unknown word in the heading can reverse. */
const PRECISE: readonly Concept[] = [
  'email',
  'billing_email',
  'phone',
  'mobile',
  'tax',
  'registration',
  'id',
  'status',
];

const ADDRESS: ReadonlySet<Concept | undefined> = new Set<Concept>([
  'address',
  'street',
  'street_more',
  'house_number',
  'house_addition',
  'postcode',
  'city',
  'postcode_city',
  'region',
  'country',
]);

/** Whether a concept is a part of an address. */
export function isOfAddress(concept: Concept | undefined): boolean {
  return ADDRESS.has(concept);
}

/** The meaning of a heading: `undefined` if it is unknown, `foreign` if it is known and no field has it. */
export function recognizeHeading(heading: string): Recognized | 'foreign' | undefined {
  const { words, unknown, ordinal, group } = readHeading(heading);
  if (words.includes('foreign') || words.includes('fax')) return 'foreign';
  const scope = scopes.findLast((name) => words.some((word) => word === name)) ?? 'none';
  const core = new Set(words.filter((word) => !scopes.some((name) => name === word) && word !== 'active'));
  const found = ruleFor(core, scope, words);
  if (
    !found ||
    unknown.length > 1 ||
    (unknown.length > 0 &&
      (core.size < 2 || (PRECISE.includes(found.concept) && !(core.has('customer') && core.has('id')))))
  )
    return undefined;
  const { concept, rank } = found;
  const isAddress = isOfAddress(concept);
  const second = (group ?? 1) > 1 || (isAddress && core.has('contact') && core.has('person'));
  return {
    concept: numbered(concept, core, ordinal),
    scope: second ? 'other' : scope,
    rank:
      rank +
      3 * unknown.length +
      (core.has('full') && isAddress ? 1 : 0) +
      (!isAddress && (core.has('person') || core.has('address')) ? 1 : 0),
    ordinal,
  };
}

function ruleFor(
  core: ReadonlySet<Word>,
  scope: Scope,
  words: readonly Word[],
): { concept: Concept; rank: number } | undefined {
  // Zoho has "Billing Code" for the postal code, and QuickBooks "Bill to 1" to "Bill to 5" for the lines of an address.
  if (scope !== 'none' && core.size === 1 && core.has('code')) return { concept: 'postcode', rank: 1 };
  // The number of an invoice or of an employee is not that of the customer.
  if (scope !== 'none' && core.size === 1 && core.has('number')) return undefined;
  if (scope === 'billing' && core.size === 0) return { concept: 'address', rank: 4 };
  // "Default Address Company" is a company; "Company address" is an address.
  if (words.at(-1) === 'company' && core.has('address')) return { concept: 'company', rank: 1 };
  for (const [needs, concept, rank] of RULES) {
    const needed = needs.split(' ');
    if (!needed.every((word) => [...core].some((present) => present === word))) continue;
    const rest = [...core].filter((word) => !needed.includes(word));
    const fits = rest.every(
      (word) =>
        HARMLESS.has(word) ||
        (word === 'region' && concept === 'country') ||
        (word === 'description' && concept === 'notes'),
    );
    const strict = STRICT.find(([strictConcept]) => strictConcept === concept)?.[1] ?? [];
    if (!fits || rest.some((word) => strict.includes(word))) return undefined;
    return { concept: concept === 'email' && scope === 'billing' ? 'billing_email' : concept, rank };
  }
  return undefined;
}

/** "Address 1" is the first line of an address, and "Address 2" its second. */
function numbered(concept: Concept, core: ReadonlySet<Word>, ordinal: number | undefined): Concept {
  if (concept !== 'street' && concept !== 'address') return concept;
  if (ordinal !== undefined && ordinal > 1) return 'street_more';
  return concept === 'address' && (ordinal === 1 || core.has('line')) ? 'street' : concept;
}
