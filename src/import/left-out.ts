import type { FieldMeaning } from '../providers/provider.ts';
import type { Column } from './columns.ts';
import type { Concept } from './concepts.ts';
import type { Decisions } from './options.ts';
import type { Field } from './fields.ts';
import type { FieldMapping } from './survey.ts';

/** Why a column fills no field. */
export type Reason =
  | { readonly kind: 'decided' | 'unknown' | 'other_column' | 'not_unique' }
  /** Its cells do not look like its heading. */
  | { readonly kind: 'misfit'; readonly concept: Concept }
  /** The field takes lists, or only a few values. */
  | { readonly kind: 'not_a_list' | 'not_a_choice'; readonly field: Field };

/** A column that fills no field although it is not empty. */
export type LeftOut = Reason & { readonly column: Column };

interface Used {
  readonly mapped: readonly FieldMapping[];
  readonly reasons: ReadonlyMap<number, Reason>;
  readonly decisions: Decisions;
  readonly meanings: Readonly<Record<string, FieldMeaning>>;
}

export function leftOutOf(
  columns: readonly Column[],
  { mapped, reasons, decisions, meanings }: Used,
): readonly LeftOut[] {
  const used = new Set(mapped.flatMap(({ source }) => source.alternatives.flat().map(({ column }) => column)));
  const offered = new Set(Object.values(meanings));
  return columns
    .filter(({ index, own, cells }) => !used.has(index) && !own && cells.length > 0)
    .map((column) => {
      const { index, recognized, misfit } = column;
      if (decisions.leftOut.has(index)) return { column, kind: 'decided' };
      const reason = reasons.get(index);
      if (reason) return { column, ...reason };
      if (misfit) return { column, kind: 'misfit', concept: misfit };
      const meaning = recognized && MEANING[recognized.concept];
      return { column, kind: meaning && offered.has(meaning) ? 'other_column' : 'unknown' };
    });
}

const MEANING: Partial<Record<Concept, FieldMeaning>> = {
  email: 'email',
  billing_email: 'email',
  phone: 'phone',
  mobile: 'mobile',
  website: 'website',
  language: 'language',
  notes: 'notes',
  registration: 'registration',
  tax: 'tax_number',
  status: 'status',
  category: 'category',
};
