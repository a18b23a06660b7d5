import type { Entry } from '../directory/entry.ts';
import type { Match } from '../directory/match.ts';
import { isRecord } from '../text.ts';
import type { Fields, Provider, ProviderCustomer } from '../providers/provider.ts';

/** A row of a search: enough to choose by. `get_customer` shows the whole document. */
interface Row {
  readonly customer_id: string;
  readonly external_id?: string;
  readonly score?: number;
  readonly matched?: readonly string[];
  readonly customer: Fields;
}

/** Timestamps, which do not identify a customer. */
const HOUSEKEEPING = /_at$/;

/** A customer without empty fields, default values, constants, timestamps, and the ids that the row already has. */
export function slimRow({ id, externalId, document }: ProviderCustomer, { traits }: Provider): Row {
  const { hidden, externalId: shownAs, defaults } = traits.display;
  const said = new Set(['id', shownAs, ...hidden]);
  const tells = ([name, value]: [string, unknown]): boolean =>
    !said.has(name) && !HOUSEKEEPING.test(name) && !isNothing(value) && defaults[name] !== value;
  const trimmed = (fields: Fields): Fields =>
    Object.fromEntries(
      Object.entries(fields)
        .filter(tells)
        .map(([name, value]): [string, unknown] => [name, isRecord(value) ? trimmed(value) : value])
        .filter(tells),
    );
  return { customer_id: id, ...(externalId !== undefined && { external_id: externalId }), customer: trimmed(document) };
}

/** A customer that `find` found: names, email, and the fields that matched. */
export function foundRow({ entry, score, matched }: Match, provider: Provider): Row {
  const { id, externalId } = entry;
  return {
    customer_id: id,
    ...(externalId !== undefined && { external_id: externalId }),
    score,
    matched,
    customer: shownOf(entry, matched, provider),
  };
}

/** A customer in which a field is empty: names and email. */
export function lackingRow({ entry }: Match, provider: Provider): Row {
  const { id, externalId } = entry;
  return {
    customer_id: id,
    ...(externalId !== undefined && { external_id: externalId }),
    customer: shownOf(entry, [], provider),
  };
}

function shownOf({ values, archived }: Entry, matched: readonly string[], provider: Provider): Fields {
  const { identity, externalIdField } = provider.traits;
  const shown = new Set([...identity.names, ...identity.emails.slice(0, 1), ...matched]);
  const fields = Object.fromEntries(
    values.filter(({ field }) => shown.has(field) && field !== externalIdField).map(({ field, text }) => [field, text]),
  );
  return { ...(provider.asDocument?.(fields) ?? fields), ...(archived && { archived }) };
}

function isNothing(value: unknown): boolean {
  if (isRecord(value)) return Object.values(value).every(isNothing);
  if (Array.isArray(value)) return value.length === 0;
  return value === undefined || value === null || value === '' || value === false;
}
