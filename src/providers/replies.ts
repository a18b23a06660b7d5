import { CustomerError } from '../errors.ts';
import { CHECK_AGAIN } from '../http-client/failures.ts';
import { isRecord, quote, textOf } from '../text.ts';
import type { Fields, Nearby, Page, ProviderCustomer } from './provider.ts';

/** The document of an answer, which may be bare or under `data`; `{}` if there is none. */
export function unwrap(body: unknown): Fields {
  const inner = isRecord(body) && isRecord(body['data']) ? body['data'] : body;
  return isRecord(inner) ? inner : {};
}

/**
 * The customers of a list, each once. An unreadable row becomes a warning, because a list that looks shorter than it is makes
 * an agent create existing customers.
 * @throws CustomerError `bad_response` if there are rows and none can be read.
 */
export function readRows(
  title: string,
  rows: unknown,
  read: (row: unknown) => ProviderCustomer | undefined,
): { customers: ProviderCustomer[]; warnings: string[] } {
  if (!Array.isArray(rows)) throw notUnderstood(title);
  const readable = rows.flatMap((row) => read(row) ?? []);
  const lost = rows.length - readable.length;
  const ids = new Set<string>();
  const customers = readable.filter(({ id }) => !ids.has(id) && ids.add(id));
  if (lost > 0 && customers.length === 0) throw notUnderstood(title);
  return { customers, warnings: lost === 0 ? [] : [`${title} listed ${lost} more without an id; they are omitted.`] };
}

/** The paging of a list under any of the providers' names; the first of several `places` takes precedence. */
export function readPaging(
  places: readonly Fields[],
  cursorName: string,
): Pick<Page, 'hasMore' | 'nextCursor' | 'total'> {
  const values = (...names: readonly string[]): readonly unknown[] =>
    places
      .flatMap((place) => names.map((name) => place[name]))
      .filter((value) => value !== undefined && value !== null);
  const nextCursor = values(cursorName).map(textOf)[0];
  const flags = values('has_more', 'has_next');
  const hasMore = flags.length === 0 ? nextCursor !== undefined : flags.includes(true);
  const [total] = values('total_count', 'total').filter(
    (value): value is number => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0,
  );
  return { hasMore, nextCursor: hasMore ? nextCursor : undefined, total };
}

/** The page, with a warning if the list ends with it although there may be more: without a cursor, or with the page's own. */
export function endCircle(title: string, page: Page, cursor: string | undefined): Page {
  if (page.nextCursor === undefined) {
    if (!page.hasMore || page.warnings.length > 0) return page;
    return {
      ...page,
      warnings: [`${title} has more customers but returned no cursor for them. Use narrower filters.`],
    };
  }
  if (page.nextCursor !== cursor) return page;
  const warning = `${title} returned this page as its own next page, so the list ends here; there may be more customers.`;
  return { ...page, hasMore: false, nextCursor: undefined, warnings: [...page.warnings, warning] };
}

/** For each argument of a search by which customers can be compared, whether a customer is one of those asked for. */
export type Filters = Readonly<Record<string, (customer: ProviderCustomer, asked: string) => boolean>>;

/**
 * The page without customers that its filters exclude, and without their total: shown to an agent that asked for one email, a
 * stranger would count as its owner.
 */
export function omitStrangers(
  title: string,
  page: Page,
  { query, filters }: { readonly query: Fields; readonly filters: Filters },
): Page {
  const asked = Object.keys(filters).filter((name) => textOf(query[name]) !== undefined);
  const customers = page.customers.filter((customer) =>
    asked.every((name) => filters[name]?.(customer, String(query[name])) ?? true),
  );
  const omitted = page.customers.length - customers.length;
  if (omitted === 0) return page;
  const warning = `${title} also listed ${omitted} that do not match ${asked.join(' and ')}; they are omitted.`;
  return { ...page, customers, total: undefined, warnings: [...page.warnings, warning] };
}

/**
 * Yields the customers of a list, page by page and each once, and returns whether the list is complete: not after `maxPages`, and not if a
 * cursor is missing or repeats.
 * @throws CustomerError `bad_response` after a page with unreadable rows, because a look-up that skips rows could treat an
 * existing customer as new.
 */
export async function* walkPages(
  title: string,
  maxPages: number,
  read: (cursor: string | undefined) => Promise<Page>,
): AsyncGenerator<ProviderCustomer, boolean> {
  const cursors = new Set<string | undefined>([undefined]);
  const seen = new Set<string>();
  let cursor: string | undefined;
  for (let pages = 1; pages <= maxPages; pages += 1) {
    const page = await read(cursor);
    for (const customer of page.customers) {
      if (!seen.has(customer.id)) yield customer;
      seen.add(customer.id);
    }
    cursor = page.nextCursor;
    if (page.hasMore && cursor === undefined) return false;
    if (page.warnings.length > 0) throw notUnderstood(title);
    if (!page.hasMore) return true;
    if (cursors.has(cursor)) return false;
    cursors.add(cursor);
  }
  return false;
}

/** All that `walkPages` yields and returns. @throws CustomerError as it does. */
export async function collect(rows: AsyncGenerator<ProviderCustomer, boolean>): Promise<Nearby> {
  const customers: ProviderCustomer[] = [];
  for (;;) {
    const row = await rows.next();
    if (row.done) return { customers, complete: row.value };
    customers.push(row.value);
  }
}

/** The error for an answer to a read that contains no customer. */
export function notUnderstood(title: string): CustomerError {
  const what = `${title} answered with something that is not a customer.`;
  return new CustomerError('bad_response', what, { advice: 'Try again later.' });
}

/** The error for a change of status that was accepted although the customer shows its earlier status. */
export function notChanged(title: string): CustomerError {
  const what = `${title} accepted the request, but the customer still has its earlier status.`;
  return new CustomerError('outcome_unknown', what, { advice: CHECK_AGAIN });
}

/** The non-empty members of a document, among those with these names. */
export function heldIn(document: Fields, names: readonly string[]): Fields {
  const held: Record<string, unknown> = {};
  for (const name of names) if (!isEmpty(document[name])) held[name] = document[name];
  return held;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Whether two ids of a provider name the same customer. The letters of a UUID are case-insensitive, as in the path of a
 * request.
 */
export function isSameId(one: string, other: string): boolean {
  return one === other || (UUID.test(one) && one.toLowerCase() === other.toLowerCase());
}

/** The error for an answer by id that contains a customer other than the requested one. */
export function anotherCustomer(
  title: string,
  { asked, shown }: { readonly asked: string; readonly shown: string },
  kind: 'bad_response' | 'outcome_unknown',
): CustomerError {
  const what = `${title} was asked for the customer ${quote(asked)} and returned another one, ${quote(shown)}.`;
  return kind === 'bad_response'
    ? new CustomerError(kind, `${what} Nothing was written.`, { advice: 'Try again later.' })
    : new CustomerError(kind, `${what} It is unknown whether the request succeeded.`, {
        advice: CHECK_AGAIN,
      });
}

function isEmpty(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === null || value === '';
}
