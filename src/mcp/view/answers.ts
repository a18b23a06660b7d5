import { isRecord, textOf } from '../../text.ts';
import { code, customerOf, field, label, linesOf, nameOf } from './documents.ts';
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

/** Errors after which it is for somebody to decide, or to wait. */
const UNDECIDED = ['possible_duplicate', 'confirmation_required', 'in_progress', 'outcome_unknown'];

const LONGEST_CELL = 120;

/** The result of a tool call as a person wants to see it. */
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

/** A state in which there is nothing to show. */
export function showNote(text: string): readonly Node[] {
  return [element('p', { class: 'quiet' }, text)];
}

function showCard(answer: Fields, badges: readonly Node[]): readonly Node[] {
  const customer = customerOf(answer);
  const { main, record } = linesOf(customer);
  const outcome = textOf(answer['outcome']);
  const changed = Array.isArray(answer['changed']) ? answer['changed'].map((name) => label(String(name))) : [];
  return [
    heading(nameOf(customer) ?? 'Customer', [
      ...(outcome === undefined ? [] : [badge(label(outcome), TONES[outcome] ?? 'calm')]),
      ...badges,
    ]),
    ...(changed.length > 0 ? [element('p', { class: 'quiet' }, `Changed: ${changed.join(', ')}`)] : []),
    ...warningsIn(answer),
    ...(main.length > 0 ? [definitions(main)] : []),
    ...(record.length > 0 ? [definitions(record, { class: 'record' })] : []),
  ];
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
    ...(more ? [element('p', { class: 'quiet' }, 'There are more: this is one page of them.')] : []),
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
      UNDECIDED.some((one) => one === kind) ? badge('Needs attention', 'warning') : badge('Error', 'bad'),
      ...badges,
    ]),
    element('p', { class: 'text' }, outside(textOf(message) ?? '')),
    ...(typeof seconds === 'number' ? [element('p', { class: 'quiet' }, `Try again in ${seconds} s.`)] : []),
    ...(ids.length > 0 ? [definitions(ids, { class: 'record' })] : []),
    ...(Array.isArray(candidates) && candidates.length > 0
      ? [element('h2', {}, 'It may be one of these'), customerTable(candidates)]
      : []),
  ];
}

function customerTable(customers: readonly unknown[]): Node {
  const shown = customers.filter(isRecord).map(customerOf);
  const status = shown.map(({ document }) => field(document, ['status']));
  return table([
    { title: 'Name', cells: shown.map((one) => shortOf(nameOf(one)) ?? '–'), show: outside },
    { title: 'Email', cells: shown.map(({ document }) => shortOf(field(document, ['email']))), show: outside },
    { title: 'External ID', cells: shown.map(({ externalId }) => shortOf(externalId)), show: code },
    { title: 'Customer ID', cells: shown.map(({ id }) => shortOf(id)), show: code },
    { title: 'Status', cells: status.map((one) => one && label(one)), show: outside },
  ]);
}

function shortOf(value: unknown): string | undefined {
  const text = textOf(value);
  return text === undefined || text.length <= LONGEST_CELL ? text : `${text.slice(0, LONGEST_CELL)}…`;
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

/** The text of a result, for a host that leaves the structured answer out. */
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
