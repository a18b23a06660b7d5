import { basename } from 'node:path';
import type { Provider } from '../providers/provider.ts';
import { cleanText } from '../text.ts';
import type { Inspection } from './inspection.ts';
import type { Group } from './groups.ts';
import type { Concept } from './concepts.ts';
import type { Reason } from './left-out.ts';
import { counted, rowNumbers, shellArgument, short, wrap, type Paper } from './paper.ts';
import type { Plan } from './plan.ts';
import { describeSource } from './source.ts';

const MAX_GROUPS = 12;
const MAX_LEFT_OUT = 8;

/** The file and the provider that a page describes. */
export interface Subject {
  readonly plan: Plan;
  readonly provider: Provider;
  readonly sandbox: boolean;
}

/** The facts about the file, and which column fills which field. */
export function showMapping({ plan, provider, sandbox }: Subject, paper: Paper): string {
  const { table, columns, mapping, file } = plan;
  const { grid, headerRow } = table;
  const facts = [...grid.facts, headerRow === 0 ? 'no row of headings' : `headings in row ${headerRow}`];
  const lines = mapping.fields.map(({ field, source, decided, samples }) => ({
    from: describeSource(source, columns),
    to: field.name,
    samples: cleanText(samples.map((sample) => short(sample, 30)).join(' · ')),
    mark: decided ? '*' : ' ',
  }));
  const left = Math.min(44, Math.max(0, ...lines.map(({ from }) => from.length)));
  const right = Math.max(0, ...lines.map(({ to }) => to.length));
  const room = Math.max(0, paper.width - left - right - 10);
  const rows = lines.flatMap(({ from, to, samples, mark }) => {
    const [first = '', ...more] = wrap(from, left + 2, '')
      .trimEnd()
      .split('\n');
    return [
      `${mark} ${paper.bold(first.padEnd(left))}  ->  ${to.padEnd(right)}  ${paper.dim(short(samples, room))}`.trimEnd(),
      ...more.map((line) => `    ${paper.bold(line)}`),
    ];
  });
  return [
    `${paper.bold(cleanText(basename(file), 80))} -> ${provider.title}${sandbox ? ' (sandbox)' : ''}\n`,
    paper.dim(wrap(facts.join(' · '), paper.width, '')),
    `\n${paper.bold('How the columns are read')}${lines.some(({ mark }) => mark === '*') ? paper.dim('   * as you decided') : ''}\n`,
    rows.map((row) => `${row}\n`).join(''),
    showLeftOut(plan, paper),
  ].join('');
}

function showLeftOut({ mapping, file }: Plan, paper: Paper): string {
  const { leftOut } = mapping;
  if (leftOut.length === 0) return '';
  const shown = leftOut.slice(0, MAX_LEFT_OUT).map((left) => {
    const { heading, samples } = left.column;
    const facts = [...samples.slice(0, 1).map((sample) => short(cleanText(sample), 24)), ...describeReason(left)];
    return facts.length === 0 ? heading : `${heading} (${facts.join('; ')})`;
  });
  const rest = leftOut.slice(MAX_LEFT_OUT).map(({ column }) => column.heading);
  const open = leftOut.find(({ kind }) => kind !== 'decided');
  return [
    `\n${paper.bold('Left out')}\n`,
    wrap([...shown, ...rest].join(', '), paper.width, '  '),
    open
      ? paper.dim(
          wrap(
            `To import one of them, name its field: ${commandFor(file, ['--map', `${open.column.heading}=FIELD`])}`,
            paper.width,
            '  ',
          ),
        )
      : '',
  ].join('');
}

function describeReason(reason: Reason): string[] {
  switch (reason.kind) {
    case 'decided':
      return ['as you decided'];
    case 'other_column':
      return ['another column is used'];
    case 'not_unique':
      return ['not unique'];
    case 'misfit':
      return [`its cells do not look like ${NOUNS[reason.concept] ?? reason.concept}`];
    case 'not_a_list':
      return [`${reason.field.name} takes a JSON list`];
    case 'not_a_choice':
      return [`${reason.field.name} takes only ${reason.field.choices.join(', ')}`];
    case 'unknown':
      return [];
  }
}

const NOUNS: Partial<Record<Concept, string>> = {
  email: 'email addresses',
  billing_email: 'email addresses',
  phone: 'phone numbers',
  mobile: 'phone numbers',
  postcode: 'postal codes',
  postcode_city: 'postal codes',
  country: 'countries',
  website: 'web addresses',
  name: 'names',
  company: 'names',
  person: 'names',
  contact: 'names',
  contact_name: 'names',
  first: 'names',
  last: 'names',
  id: 'IDs',
};

