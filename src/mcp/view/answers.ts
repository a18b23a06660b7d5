import { isRecord, textOf } from '../../text.ts';
import { code, customerOf, field, inWords, label, linesOf, nameOf } from './documents.ts';
import { display } from './display.ts';
import { definitions, element, outside, table } from './elements.ts';

type Fields = Readonly<Record<string, unknown>>;
type Tone = 'good' | 'calm' | 'warning' | 'bad';

const TONES: Readonly<Record<string, Tone>> = {
  created: 'good',
  updated: 'good',
  restored: 'good',
  linked: 'good',
  archived: 'warning',
  deleted: 'bad',
  failed: 'bad',
  unknown: 'warning',
  not_started: 'warning',
};

/** Errors after which the user has to decide or to wait. */
const UNDECIDED = ['possible_duplicate', 'confirmation_required', 'in_progress', 'outcome_unknown'];

const MAX_CELL = 120;

/** The result of a tool call, rendered for the user. */
export function showResult(result: Fields): readonly Node[] {
  const answer = isRecord(result['structuredContent']) ? result['structuredContent'] : jsonIn(textIn(result));
  const { error, customers, counts, sandbox } = answer ?? {};
  const badges = sandbox === true ? [badge('Sandbox', 'calm')] : [];
  if (answer && isRecord(error)) return showError(error, badges);
  if (answer && Array.isArray(customers)) return showSearch(answer, customers, badges);
  if (answer && isRecord(counts)) return showImport(answer, counts, badges);
  if (answer && (answer['customer_id'] !== undefined || isRecord(answer['customer']))) return showCard(answer, badges);
  return [element('p', { class: 'text' }, outside(textIn(result)))];
}

/** A state without a result to show. */
export function showNote(text: string): readonly Node[] {
  return [element('p', { class: 'quiet' }, text)];
}

function showCard(answer: Fields, badges: readonly Node[]): readonly Node[] {
  const customer = customerOf(answer);
  const { main, record } = linesOf(customer);
  const outcome = textOf(answer['outcome']);
  return [
    heading(nameOf(customer) ?? 'Customer', [
      ...(outcome === undefined ? [] : [badge(label(outcome), TONES[outcome] ?? 'calm')]),
      ...badges,
    ]),
    ...changesIn(answer),
    ...warningsIn(answer),
    ...(main.length > 0 ? [definitions(main)] : []),
    ...(record.length > 0 ? [definitions(record, { class: 'record' })] : []),
  ];
}

/** The values before and after an update. */
function changesIn({ changed }: Fields): readonly Node[] {
  const lines = Object.entries(isRecord(changed) ? changed : {}).flatMap(([name, change]) =>
    isRecord(change)
      ? [element('li', {}, outside(label(name)), ': ', short(change['from']), ' → ', short(change['to']))]
      : [],
  );
  return lines.length === 0 ? [] : [element('ul', { class: 'changes quiet' }, ...lines)];
}

function short(value: unknown): Node {
  return outside(shortOf(inWords(value)) ?? '–');
}

function showSearch(answer: Fields, customers: readonly unknown[], badges: readonly Node[]): readonly Node[] {
  const count = customers.length;
  const total = typeof answer['total'] === 'number' ? answer['total'] : count;
  const found = total > count ? `${count} of ${total} customers` : `${count} customer${count === 1 ? '' : 's'}`;
  const more = answer['has_more'] === true;
  return [
    heading(count === 0 && !more ? 'No customer found' : found, badges),
    ...warningsIn(answer),
    ...(count > 0 ? [customerTable(customers)] : []),
    ...(more ? [element('p', { class: 'quiet' }, 'More customers are on the next page.')] : []),
  ];
}

function showImport(answer: Fields, counts: Fields, badges: readonly Node[]): readonly Node[] {
  const total = textOf(answer['total']) ?? '';
  const next = textOf(answer['next']);
  const rows = Array.isArray(answer['rows']) ? answer['rows'].filter(isRecord) : [];
  const tallies = Object.entries(counts).filter(([, count]) => count !== 0);
  return [
    heading(`Import of ${total} row${total === '1' ? '' : 's'}`, badges),
    element(
      'ul',
      { class: 'tallies' },
      ...tallies.map(([outcome, count]) =>
        element('li', {}, badge(`${textOf(count) ?? ''} ${label(outcome).toLowerCase()}`, TONES[outcome] ?? 'calm')),
      ),
    ),
    ...(next === undefined ? [] : [element('p', { class: 'quiet' }, outside(next))]),
    ...warningsIn(answer),
    ...(rows.length > 0 ? [element('h2', {}, 'Rows that need attention'), importTable(rows)] : []),
  ];
}

