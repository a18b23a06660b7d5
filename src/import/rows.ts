import { CustomerError } from '../errors.ts';
import type { Provider } from '../providers/provider.ts';
import type { CreateRequest } from '../identity/create-request.ts';
import { readArguments } from '../tools/arguments.ts';
import { createInput, createRequestOf } from '../tools/create-customer.ts';
import { brokenRows } from './broken-rows.ts';
import { cleanCell } from './clean-cell.ts';
import { cleanEmailId, cleanId, cleanValue, postcodeProblem, type RowFacts } from './clean-value.ts';
import type { Column } from './columns.ts';
import type { Concept } from './concepts.ts';
import { countryCode } from '../countries.ts';
import type { Field } from './fields.ts';
import type { Mapping } from './mapping.ts';
import type { Remark, RowRemark } from './remark.ts';
import { valueFrom } from './source.ts';
import type { Table, TableRow } from './table.ts';

/** A row as it is sent, or why it cannot be sent. */
export interface CheckedRow {
  /** As the spreadsheet shows it. */
  readonly number: number;
  readonly cells: readonly string[];
  /** A total or a note below the table: neither a customer nor a failure. */
  readonly footer: boolean;
  readonly externalId: string | undefined;
  /** The create that is sent; `undefined` if the row cannot be sent. */
  readonly request: CreateRequest | undefined;
  /** What must be corrected first. Empty if the row can be sent. */
  readonly problems: readonly RowRemark[];
  /** What was changed, and what looks doubtful. */
  readonly notices: readonly RowRemark[];
}

/** Everything that the check of a row needs besides the row. */
export interface RowChecker {
  /** The input of `create_customer`. */
  readonly schema: ReturnType<typeof createInput>;
  readonly allowDuplicates: boolean;
  readonly table: Table;
  readonly columns: readonly Column[];
  readonly mapping: Mapping;
  readonly provider: Provider;
  readonly phones: RowFacts['isPhone'];
  readonly strictEmail: boolean;
}

/**
 * Checks all rows in their sequence. IDs are compared with those of all earlier rows, also invalid ones: a row that is corrected
 * later must not find another customer under its ID.
 */
export function* checkRows(checker: RowChecker): Generator<CheckedRow> {
  // To save memory, an exact ID is kept only if folding changes it.
  const seen = new Map<string, number>();
  const exact = new Map<number, string>();
  const broken = brokenRows(checker.table);
  const known = prepare(checker);
  for (const row of checker.table.rows()) {
    if (row.footer) {
      yield {
        number: row.number,
        cells: row.cells,
        footer: true,
        externalId: undefined,
        request: undefined,
        problems: [],
        notices: [],
      };
      continue;
    }
    const checked = checkRow(row, checker, { ...known, broken: broken.has(row.number) });
    const { externalId } = checked;
    const folded = externalId?.replace(/\s+/g, ' ').toLowerCase();
    const before = folded === undefined ? undefined : seen.get(folded);
    if (before !== undefined && externalId !== undefined) {
      const same = (exact.get(before) ?? folded) === externalId;
      const problem: RowRemark = {
        code: same ? 'same_id' : 'similar_id',
        what: `has the same ID${same ? '' : ', apart from capitals and spaces,'} as an earlier row`,
        column: undefined,
        value: `${externalId} of row ${before}`,
      };
      yield { ...checked, request: undefined, problems: [...checked.problems, problem] };
      continue;
    }
    if (folded !== undefined && externalId !== undefined) {
      seen.set(folded, row.number);
      if (folded !== externalId) exact.set(row.number, externalId);
    }
    yield checked;
  }
}

/** Facts that are known before the row is checked. */
interface Known {
  readonly used: ReadonlySet<number>;
  readonly concepts: readonly (Concept | undefined)[];
  readonly countryColumn: number | undefined;
  readonly country: string | undefined;
  /** Whether this row is a piece of a broken one. */
  readonly broken: boolean;
}

function prepare({ mapping, columns }: RowChecker): Known {
  const used = new Set(mapping.fields.flatMap(({ source }) => source.alternatives.flat().map(({ column }) => column)));
  const constant = mapping.fields.find(({ field }) => field.meaning === 'country')?.source.constant;
  return {
    used,
    concepts: columns.map(({ recognized }) => recognized?.concept),
    countryColumn: columns.find(({ recognized, index }) => recognized?.concept === 'country' && used.has(index))?.index,
    country: constant === undefined ? undefined : countryCode(constant),
    broken: false,
  };
}

