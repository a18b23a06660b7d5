import leven from 'leven';
import { UsageError } from '../errors.ts';
import type { Column } from './columns.ts';
import { plainName, type Field } from './fields.ts';
import type { Join, Source } from './source.ts';

/** The user's decisions on the command line. */
export interface ImportOptions {
  /** `First name+Last name=individual_name`; `Firm=` excludes a column. */
  readonly map: readonly string[];
  /** `Country=NL`: a constant. */
  readonly set: readonly string[];
  /** The columns with the external id; `email` for the column with the email address. */
  readonly idFrom: string | undefined;
}

/** A question for the user, and the options that give the proposed answer. */
export interface Question {
  readonly text: string;
  readonly args: readonly string[];
}

/** The options, with headings replaced by columns. */
export interface Decisions {
  readonly sources: ReadonlyMap<string, Source>;
  readonly constants: ReadonlyMap<string, string>;
  readonly leftOut: ReadonlySet<number>;
  readonly id: Source | undefined;
  /** Whether the user named the source of the ids in this run. */
  readonly idIsNew: boolean;
}

/**
 * Reads the user's decisions.
 * @throws UsageError that names every invalid option, with the nearest column or field.
 */
export function readOptions(options: ImportOptions, columns: readonly Column[], fields: readonly Field[]): Decisions {
  const problems: string[] = [];
  const attempt = <T>(option: string, work: () => T): T | undefined => {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push(`${option}: ${error.message}`);
      return undefined;
    }
  };
  const sources = new Map<string, Source>();
  const constants = new Map<string, string>();
  const leftOut = new Set<number>();
  for (const map of options.map) {
    attempt(`--map ${JSON.stringify(map)}`, () => {
      const [left, right] = cut(map, map.lastIndexOf('='), 'COLUMN=FIELD');
      const source = readSource(left, columns);
      if (right === '') return source.alternatives.flat().forEach(({ column }) => leftOut.add(column));
      const { name } = findField(right, fields);
      if (sources.has(name)) throw new UsageError(`${name} is named twice; join columns with --map "A+B=${name}"`);
      sources.set(name, source);
    });
  }
  for (const set of options.set) {
    attempt(`--set ${JSON.stringify(set)}`, () => {
      const [left, value] = cut(set, set.indexOf('='), 'FIELD=VALUE');
      const { name } = findField(left, fields);
      if (constants.has(name)) throw new UsageError(`${name} is named twice`);
      constants.set(name, value);
    });
  }
  const both = [...sources.values()]
    .flatMap(({ alternatives }) => alternatives.flat())
    .find(({ column }) => leftOut.has(column));
  if (both) problems.push(`--map uses the column ${JSON.stringify(columns[both.column]?.heading)} and leaves it out`);
  const { idFrom } = options;
  const id =
    idFrom === undefined
      ? undefined
      : attempt(`--id-from ${JSON.stringify(idFrom)}`, () => readIdSource(idFrom, columns));
  if (problems.length > 0) throw new UsageError(problems.join('\n  '));
  return { sources, constants, leftOut, id, idIsNew: true };
}

function cut(text: string, at: number, form: string): [string, string] {
  if (at <= 0) throw new UsageError(`must be ${form}`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

function readIdSource(text: string, columns: readonly Column[]): Source {
  const named = columns.some(({ heading }) => plainName(heading) === plainName(text));
  const recognized = columns
    .filter(({ recognized: found }) => found?.concept === 'email' || found?.concept === 'billing_email')
    .toSorted(
      (a, b) => Number(a.recognized?.concept === 'billing_email') - Number(b.recognized?.concept === 'billing_email'),
    );
  if (!named && plainName(text) === 'email' && recognized[0])
    return { alternatives: [[{ column: recognized[0].index }]] };
  return readSource(text, columns);
}

/** Columns in the notation of the options: `A+B` joins, `A|B` uses B where A is empty. A heading may contain these characters. */
export function readSource(text: string, columns: readonly Column[]): Source {
  const whole = columnNamed(text, columns);
  if (whole) return { alternatives: [[{ column: whole.index }]] };
  return {
    alternatives: text.split('|').map((alternative): Join => {
      const column = columnNamed(alternative, columns);
      if (column) return [{ column: column.index }];
      return alternative.split('+').map((name) => {
        const part = columnNamed(name, columns);
        if (!part) throw unknownColumn(name.trim(), columns);
        return { column: part.index };
      });
    }),
  };
}

function columnNamed(name: string, columns: readonly Column[]): Column | undefined {
  const text = name.trim();
  if (text === '') return undefined;
  const plain = plainName(text);
  return (
    columns.find(({ heading }) => heading === text) ??
    columns.find(({ heading }) => plainName(heading) === plain && plain !== '')
  );
}

function unknownColumn(name: string, columns: readonly Column[]): UsageError {
  const near = nearest(
    name,
    columns.map(({ heading }) => heading),
  );
  return new UsageError(
    `the file has no column ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`,
  );
}

/** @throws UsageError that names all fields, if there is no such field. */
export function findField(name: string, fields: readonly Field[]): Field {
  const found = fields.find((field) => plainName(field.name) === plainName(name));
  if (found) return found;
  const names = fields.map((field) => field.name);
  const near = nearest(name, names);
  throw new UsageError(
    `there is no field ${JSON.stringify(name)}${near === undefined ? '' : `; did you mean ${near}?`} Fields: ${names.join(', ')}`,
  );
}

function nearest(name: string, names: readonly string[]): string | undefined {
  const plain = plainName(name);
  const [best] = names.toSorted((a, b) => leven(plainName(a), plain) - leven(plainName(b), plain));
  return best !== undefined && leven(plainName(best), plain) <= Math.max(2, plain.length / 2) ? best : undefined;
}
