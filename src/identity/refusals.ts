import { CustomerError } from '../errors.ts';
import type { Fields, Provider, ProviderCustomer } from '../providers/provider.ts';
import type { IntentData } from './ledger.ts';

/** Why a create is not carried out or not known, in words that an agent can act on. */

export function inProgress(externalId: string | undefined, retryInMs: number): CustomerError {
  const of = externalId === undefined ? 'customer' : `customer ${JSON.stringify(externalId)}`;
  return new CustomerError(
    'in_progress',
    `The same ${of} is being created at this moment. Call again with the same input in a few seconds; it will not be created twice.`,
    { retry_after_s: Math.max(1, Math.ceil(retryInMs / 1_000)) },
  );
}

export function stillUnknown(
  { title, traits, findByExternalId }: Provider,
  { externalId, committed }: IntentData,
  waitMs: number,
): CustomerError {
  const id = JSON.stringify(externalId);
  const what = committed
    ? `${title} accepted the customer ${id}, but it cannot be found yet`
    : `It is not known whether ${title} created the customer ${id}`;
  const again = `Call create_customer again with the same ${traits.externalIdField} and fields: it looks for the customer and does not create a second one.`;
  const person = traits.createUpserts
    ? ''
    : ` If it stays unknown, a person can look in ${title}: ${traits.externalIdInUpdate === 'linked' ? 'link_customer ties it when it is there, ' : ''}create_customer with resend: true sends it again when it is not there.`;
  return new CustomerError('outcome_unknown', `${what}. ${again}${person}`, {
    external_id: externalId,
    ...(waitMs > 0 && findByExternalId && { retry_after_s: Math.ceil(waitMs / 1_000) }),
  });
}

export function differs(
  { traits }: Provider,
  externalId: string | undefined,
  customer: ProviderCustomer,
  fields: readonly string[],
): CustomerError {
  const field = traits.externalIdField;
  return new CustomerError(
    'conflict',
    `The ${field} ${JSON.stringify(externalId)} belongs to the customer ${customer.id}, which differs in ${fields.join(', ')}. Nothing was changed. Use update_customer to change it, or another ${field} for another customer.`,
    {
      customer_id: customer.id,
      fields: fields.map((path) => ({ path, message: 'differs from the existing customer' })),
    },
  );
}

export function severalMayBeIt(
  { title }: Provider,
  externalId: string,
  found: readonly ProviderCustomer[],
): CustomerError {
  return new CustomerError(
    'conflict',
    `Several ${title} customers may be ${JSON.stringify(externalId)}. Have a person decide, then tie the right one with link_customer.`,
    { candidates: found.map(candidate) },
  );
}

export function looksTheSame(
  { title }: Provider,
  externalId: string | undefined,
  similar: readonly ProviderCustomer[],
): CustomerError {
  const who = similar.length === 1 ? 'a customer' : `${similar.length} customers`;
  const tie =
    externalId === undefined
      ? ' If it is the same customer, work with it by its customer_id.'
      : ' If it is the same customer, tie it with link_customer.';
  return new CustomerError(
    'possible_duplicate',
    `${title} has ${who} with this email already; nothing was created.${tie} If it is another customer, call again with allow_duplicate: true.`,
    { candidates: similar.map(candidate) },
  );
}

export function tiedElsewhere(externalId: string, other: ProviderCustomer): CustomerError {
  return new CustomerError(
    'conflict',
    `${JSON.stringify(externalId)} is tied to the customer ${other.id} already. Use another external_id, or work with that customer.`,
    { customer_id: other.id },
  );
}

function candidate({ id, document }: ProviderCustomer): { customer_id: string; customer: Fields } {
  return { customer_id: id, customer: document };
}
