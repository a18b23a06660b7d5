import { CustomerError } from '../errors.ts';
import { startCall, type Call } from '../http-client/call.ts';
import { resolveDue } from '../identity/reconciler.ts';
import type { UnresolvedRow, UnresolvedRows } from '../identity/unresolved.ts';
import { cleanText } from '../text.ts';
import type { ServerContext } from '../tools/tool.ts';
import type { Check, CheckedRow } from './check.ts';

/** The maximum number of rows named for each kind. */
const MAX_SHOWN = 20;
const ALL_MS = 24 * 3_600_000;
const LEASED_TOO_LONG = 'leased while a clock was ahead; the lease counts as over';

/** The unresolved rows of one account, one check per kind. With `settle`, looks up their customers at the provider first. */
export async function checkOpenCreates(context: ServerContext, settle: boolean, signal: AbortSignal): Promise<Check[]> {
  const { creates, timeoutMs, provider, tools } = context;
  try {
    const resolved = settle ? await resolveAll(creates, () => startCall(signal, timeoutMs)) : 0;
    const { open, conflict, damaged } = await creates.unresolved(MAX_SHOWN);
    const checks = [
      ...checkOf(
        open,
        (rows) => `${open.total} open: ${rows}`,
        settle ? offered(openRemedy(provider), tools) : LOOK_UP,
      ),
      ...checkOf(conflict, (rows) => `several customers match ${rows}`, offered(conflictRemedy(provider), tools)),
      ...checkOf(
        damaged,
        (rows) => `${damaged.total} cannot be read: ${rows}`,
        offered(damagedRemedy(provider), tools),
      ),
    ];
    const [first = { check: 'open creates', ok: true, found: 'none is open' } as const, ...others] = checks;
    return [settle ? { ...first, found: `${resolved} settled, ${first.found}` } : first, ...others];
  } catch (error) {
    if (!(error instanceof CustomerError)) throw error;
    return [{ check: 'open creates', ok: false, found: error.messageFor(tools) }];
  }
}

/** Looks up the customers of the open creates. @returns the number of creates that are now resolved; others stay unchanged. */
async function resolveAll(creates: ServerContext['creates'], callFor: () => Call): Promise<number> {
  const due = await resolveDue(creates, callFor, { withinMs: ALL_MS });
  const lookedUp = new Set(due.map(({ externalId }) => externalId));
  // Conflicts are never due, and neither is a row that is missing in the store's index.
  const { open, conflict } = await creates.unresolved(MAX_SHOWN);
  const ends = due.map(({ state }) => state);
  for (const { intent } of [...open.rows, ...conflict.rows]) {
    if (!intent || (intent.state !== 'CONFLICT' && lookedUp.has(intent.data.externalId))) continue;
    const resolved = await creates.resolve(intent, callFor()).catch(() => undefined);
    ends.push(resolved?.state ?? intent.state);
  }
  return ends.filter((state) => state === 'DONE' || state === 'RELEASED').length;
}

function checkOf({ rows, total }: UnresolvedRows, found: (rows: string) => string, remedy: string): Check[] {
  if (total === 0) return [];
  const checked = rows.map(toCheckedRow);
  const names = checked.map(({ key, external_id: id = key, note }) => (note === undefined ? id : `${id} (${note})`));
  const more = total - rows.length;
  const list = `${names.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
  return [{ check: 'open creates', ok: false, found: found(list), remedy, rows: checked, ...(more > 0 && { more }) }];
}

function toCheckedRow({ key, intent, externalId, leasedTooLong }: UnresolvedRow): CheckedRow {
  return {
    key: cleanText(key),
    state: intent?.state ?? 'damaged',
    ...(externalId !== undefined && { external_id: cleanText(externalId) }),
    ...(leasedTooLong && { note: LEASED_TOO_LONG }),
  };
}

const LOOK_UP = 'Run customers-mcp doctor --settle to look them up at the provider.';

/** A remedy, with the settings to change if it names tools that this server does not offer. */
function offered(remedy: string, tools: ServerContext['tools']): string {
  const named = remedy.match(/\b[a-z]+_customers?\b/g) ?? [];
  const missing = [...new Set(named)].filter((name) => !tools.some((tool) => tool.name === name));
  if (missing.length === 0) return remedy;
  return `${remedy} With these settings the server does not offer ${missing.join(' and ')}; see CUSTOMERS_READ_ONLY and CUSTOMERS_TOOLS.`;
}

type AnyProvider = ServerContext['provider'];

function openRemedy({ title, traits }: AnyProvider): string {
  if (traits.externalIdKeptBy === 'provider')
    return `Call create_customer with the same ${traits.externalIdField} again: it looks for the customer first and sends the request only if that is safe.`;
  return `Look in ${title}. If the customer exists, link it with link_customer; if not, call create_customer with resend: true.`;
}

function conflictRemedy({ title, traits }: AnyProvider): string {
  if (traits.externalIdKeptBy === 'provider')
    return `Correct the customers in ${title} so that one of them has the ${traits.externalIdField}, then run customers-mcp doctor --settle.`;
  return `Decide which customer is the right one, then link it with link_customer; or delete the others in ${title} and run customers-mcp doctor --settle.`;
}

/** The remedy for someone who knows the external id, of which the key contains only the hash. */
function damagedRemedy({ title, traits }: AnyProvider): string {
  const field = traits.externalIdField;
  const what = `A key ends with the SHA-256 of the ${field}.`;
  const last = 'If that does not help, stop the servers and delete the row from the store.';
  if (traits.createUpserts)
    return `${what} Call create_customer with that ${field}: it looks for the customer first and replaces the row. ${last}`;
  const resend = `create_customer with that ${field} and resend: true`;
  if (traits.externalIdKeptBy === 'provider')
    return `${what} Call ${resend}: it looks for the customer first and replaces the row. ${last}`;
  return `${what} Look in ${title}. If the customer exists, link it with link_customer; if not, call ${resend}. ${last}`;
}