function importTable(rows: readonly Fields[]): Node {
  const errors = rows.map(({ error }) => (isRecord(error) ? error : {}));
  const outcomes = rows.map(({ outcome }, index) => textOf(errors[index]?.['kind']) ?? textOf(outcome));
  const sentences = rows.map(({ warnings }, index) => {
    const all = [errors[index]?.['message'], ...(Array.isArray(warnings) ? warnings : [])];
    return all.flatMap((sentence) => textOf(sentence) ?? []).join(' ');
  });
  return table([
    { title: 'Row', cells: rows.map(({ row }) => textOf(row) ?? '–'), show: outside },
    { title: 'External ID', cells: rows.map((row) => shortOf(row['external_id'])), show: code },
    { title: 'Outcome', cells: outcomes.map((outcome) => outcome && label(outcome)), show: outside },
    { title: 'What happened', cells: sentences, show: outside },
  ]);
}

function showError(error: Fields, badges: readonly Node[]): readonly Node[] {
  const { kind, message, candidates, retry_after_s: seconds } = error;
  const ids = [
    ['External ID', textOf(error['external_id'])] as const,
    ['Customer ID', textOf(error['customer_id'])] as const,
  ].flatMap(([name, id]) => (id === undefined ? [] : [[name, code(id)] as const]));
  return [
    heading(label(textOf(kind) ?? 'error'), [
      UNDECIDED.some((undecided) => undecided === kind) ? badge('Needs attention', 'warning') : badge('Error', 'bad'),
      ...badges,
    ]),
    element('p', { class: 'text' }, outside(textOf(message) ?? '')),
    ...(typeof seconds === 'number' ? [element('p', { class: 'quiet' }, `Try again in ${seconds} s.`)] : []),
    ...(ids.length > 0 ? [definitions(ids, { class: 'record' })] : []),
    ...(Array.isArray(candidates) && candidates.length > 0
      ? [element('h2', {}, 'Possible matches'), customerTable(candidates.filter(isRecord).map(asAnswer))]
      : []),
  ];
}

/** A candidate in the form of a customer in an answer. */
function asAnswer({ name, email, ...ids }: Fields): Fields {
  const [nameField] = display.names;
  return {
    ...ids,
    customer: {
      ...(nameField !== undefined && { [nameField]: name }),
      ...(display.email !== undefined && { [display.email]: email }),
    },
  };
}

function customerTable(customers: readonly unknown[]): Node {
  const shown = customers.filter(isRecord).map(customerOf);
  const status = shown.map(({ document }) => field(document, display.status));
  return table([
    { title: 'Name', cells: shown.map((customer) => shortOf(nameOf(customer)) ?? '–'), show: outside },
    { title: 'Email', cells: shown.map(({ document }) => shortOf(field(document, display.email))), show: outside },
    { title: 'External ID', cells: shown.map(({ externalId }) => shortOf(externalId)), show: code },
    { title: 'Customer ID', cells: shown.map(({ id }) => shortOf(id)), show: code },
    { title: 'Status', cells: status.map((text) => text && label(text)), show: outside },
  ]);
}

function shortOf(value: unknown): string | undefined {
  const text = textOf(value);
  return text === undefined || text.length <= MAX_CELL ? text : `${text.slice(0, MAX_CELL)}…`;
}

function heading(text: string, badges: readonly Node[]): Node {
  return element('header', {}, element('h1', {}, outside(text)), element('p', { class: 'badges' }, ...badges));
}

function badge(text: string, tone: Tone): Node {
  return element('span', { class: `badge ${tone}` }, text);
}

function warningsIn({ warnings }: Fields): readonly Node[] {
  const sentences = Array.isArray(warnings) ? warnings.flatMap((sentence) => textOf(sentence) ?? []) : [];
  if (sentences.length === 0) return [];
  return [element('ul', { class: 'warnings' }, ...sentences.map((sentence) => element('li', {}, outside(sentence))))];
}

/** The text of a result, for a host that omits the structured content. */
function textIn({ content }: Fields): string {
  const blocks = Array.isArray(content) ? content.filter(isRecord) : [];
  return blocks.flatMap(({ type, text }) => (type === 'text' ? (textOf(text) ?? []) : [])).join('\n');
}

function jsonIn(text: string): Fields | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
