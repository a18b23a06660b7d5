/** One reading of the whole list, which several calls can share or continue. */
export interface Pass {
  readonly startedAt: number;
  readonly seen: Set<string>;
  readonly cursors: Set<string>;
  readonly warnings: Set<string>;
  /** The number of latest pages without a customer that was not seen before. */
  repeated: number;
  cursor: string | undefined;
  /** When the last page was read. */
  readAt: number;
}

export function startPass(now: number): Pass {
  return {
    startedAt: now,
    seen: new Set(),
    cursors: new Set(),
    warnings: new Set(),
    repeated: 0,
    cursor: undefined,
    readAt: now,
  };
}
