import type { Call } from '../http-client/call.ts';
import type { Changes, ProviderCustomer } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { CreateAnswer, CreateRequest } from './create-request.ts';
import { changedBetween, type Changed } from './difference.ts';
import { belongsToAnother, differs } from './errors.ts';
import type { IntentData } from './intent.ts';
import type { Matching } from './matching.ts';
import { recognize } from './recognition.ts';
import type { Updates } from './update.ts';

/** The customer that a create with its external id finds. */
interface Found {
  /** The record of the create that made it, if it is known. */
  readonly data: IntentData;
  readonly request: CreateRequest;
  readonly customer: ProviderCustomer;
}

/** Answers a create whose external id a customer already has. */
export class Present {
  readonly #account: Account;
  readonly #matching: Matching;
  readonly #updates: Updates;

  constructor(account: Account, matching: Matching, updates: Updates) {
    this.#account = account;
    this.#matching = matching;
    this.#updates = updates;
  }

  /**
   * With the same fields, answers `existing` and sends nothing. Other fields are updated if the provider's create does so, and
   * refused otherwise.
   * @throws CustomerError as `changes`.
   */
  async answer(found: Found, call: Call): Promise<CreateAnswer> {
    const { request, customer } = found;
    const existing = this.existing(customer);
    if (Object.keys(this.changes(found)).length === 0) return existing;
    const { externalId, fields } = request;
    const changes: Changes = { set: fields, clear: [] };
    const updated = await this.#updates.updateCustomer({ customerId: customer.id, externalId, changes }, call);
    return {
      ...existing,
      outcome: Object.keys(updated.changed).length > 0 ? 'updated' : 'existing',
      changed: updated.changed,
      customer: updated.customer,
      document: updated.customer.document,
      warnings: [...existing.warnings, ...updated.warnings],
    };
  }

  /**
   * What the create would change.
   * @throws CustomerError `conflict` naming the fields that differ, or both customers if the external id belongs to another
   * one.
   */
  changes({ data, request, customer }: Found): Changed {
    const { provider } = this.#account;
    const { externalId, fields } = request;
    if (!provider.traits.createUpserts) {
      const differing = this.#matching.differences(data, fields, customer);
      if (differing.length > 0) throw differs(provider, { externalId, fields: differing }, customer);
      return {};
    }
    // The fields are compared with the current customer, not with an earlier create, because a deliberate repeat states the
    // intended values.
    const differing = this.#matching.differences({ ...data, fingerprint: {} }, fields, customer);
    if (differing.length > 0 && recognize(fields, customer.fields, provider.traits.identity) === 'other')
      throw belongsToAnother(provider, request, customer);
    return changedBetween(customer.fields, fields, differing);
  }

  /** The answer without a send. It contains a warning for an archived customer, which lists do not show. */
  existing(customer: ProviderCustomer): CreateAnswer {
    const archived = [
      `The customer ${customer.id} is archived.`,
      { tool: 'restore_customer', text: 'Use restore_customer to restore it.' },
    ];
    return {
      outcome: 'existing',
      customer,
      document: customer.document,
      warnings: customer.state === 'archived' ? [archived] : [],
    };
  }
}
