import { CustomerError } from '../errors.ts';
import { foldEmail, foldName } from '../identity/folding.ts';
import { isOver, type Call } from '../http-client/call.ts';
import type { Provider, ProviderCustomer } from '../providers/provider.ts';
import type { ServerContext } from '../tools/tool.ts';
import type { CheckedRow } from './rows.ts';

const MAX_PAGES = 400;
const PAGE = 250;

/** The customers that the provider has already, as far as its list shows them. */
export interface Existing {
  /** Why the list is incomplete. */
  readonly incomplete: string | undefined;
  /** Whether the row's external id is known. */
  isKnown(row: CheckedRow): Promise<boolean>;
  /** The name of a customer with another id and the same name or email address. */
  similarTo(row: CheckedRow): string | undefined;
}

/** Reads the provider's list page by page, so that a preview can count the new customers. */
export async function readExisting({ provider, ids }: ServerContext, call: Call): Promise<Existing> {
  const known = new Set<string>();
  const names = new Map<string, string>();
  const { meanings } = provider.traits;
  const fieldsWith = (...wanted: readonly string[]): readonly string[] =>
    Object.entries(meanings).flatMap(([field, meaning]) => (wanted.includes(meaning) ? [field] : []));
  const [nameFields, emailFields] = [fieldsWith('name', 'company', 'person'), fieldsWith('email')];
  const keysOf = (fields: Readonly<Record<string, unknown>>): readonly string[] =>
    [
      ...nameFields.map((field) => keyOf('name', foldName(String(fields[field] ?? '')))),
      ...emailFields.map((field) => keyOf('email', foldEmail(String(fields[field] ?? '')))),
    ].filter((key) => key !== '');
  const incomplete = await readAll(provider, call, (customer) => {
    if (customer.externalId !== undefined) known.add(customer.externalId);
    const shown = customer.name ?? customer.id;
    for (const key of keysOf(customer.fields)) names.set(key, shown);
  });
  return {
    incomplete,
    async isKnown({ externalId }) {
      if (externalId === undefined) return false;
      return known.has(externalId) || (await ids.recorded(externalId).catch(() => undefined)) !== undefined;
    },
    similarTo: ({ request }) =>
      request
        ? keysOf(request.fields)
            .map((key) => names.get(key))
            .find((name) => name !== undefined)
        : undefined,
  };
}

function keyOf(kind: string, folded: string): string {
  return folded === '' ? '' : `${kind} ${folded}`;
}

/** Reads the list to its end. @returns why it could not be read completely, if so. */
async function readAll(
  provider: Provider,
  call: Call,
  take: (customer: ProviderCustomer) => void,
): Promise<string | undefined> {
  const { limitField, cursorField } = provider.traits;
  const cursors = new Set<string>();
  let cursor: string | undefined;
  try {
    for (let pages = 1; ; pages += 1) {
      const query = { [limitField]: PAGE, ...(cursor !== undefined && { [cursorField]: cursor }) };
      const { customers, nextCursor, warnings } = await provider.searchCustomers(query, call);
      customers.forEach(take);
      if (nextCursor === undefined || warnings.length > 0) return warnings[0];
      if (cursors.has(nextCursor)) return 'its list leads back to an earlier page';
      if (pages > MAX_PAGES || isOver(call)) return `only the first ${pages * PAGE} customers were compared`;
      cursor = nextCursor;
      cursors.add(cursor);
    }
  } catch (error) {
    if (!(error instanceof CustomerError)) throw error;
    return error.message;
  }
}
