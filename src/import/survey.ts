import type { Column } from './columns.ts';
import type { Field } from './fields.ts';
import { valueFrom, type Source } from './source.ts';
import type { Table } from './table.ts';

/** A field with the columns that fill it. */
export interface FieldMapping {
  readonly field: Field;
  readonly source: Source;
  /** Whether the user decided on it. */
  readonly decided: boolean;
  /** The first different values. */
  readonly samples: readonly string[];
}

interface Surveyed {
  readonly table: Table;
  readonly columns: readonly Column[];
}

/** A field mapping before the rows are read. */
export type Chosen = Omit<FieldMapping, 'samples'>;

const SAMPLES = 3;

/** Reads all rows for samples of each source, and drops the alternatives that no row needs. */
export function survey(
  { table, columns }: Surveyed,
  chosen: readonly Chosen[],
  { prune = true } = {},
): readonly FieldMapping[] {
  const concepts = columns.map(({ recognized }) => recognized?.concept);
  const needed = chosen.map(() => new Set<number>());
  const samples = chosen.map(() => new Set<string>());
  for (const { cells, footer } of table.rows()) {
    if (footer) continue;
    const trimmed = cells.map((cell) => cell.trim());
    for (const [index, { source }] of chosen.entries()) {
      const { text, alternative } = valueFrom(source, trimmed, concepts);
      if (alternative !== undefined) needed[index]?.add(alternative);
      const seen = samples[index];
      if (text !== '' && seen && seen.size < SAMPLES) seen.add(text);
    }
  }
  return chosen.map((choice, index) => ({
    ...choice,
    source:
      prune && !choice.decided
        ? { ...choice.source, alternatives: choice.source.alternatives.filter((_, at) => needed[index]?.has(at)) }
        : choice.source,
    samples: [...(samples[index] ?? [])],
  }));
}