/** The questions, and one command with the proposed answers to all of them. */
export function showQuestions({ plan }: Subject, paper: Paper): string {
  const { questions, file, options } = plan;
  const blocks = questions.map(
    ({ text, args }) =>
      `${wrap(text, paper.width, '  ')}${args.length > 0 ? `      ${paper.bold(args.map(shellArgument).join(' '))}\n` : ''}`,
  );
  const answers = questions.flatMap(({ args }) => args);
  const all = [
    ...options.map.flatMap((map) => ['--map', map]),
    ...options.set.flatMap((set) => ['--set', set]),
    ...(options.idFrom === undefined ? [] : ['--id-from', options.idFrom]),
    ...(options.sheet === undefined ? [] : ['--sheet', options.sheet]),
    ...(options.headerRow === undefined ? [] : ['--header-row', String(options.headerRow)]),
    ...answers,
  ];
  return `\n${paper.warn(`Answer ${counted(questions.length, 'question')} to continue`)}\n${blocks.join('')}${answers.length > 0 ? `\n  If these answers are right, run:\n    ${paper.bold(commandFor(file, all))}\n` : ''}`;
}

/** The first customers as they will be stored, the number of new ones, and the problems. */
export function showInspection(
  { plan, provider }: Subject,
  { inspection, warnings }: { readonly inspection: Inspection; readonly warnings: readonly string[] },
  paper: Paper,
): string {
  const { total, sendable, known, footers, problems, notices, duplicates, changes, first } = inspection;
  const bad = total - sendable;
  const [atMost, atLeast] = warnings.length === 0 ? ['', ''] : ['at most ', 'at least '];
  return [
    showCustomers(plan, inspection, paper),
    `\n${paper.bold('What the import would do')}\n`,
    `  ${counted(total, 'row')}: ${sendable.toLocaleString('en-US')} can be sent, ${bad.toLocaleString('en-US')} cannot\n`,
    sendable > 0
      ? `  ${paper.good(`${atMost}${sendable - known} new`)}, ${atLeast}${known} already in ${provider.title}\n`
      : '',
    ...warnings.map((warning) => paper.warn(wrap(warning, paper.width, '  '))),
    footers.length > 0
      ? paper.dim(
          `  ${rowNumbers(footers)} skipped: ${footers.length === 1 ? 'a total or a note' : 'totals or notes'}\n`,
        )
      : '',
    showGroups('Cannot be imported', problems, { paper, paint: paper.bad }),
    showGroups('Possible duplicates (rejected unless you add --allow-duplicates)', duplicates, {
      paper,
      paint: paper.warn,
    }),
    showGroups('Existing customers that the import would change', changes, { paper, paint: paper.warn }),
    showGroups('Changed or doubtful', notices, { paper, paint: paper.warn }),
    first.length === 0
      ? ''
      : `\nNothing was sent. To import: ${paper.bold(commandFor(plan.file, plan.options.allowDuplicates ? ['--allow-duplicates'] : []))}\n`,
  ].join('');
}

function showCustomers({ mapping }: Plan, { first }: Inspection, paper: Paper): string {
  if (first.length === 0) return '';
  const names = mapping.fields.map(({ field }) => field.name);
  const width = Math.max(...names.map((name) => name.length));
  const blocks = first.map(({ number, request }) => {
    const lines = names.flatMap((name) => {
      const value = request?.document[name];
      return value === undefined
        ? []
        : [
            `    ${paper.dim(name.padEnd(width))}  ${short(cleanText(typeof value === 'string' ? value : JSON.stringify(value)), paper.width - width - 8)}\n`,
          ];
    });
    return `  ${paper.dim(`row ${number}`)}\n${lines.join('')}`;
  });
  return `\n${paper.bold(first.length === 1 ? 'The first customer as it will be stored' : `The first ${first.length} customers as they will be stored`)}\n${blocks.join('')}`;
}

interface Look {
  readonly paper: Paper;
  paint(text: string): string;
}

/** Groups of remarks, each with its rows. */
export function showGroups(title: string, groups: readonly Group[], { paper, paint }: Look): string {
  if (groups.length === 0) return '';
  const lines = groups.slice(0, MAX_GROUPS).map(({ example, rows, count }) => {
    const { column, what, namesValue, value = '' } = example;
    const shown = namesValue || value === '' ? '' : `: ${short(cleanText(value), 40)}`;
    const where = rowNumbers(rows, count);
    return wrap(
      `${column === undefined ? '' : `${column} `}${cleanText(what)}${shown} (${where})`,
      paper.width,
      '    ',
    ).replace(/^ {4}/, `  ${paint('-')} `);
  });
  const more = groups.length > MAX_GROUPS ? `  and ${counted(groups.length - MAX_GROUPS, 'more kind')}\n` : '';
  return `\n${paint(title)}\n${lines.join('')}${more}`;
}

/** The command line that imports a file. */
export function commandFor(file: string, args: readonly string[]): string {
  return ['customers-mcp', 'import', file, ...args].map(shellArgument).join(' ');
}
