import type { FieldMeaning, Provider } from '../providers/provider.ts';
import { assemble, type Ambiguity } from './assemble.ts';
import type { Column } from './columns.ts';
import { fieldsOfProvider, plainName, type Field } from './fields.ts';
import { chooseId } from './ids.ts';
import { languageCode } from '../countries.ts';
import type { Decisions, Question } from './options.ts';
import type { Source } from './source.ts';
import { survey, type Chosen, type FieldMapping } from './survey.ts';
import { leftOutOf, type LeftOut, type Reason } from './left-out.ts';
import type { Table } from './table.ts';

export interface Mapping {
  readonly fields: readonly FieldMapping[];
  readonly leftOut: readonly LeftOut[];
  readonly questions: readonly Question[];
}

const NAMES: readonly (FieldMeaning | undefined)[] = ['name', 'company', 'person'];

/** The inputs of a mapping. */
export interface Subject {
  readonly table: Table;
  readonly columns: readonly Column[];
  readonly provider: Provider;
  readonly decisions: Decisions;
}

/** Decides which columns fill which fields: first by the user's decisions, then by what is recognized with confidence. */
export function makeMapping(subject: Subject): Mapping {
  const { columns, provider, decisions } = subject;
  const fields = fieldsOfProvider(provider);
  const { externalIdField, meanings } = provider.traits;
  const used = new Set([...decisions.leftOut, ...columnsOf([...decisions.sources.values()])]);
  const free = columns.filter(({ index, own }) => !used.has(index) && !own);
  const open = new Set(fields.flatMap(({ name, meaning }) => (decisions.sources.has(name) ? [] : (meaning ?? []))));
  const { sources, ambiguities } = assemble(free, open);
  const reasons = new Map<number, Reason>();
  const chosen = fields
    .filter(({ name }) => name !== externalIdField)
    .flatMap((field): Chosen[] => {
      const found = checked(field, sourceFor(field, sources, free), { columns, reasons });
      return chooseFor(field, found, decisions);
    });
  const mapped = survey(subject, chosen);
  const id = idOf(subject, fields, mapped);
  if (!id.mapping)
    for (const { index, recognized } of columns)
      if (recognized?.concept === 'id') reasons.set(index, { kind: 'not_unique' });
  const all = [...(id.mapping ? [id.mapping] : []), ...mapped];
  return {
    fields: all,
    leftOut: leftOutOf(columns, { mapped: all, reasons, decisions, meanings }),
    questions: [...questionsOf({ fields, mapped, ambiguities, free }), ...(id.question ? [id.question] : [])],
  };
}

/** The source of a field: the one that the user decided on or the one found, with the constant if there is one. */
function chooseFor(field: Field, found: Source | undefined, { sources, constants }: Decisions): Chosen[] {
  const decided = sources.get(field.name);
  const constant = constants.get(field.name);
  const { alternatives = [] } = decided ?? found ?? {};
  if (alternatives.length === 0 && constant === undefined) return [];
  const source = { alternatives, ...(constant !== undefined && { constant }) };
  return [{ field, source, decided: decided !== undefined || constant !== undefined }];
}

/** The mapping of the external id, or the question about it. */
function idOf(
  { table, columns, provider, decisions }: Subject,
  fields: readonly Field[],
  mapped: readonly FieldMapping[],
): { mapping?: FieldMapping | undefined; question?: Question } {
  const { externalIdField } = provider.traits;
  const field = fields.find(({ name }) => name === externalIdField);
  const decided = decisions.sources.get(externalIdField) ?? decisions.id;
  const usable = columns.filter(({ index, own }) => !own && !decisions.leftOut.has(index));
  const choice = decided
    ? { source: decided }
    : chooseId(table, usable, { field: externalIdField, names: nameSource(mapped) });
  if (!choice.source || !field) return 'question' in choice ? { question: choice.question } : {};
  const chosen = { field, source: choice.source, decided: decided !== undefined && decisions.idIsNew };
  return { mapping: survey({ table, columns }, [chosen], { prune: false })[0] };
}

interface Found {
  readonly fields: readonly Field[];
  readonly mapped: readonly FieldMapping[];
  readonly ambiguities: readonly Ambiguity[];
  readonly free: readonly Column[];
}

