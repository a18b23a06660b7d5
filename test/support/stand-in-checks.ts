import type { IncomingHttpHeaders } from 'node:http';

/** Whether the request says this content type; a charset may follow, if it is UTF-8. */
export function hasMediaType(headers: IncomingHttpHeaders, type: string): boolean {
  const [said = '', ...parameters] = (headers['content-type'] ?? '').toLowerCase().split(';');
  return said.trim() === type && parameters.every((parameter) => /^\s*charset="?utf-8"?\s*$/.test(parameter));
}

/** The first name that is not known or comes twice, which a lenient server would swallow. */
export function oddName(names: Iterable<string>, known: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (const name of names) {
    if (!known.includes(name) || seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

/** One page behind (or, backwards, before) an opaque cursor that is good for the same `scope` only; undefined for a bad cursor. */
export function paginate(
  items: readonly Record<string, unknown>[],
  {
    limit,
    cursor,
    scope,
    backwards = false,
  }: { readonly limit: number; readonly cursor: string | null; readonly scope: string; readonly backwards?: boolean },
):
  | { readonly rows: readonly Record<string, unknown>[]; readonly cursor: string | null; readonly hasMore: boolean }
  | undefined {
  const ordered = backwards ? items.toReversed() : items;
  const start = cursor === null ? 0 : ordered.findIndex(({ id }) => cursorFor(scope, id) === cursor) + 1;
  if (cursor !== null && start === 0) return undefined;
  const rows = ordered.slice(start, start + limit);
  const hasMore = ordered.length > start + limit;
  return {
    rows: backwards ? rows.toReversed() : rows,
    cursor: hasMore ? cursorFor(scope, rows.at(-1)?.id) : null,
    hasMore,
  };
}

function cursorFor(scope: string, id: unknown): string {
  return Buffer.from(JSON.stringify([scope, id])).toString('base64url');
}
