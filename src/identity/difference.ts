import type { Changes, Fields, ProviderCustomer } from '../providers/provider.ts';

/** The changes of a customer by field: the provider's value before and now; null if there was or is none. */
export type Changed = Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;

/** The values that an update requests, by field; null for a field to clear. */
export function wantedBy({ set, clear }: Changes): Fields {
  return { ...set, ...Object.fromEntries(clear.map((field) => [field, null])) };
}

/** The changes that differ from the customer's current values. */
export function differing({ set, clear }: Changes, { fields }: ProviderCustomer): Changes {
  return {
    set: Object.fromEntries(Object.entries(set).filter(([field, value]) => !sameValue(value, fields[field]))),
    clear: clear.filter((field) => fields[field] !== undefined),
  };
}

export function isNothing({ set, clear }: Changes): boolean {
  return Object.keys(set).length === 0 && clear.length === 0;
}

/** The changes of these fields between two states. */
export function changedBetween(before: Fields, after: Fields, names: readonly string[]): Changed {
  return Object.fromEntries(
    names.flatMap((name) => {
      const [from, to] = [before[name] ?? null, after[name] ?? null];
      return sameValue(from, to) ? [] : [[name, { from, to }]];
    }),
  );
}

/** The values that have become empty, except those with these names. */
export function lostBetween(before: Fields, after: Fields, except: readonly string[]): Fields {
  return Object.fromEntries(
    Object.entries(before).filter(([name]) => after[name] === undefined && !except.includes(name)),
  );
}

/** All values of a customer that must not be lost. */
export function holdings({ fields, extras }: ProviderCustomer): Fields {
  return { ...extras, ...fields };
}

/** Treats empty and absent as equal, and lists that differ only in order. */
function sameValue(one: unknown, other: unknown): boolean {
  return comparable(one) === comparable(other);
}

function comparable(value: unknown): string {
  if (value === undefined || value === null || value === '') return '';
  if (Array.isArray(value)) return value.length === 0 ? '' : `[${value.map(comparable).toSorted().join()}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}:${comparable(member)}`);
  return `{${members.toSorted().join()}}`;
}
