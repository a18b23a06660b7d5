import { allWords, foldCode, foldEmail, nameWords } from '../identity/folding.ts';
import type { Provider, ProviderCustomer } from '../providers/provider.ts';
import { isRecord, textOf } from '../text.ts';
import { foldPhone } from './phones.ts';

/**
 * How a value is compared. The name of a customer or of a `person` there is compared by its words, as other texts are, and an
 * email also by the words before its `@`. A `number` is a code that an authority gives to one customer only.
 */
type Kind = 'name' | 'person' | 'email' | 'phone' | 'code' | 'number' | 'text';

/** A value by which a customer can be found. */
export interface Value {
  /** The name of the field in requests. */
  readonly field: string;
  readonly kind: Kind;
  readonly text: string;
  /** The value in one spelling; for a name or a text, all words without spaces. */
  readonly folded: string;
  readonly words: readonly string[];
}

/** The part of a customer that is compared and shown, without its document. */
export interface Entry {
  readonly id: string;
  readonly externalId: string | undefined;
  readonly archived: boolean;
  readonly values: readonly Value[];
  /** A bit for each empty field, in the order of {@link emptiableFields}. */
  readonly empty: number;
}

/** Longer texts are truncated. */
const MAX_LENGTH = 300;

/** The fields that `without` can ask for. */
export function emptiableFields({ documents, traits }: Provider): readonly string[] {
  return Object.keys(documents.create.shape).filter((field) => field !== traits.overwriteField);
}

export function toEntry(provider: Provider, customer: ProviderCustomer): Entry {
  const { id, externalId, state, fields } = customer;
  const { identity, searched, meanings, externalIdField } = provider.traits;
  const read = (kind: Kind, names: readonly string[]): Value[] =>
    names.flatMap((field) => valueOf(kind, field, fields[field]) ?? []);
  return {
    id,
    externalId,
    archived: state === 'archived',
    values: [
      ...read('name', identity.names),
      ...read('email', [...identity.emails, ...(searched.emails ?? [])]),
      ...read('phone', searched.phones),
      ...[valueOf('code', externalIdField, externalId)].flatMap((value) => value ?? []),
      ...read('number', identity.numbers ?? []),
      ...read('code', searched.codes ?? []),
      ...searched.texts.flatMap((field) => read(meanings[field] === 'contact_name' ? 'person' : 'text', [field])),
      ...contactsOf(customer, searched.contacts),
    ],
    empty: emptiableFields(provider).reduce(
      (bits, field, index) => (fields[field] === undefined ? bits | (1 << index) : bits),
      0,
    ),
  };
}

/** The people at a customer, where documents list them. */
function contactsOf({ extras = {} }: ProviderCustomer, contacts: Provider['traits']['searched']['contacts']): Value[] {
  if (contacts === undefined) return [];
  const { member, name, email, phone } = contacts;
  const people = extras[member];
  return (Array.isArray(people) ? people : [])
    .filter(isRecord)
    .flatMap((person) => [
      valueOf('person', member, person[name]),
      valueOf('email', member, person[email]),
      valueOf('phone', member, person[phone]),
    ])
    .flatMap((value) => value ?? []);
}

function valueOf(kind: Kind, field: string, given: unknown): Value | undefined {
  const text = textOf(given)?.slice(0, MAX_LENGTH);
  if (text === undefined || text.trim() === '') return undefined;
  if (kind === 'name' || kind === 'person' || kind === 'text') {
    const words = kind === 'text' ? allWords(text) : nameWords(text);
    return { field, kind, text, folded: words.join(''), words };
  }
  if (kind === 'email') return { field, kind, text, folded: foldEmail(text), words: mailboxWords(text) };
  const fold = { phone: foldPhone, code: foldCode, number: foldCode }[kind];
  return { field, kind, text, folded: fold(text), words: NO_WORDS };
}

const NO_WORDS: readonly string[] = [];
/** Mailboxes that say nothing about their owner. */
const COMMON_MAILBOXES = new Set(
  'info contact office mail email post sales hello admin support service billing invoice invoices finance kontakt'.split(
    ' ',
  ),
);
/** Shorter words are initials. */
const MIN_MAILBOX_WORD = 3;

/** The words of `jansen.bakkerij@…`, which may be the Latin spelling of a name in another script. */
function mailboxWords(email: string): readonly string[] {
  const words = nameWords(email.slice(0, email.lastIndexOf('@')).replace(/[._+-]/g, ' '));
  const telling = words.filter((word) => word.length >= MIN_MAILBOX_WORD && !COMMON_MAILBOXES.has(word));
  return telling.length > 0 ? telling : NO_WORDS;
}

/** Whether two entries of one customer are the same. */
export function sameEntry(a: Entry, b: Entry): boolean {
  return (
    a.externalId === b.externalId &&
    a.archived === b.archived &&
    a.empty === b.empty &&
    a.values.length === b.values.length &&
    a.values.every(({ field, text }, index) => field === b.values[index]?.field && text === b.values[index]?.text)
  );
}
