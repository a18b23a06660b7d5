import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect as inspectRows, type Inspection } from '../../src/import/inspection.ts';
import { makePlan, type FileOptions, type Plan } from '../../src/import/plan.ts';
import { describeSource } from '../../src/import/source.ts';
import { providers } from '../../src/providers/registry.ts';
import { RowComparison } from '../../src/tools/row-comparison.ts';

const NO_OPTIONS: FileOptions = {
  map: [],
  set: [],
  idFrom: undefined,
  sheet: undefined,
  headerRow: undefined,
  allowDuplicates: false,
};

const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-import-'));
let files = 0;

/** A file with this content, in a folder of its own. */
export function fileWith(content: string | Uint8Array, name = 'customers.csv'): string {
  files += 1;
  const file = join(mkdtempSync(join(folder, `${files}-`)), name);
  writeFileSync(file, content);
  return file;
}

/** The plan that the importer makes of a file for a provider, without sending anything. */
export async function plan(file: string, provider: string, options: Partial<FileOptions> = {}): Promise<Plan> {
  const definition = providers.find(({ name }) => name === provider);
  if (!definition) throw new Error(`no provider ${provider}`);
  return makePlan(file, { ...NO_OPTIONS, ...options }, definition.sandbox.connect('http://127.0.0.1:1', 'sandbox'));
}

export function inspect({ checker }: Plan): Promise<Inspection> {
  const { provider } = checker;
  const creates = { expect: async () => undefined };
  const known = { provider, creates, customers: undefined };
  return inspectRows(checker, new RowComparison(known, { signal: new AbortController().signal, deadline: Infinity }));
}

/** Each field with its columns, in words. */
export function fieldsOf({ mapping, columns }: Plan): Record<string, string> {
  return Object.fromEntries(mapping.fields.map(({ field, source }) => [field.name, describeSource(source, columns)]));
}

/** The options that a plan's questions propose. */
export function proposed({ questions }: Plan): Partial<FileOptions> {
  const args = questions.flatMap((question) => question.args);
  const after = (name: string): readonly string[] => args.filter((_, index) => args[index - 1] === name);
  const headerRow = after('--header-row')[0];
  return {
    map: after('--map'),
    idFrom: after('--id-from')[0],
    sheet: after('--sheet')[0],
    headerRow: headerRow === undefined ? undefined : Number(headerRow),
  };
}

/** The problems of the rows that cannot be sent, each with its rows. */
export function problems({ problems: groups }: Inspection): Record<string, readonly number[]> {
  return Object.fromEntries(
    groups.map(({ example: { column, what }, rows }) => [`${column === undefined ? '' : `${column} `}${what}`, rows]),
  );
}
