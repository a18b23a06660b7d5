import leven from 'leven';
import type { z } from 'zod';
import { invalidInput, type FieldError } from '../errors.ts';
import { isRecord, quote } from '../text.ts';
import type { Fields } from '../providers/provider.ts';

/**
 * Arguments as a tool may use them. `null`, `""` and `[]` mean "not given": clients with strict schemas fill in every field.
 * @throws CustomerError `invalid_input` naming every field that is wrong, with the nearest name for one that does not exist.
 */
export function readArguments(schema: z.ZodObject, given: unknown): Fields {
  if (given !== undefined && !isRecord(given))
    throw invalidInput([{ path: '', message: 'the arguments must be an object' }]);
  const present = Object.entries(given ?? {}).filter(([, value]) => !isNotGiven(value));
  const checked = schema.safeParse(Object.fromEntries(present));
  if (checked.success) return checked.data;
  const names = Object.keys(schema.shape);
  const unknown = present.filter(([name]) => !names.includes(name)).map(([name]) => refuseUnknown(name, names));
  // zod's word for all unknown arguments at once says less than ours.
  const others = checked.error.issues.filter(({ code, path }) => code !== 'unrecognized_keys' || path.length > 0);
  const problems = [...unknown, ...others.map(asProblem)];
  const lost = unknown.some(({ message }) => !message.endsWith('?'));
  throw invalidInput(problems, lost ? `Known are ${names.join(', ')}. ` : '');
}

function isNotGiven(value: unknown): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}

function refuseUnknown(name: string, names: readonly string[]): FieldError {
  const [given, shown] = [name.toLowerCase(), quote(name.slice(0, 100))];
  const distance = (own: string): number =>
    own.toLowerCase().includes(given) && given.length > 2 ? 1 : leven(own.toLowerCase(), given);
  const [nearest] = names.toSorted((a, b) => distance(a) - distance(b));
  const near = nearest !== undefined && distance(nearest) <= Math.max(2, name.length / 2);
  return { path: shown, message: `unknown argument \`${shown}\`${near ? `; did you mean \`${nearest}\`?` : ''}` };
}

function asProblem(issue: z.core.$ZodIssue): FieldError {
  const missing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return {
    path: issue.path.join('.'),
    message: missing ? 'is required' : issue.message.replace(/^Invalid input: /, ''),
  };
}
