import { isRecord, textOf } from '../../text.ts';
import { definitions, element, outside } from './elements.ts';

type Fields = Readonly<Record<string, unknown>>;
type Line = readonly [string, Node];

/** A customer as answers show it. */
export interface Shown {
  readonly id: string | undefined;
  readonly externalId: string | undefined;
  readonly document: Fields;
}

// Providers differ in case and underscores only, so fields are compared without them.
const NAMES = ['companyname', 'name', 'individualname'];
const IDS = ['id', 'externalid', 'customercode'];
/** What every document of an account has in common, or what only machines ask for. */
const SILENT = ['type', 'resource', 'businessid'];
/** Of these, key and value say it all. */
const TAGS = ['transactiontags', 'tags'];

const SHORT_NAME = 160;

/** The customer in an answer, or in one line of it. */
export function customerOf(answer: Fields): Shown {
  const document = isRecord(answer['customer']) ? answer['customer'] : {};
  const id = textOf(answer['customer_id']) ?? field(document, ['id']);
  return { id, externalId: textOf(answer['external_id']) ?? field(document, IDS.slice(1)), document };
}

/** What a person would call the customer, short enough for a heading; the whole of a longer one is among the lines. */
export function nameOf({ document }: Shown): string | undefined {
  const name = field(document, NAMES);
  return name === undefined || name.length <= SHORT_NAME ? name : `${name.slice(0, SHORT_NAME)}…`;
}

/** One field as text, whatever the provider's spelling of it; the first of several that has something in it. */
export function field(document: Fields, names: readonly string[]): string | undefined {
  for (const name of names)
    for (const [key, value] of Object.entries(document))
      if (plain(key) === name && textOf(value) !== undefined) return textOf(value);
  return undefined;
}

/** All that is known of a customer: first what matters to people, then what identifies the record. */
export function linesOf(customer: Shown): { readonly main: readonly Line[]; readonly record: readonly Line[] } {
  const { document, id, externalId } = customer;
  const heading = nameOf(customer);
  const entries = Object.entries(document).filter(([key, value]) => {
    if (SILENT.includes(plain(key)) || isEmpty(value)) return false;
    if (NAMES.includes(plain(key)) && value === heading) return false;
    if (IDS.includes(plain(key)) && (value === id || value === externalId)) return false;
    return !(value === false && key.startsWith('is_'));
  });
  const isRecordKeeping = ([key]: readonly [string, unknown]): boolean => /(_at|_id)$/.test(key) && key !== 'tax_id';
  const line = ([key, value]: readonly [string, unknown]): Line => [label(key), valueOf(key, value)];
  return {
    main: entries.filter((entry) => !isRecordKeeping(entry)).map(line),
    record: [
      ...(externalId === undefined ? [] : [['External ID', code(externalId)] as const]),
      ...(id === undefined ? [] : [['Customer ID', code(id)] as const]),
      ...entries.filter(isRecordKeeping).map(line),
    ],
  };
}

/** An id: it may break anywhere. */
export function code(id: string): HTMLElement {
  return element('code', {}, id);
}

/** Words for a field, a status or an outcome: `office_phone`, `invoiceEmail` and `ARCHIVED` alike. */
export function label(key: string): string {
  const words = key
    .replace(/^is_|^transaction_|_string$|_cents$/g, '')
    .replace(/postalcode/i, 'postal_code')
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[_\s]+/)
    .map((word) => (word === 'id' || word === 'url' ? word.toUpperCase() : word));
  const text = words.join(' ') + (key.endsWith('_cents') ? ' (cents)' : '');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function valueOf(key: string, value: unknown): Node {
  if (Array.isArray(value)) {
    const items = value.filter((one) => !isEmpty(one));
    const isTags = TAGS.includes(plain(key));
    return element(
      'ul',
      isTags ? { class: 'tags' } : {},
      ...items.map((one) => element('li', {}, isTags ? tag(one) : valueOf('', one))),
    );
  }
  if (isRecord(value)) return plain(key) === 'address' ? outside(address(value)) : nested(value);
  if (typeof value === 'boolean') return outside(value ? 'Yes' : 'No');
  const text = String(value);
  return outside(plain(key) === 'status' ? label(text) : text);
}

function nested(value: Fields): Node {
  const lines = Object.entries(value)
    .filter(([key, one]) => !isEmpty(one) && !/(^|_)(id|at)$/.test(key))
    .map(([key, one]): Line => [`${label(key)}: `, valueOf(key, one)]);
  return definitions(lines, { class: 'nested' });
}

/** The parts of an address on one line, in the provider's order. */
function address(value: Fields): string {
  return Object.values(value)
    .flatMap((part) => textOf(part) ?? [])
    .join(', ');
}

function tag(value: unknown): Node {
  if (!isRecord(value) || textOf(value['key']) === undefined) return valueOf('', value);
  return outside(`${textOf(value['key'])}: ${textOf(value['value']) ?? ''}`);
}

function isEmpty(value: unknown): boolean {
  if (isRecord(value)) return Object.values(value).every(isEmpty);
  return value === null || value === undefined || value === '' || (Array.isArray(value) && value.every(isEmpty));
}

function plain(key: string): string {
  return key.replaceAll('_', '').toLowerCase();
}