/** The questions for the user: which of two columns to use, and which column fills a required field. */
function questionsOf({ fields, mapped, ambiguities, free }: Found): readonly Question[] {
  const choices = ambiguities.map(({ meaning, columns: [first, second] }): Question => {
    const field = fields.find((candidate) => candidate.meaning === meaning)?.name ?? meaning;
    return {
      text: `The file has two columns called ${JSON.stringify(first?.heading)} with different values. To use the first for ${field}:`,
      args: ['--map', `${first?.heading}=${field}`, '--map', `${second?.heading}=`],
    };
  });
  const isName = ({ meaning }: Field): boolean => NAMES.includes(meaning);
  const isFilled = (field: Field): boolean =>
    mapped.some((mapping) => mapping.field === field) || ambiguities.some(({ meaning }) => meaning === field.meaning);
  const names = fields.filter(isName);
  const [name] = names;
  const missing = fields.filter((field) => field.required && !isName(field) && !isFilled(field));
  return [
    ...choices,
    ...(name && !names.some(isFilled) ? [askForField(name, free, 'the name of the customer')] : []),
    ...missing.map((field) => askForField(field, free, field.name)),
  ];
}

/** The source of the customer's name, whatever its field. */
function nameSource(mapped: readonly FieldMapping[]): Source | undefined {
  const alternatives = NAMES.flatMap(
    (meaning) => mapped.find(({ field }) => field.meaning === meaning)?.source.alternatives ?? [],
  );
  return alternatives.length > 0 ? { alternatives } : undefined;
}

function columnsOf(sources: readonly Source[]): readonly number[] {
  return sources.flatMap(({ alternatives }) => alternatives.flat().map(({ column }) => column));
}

/** The source recognized for a field, otherwise the column with the name of the field. */
function sourceFor(
  field: Field,
  sources: ReadonlyMap<FieldMeaning, Source>,
  columns: readonly Column[],
): Source | undefined {
  const found = field.meaning === undefined ? undefined : sources.get(field.meaning);
  if (found) return found;
  const same = columns.find(
    ({ heading, cells, misfit }) =>
      plainName(heading) === plainName(field.name) && cells.length > 0 && misfit === undefined,
  );
  return same && { alternatives: [[{ column: same.index }]] };
}

/** The source, unless most of its values are not permitted in the field. */
function checked(
  field: Field,
  source: Source | undefined,
  { columns, reasons }: { readonly columns: readonly Column[]; readonly reasons: Map<number, Reason> },
): Source | undefined {
  const [part] = source?.alternatives[0] ?? [];
  const column = part && columns[part.column];
  if (!source || !column) return source;
  if (
    !['string', 'boolean', 'integer', 'number'].includes(field.type) &&
    !column.cells.every((cell) => /^[[{]/.test(cell))
  ) {
    reasons.set(column.index, { kind: 'not_a_list', field });
    return undefined;
  }
  if (field.choices.length === 0) return source;
  const known = column.cells.filter((cell) =>
    field.meaning === 'language' ? isOffered(cell, field) : field.choices.includes(cell.toLowerCase()),
  );
  if (known.length === column.cells.length || (field.meaning === 'language' && known.length * 2 >= column.cells.length))
    return source;
  reasons.set(column.index, { kind: 'not_a_choice', field });
  return undefined;
}

function isOffered(cell: string, { choices }: Field): boolean {
  const code = languageCode(cell);
  return code !== undefined && choices.some((choice) => languageCode(choice) === code);
}

function askForField(field: Field, columns: readonly Column[], called: string): Question {
  const { name, required, meaning } = field;
  const likely = columns.find(({ guess, cells, recognized }) =>
    meaning === 'email'
      ? guess === 'email'
      : recognized === undefined &&
        guess === undefined &&
        cells.length > 0 &&
        cells.every((cell) => /\p{L}{2}/u.test(cell)),
  );
  return {
    text: `No column was recognized as ${called}.${likely ? ` If it is ${JSON.stringify(likely.heading)} (${likely.samples.join(', ')}):` : ` ${required ? 'Every customer needs one: add a column to the file, or name' : 'Name'} the column with --map "COLUMN=${name}".`}`,
    args: likely ? ['--map', `${likely.heading}=${name}`] : [],
  };
}
