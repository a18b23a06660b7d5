import { CustomerError, NOTHING_CHANGED, NOTHING_CREATED, NOTHING_SENT } from '../errors.ts';
import type { Fields, Identity, Provider, ProviderCustomer } from '../providers/provider.ts';
import { StoreProblem } from '../stores/store.ts';
import { quote, textOf } from '../text.ts';
import type { IntentData } from './intent.ts';

/** The errors of creates and links, each with a next step for the agent. */

/** For an error of a create after an earlier one with an unknown outcome. */
export const EARLIER_MAY_HAVE_RUN = 'This create was not sent; an earlier one may have run.';

export function inProgress(externalId: string | undefined, retryInMs: number): CustomerError {
  const of = externalId === undefined ? 'customer' : `customer ${JSON.stringify(externalId)}`;
  return new CustomerError('in_progress', `The same ${of} is being created right now.`, {
    assurance: NOTHING_SENT,
    advice: 'Try again with the same input in a few seconds; the customer will not be created twice.',
    retry_after_s: Math.max(1, Math.ceil(retryInMs / 1_000)),
  });
}

export function stillUnknown(
  { title, traits }: Provider,
  { externalId, committed }: IntentData,
  waitMs: number,
): CustomerError {
  const id = JSON.stringify(externalId);
  const what = committed
    ? `${title} accepted the customer ${id}, but it cannot be found yet.`
    : `It is unknown whether ${title} created the customer ${id}.`;
  const again = `Call again with the same ${traits.externalIdField} and fields: the server looks for the customer and does not create a second one.`;
  const look = `If it stays unknown, ask the user to look in ${title}.`;
  const link = { tool: 'link_customer', text: 'If it exists, link it with link_customer.' };
  const resend = {
    tool: 'create_customer',
    text: 'If it does not exist, create_customer with resend: true sends it again.',
  };
  const person = [look, ...(traits.externalIdKeptBy === 'ledger' ? [link] : []), resend];
  return new CustomerError('outcome_unknown', what, {
    advice: traits.createUpserts ? again : [again, ...person],
    external_id: externalId,
    ...(waitMs > 0 && traits.externalIdKeptBy === 'provider' && { retry_after_s: Math.ceil(waitMs / 1_000) }),
  });
}

export function differs(
  { traits: { externalIdField: field } }: Provider,
  { externalId, fields }: { readonly externalId: string | undefined; readonly fields: readonly string[] },
  customer: ProviderCustomer,
): CustomerError {
  return new CustomerError(
    'conflict',
    `The ${field} ${JSON.stringify(externalId)} belongs to the customer ${customer.id}, which differs in ${fields.join(', ')}.`,
    {
      assurance: NOTHING_CHANGED,
      advice: [
        { tool: 'update_customer', text: 'To change it, use update_customer.' },
        `For another customer, pass another ${field}.`,
      ],
      customer_id: customer.id,
      fields: fields.map((path) => ({ path, message: 'differs from the existing customer' })),
    },
  );
}

export function belongsToAnother(
  { title, traits: { externalIdField: field, identity } }: Provider,
  { externalId, fields }: { readonly externalId: string | undefined; readonly fields: Fields },
  owner: ProviderCustomer,
): CustomerError {
  const [theirs, given] = [owner.fields, fields].map((shown) => recognizedBy(shown, identity));
  const what = `The ${field} ${JSON.stringify(externalId)} belongs to the ${title} customer ${owner.id} (${theirs}), which has neither the name nor the email of the one to create (${given}).`;
  return new CustomerError('conflict', what, {
    assurance: NOTHING_CHANGED,
    advice: [
      `Use another ${field} for another customer.`,
      { tool: 'update_customer', text: 'To rename this one on purpose, use update_customer.' },
    ],
    customer_id: owner.id,
    candidates: [candidate(owner, identity)],
  });
}

export function severalMayBeIt(
  { title, traits: { externalIdField: field, externalIdKeptBy, identity } }: Provider,
  externalId: string,
  found: readonly ProviderCustomer[],
): CustomerError {
  return new CustomerError('conflict', `Several ${title} customers may be ${JSON.stringify(externalId)}.`, {
    advice:
      externalIdKeptBy === 'ledger'
        ? ['Ask the user which one it is.', { tool: 'link_customer', text: 'Then link it with link_customer.' }]
        : `Ask the user which one it is, then give the others another ${field}.`,
    candidates: found.map((customer) => candidate(customer, identity)),
  });
}