function checkRow({ number, cells, footer }: TableRow, checker: RowChecker, known: Known): CheckedRow {
  const { mapping, columns, provider } = checker;
  const notes: Notes = { problems: [], notices: [] };
  const clean = cleanCells(cells, { columns, used: known.used }, notes);
  const facts: RowFacts = {
    country:
      (known.countryColumn === undefined ? undefined : countryCode(clean[known.countryColumn] ?? '')) ?? known.country,
    strictEmail: checker.strictEmail,
    isPhone: checker.phones,
  };
  for (const { index, heading } of columns) {
    if (known.concepts[index] !== 'postcode' || !known.used.has(index)) continue;
    const value = clean[index] ?? '';
    note(notes, { column: heading, value }, { problem: postcodeProblem(value, facts.country) });
  }
  const input: Record<string, unknown> = {};
  for (const { field, source } of mapping.fields) {
    const { text, columns: from } = valueFrom(source, clean, known.concepts);
    if (text === '') continue;
    const isId = field.name === provider.traits.externalIdField;
    const isEmail = from.some((column) => ['email', 'billing_email'].includes(known.concepts[column] ?? ''));
    const toId = isEmail ? cleanEmailId : cleanId;
    const cleaned = isId ? toId(text) : cleanValue(text, field, facts);
    const column = from.map((index) => columns[index]?.heading ?? '').join(' + ') || field.name;
    note(notes, { column, value: text }, cleaned);
    if (cleaned.problem === undefined && cleaned.text !== '') input[field.name] = typed(cleaned.text, field);
  }
  const { problems, notices } = notes;
  const hasProblems = problems.length > 0;
  problems.push(
    ...wholeRow(input, { mapping, provider, width: columns.length, cells, broken: known.broken, hasProblems }),
  );
  const request = problems.length === 0 ? requestFrom(input, checker, problems) : undefined;
  const id = input[provider.traits.externalIdField];
  return { number, cells, footer, externalId: typeof id === 'string' ? id : undefined, request, problems, notices };
}

type Notes = { problems: RowRemark[]; notices: RowRemark[] };

function cleanCells(
  cells: readonly string[],
  { columns, used }: { readonly columns: readonly Column[]; readonly used: ReadonlySet<number> },
  notes: Notes,
): readonly string[] {
  return columns.map(({ index, heading }) => {
    if (!used.has(index)) return '';
    const cell = cells[index] ?? '';
    const { text, notice, problem } = cleanCell(cell);
    note(notes, { column: heading, value: cell }, { notice, problem });
    return text;
  });
}

/** Adds what was changed about a value, or what is wrong with it. */
function note(notes: Notes, about: Pick<RowRemark, 'column' | 'value'>, { notice, problem }: Verdict): void {
  // A column that fills two fields, such as the ID and the email address, has one problem.
  const isKnown = notes.problems.some(({ column, code }) => column === about.column && code === problem?.code);
  if (problem && !isKnown) notes.problems.push({ ...about, ...problem });
  else if (notice && !problem) notes.notices.push({ ...about, ...notice });
}

interface Verdict {
  readonly notice?: Remark | undefined;
  readonly problem?: Remark | undefined;
}

interface Whole {
  readonly mapping: Mapping;
  readonly provider: Provider;
  readonly width: number;
  readonly cells: readonly string[];
  readonly broken: boolean;
  readonly hasProblems: boolean;
}

/** The problems of a row as a whole. */
function wholeRow(
  input: Readonly<Record<string, unknown>>,
  { mapping, provider, width, cells, broken, hasProblems }: Whole,
): readonly RowRemark[] {
  const row = (code: string, what: string): RowRemark => ({ code, what, column: undefined, value: undefined });
  if (broken) return [row('split', 'is split by a line break inside a cell; join it with the next row')];
  if (cells.slice(width).some((cell) => cell.trim() !== ''))
    return [row('too_many_cells', 'has more cells than headings; check its quotes')];
  const { externalIdField } = provider.traits;
  const mapped = mapping.fields.map(({ field }) => field);
  const named = mapped.some(({ name, meaning }) => isName(meaning) && input[name] !== undefined);
  const other = mapped.some(({ name }) => name !== externalIdField && input[name] !== undefined);
  if (hasProblems) return [];
  if (!other) return [row('only_id', 'contains only an ID')];
  const missing: RowRemark[] = [];
  if (!named) missing.push(row('no_name', 'has no name'));
  if (input[externalIdField] === undefined) missing.push(row('no_id', 'has no ID'));
  for (const { name, required, meaning } of mapped)
    if (required && input[name] === undefined && !isName(meaning))
      missing.push(row(`no_field_${name}`, `has no ${name}`));
  return missing;
}

function isName(meaning: Field['meaning']): boolean {
  return meaning === 'name' || meaning === 'company' || meaning === 'person';
}

/** Applies the provider's own rules, which report what no rule above reported. */
function requestFrom(
  input: Readonly<Record<string, unknown>>,
  { provider, schema, allowDuplicates }: RowChecker,
  problems: RowRemark[],
): CreateRequest | undefined {
  try {
    const request = createRequestOf(readArguments(schema, input), provider);
    return { ...request, allowDuplicate: request.allowDuplicate || allowDuplicates };
  } catch (error) {
    if (!(error instanceof CustomerError)) throw error;
    const { fields = [] } = error.details;
    for (const { path, message } of fields)
      // These have no code: equal sentences are one kind.
      problems.push({ code: message, what: message, column: path === '' ? undefined : path, value: undefined });
    return undefined;
  }
}

/** A text in the type of its field. A text that does not fit stays one, and the check of the row reports it. */
function typed(text: string, { type }: Field): unknown {
  if (type === 'integer' || type === 'number') return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text;
  if (type === 'boolean') return BOOLEANS.get(text.toLowerCase()) ?? text;
  if (type !== 'array' && type !== 'object') return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const BOOLEANS = new Map([
  ...['true', 'yes', '1', 'ja', 'waar', 'wahr', 'oui', 'vrai', 'x'].map((text) => [text, true] as const),
  ...['false', 'no', '0', 'nee', 'nein', 'onwaar', 'falsch', 'non', 'faux'].map((text) => [text, false] as const),
]);
