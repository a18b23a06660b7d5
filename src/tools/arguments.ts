import leven from 'leven';
import type { z } from 'zod';
import { invalidInput, type FieldError } from '../errors.ts';
import { describeFault } from './argument-faults.ts';
import { isRecord, quote } from '../text.ts';
import type { Fields } from '../providers/provider.ts';

/**
 * Validated arguments. `null`, blanks and `[]` count as not given, because clients with strict schemas fill in every field.
 * @throws CustomerError `invalid_input` naming every invalid field, with the nearest name for an unknown one.
 */
export function readArguments(schema: z.ZodObject, given: unknown, externalIdField?: string): Fields {
  if (given !== undefined && !isRecord(given))
    throw invalidInput([{ path: '', message: 'the arguments must be an object' }]);
  const present = Object.entries(given ?? {}).filter(([, value]) => !isNotGiven(value));
  const checked = schema.safeParse(Object.fromEntries(present), { error: describeFault });
  const names = Object.keys(schema.shape);
  const unknown = Object.keys(given ?? {})
    .filter((name) => !names.includes(name))
    .map((name) => ({
      unknown: quote(name.slice(0, 100)),
      suggestion:
        nearestTo(
          name,
          names,
          names.find((own) => own === externalIdField),
        ) ?? (SOUGHT.test(name) ? names.find((own) => own === 'find') : undefined),
    }));
  const damaged = damagedIn(present);
  if (checked.success && unknown.length === 0 && damaged.length === 0) return checked.data;
  // zod reports all unknown arguments in one issue, without suggestions.
  const others = (checked.error?.issues ?? [])
    .filter(({ code, path }) => code !== 'unrecognized_keys' || path.length > 0)
    .map(({ path, message }) => ({ path: path.join('.'), message }))
    .filter(({ path }) => !damaged.some((problem) => problem.path === path));
  const lost = unknown.some(({ suggestion }) => suggestion === undefined);
  throw invalidInput([...unknown, ...damaged, ...others], lost ? `Known arguments: ${names.join(', ')}.` : undefined);
}

/** The names of the arguments that are present but count as not given. */
export function blanksIn(given: unknown): readonly string[] {
  return Object.entries(isRecord(given) ? given : {}).flatMap(([name, value]) => (isNotGiven(value) ? [name] : []));
}

function isNotGiven(value: unknown): boolean {
  return (
    value === null || (typeof value === 'string' && value.trim() === '') || (Array.isArray(value) && value.length === 0)
  );
}

/** A problem for each argument that contains, at any depth, text that no provider and no store preserves. */
function damagedIn(present: readonly (readonly [string, unknown])[]): readonly FieldError[] {
  return present
    .filter(([, value]) => isDamaged(value))
    .map(([path]) => ({
      path,
      message: 'contains a NUL character or an unpaired surrogate; pass the text without it',
    }));
}

function isDamaged(given: unknown): boolean {
  // Without recursion: an agent can nest deeper than the stack.
  for (const values = [given]; values.length > 0;) {
    const value = values.pop();
    if (typeof value === 'string' && (!value.isWellFormed() || value.includes('\0'))) return true;
    if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) values.push(inner);
  }
  return false;
}

/** The name that was probably intended, or two that are equally near. */
export function nearestTo(name: string, names: readonly string[], externalIdField?: string): string | undefined {
  const given = name.toLowerCase();
  if (externalIdField !== undefined && EXTERNAL_ID.test(name)) return externalIdField;
  const distance = (own: string): number =>
    own.toLowerCase().includes(given) && given.length > 2 ? 1 : leven(own.toLowerCase(), given);
  const sorted = names.toSorted((a, b) => distance(a) - distance(b));
  const [nearest] = sorted;
  if (nearest === undefined || distance(nearest) > Math.max(2, name.length / 2)) return undefined;
  const near = sorted.filter((own) => distance(own) === distance(nearest));
  return near.length === 2 ? near.join('` or `') : nearest;
}

/** Names under which agents pass the external ID, whatever the provider calls it. */
const EXTERNAL_ID = /^(external_?id|(customer|client|own)_?(code|number|ref|reference))$/i;

/** Names under which agents pass what they look for. */
const SOUGHT =
  /^(q|query|text|term|keywords?|external_?id|.*(name|mail|phone|mobile|city|address|country|code|number|reference))$/i;
