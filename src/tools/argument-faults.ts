import type { z } from 'zod';
import { countryCode, languageCode } from '../countries.ts';

/** The problem with an argument, and the value to pass if it is known. `undefined` keeps zod's message. */
export function describeFault(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : wrongType(issue.expected, issue.input);
    case 'invalid_value':
      return wrongChoice(issue.values.map(String), issue.input);
    case 'too_big':
    case 'too_small':
      return wrongSize(issue);
    default:
      return undefined;
  }
}

function wrongType(expected: string, input: unknown): string {
  const isScalar = ['string', 'number', 'boolean'].includes(typeof input);
  const text = plainText(input);
  if (expected === 'string') return `must be a string${isScalar ? `; send ${JSON.stringify(text)}` : ''}`;
  if (expected === 'boolean') {
    const meant = /^(true|yes|1)$/i.test(text) ? 'true' : /^(false|no|0)$/i.test(text) ? 'false' : undefined;
    return `must be true or false, without quotes${isScalar && meant !== undefined ? `; send ${meant}` : ''}`;
  }
  if (expected === 'number' || expected === 'int') {
    const meant = typeof input === 'string' && input.trim() !== '' ? Number(input) : Number.NaN;
    const kind = expected === 'int' ? 'a whole number' : 'a number, without quotes';
    return `must be ${kind}${Number.isFinite(meant) ? `; send ${meant}` : ''}`;
  }
  const given = typeof input === 'object' ? '' : `, not ${JSON.stringify(text.slice(0, 100))}`;
  return `must be ${expected === 'array' ? 'a list' : `an ${expected}`}${given}`;
}

function wrongChoice(choices: readonly string[], input: unknown): string {
  const given = plainText(input).trim();
  const meant = choices.find((choice) => choice.toLowerCase() === given.toLowerCase()) ?? languageIn(choices, given);
  const help = meant === undefined ? '' : `; for ${given.slice(0, 100)} that is ${meant}`;
  return `must be ${choices.length > 1 ? `one of ${choices.join(', ')}` : choices.join('')}${help}`;
}

function wrongSize(issue: z.core.$ZodRawIssue<z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall>): string {
  const limit = Number(issue.code === 'too_big' ? issue.maximum : issue.minimum);
  const bound = issue.code === 'too_big' ? 'at most' : 'at least';
  if (issue.origin !== 'string')
    return issue.origin === 'array' ? `must have ${bound} ${limit} entries` : `must be ${bound} ${limit}`;
  const text = plainText(issue.input);
  if (issue.exact === true && limit === 2) {
    const code = countryCode(text);
    return `must be a two-letter code${code === undefined ? '' : `; for ${text.trim()} that is ${code}`}`;
  }
  return `must have ${issue.exact === true ? 'exactly' : bound} ${limit} characters; this has ${text.length}`;
}

/** The choice that is the English name of a language, by its code or its name in one of the usual languages. */
function languageIn(choices: readonly string[], given: string): string | undefined {
  const code = languageCode(given);
  return code && choices.find((choice) => languageCode(choice) === code);
}

/** A scalar value as text; empty for an object or a list, which may be nested too deeply to be written out. */
function plainText(value: unknown): string {
  return typeof value === 'object' ? '' : String(value);
}
