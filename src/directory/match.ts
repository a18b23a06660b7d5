import type { CustomerIndex } from './customer-index.ts';
import type { Entry, Value } from './entry.ts';

/** A customer that was found. */
export interface Match {
  readonly entry: Entry;
  /** 1 if equal after folding; at least {@link EXACT} if all words are found as typed; below {@link WEAK} if only some are. */
  readonly score: number;
  /** The names of the matching fields in requests. */
  readonly matched: readonly string[];
}

export const EXACT = 0.8;
export const WEAK = 0.5;
/** The maximum score of a match that is only similar. */
export const MAX_SIMILAR = 0.79;
/** The score of a value that differs only in case, punctuation or country code. */
export const SPELLED = 0.95;

interface Scored {
  readonly score: number;
  readonly fields: readonly string[];
}

/** The best score at each place of an index. */
export class Scores {
  readonly #index: CustomerIndex;
  readonly #best = new Map<number, { readonly score: number; readonly fields: string[] }>();

  constructor(index: CustomerIndex) {
    this.#index = index;
  }

  /** The scored places. */
  places(): Iterable<number> {
    return this.#best.keys();
  }

  at(place: number): Scored | undefined {
    return this.#best.get(place);
  }

  note(place: number, { score, fields }: Scored): void {
    const before = this.#best.get(place);
    if (!before || before.score < score) this.#best.set(place, { score, fields: [...fields] });
    else if (before.score === score) before.fields.push(...fields);
  }

  /** Scores the values of the entries at these places; 0 for those that do not match. */
  noteValues(places: Iterable<number>, score: (value: Value) => number): void {
    for (const place of places)
      for (const value of this.#index.at(place)?.values ?? []) {
        const scored = score(value);
        if (scored > 0) this.note(place, { score: scored, fields: [value.field] });
      }
  }
}
