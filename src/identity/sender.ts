import { CustomerError } from '../errors.ts';
import type { Call } from '../http-client/call.ts';
import { sendUpsert } from '../http-client/retry.ts';
import type { CreateResult, ProviderCustomer } from '../providers/provider.ts';
import type { Attempt } from './attempt.ts';
import type { Attempts } from './attempts.ts';
import type { CreateAnswer, CreateRequest } from './create-request.ts';
import { aboutAnother, stillUnknown, wasSuspended } from './errors.ts';
import { fingerprint } from './fingerprint.ts';
import { done, type IntentData } from './intent.ts';
import type { Matching } from './matching.ts';
import type { Present } from './present.ts';
import { GUARD_MS, QUIET_AFTER_SEND_MS } from './timing.ts';

/** A create for a claimed external id. */
interface Claimed {
  readonly attempt: Attempt;
  readonly request: CreateRequest;
  /** The attempt's call, limited by leases. */
  readonly call: Call;
}

/** A create that is in flight or has just ended. */
interface Sending extends Claimed {
  /** A customer with this id existed before, so finding it afterwards does not prove that the write ran. */
  readonly writesOver: boolean;
  /** Similar customers that existed before. */
  readonly excludedIds: readonly string[];
  /** Resolves when similar creates can see this one. */
  readonly remembered?: Promise<void>;
}

interface Delivered extends CreateResult {
  /** The create was sent before, here or in an earlier attempt, and may have run then. */
  readonly again: boolean;
}

interface SenderParts {
  readonly attempts: Attempts;
  readonly matching: Matching;
  readonly present: Present;
}

/** Sends the create of a claimed external id once, and records its result. */
export class Sender {
  readonly #attempts: Attempts;
  readonly #matching: Matching;
  readonly #present: Present;

  constructor({ attempts, matching, present }: SenderParts) {
    this.#attempts = attempts;
    this.#matching = matching;
    this.#present = present;
  }

  /**
   * @throws CustomerError `conflict`, `in_progress`, `outcome_unknown`, `store_unavailable`, or whatever the provider answered.
   */
  async send(sending: Sending): Promise<CreateAnswer> {
    const { attempt, request, excludedIds, remembered } = sending;
    const { salt, customerId } = attempt.claimed.data;
    const data = {
      ...this.record(salt, request),
      externalId: attempt.externalId,
      ...(excludedIds.length > 0 && { excludedIds }),
      ...(customerId !== undefined && { customerId }),
    };
    await Promise.all([attempt.markSent(data), remembered]);
    const sent = { times: 0 };
    let accepted: Delivered;
    try {
      accepted = await this.#deliver(sending, sent);
    } catch (error) {
      return isUnknown(error) ? this.#lost(sending, error) : this.#refused(sending, error, sent.times > 1);
    }
    return this.#accepted(sending, accepted);
  }

