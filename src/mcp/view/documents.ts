import { isRecord, textOf } from '../../text.ts';
import { display } from './display.ts';
import { definitions, element, outside } from './elements.ts';

type Fields = Readonly<Record<string, unknown>>;
type Line = readonly [string, Node];

/** A customer as a result shows it. */
export interface Shown {
  readonly id: string | undefined;
  readonly externalId: string | undefined;
  readonly document: Fields;
}

const SHORT_NAME = 160;

/** The customer in a result or in one row of it. */
export function customerOf(answer: Fields): Shown {
  const document = isRecord(answer['customer']) ? answer['customer'] : {};
  return {
    id: textOf(answer['customer_id']) ?? textOf(document['id']),
    externalId: textOf(answer['external_id']) ?? field(document, display.externalId),
    document,
  };
}

/** The customer's name, cut to fit a heading; a longer name is among the lines in full. */
export function nameOf({ document }: Shown): string | undefined {
  const [name] = display.names.flatMap((key) => field(document, key) ?? []);
  return name === undefined || name.length <= SHORT_NAME ? name : `${name.slice(0, SHORT_NAME)}…`;
}

/** One field as text, if the provider has such a field and it is not empty. */
export function field(document: Fields, key: string | undefined): string | undefined {
  return key === undefined ? undefined : textOf(document[key]);
}

/** Everything known about a customer: first what matters to the user, then what identifies the record. */
export function linesOf(customer: Shown): { readonly main: readonly Line[]; readonly record: readonly Line[] } {
  const { document, id, externalId } = customer;
  const heading = nameOf(customer);
  const entries = Object.entries(document).filter(([key, value]) => {
    if (display.hidden.includes(key) || isEmpty(value)) return false;
    if (display.names.includes(key) && value === heading) return false;
    if ((key === 'id' || key === display.externalId) && (value === id || value === externalId)) return false;
    return !(value === false && key.startsWith('is_'));
  });
  const isRecordKeeping = ([key]: readonly [string, unknown]): boolean =>
    /(_at|_id)$/.test(key) && !display.labels.has(key);
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

/** An id, which may wrap anywhere. */
export function code(id: string): HTMLElement {
  return element('code', {}, id);
}

/** The label of a field, a status or an outcome, such as `office_phone`, `invoiceEmail` or `ARCHIVED`. */
export function label(key: string): string {
  const known = display.labels.get(key);
  if (known !== undefined) return known;
  const text = key
    .replace(/^is_/, '')
    .replace(/([a-z\d])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .split(/[_\s]+/)
    .map((word) => (word === 'id' || word === 'url' ? word.toUpperCase() : word))
    .join(' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function valueOf(key: string, value: unknown): Node {
  if (Array.isArray(value)) {
    const items = value.filter((item) => !isEmpty(item));
    const tags = items.length > 0 && items.every(isTag);
    return element(
      'ul',
      tags ? { class: 'tags' } : {},
      ...items.map((one) => element('li', {}, isTag(one) ? outside(`${one.key}: ${one.value}`) : valueOf('', one))),
    );
  }
  if (isRecord(value)) return key === display.address ? outside(oneLine(value)) : nested(value);
  if (typeof value === 'boolean') return outside(value ? 'Yes' : 'No');
  const text = String(value);
  return outside(key === display.status ? label(text) : text);
}

/** A value on one line, for places without room for more. */
export function inWords(value: unknown): string {
  if (isEmpty(value)) return '–';
  if (isTag(value)) return `${value.key}: ${value.value}`;
  if (Array.isArray(value)) return value.map(inWords).join(', ');
  if (isRecord(value)) return Object.values(value).map(inWords).join(', ');
  return String(value);
}

function nested(value: Fields): Node {
  const lines = Object.entries(value)
    .filter(([key, member]) => !isEmpty(member) && !/(^|_)(id|at)$/.test(key))
    .map(([key, member]): Line => [`${label(key)}: `, valueOf(key, member)]);
  return definitions(lines, { class: 'nested' });
}

/** The parts on one line, in the provider's order. */
function oneLine(value: Fields): string {
  return Object.values(value)
    .flatMap((part) => textOf(part) ?? [])
    .join(', ');
}

/** A record with a key and a value is shown by these two; the provider's other members of it do not matter to the user. */
function isTag(item: unknown): item is { readonly key: string; readonly value: string } {
  return isRecord(item) && typeof item['key'] === 'string' && typeof item['value'] === 'string';
}

function isEmpty(value: unknown): boolean {
  if (isRecord(value)) return Object.values(value).every(isEmpty);
  return value === null || value === undefined || value === '' || (Array.isArray(value) && value.every(isEmpty));
}
