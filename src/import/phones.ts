import { isPossiblePhoneNumber, isSupportedCountry } from 'libphonenumber-js/min';

/** A possible number without a country code, for customers whose country is unknown. */
const NATIONAL = /^[\d\s()./-]{6,20}$/;

/** A North American number without its area code. */
const LOCAL = /^\d{3}[ .-]?\d{4}$/;

/** Whether a phone number can exist, in any notation of its country. */
export function isPhone(text: string, country: string | undefined): boolean {
  if ((country === 'US' || country === 'CA') && LOCAL.test(text)) return true;
  if (country !== undefined && isSupportedCountry(country)) return isPossiblePhoneNumber(text, country);
  return isPossiblePhoneNumber(text) || NATIONAL.test(text);
}