  /** Records the customer that was found, and then compares it with the request. */
  async useExisting({ attempt, request, call }: Claimed, customer: ProviderCustomer): Promise<CreateAnswer> {
    const to = this.#matching.found(attempt.data, customer);
    const { externalId } = attempt;
    let warnings: readonly string[];
    try {
      warnings = await this.#attempts.runExclusiveForCustomer({ customerId: customer.id, externalId }, call, () =>
        attempt.finish(to),
      );
    } catch (error) {
      if (attempt.data.sentAt === undefined) await attempt.release();
      else await attempt.finish({ state: 'UNKNOWN', data: attempt.data, leaseMs: 0 });
      throw error;
    }
    const answer = await this.#present.answer({ data: to.data, request, customer }, call);
    return { ...answer, warnings: [...warnings, ...answer.warnings] };
  }

  /** The record of a create that is about to be sent. */
  record(salt: string, { fields }: CreateRequest) {
    return { salt, fingerprint: fingerprint(salt, fields), sentAt: this.#attempts.account.clock.now() };
  }

  async #deliver({ attempt, request, call, writesOver }: Sending, sent: { times: number }): Promise<Delivered> {
    const { provider, clock } = this.#attempts.account;
    const { createUpserts, overwriteField } = provider.traits;
    // Only a customer that was found may be overwritten; for one that appears after the search, the provider refuses the
    // create.
    const overwrites = writesOver && overwriteField !== undefined && { [overwriteField]: true };
    const document = { ...request.document, ...overwrites };
    if (clock.now() - (attempt.data.sentAt ?? 0) > GUARD_MS) throw wasSuspended();
    const limited = this.#attempts.uncancellable(call);
    const send = (): Promise<CreateResult> => {
      sent.times += 1;
      return provider.createCustomer(document, limited);
    };
    // With `createUpserts`, the provider guarantees that a repeated create makes one customer.
    const result = createUpserts ? await sendUpsert(send, limited, clock) : await send();
    return { ...result, again: sent.times > 1 || attempt.claimed.state === 'UNKNOWN' };
  }

  async #accepted(sending: Sending, result: Delivered): Promise<CreateAnswer> {
    const { attempt, request, writesOver } = sending;
    const { provider } = this.#attempts.account;
    const { createUpserts, externalIdField } = provider.traits;
    const { customer } = result;
    // The provider returned the existing customer: it neither refuses a known code nor overwrites the customer.
    const asBefore = result.existed && customer && !createUpserts && !writesOver ? customer : undefined;
    if (customer && this.#matching.contradicts(asBefore ? { ...request, fields: {} } : request, customer)) {
      await attempt.finish({ state: 'UNKNOWN', data: attempt.data, leaseMs: 0 });
      throw aboutAnother(provider, attempt.externalId);
    }
    if (asBefore) return this.useExisting(sending, asBefore);

    const { lost, warnings } = await this.#recordCreated(sending, customer);
    const answer = created(provider.title, result, lost);
    const appeared = createUpserts && result.existed && !result.again;
    const met = `A customer with this ${externalIdField} was created moments earlier; this create updated it; the changes are unknown.`;
    return {
      ...answer,
      outcome: writesOver || appeared ? 'updated' : 'created',
      warnings: [...warnings, ...answer.warnings, ...(appeared ? [met] : [])],
    };
  }

  /** Records the customer in the answer, or the one that is found if the answer contains none. */
  async #recordCreated(
    { attempt, request, call }: Sending,
    customer: ProviderCustomer | undefined,
  ): Promise<{ readonly lost: ProviderCustomer | undefined; readonly warnings: readonly string[] }> {
    const { data, externalId } = attempt;
    if (customer) return { lost: undefined, warnings: await attempt.finish(done(data, customer.id)) };
    const lost = await this.#matching.findSingle(data, request.fields, call);
    const committed: IntentData = { ...data, committed: true };
    const unknown = () => attempt.finish({ state: 'UNKNOWN', data: committed, leaseMs: 0 });
    if (!lost) return { lost, warnings: await unknown() };
    const record = () => attempt.finish(done(data, lost.id));
    try {
      const warnings = await this.#attempts.runExclusiveForCustomer({ customerId: lost.id, externalId }, call, record);
      return { lost, warnings };
    } catch {
      return { lost: undefined, warnings: await unknown() };
    }
  }

  /** Handles a lost answer: the customer may still be found. */
  async #lost(sending: Sending, error: unknown): Promise<CreateAnswer> {
    const { attempt, request, call, writesOver } = sending;
    const { data } = attempt;
    const found =
      error instanceof CustomerError ? await this.#matching.findSingle(data, request.fields, call) : undefined;
    if (!found || (writesOver && !this.#matching.matches(data, found))) {
      await attempt.finish({ state: 'UNKNOWN', data, leaseMs: 0 });
      throw error instanceof CustomerError
        ? stillUnknown(this.#attempts.account.provider, data, QUIET_AFTER_SEND_MS)
        : error;
    }
    const answer = await this.useExisting(sending, found);
    if (writesOver) return { ...answer, outcome: 'updated' };
    return this.#matching.matches(data, found) ? { ...answer, outcome: 'created' } : answer;
  }

  /**
   * Handles a create that was refused or never sent: the row is restored. If only the repeat was refused, the first send counts as
   * unknown until a search can show whether it ran.
   */
  async #refused(
    { attempt, request, call, writesOver }: Sending,
    error: unknown,
    again: boolean,
  ): Promise<CreateAnswer> {
    const { ids } = this.#attempts.account;
    const { data, externalId } = attempt;
    if (again) await attempt.finish({ state: 'UNKNOWN', data, leaseMs: 0 });
    else await attempt.release();
    const mayExist = error instanceof CustomerError && (error.kind === 'conflict' || error.kind === 'invalid_input');
    if (!mayExist || writesOver) throw error;
    // If the provider refuses a code because it is in use, the customer exists.
    const duplicate = await this.#matching.findByExternalId(externalId, call).catch(() => undefined);
    if (!duplicate) throw error;
    await ids.remember(externalId, duplicate.id);
    return this.#present.answer({ data: { ...data, fingerprint: {} }, request, customer: duplicate }, call);
  }
}

/** The answer for a customer that the provider has just created. */
export function created(title: string, accepted: CreateResult, lost: ProviderCustomer | undefined): CreateAnswer {
  const customer = accepted.customer ?? lost;
  const warning = [
    `${title} accepted the customer, but its answer has no id.`,
    { tool: 'search_customer', text: 'Find it with search_customer.' },
    'Do not create it again.',
  ];
  return {
    outcome: 'created',
    customer,
    document: customer?.document ?? accepted.document,
    warnings: customer ? [] : [warning],
  };
}

/** Whether a write may have run despite this error. An error other than `CustomerError` is a bug and proves nothing. */
function isUnknown(error: unknown): boolean {
  return !(error instanceof CustomerError) || error.kind === 'outcome_unknown';
}
