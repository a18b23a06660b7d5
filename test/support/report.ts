/** What happened in one row of a table of faults, over all who went through it. */
interface Line {
  readonly outcomes: Map<string, string>;
  readonly requests: Map<string, number>;
  worstMs: number;
}

/** Gathers what tests saw, to be printed at the end: one line per fault and operation, one figure per subject. */
export class Report {
  readonly #title: string;
  readonly #lines = new Map<string, Line>();

  constructor(title: string) {
    this.#title = title;
  }

  add(
    fault: string,
    operation: string,
    saw: { readonly subject: string; readonly outcome: string; readonly requests: number; readonly ms: number },
  ): void {
    const key = `${fault}\n${operation}`;
    const line = this.#lines.get(key) ?? { outcomes: new Map(), requests: new Map(), worstMs: 0 };
    line.outcomes.set(saw.subject, saw.outcome);
    line.requests.set(saw.subject, Math.max(saw.requests, line.requests.get(saw.subject) ?? 0));
    line.worstMs = Math.max(line.worstMs, Math.round(saw.ms));
    this.#lines.set(key, line);
  }

  toString(): string {
    const rows = [...this.#lines].map(([key, { outcomes, requests, worstMs }]) => [
      ...key.split('\n'),
      agreed(outcomes),
      agreed(requests),
      String(worstMs),
    ]);
    const table = [['fault', 'operation', 'outcome', 'upstream requests', 'worst ms'], ...rows];
    const widths = table[0]?.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0))) ?? [];
    const lines = table.map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
    return [this.#title, ...lines].join('\n');
  }
}

/** One value where all agree, else each with its name. */
function agreed(values: ReadonlyMap<string, unknown>): string {
  const different = new Set(values.values());
  if (different.size === 1) return String([...different][0]);
  return [...values].map(([subject, value]) => `${subject} ${String(value)}`).join(', ');
}
