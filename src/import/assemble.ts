import type { FieldMeaning } from '../providers/provider.ts';
import { LEGAL_NAME_RANK, scopes, type Concept, type Scope } from './concepts.ts';
import type { Column } from './columns.ts';
import { plainName } from './fields.ts';
import { splitAddress, type Join, type Piece, type Source } from './source.ts';

/** The minimum share of the rows in which two columns are equal, or in which an address can be split. */
const MIN_SHARE = 0.6;
/** Concepts that belong to the customer: a plain column is preferred to one for invoices. */
const PLAIN_FIRST: readonly Concept[] = ['email', 'phone', 'mobile', 'company', 'first', 'last', 'name', 'person'];

/** Columns that are equally likely for one field, so that the user must choose. */
export interface Ambiguity {
  readonly meaning: FieldMeaning;
  readonly columns: readonly Column[];
}

/**
 * Finds the columns for each meaning from the concepts of the columns. Ignores empty columns. `meanings` are the meanings of
 * the provider's fields.
 */
export function assemble(
  columns: readonly Column[],
  meanings: ReadonlySet<FieldMeaning>,
): { sources: ReadonlyMap<FieldMeaning, Source>; ambiguities: readonly Ambiguity[] } {
  const chooser = new Chooser(columns);
  const names = assembleNames(chooser, meanings);
  const found = new Map<FieldMeaning, Source>([
    ...names,
    ...assembleReach(chooser, meanings),
    ...assembleAddress(chooser, meanings),
  ]);
  for (const [meaning, concept] of [
    ['language', 'language'],
    ['notes', 'notes'],
    ['registration', 'registration'],
    ['tax_number', 'tax'],
    ['website', 'website'],
    ['status', 'status'],
    ['category', 'category'],
  ] as const) {
    const column = chooser.best(concept, meaning);
    if (column) found.set(meaning, from(column));
  }
  return {
    sources: new Map([...found].filter(([meaning]) => meanings.has(meaning))),
    ambiguities: chooser.ambiguities.filter(({ meaning }) => meanings.has(meaning)),
  };
}

function from(...columns: readonly Column[]): Source {
  return { alternatives: columns.map((column) => [{ column: column.index }]) };
}

/** Chooses among columns of the same concept. */
class Chooser {
  readonly ambiguities: Ambiguity[] = [];
  readonly #columns: readonly Column[];

  constructor(columns: readonly Column[]) {
    this.#columns = columns.filter(
      ({ cells, recognized }) => recognized !== undefined && cells.length > 0 && recognized.scope !== 'shipping',
    );
  }

  /** All columns of a concept, the best first. */
  all(concept: Concept, scope?: Scope): readonly Column[] {
    const order = ({ recognized }: Column): number =>
      scopes.indexOf(PLAIN_FIRST.includes(concept) ? neutralFirst(recognized?.scope) : (recognized?.scope ?? 'none')) *
        100 +
      (recognized?.rank ?? 0) * 10 +
      (recognized?.ordinal ?? 0);
    return this.#columns
      .filter(
        ({ recognized }) => recognized?.concept === concept && (scope === undefined || recognized.scope === scope),
      )
      .toSorted((a, b) => order(a) - order(b) || a.index - b.index);
  }

  /** The best column; none if two have the same heading and different cells. */
  best(concept: Concept, meaning: FieldMeaning, scope?: Scope): Column | undefined {
    const [first, second] = this.all(concept, scope);
    if (first && second && areAmbiguous(first, second)) {
      this.ambiguities.push({ meaning, columns: [first, second] });
      return undefined;
    }
    return first;
  }

  usedScopes(concepts: readonly Concept[]): readonly Scope[] {
    const used = this.#columns.flatMap(({ recognized }) =>
      recognized && concepts.includes(recognized.concept) ? [recognized.scope] : [],
    );
    return scopes.filter((scope) => used.includes(scope));
  }
}

