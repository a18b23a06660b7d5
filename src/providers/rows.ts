import { CustomerError } from '../errors.ts';
import type { ProviderCustomer } from './provider.ts';

/**
 * The customers of a list. A row that cannot be read is said, not passed over: a list that looks shorter than it is makes an
 * agent create what is there.
 * @throws CustomerError `bad_response` when there are rows and none can be read.
 */
export function readRows(
  title: string,
  rows: unknown,
  read: (row: unknown) => ProviderCustomer | undefined,
): { customers: ProviderCustomer[]; warnings: string[] } {
  if (!Array.isArray(rows)) throw notUnderstood(title);
  const customers = rows.flatMap((row) => read(row) ?? []);
  const lost = rows.length - customers.length;
  if (lost > 0 && customers.length === 0) throw notUnderstood(title);
  return { customers, warnings: lost === 0 ? [] : [`${title} listed ${lost} more without an id; they are left out.`] };
}

/** An answer to a read that holds no customer. */
export function notUnderstood(title: string): CustomerError {
  return new CustomerError('bad_response', `${title} answered with something that is not a customer. Try again later.`);
}

/** A customer of which no more than the id is known, after a write whose answer could not be read. */
export function unread(id: string): ProviderCustomer {
  return { id, externalId: undefined, name: undefined, state: 'active', createdAt: undefined, document: {} };
}