export function looksTheSame(
  { title, traits: { externalIdField: field, externalIdKeptBy, identity } }: Provider,
  externalId: string | undefined,
  similar: readonly ProviderCustomer[],
): CustomerError {
  const who = similar.length === 1 ? 'a customer' : `${similar.length} customers`;
  const links = externalId !== undefined && externalIdKeptBy === 'ledger';
  const use = 'If it is the same customer, do not create it again: candidates has its customer_id.';
  const link = `If it is the same customer, link it to this ${field} with link_customer.`;
  const same = links ? { tool: 'link_customer', text: link, otherwise: use } : use;
  const what = `${title} already has ${who} with this email or name.`;
  const archived = { tool: 'restore_customer', text: 'To use an archived one again, use restore_customer.' };
  return new CustomerError('possible_duplicate', what, {
    assurance: NOTHING_CREATED,
    advice: [
      same,
      ...(similar.some(({ state }) => state === 'archived') ? [archived] : []),
      'If it is another customer, repeat the create with allow_duplicate: true.',
    ],
    candidates: similar.map((customer) => candidate(customer, identity)),
    ...(externalId !== undefined && { external_id: externalId }),
  });
}

/** For a row of an import that looks like an earlier one. */
export function looksLikeRow(row: number): CustomerError {
  return new CustomerError('possible_duplicate', `It has the email or name of row ${row}.`, {
    advice:
      'If it is the same customer, omit one of them; if it is another customer, add allow_duplicate: true to this row.',
  });
}

/** For a create while it is unknown whether a similar one ran. */
export function unfinished(
  { title, traits }: Provider,
  externalId: string | undefined,
  retryInMs: number,
): CustomerError {
  const id = JSON.stringify(externalId);
  const [create, next] =
    externalId === undefined
      ? [
          'a create',
          { tool: 'search_customer', text: 'Use search_customer to see whether the customer exists by now.' },
        ]
      : [
          `the create of ${id}`,
          `Repeat that create, with the ${traits.externalIdField} ${id} and its fields: the server looks for the customer and does not create a second one.`,
        ];
  const what = `It is unknown whether ${create} with the same email or name ran at ${title} a moment ago.`;
  return new CustomerError('in_progress', what, {
    assurance: NOTHING_CREATED,
    advice: [next, 'If this is another customer, repeat the create with allow_duplicate: true.'],
    retry_after_s: Math.ceil(retryInMs / 1_000),
  });
}

export function aboutAnother({ title }: Provider, externalId: string | undefined): CustomerError {
  const what = `${title} accepted the create and returned another customer, so it is unknown what was created.`;
  return new CustomerError('outcome_unknown', what, {
    advice: [
      {
        tool: 'search_customer',
        text: 'Use search_customer to check what exists before creating it again.',
        otherwise: 'Ask the user to check what exists before creating it again.',
      },
    ],
    ...(externalId !== undefined && { external_id: externalId }),
  });
}

export function linkedElsewhere(externalId: string, other: ProviderCustomer): CustomerError {
  return new CustomerError('conflict', `${JSON.stringify(externalId)} is already linked to the customer ${other.id}.`, {
    advice: 'Use another external_id, or use that customer.',
    customer_id: other.id,
  });
}

export function stillRecorded(externalId: string, customerId: string): CustomerError {
  const what = `The customer ${customerId} was recorded for another external ID at the same time.`;
  return new CustomerError('in_progress', what, { advice: 'Try again.', external_id: externalId, retry_after_s: 1 });
}

export function wasSuspended(): CustomerError {
  return new CustomerError('unavailable', 'The server was suspended too long.', {
    assurance: NOTHING_SENT,
    advice: 'Try again.',
  });
}

export function storeUnavailable(cause: unknown): CustomerError {
  const [what, advice] =
    cause instanceof StoreProblem
      ? [cause.message, cause.advice]
      : ['The store that prevents duplicate customers does not respond.', 'Check CUSTOMERS_STORE, then try again.'];
  return new CustomerError('store_unavailable', what, { assurance: NOTHING_SENT, advice, cause });
}

/** The parts of a customer that are needed to choose one. */
function candidate({ id, externalId, name, state, fields }: ProviderCustomer, { emails }: Identity): Fields {
  const [email] = textsOf(fields, emails);
  return {
    customer_id: id,
    ...(name !== undefined && { name }),
    ...(email !== undefined && { email }),
    ...(externalId !== undefined && { external_id: externalId }),
    archived: state === 'archived',
  };
}

/** The names and emails of a customer, for messages. */
function recognizedBy(fields: Fields, { names, emails }: Identity): string {
  return textsOf(fields, [...names, ...emails])
    .map((text) => JSON.stringify(quote(text)))
    .join(', ');
}

function textsOf(fields: Fields, names: readonly string[]): string[] {
  return names.flatMap((name) => textOf(fields[name]) ?? []);
}