/** Exchanges the ranks of plain columns and columns for invoices. */
function neutralFirst(scope: Scope | undefined): Scope {
  if (scope === 'none') return 'billing';
  return scope === 'billing' ? 'none' : (scope ?? 'none');
}

function areAmbiguous(a: Column, b: Column): boolean {
  return (
    plainName(a.original) === plainName(b.original) &&
    a.values.some((value, row) => value !== '' && b.values[row] !== '' && value !== b.values[row])
  );
}

/** The parts of a person's name, in their order. */
function personParts(chooser: Chooser): Join {
  const first = chooser.all('first')[0] ?? chooser.all('initials')[0];
  const family = chooser.all('last')[0] ?? (first && chooser.all('person')[0]);
  const parts = [first, chooser.all('middle')[0], chooser.all('infix')[0], family];
  const used = parts.filter((part) => part !== undefined);
  return used.some(({ recognized }) => recognized?.concept === 'first' || recognized?.concept === 'last')
    ? used.map(({ index }) => ({ column: index }))
    : [];
}

function assembleNames(chooser: Chooser, meanings: ReadonlySet<FieldMeaning>): ReadonlyMap<FieldMeaning, Source> {
  const company = chooser.best('company', 'company');
  const [named, second] = chooser.all('name');
  const name = named ?? chooser.best('contact_name', 'name');
  const parts = personParts(chooser);
  const [whole] = chooser.all('person');
  const [contact] = chooser.all('contact');
  // If there is a "Customer full name", "Full name" is that of a person.
  const other = second && (second.recognized?.rank ?? 0) > (named?.recognized?.rank ?? 0) ? second : undefined;
  const contactName = chooser
    .all('contact_name')
    .find((column) => column !== name && ![name, company].some((known) => known && sameCells(column, known)));
  const join = (column: Column | undefined): Join[] => (column ? [[{ column: column.index }]] : []);
  const person: Join[] = [...(parts.length > 0 ? [parts] : []), ...[whole, contact, other, contactName].flatMap(join)];
  const found = new Map<FieldMeaning, readonly Join[]>();
  if (meanings.has('company') || meanings.has('person')) {
    const isPerson = !company && person.length === 0 && name !== undefined && looksLikePeople(name.cells);
    if (company) {
      // Beside a legal name, which few rows have, and a person, the name is the usual one of the company.
      const isUsual = name !== undefined && isLegalName(company) && person.length > 0;
      const isCompany = isUsual || (name !== undefined && sameCells(name, company));
      found.set('company', isUsual ? join(name) : [...join(company), ...(isCompany ? join(name) : [])]);
      found.set('person', [...person, ...(isCompany ? [] : join(name))]);
    } else {
      found.set(isPerson ? 'person' : 'company', join(name));
      if (!isPerson) found.set('person', person);
    }
  }
  const main = [...join(name), ...join(company), ...person];
  found.set('name', main);
  const contacts = [
    ...join(contact),
    ...(parts.length > 0 ? [parts] : []),
    ...join(whole),
    ...join(other),
    ...join(contactName),
  ];
  const sole = !name && !company;
  if (!sole) found.set('contact_name', contacts);
  return new Map(
    [...found]
      .filter(([, alternatives]) => alternatives.length > 0)
      .map(([meaning, alternatives]) => [meaning, { alternatives }]),
  );
}

function isLegalName({ recognized }: Column): boolean {
  return (recognized?.rank ?? 0) >= LEGAL_NAME_RANK;
}

/** Whether two columns have equal cells in most of the rows in which both have one. */
function sameCells(a: Column, b: Column): boolean {
  const both = a.values.flatMap((value, row) => (value !== '' && b.values[row] ? [value === b.values[row]] : []));
  return both.length > 0 && both.filter(Boolean).length / both.length >= MIN_SHARE;
}

const LEGAL =
  /\b(?:b\.?v\.?|n\.?v\.?|gmbh|ag|kg|ug|ohg|inc|llc|ltd|limited|plc|corp|co|sarl|sas|sa|srl|spa|ab|as|oy|pty|vof|cv|stichting|group|&)(?:\W|$)/i;

