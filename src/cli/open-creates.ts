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

/** What to do, and the tools that it takes. */
interface Remedy {
  readonly text: string;
  readonly tools: readonly string[];
}

/** The text of a remedy, with the settings to change if it takes tools that this server does not offer. */
function offered({ text, tools }: Remedy, own: ServerContext['tools']): string {
  const missing = tools.filter((name) => !own.some((tool) => tool.name === name));
  if (missing.length === 0) return text;
  return `${text} With these settings the server does not offer ${missing.join(' and ')}; see CUSTOMERS_READ_ONLY and CUSTOMERS_TOOLS.`;
}

const [CREATE, LINK] = ['create_customer', 'link_customer'];

type AnyProvider = ServerContext['provider'];

function openRemedy({ title, traits }: AnyProvider): Remedy {
  if (traits.externalIdKeptBy === 'provider')
    return {
      text: `Call ${CREATE} with the same ${traits.externalIdField} again: it looks for the customer first and sends the request only if that is safe.`,
      tools: [CREATE],
    };
  return {
    text: `Look in ${title}. If the customer exists, link it with ${LINK}; if not, call ${CREATE} with resend: true.`,
    tools: [LINK, CREATE],
  };
}

function conflictRemedy({ title, traits }: AnyProvider): Remedy {
  if (traits.externalIdKeptBy === 'provider')
    return {
      text: `Correct the customers in ${title} so that one of them has the ${traits.externalIdField}, then run customers-mcp doctor --settle.`,
      tools: [],
    };
  return {
    text: `Decide which customer is the right one, then link it with ${LINK}; or delete the others in ${title} and run customers-mcp doctor --settle.`,
    tools: [LINK],
  };
}

/** The remedy for someone who knows the external id, of which the key contains only the hash. */
function damagedRemedy({ title, traits }: AnyProvider): Remedy {
  const field = traits.externalIdField;
  const what = `A key ends with the SHA-256 of the ${field}.`;
  const last = 'If that does not help, stop the servers and delete the row from the store.';
  if (traits.createUpserts)
    return {
      text: `${what} Call ${CREATE} with that ${field}: it looks for the customer first and replaces the row. ${last}`,
      tools: [CREATE],
    };
  const resend = `${CREATE} with that ${field} and resend: true`;
  if (traits.externalIdKeptBy === 'provider')
    return {
      text: `${what} Call ${resend}: it looks for the customer first and replaces the row. ${last}`,
      tools: [CREATE],
    };
  return {
    text: `${what} Look in ${title}. If the customer exists, link it with ${LINK}; if not, call ${resend}. ${last}`,
    tools: [LINK, CREATE],
  };
}
