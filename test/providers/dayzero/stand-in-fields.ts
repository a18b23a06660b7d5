const TEXTS = [
  'name',
  'email',
  'address',
  'phone',
  'tax_id',
  'website',
  'notes',
  'default_payment_term_id',
  'category',
  'invoice_footer',
];
const FIELDS = [...TEXTS, 'credit_limit_cents', 'status'];
export const STATUSES = ['active', 'inactive', 'blocked'];
/** What a customer has where nothing was sent, and what null sets a field back to. */
export const BLANK = {
  address: null,
  phone: null,
  tax_id: null,
  website: null,
  notes: null,
  credit_limit_cents: null,
  default_payment_term_id: null,
  status: 'active',
  category: null,
  invoice_footer: null,
};
export const EMAIL = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;

/** One entry of the `detail` list of a 422. */
export interface Fault422 {
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly type: string;
  readonly input?: unknown;
}

/** What is wrong with one member of a body, if anything. */
export function fieldFault(name: string, value: unknown, mayClear: boolean): Fault422 | undefined {
  const loc = ['body', name];
  if (!FIELDS.includes(name))
    return { loc, msg: 'Extra inputs are not permitted', type: 'extra_forbidden', input: value };
  if (value === null && mayClear && name in BLANK) return undefined;
  if (name === 'credit_limit_cents')
    return Number.isInteger(value)
      ? undefined
      : { loc, msg: 'Input should be a valid integer', type: 'int_type', input: value };
  if (typeof value !== 'string')
    return { loc, msg: 'Input should be a valid string', type: 'string_type', input: value };
  if (name === 'status' && !STATUSES.includes(value))
    return { loc, msg: `Input should be one of ${STATUSES.join(', ')}`, type: 'enum', input: value };
  if (name === 'name' && value === '')
    return { loc, msg: 'String should have at least 1 character', type: 'string_too_short', input: value };
  return name === 'email' && !EMAIL.test(value) ? badEmail(loc, value) : undefined;
}

export function badEmail(loc: readonly string[], input: unknown): Fault422 {
  return { loc, msg: 'value is not a valid email address', type: 'value_error', input };
}

/** Trigram likeness, the way the guide describes its fuzzy search: a part of the name will do, and so will a slip of the pen. */
export function resembles(name: string, search: string): boolean {
  if (name.toLowerCase().includes(search.toLowerCase())) return true;
  const [left, right] = [trigrams(name), trigrams(search)];
  const shared = [...left].filter((gram) => right.has(gram)).length;
  return shared / (left.size + right.size - shared) >= 0.3;
}

function trigrams(text: string): Set<string> {
  const padded = `  ${text.toLowerCase()} `;
  return new Set(Array.from({ length: padded.length - 2 }, (_, at) => padded.slice(at, at + 3)));
}
