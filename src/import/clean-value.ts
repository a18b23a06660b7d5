import type { FieldMeaning } from '../providers/provider.ts';
import { countryCode, languageCode } from '../countries.ts';
import { isEmail, isScientific } from './content.ts';
import type { Field } from './fields.ts';
import type { Cleaned } from './clean-cell.ts';
import type { Remark } from './remark.ts';

/** Facts about a row that the cleaning of its values needs. */
export interface RowFacts {
  /** Two-letter code. */
  readonly country: string | undefined;
  /** Whether the provider rejects a text that cannot be an email address. */
  readonly strictEmail: boolean;
  /** Whether a phone number can exist. Without a country, the number needs its country code. */
  isPhone(text: string, country: string | undefined): boolean;
}

const SHORTENED: Remark = {
  code: 'shortened',
  what: 'contains a number that Excel shortened; its last digits are lost. Format the column as text and enter it again',
};

function refuse(code: string, what: string): Cleaned {
  return { text: '', problem: { code, what } };
}

/** Refuses a value with a clause that names it. */
function refuseValue(code: string, what: string): Cleaned {
  return { text: '', problem: { code, what, namesValue: true } };
}

function tooLong({ maxLength }: Field): Cleaned {
  return refuse('too_long', `has more than ${maxLength} characters`);
}

/** A value as the provider takes it. */
export function cleanValue(text: string, field: Field, facts: RowFacts): Cleaned {
  const cleaned = byMeaning(text, field, facts);
  return !cleaned.problem && cleaned.text.length > field.maxLength ? tooLong(field) : cleaned;
}

/** An external ID. Any text can be one, except what a spreadsheet program damaged. */
export function cleanId(text: string): Cleaned {
  if (isScientific(text)) return { text: '', problem: SHORTENED };
  if (/^0+$/.test(text)) return refuseValue('not_an_id', `${JSON.stringify(text)} is not an ID`);
  return { text };
}

/** An external ID from an email address: the address alone, because the text around it changes more often. */
export function cleanEmailId(text: string): Cleaned {
  const [email, ...others] = emailsIn(text);
  if (others.length > 0) return severalEmails(others.length + 1);
  return cleanId((email ?? text).toLowerCase());
}

function byMeaning(text: string, field: Field, facts: RowFacts): Cleaned {
  const clean = field.meaning && CLEANERS[field.meaning];
  if (clean) return clean(text, field, facts);
  if (field.choices.length > 0) return cleanChoice(text, field);
  return { text };
}

type Cleaner = (text: string, field: Field, facts: RowFacts) => Cleaned;

const CLEANERS: Partial<Record<FieldMeaning, Cleaner>> = {
  name: cleanName,
  company: cleanName,
  person: cleanName,
  contact_name: cleanName,
  email: cleanEmail,
  billing_email: cleanEmail,
  phone: cleanPhone,
  mobile: cleanPhone,
  country: cleanCountry,
  language: cleanLanguage,
  registration: cleanRegistration,
  tax_number: (text) => (isScientific(text) ? { text: '', problem: SHORTENED } : { text }),
  status: cleanChoice,
};

function cleanName(text: string): Cleaned {
  if (!/[\p{L}\p{N}]/u.test(text)) return refuse('not_a_name', 'is not a name');
  return text.includes('\n')
    ? { text: text.replace(/\s*[\r\n]+\s*/g, ' '), notice: { code: 'line_breaks', what: 'line breaks became spaces' } }
    : { text };
}

/** The different email addresses in a cell. */
function emailsIn(text: string): readonly string[] {
  const found = text
    .split(/[;,\s<>]+/)
    .map((part) => part.replace(/^mailto:/i, '').replace(/[.;,]+$/, ''))
    .filter((part) => part.includes('@'));
  return [...new Set(found)];
}

function severalEmails(count: number): Cleaned {
  return refuse(`emails_${count}`, `contains ${count} email addresses; keep one`);
}

function cleanEmail(text: string, _field: Field, { strictEmail }: RowFacts): Cleaned {
  const [email, ...others] = emailsIn(text);
  if (others.length > 0) return severalEmails(others.length + 1);
  if (email !== undefined && isEmail(email)) {
    const notice: Remark = { code: 'around_email', what: 'text around the email address was removed' };
    return email === text ? { text } : { text: email, notice };
  }
  if (strictEmail) return refuse('not_an_email', 'is not an email address');
  return { text, notice: { code: 'not_an_email', what: 'is not an email address; it is sent unchanged' } };
}