function looksLikePeople(cells: readonly string[]): boolean {
  const people = cells.filter(
    (cell) => /^\p{Lu}[\p{L}.'-]+(?: \p{L}[\p{L}.'-]*){1,3}$/u.test(cell) && !LEGAL.test(cell),
  );
  return cells.length >= 3 && people.length / cells.length >= 0.8;
}

function assembleReach(chooser: Chooser, meanings: ReadonlySet<FieldMeaning>): ReadonlyMap<FieldMeaning, Source> {
  const found = new Map<FieldMeaning, Source>();
  const email = chooser.best('email', 'email');
  const invoices = chooser.best('billing_email', 'billing_email');
  if (email) found.set('email', from(email));
  if (invoices && meanings.has('billing_email')) found.set('billing_email', from(invoices));
  else if (invoices && !email) found.set('email', from(invoices));
  const phone = chooser.best('phone', 'phone');
  const mobile = chooser.best('mobile', 'mobile');
  if (mobile && meanings.has('mobile')) found.set('mobile', from(mobile));
  const phones = [phone, meanings.has('mobile') ? undefined : mobile].filter((column) => column !== undefined);
  if (phones.length > 0) found.set('phone', from(...phones));
  return found;
}

const PARTS = [
  'street',
  'address',
  'street_more',
  'house_number',
  'house_addition',
  'postcode',
  'postcode_city',
  'city',
  'region',
  'country',
] as const;
const PLACE = ['postcode', 'postcode_city', 'city', 'region', 'country'] as const;

function assembleAddress(chooser: Chooser, meanings: ReadonlySet<FieldMeaning>): ReadonlyMap<FieldMeaning, Source> {
  const used = chooser.usedScopes(PARTS);
  const [scope] = used;
  if (scope === undefined) return new Map();
  const own = (concept: Concept): readonly Column[] => chooser.all(concept, scope);
  // An "Invoice address" can continue in a plain "Postcode" and "City".
  const lent =
    scope !== 'none' &&
    !PLACE.some((concept) => own(concept).length > 0) &&
    own('street').length + own('address').length > 0;
  const get = (concept: Concept): Column | undefined =>
    own(concept)[0] ?? (lent ? chooser.all(concept, 'none')[0] : undefined);
  const street = get('street') ?? get('address');
  const lines = [street, get('house_number'), get('house_addition'), ...own('street_more')];
  const [postcode, city, both, region, country] = [
    get('postcode'),
    get('city'),
    get('postcode_city'),
    get('region'),
    // A plain "Country" holds for the customer, whichever address is used.
    get('country') ?? chooser.all('country', 'none')[0],
  ];
  const place = region ? [city, region, postcode] : [postcode, city];
  const join = (list: readonly (Column | undefined)[]): Join =>
    list.flatMap((column) => (column ? [{ column: column.index }] : []));
  const found = new Map<FieldMeaning, Source>();
  const set = (meaning: FieldMeaning, alternative: Join): void =>
    void (alternative.length > 0 && found.set(meaning, { alternatives: [alternative] }));
  if (meanings.has('full_address')) {
    set('full_address', join([...lines, both, ...place, country]));
    return found;
  }
  const whole =
    street &&
    !postcode &&
    !city &&
    !both &&
    street.cells.filter((cell) => splitAddress(cell)).length >= street.cells.length * MIN_SHARE;
  const piece = (column: Column | undefined, name: Piece): Join =>
    column ? [{ column: column.index, piece: name }] : [];
  set('street', whole ? piece(street, 'street') : join(lines));
  set('postcode', postcode ? join([postcode]) : piece(both ?? (whole ? street : undefined), 'postcode'));
  set('city', city ? join([city]) : piece(both ?? (whole ? street : undefined), 'city'));
  set('country', country ? join([country]) : piece(whole ? street : undefined, 'country'));
  return found;
}
