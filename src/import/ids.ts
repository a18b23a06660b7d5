import type { Column } from './columns.ts';
import { plainName } from './fields.ts';
import { valueFrom, type Source } from './source.ts';
import type { Table } from './table.ts';
import type { Question } from './options.ts';

/** A column with damage in a larger share of its rows is used for the id only if the user agrees. */
const MAX_DAMAGED = 0.1;
/** The same for a column whose heading is that of a customer number: empty cells and duplicates in it are mistakes. */
const MAX_DAMAGED_NUMBER = 0.4;
/** The highest rank of a heading that is that of a customer number. */
const NUMBER_RANK = 1;

export interface IdChoice {
  readonly source: Source | undefined;
  readonly question?: Question;
}

interface Candidate {
  readonly source: Source;
  /** The value of `--id-from`. */
  readonly option: string;
}

/**
 * Chooses the source of the external ids: a column of ids that is filled and unique. If there is none, the user decides, because
 * the ids must be the same when the file is imported again.
 */
export function chooseId(
  table: Table,
  columns: readonly Column[],
  { field, names }: { readonly field: string; readonly names: Source | undefined },
): IdChoice {
  const exact = columns.find(({ heading, cells }) => plainName(heading) === plainName(field) && cells.length > 0);
  if (exact) return { source: single(exact) };
  const ids = columns
    .filter(
      ({ recognized, cells }) => recognized?.concept === 'id' && recognized.scope !== 'shipping' && cells.length > 0,
    )
    .toSorted((a, b) => (a.recognized?.rank ?? 0) - (b.recognized?.rank ?? 0))
    .slice(0, 4);
  const damaged = countDamage(table, columns, ids.map(single));
  const good = ids.find(({ recognized }, index) => {
    const maxDamaged = (recognized?.rank ?? NUMBER_RANK + 1) <= NUMBER_RANK ? MAX_DAMAGED_NUMBER : MAX_DAMAGED;
    return (damaged.shares[index] ?? 1) <= maxDamaged;
  });
  if (good) return { source: single(good) };
  return { source: undefined, question: askForId(table, columns, { ids, names, field }) };
}

interface Known {
  readonly ids: readonly Column[];
  readonly names: Source | undefined;
  readonly field: string;
}

function askForId(table: Table, columns: readonly Column[], { ids, names, field }: Known): Question {
  const email = columns
    .filter(
      ({ recognized, cells }) =>
        recognized !== undefined && ['email', 'billing_email'].includes(recognized.concept) && cells.length > 0,
    )
    .toSorted((a, b) => (a.recognized?.rank ?? 0) - (b.recognized?.rank ?? 0) || a.index - b.index)[0];
  const parts = [
    ...ids.slice(0, 1).map((column): Candidate => ({ source: single(column), option: column.heading })),
    ...(email
      ? [{ source: single(email), option: plainName(email.heading) === 'email' ? email.heading : 'email' }]
      : []),
    ...(names ? [{ source: names, option: optionOf(names, columns) }] : []),
  ];
  const [id, ...others] = parts;
  const together = (list: readonly Candidate[]): Candidate => ({
    source: { alternatives: list.flatMap(({ source }) => source.alternatives) },
    option: list
      .flatMap(({ source, option }) =>
        option === 'email' ? (columns[source.alternatives[0]?.[0]?.column ?? 0]?.heading ?? option) : option,
      )
      .join('|'),
  });
  const candidates = [
    ...parts,
    ...others.map((other) => (id ? together([id, other]) : other)),
    ...(parts.length > 2 ? [together(parts)] : []),
  ];
  const { shares, rows } = countDamage(
    table,
    columns,
    candidates.map(({ source }) => source),
  );
  const complete = candidates.findIndex((_, index) => shares[index] === 0);
  const best = complete >= 0 ? complete : shares.indexOf(Math.min(...shares));
  const chosen = candidates[best];
  const why = ids[0]
    ? `The IDs in the column ${JSON.stringify(ids[0].heading)} are missing or not unique in ${Math.round((countDamage(table, columns, [single(ids[0])]).shares[0] ?? 0) * rows)} of ${rows} rows.`
    : 'No column contains a customer ID.';
  return {
    text: `${why} Each row needs a unique ${field}, so that the import can be repeated without creating duplicates. ${chosen ? 'Use a column that is filled and unique:' : 'Add a column with customer numbers.'}`,
    args: chosen ? ['--id-from', chosen.option] : [],
  };
}

/** A source in the notation of `--id-from` and `--map`. */
export function optionOf({ alternatives }: Source, columns: readonly Column[]): string {
  return alternatives.map((join) => join.map(({ column }) => columns[column]?.heading ?? '').join('+')).join('|');
}

function single(column: Column): Source {
  return { alternatives: [[{ column: column.index }]] };
}

/** For each source, the share of the rows in which it is empty or has the value of an earlier row. */
function countDamage(
  table: Table,
  columns: readonly Column[],
  sources: readonly Source[],
): { shares: readonly number[]; rows: number } {
  const seen = sources.map(() => new Set<string>());
  const damaged = sources.map(() => 0);
  const concepts = columns.map(({ recognized }) => recognized?.concept);
  let rows = 0;
  for (const { cells, footer } of table.rows()) {
    if (footer || sources.length === 0) continue;
    rows += 1;
    for (const [index, source] of sources.entries()) {
      const value = valueFrom(
        source,
        cells.map((cell) => cell.trim()),
        concepts,
      ).text.toLowerCase();
      const known = seen[index];
      if (value === '' || known?.has(value)) damaged[index] = (damaged[index] ?? 0) + 1;
      known?.add(value);
    }
  }
  return { shares: damaged.map((count) => count / Math.max(1, rows)), rows };
}