function cleanPhone(text: string, field: Field, { country, isPhone }: RowFacts): Cleaned {
  if (isScientific(text)) return { text: '', problem: SHORTENED };
  const plain = text.replace(/^(?:tele?(?:phone|foon|fon)?|phone|mobile?|mobiel|gsm|cell)[.:\s]+/i, '');
  const several = (plain.match(/\d[\d\s().-]{5,}\d/g)?.length ?? 0) > 1;
  if (several && !isPhone(plain, country)) return refuse('phones', 'contains several phone numbers; keep one');
  if (plain.length > field.maxLength) return tooLong(field);
  const digits = plain.replace(/\D/g, '');
  if (/^[1-9]\d{8}$/.test(plain) && (country === 'NL' || country === undefined) && !isPhone(plain, undefined))
    return { text: plain, notice: { code: 'lost_zero', what: 'may have lost its leading 0' } };
  if (digits.length < 5 || !isPhone(plain, country)) {
    const what = 'does not look like an existing phone number; it is sent unchanged';
    return { text, notice: { code: 'not_a_phone', what } };
  }
  if (plain === text) return { text };
  return { text: plain, notice: { code: 'before_phone', what: 'the word before the phone number was removed' } };
}

function cleanCountry(text: string, field: Field): Cleaned {
  const code = countryCode(text);
  if (field.maxLength !== 2) return { text };
  if (code === undefined)
    return refuseValue('not_a_country', `${JSON.stringify(text)} is not a country; use a two-letter code, such as NL`);
  return code === text ? { text } : replaced(text, code);
}

function replaced(text: string, code: string): Cleaned {
  return { text: code, notice: { code: 'replaced', what: `${JSON.stringify(text)} became ${code}`, namesValue: true } };
}

function cleanLanguage(text: string, field: Field): Cleaned {
  if (field.choices.length === 0 || field.choices.includes(text)) return { text };
  const code = languageCode(text);
  const found = field.choices.find(
    (choice) => choice === text.toLowerCase() || (code !== undefined && languageCode(choice) === code),
  );
  if (found !== undefined) return replaced(text, found);
  const [shown, choices] = [JSON.stringify(text), field.choices.join(', ')];
  if (code === undefined) return refuseValue('not_a_language', `${shown} is not a language; choose from ${choices}`);
  const what = `${shown} is left out; only ${choices} are possible`;
  return { text: '', notice: { code: 'other_language', what, namesValue: true } };
}

function cleanChoice(text: string, { choices }: Field): Cleaned {
  if (choices.length === 0) return { text };
  const found = choices.find((choice) => choice.toLowerCase() === text.toLowerCase());
  return found === undefined
    ? refuseValue('not_a_choice', `${JSON.stringify(text)} is not possible; choose from ${choices.join(', ')}`)
    : { text: found };
}

function cleanRegistration(text: string, { maxLength }: Field, { country }: RowFacts): Cleaned {
  if (isScientific(text)) return { text: '', problem: SHORTENED };
  const plain = text.replace(
    /^(?:kvk|k\.v\.k\.|coc|hr|handelsregister)(?:[\s-]*(?:nr|nummer|number))?[\s.:-]*(?=\d)/i,
    '',
  );
  if (country === 'NL' && /^\d{7}$/.test(plain))
    return refuse('lost_zero', 'has 7 digits instead of the 8 of a Dutch one; Excel probably removed the leading 0');
  const compact = plain.replace(/[\s.-]/g, '');
  if (plain.length > maxLength && compact.length <= maxLength) {
    const what = 'dots, blanks and hyphens were removed from the registration number, which is too long with them';
    return { text: compact, notice: { code: 'compact_registration', what } };
  }
  const what = 'the word before the registration number was removed';
  return plain === text ? { text } : { text: plain, notice: { code: 'before_registration', what } };
}

/** Countries whose postal codes have five digits: one with four has lost its first. */
const FIVE_DIGITS = new Set(['DE', 'FR', 'IT', 'ES', 'US', 'FI', 'EE', 'TR', 'MX']);

/** The damage that a spreadsheet program did to a postal code. */
export function postcodeProblem(text: string, country: string | undefined): Remark | undefined {
  if (isScientific(text)) return SHORTENED;
  if (country === undefined || !FIVE_DIGITS.has(country) || !/^\d{4}$/.test(text)) return undefined;
  const what = `has 4 digits instead of the 5 of one in ${country}; Excel probably removed the leading 0`;
  return { code: `lost_zero_${country}`, what };
}
