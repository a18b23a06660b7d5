import type { Call } from '../http-client/call.ts';
import type { Changes, ProviderCustomer } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { CreateAnswer, CreateRequest } from './create-request.ts';
import { belongsToAnother, differs } from './errors.ts';
import type { IntentData } from './intent.ts';
import type { Matching } from './matching.ts';
import { recognize } from './recognition.ts';
import type { Updates } from './update.ts';

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
   * @throws CustomerError `conflict` naming the fields that differ, or both customers if the external id belongs to another
   * one.
   */
  async answer(
    { data, request, customer }: { data: IntentData; request: CreateRequest; customer: ProviderCustomer },
    call: Call,
  ): Promise<CreateAnswer> {
    const { provider } = this.#account;
    const { externalId, fields } = request;
    const existing = this.existing(customer);
    if (!provider.traits.createUpserts) {
      const differing = this.#matching.differences(data, fields, customer);
      if (differing.length > 0) throw differs(provider, { externalId, fields: differing }, customer);
      return existing;
    }
    // The fields are compared with the current customer, not with an earlier create, because a deliberate repeat states the
    // intended values.
    if (this.#matching.differences({ ...data, fingerprint: {} }, fields, customer).length === 0) return existing;
    if (recognize(fields, customer.fields, provider.traits.identity) === 'other')
      throw belongsToAnother(provider, request, customer);
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
