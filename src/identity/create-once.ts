import { createHash } from 'node:crypto';
import { CustomerError } from '../errors.ts';
import type { Call } from '../http-client.ts';
import type { Accepted, Fields, Provider, ProviderCustomer } from '../providers/provider.ts';
import { identityKey, type IdMap } from './id-map.ts';
import type { Advance, Intent, IntentData, Ledger } from './ledger.ts';

/** Everything that chance and time decide, so that a simulation can decide it instead. */
export interface Surroundings {
  /** This machine's clock, ms since 1970. */
  now(): number;
  /** Its monotonic clock, ms; what `Call.deadline` is a reading of. */
  elapsed(): number;
  sleep(ms: number): Promise<void>;
  random(): number;
  uuid(): string;
}

export interface CreateRequest {
  readonly externalId: string | undefined;
  /** What is sent. */
  readonly document: Fields;
  /** The part of it that describes the customer, by which two creates are compared. */
  readonly fields: Fields;
  /** Create even though another customer looks the same. */
  readonly allowDuplicate: boolean;
  /** Write over the customer that is there (Notify's own `Overwrite`). */
  readonly overwrite: boolean;
  /** A person has decided that the lost create is to be sent again. */
  readonly resend: boolean;
}

export interface CreateAnswer {
  readonly outcome: 'created' | 'updated' | 'existing';
  readonly customer: ProviderCustomer | undefined;
  /** The provider's document; what there is of it when `customer` is missing. */
  readonly document: Fields;
  readonly warnings: readonly string[];
}

/** From sending to a complete answer, at most; the server's budget of a call may be shorter. */
export const SEND_MS = 12_000;
/** A lease outlives the send that it covers by this much, so that nobody takes over while an answer may still come. */
export const LEASE_MARGIN_MS = 3_000;
export const LEASE_MS = SEND_MS + LEASE_MARGIN_MS;
/** A process that was stopped for longer than this between recording the send and sending does not send. */
export const GUARD_MS = 2_000;
/** How long after a send "not found" still proves nothing: the provider may be slow to finish, or to show it. */
export const SETTLE_MS = 120_000;
/** How long a create waits for the same create elsewhere. */
export const WAIT_MS = 10_000;
/** How far the provider's clock may be behind ours. */
const SKEW_MS = 10_000;
/** Kept free at the end of a call for recording what happened. */
const RESERVE_MS = 750;

/**
 * Creates a customer at most once per external id, whatever crashes.
 *
 * The ledger's row is claimed before anything is sent and says `SENT` before the first byte leaves, so a create that was
 * interrupted at any point is found in the ledger and looked for at the provider; it is never sent again blindly.
 */
export class CreateOnce {
  readonly #provider: Provider;
  readonly #ledger: Ledger;
  readonly #ids: IdMap;
  readonly #around: Surroundings;
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(provider: Provider, ledger: Ledger, ids: IdMap, around: Surroundings) {
    this.#provider = provider;
    this.#ledger = ledger;
    this.#ids = ids;
    this.#around = around;
  }

  /**
   * @throws CustomerError `conflict`, `possible_duplicate`, `in_progress`, `outcome_unknown`, `store_unavailable`, or whatever
   * the provider answered.
   */
  async create(request: CreateRequest, call: Call): Promise<CreateAnswer> {
    const { externalId } = request;
    if (externalId !== undefined)
      return this.#inTurn(identityKey(this.#provider, externalId), call, () =>
        this.#withLedger(externalId, request, call),
      );
    return this.#inTurnBySimilarity(request, call, async () => {
      await this.#refuseSimilar(request, call);
      const startedAt = this.#around.now();
      const accepted = await this.#provider.createCustomer(request.document, this.#seenThrough(call));
      return this.#answerCreated(
        accepted,
        accepted.customer ? undefined : await this.#justCreated(request, startedAt, call),
      );
    });
  }

  /** Ties an external id to a customer that exists (`link_customer`). */
  async link(externalId: string, customer: ProviderCustomer, call: Call): Promise<'linked' | 'already_linked'> {
    const key = identityKey(this.#provider, externalId);
    return this.#inTurn(key, call, async () => {
      const claim = await this.#claim(key, externalId, false, call);
      const { intent } = claim;
      if (claim.kind === 'settled' && intent.state === 'DONE') {
        if (intent.data.remoteId === customer.id) return 'already_linked';
        const other = await this.#stillThere(intent, call);
        if (other) {
          throw new CustomerError(
            'conflict',
            `${JSON.stringify(externalId)} is tied to the customer ${other.id} already. Use another external_id, or work with that customer.`,
            { customer_id: other.id },
          );
        }
      }
      const done = await this.#ledger.advance(intent, {
        state: 'DONE',
        data: { ...intent.data, remoteId: customer.id },
        leaseMs: 0,
      });
      if (!done) throw this.#inProgress(externalId, 1_000);
      await this.#ids.remember(externalId, customer.id);
      return 'linked';
    });
  }

  /** The customer of an external id was deleted: the id is free again. */
  async release(externalId: string): Promise<void> {
    await this.#ids.forget(externalId);
    try {
      const intent = await this.#ledger.get(identityKey(this.#provider, externalId));
      if (intent?.state === 'DONE')
        await this.#ledger.advance(intent, { state: 'GONE', data: intent.data, leaseMs: 0 });
    } catch {
      // The next create with this external id finds out by itself.
    }
  }

  async #withLedger(externalId: string, request: CreateRequest, call: Call): Promise<CreateAnswer> {
    const key = identityKey(this.#provider, externalId);
    const sendsAgain = this.#provider.traits.createUpserts || request.overwrite;
    for (;;) {
      const { kind, intent } = await this.#claim(key, externalId, sendsAgain, call);
      if (kind === 'settled') {
        if (intent.state === 'CONFLICT') throw await this.#conflictOfMany(intent, request, call);
        const customer = await this.#stillThere(intent, call);
        if (customer) return this.#existing(intent.data, request, customer);
        await this.#ledger.advance(intent, { state: 'GONE', data: intent.data, leaseMs: 0 });
        continue;
      }
      const unsure = intent.state === 'UNSURE' && !this.#provider.traits.createUpserts;
      const settled = unsure ? await this.#resolve(intent, request, call) : undefined;
      return settled ?? this.#inTurnBySimilarity(request, call, () => this.#probeAndSend(intent, request, call));
    }
  }

  /** A claim, waited for while somebody else holds it. */
  async #claim(key: string, externalId: string, reopen: boolean, call: Call) {
    const giveUpAt = Math.min(this.#around.elapsed() + WAIT_MS, call.deadline - RESERVE_MS);
    const options = {
      owner: this.#around.uuid(),
      leaseMs: LEASE_MS,
      data: { op: this.#around.uuid(), externalId, fields: {} },
      reopen,
    };
    for (;;) {
      const claim = await this.#ledger.claim(key, options);
      if (claim.kind !== 'busy') return claim;
      const pause = Math.min(claim.retryInMs, 50 + this.#around.random() * 150);
      if (call.signal.aborted || this.#around.elapsed() + pause > giveUpAt)
        throw this.#inProgress(externalId, claim.retryInMs);
      await this.#around.sleep(pause);
    }
  }

  /** An identity whose create may have happened: look for the customer. `undefined`: sending is safe now. */
  async #resolve(intent: Intent, request: CreateRequest, call: Call): Promise<CreateAnswer | undefined> {
    const found = await this.#restoreOnError(intent, () => this.#search(intent.data, request.fields, call));
    const [only, ...others] = found;
    if (only && request.overwrite) return undefined;
    if (only && others.length === 0) {
      const data = { ...intent.data, remoteId: only.id };
      await this.#record(intent, { state: 'DONE', data, leaseMs: 0 }, only.id);
      return this.#existing(data, request, await this.#complete(only, call));
    }
    if (only) {
      await this.#ledger.advance(intent, { state: 'CONFLICT', data: intent.data, leaseMs: 0 });
      throw this.#tooMany(intent.data.externalId, found);
    }
    if (request.resend) return undefined;
    const waitMs = (intent.data.sentAt ?? 0) + SETTLE_MS - this.#around.now();
    if (this.#provider.findByExternalId && !intent.data.committed && waitMs <= 0) return undefined;
    await this.#ledger.advance(intent, { state: 'UNSURE', data: intent.data, leaseMs: 0 });
    throw this.#stillUnknown(intent.data, waitMs);
  }

  async #probeAndSend(claimed: Intent, request: CreateRequest, call: Call): Promise<CreateAnswer> {
    const { createUpserts } = this.#provider.traits;
    // Where a create writes over what is there, finding the customer afterwards does not prove that it was written.
    let writesOver = createUpserts || claimed.state === 'DONE';
    if (!writesOver) {
      const twin = await this.#restoreOnError(claimed, async () => {
        await this.#refuseSimilar(request, call);
        return this.#provider.findByExternalId?.(claimed.data.externalId, call);
      });
      if (twin && !request.overwrite) {
        const data = { ...claimed.data, remoteId: twin.id };
        await this.#record(claimed, { state: 'DONE', data, leaseMs: 0 }, twin.id);
        return this.#existing(data, request, await this.#complete(twin, call));
      }
      writesOver = twin !== undefined;
    }

    const sentAt = this.#around.now();
    const { committed: _, ...kept } = claimed.data;
    const data: IntentData = { ...kept, fields: hashes(kept.op, request.fields), sentAt };
    if (!(await this.#ledger.advance(claimed, { state: 'SENT', data, leaseMs: LEASE_MS })))
      throw this.#inProgress(kept.externalId, 1_000);
    const sent: Intent = { ...claimed, state: 'SENT', data };

    const sending = this.#seenThrough(call);
    for (let attempt = 1; ; attempt += 1) {
      try {
        if (this.#around.now() - sentAt > GUARD_MS && attempt === 1) {
          throw new CustomerError('unavailable', 'This machine was held up, so nothing was sent. Call again.');
        }
        const accepted = await this.#provider.createCustomer(request.document, sending);
        if (!accepted.customer) return await this.#acceptedWithoutId(sent, request, accepted, call);
        const { id } = accepted.customer;
        const warnings = await this.#record(sent, { state: 'DONE', data: { ...data, remoteId: id }, leaseMs: 0 }, id);
        const answer = this.#answerCreated(accepted, undefined);
        return {
          ...answer,
          outcome: !createUpserts && writesOver ? 'updated' : answer.outcome,
          warnings: [...warnings, ...answer.warnings],
        };
      } catch (error) {
        // Layer promises that a create may be repeated: "This endpoint is idempotent using the external_id field."
        const again = createUpserts && isUnknown(error) && attempt < 2 && this.#around.elapsed() < sending.deadline;
        if (!again) return this.#notAccepted(sent, request, error, writesOver, call);
      }
    }
  }

  async #acceptedWithoutId(
    sent: Intent,
    request: CreateRequest,
    accepted: Accepted,
    call: Call,
  ): Promise<CreateAnswer> {
    const data = { ...sent.data, committed: true };
    await this.#ledger.advance(sent, { state: 'UNSURE', data, leaseMs: LEASE_MARGIN_MS }).catch(() => false);
    const [only, ...others] = await this.#search(data, request.fields, call).catch(() => []);
    const lost = only && others.length === 0 ? await this.#complete(only, call).catch(() => only) : undefined;
    const to: Advance = lost
      ? { state: 'DONE', data: { ...data, remoteId: lost.id }, leaseMs: 0 }
      : { state: 'UNSURE', data, leaseMs: 0 };
    const warnings = await this.#record({ ...sent, state: 'UNSURE' }, to, lost?.id);
    const answer = this.#answerCreated(accepted, lost);
    return { ...answer, warnings: [...warnings, ...answer.warnings] };
  }

  /** The create was refused, or nobody knows whether it was carried out. */
  async #notAccepted(
    sent: Intent,
    request: CreateRequest,
    error: unknown,
    writesOver: boolean,
    call: Call,
  ): Promise<CreateAnswer> {
    const { data } = sent;
    if (error instanceof CustomerError && !isUnknown(error)) {
      await this.#ledger
        .advance(sent, { state: data.remoteId === undefined ? 'GONE' : 'DONE', data, leaseMs: 0 })
        .catch(() => false);
      return this.#refusedAsTwin(request, error, call);
    }
    await this.#ledger.advance(sent, { state: 'UNSURE', data, leaseMs: LEASE_MARGIN_MS }).catch(() => false);
    const unsure: Intent = { ...sent, state: 'UNSURE' };
    const [only, ...others] = await this.#search(data, request.fields, call).catch(() => []);
    const customer = only && others.length === 0 ? await this.#complete(only, call).catch(() => only) : undefined;
    if (!customer || (writesOver && !this.#matches(data, customer))) {
      await this.#ledger.advance(unsure, { state: 'UNSURE', data, leaseMs: 0 }).catch(() => false);
      throw error instanceof CustomerError ? this.#stillUnknown(data, SETTLE_MS) : error;
    }
    const warnings = await this.#record(
      unsure,
      { state: 'DONE', data: { ...data, remoteId: customer.id }, leaseMs: 0 },
      customer.id,
    );
    return { outcome: writesOver ? 'updated' : 'created', customer, document: customer.document, warnings };
  }

  /** A provider that refuses a code that is taken has answered the question: the customer is there. */
  async #refusedAsTwin(request: CreateRequest, error: CustomerError, call: Call): Promise<CreateAnswer> {
    const { externalId } = request;
    const mayBeTwin = error.kind === 'conflict' || error.kind === 'invalid_input';
    if (!mayBeTwin || externalId === undefined || this.#provider.traits.createUpserts) throw error;
    const twin = await this.#provider.findByExternalId?.(externalId, call).catch(() => undefined);
    if (!twin) throw error;
    await this.#ids.remember(externalId, twin.id);
    return this.#existing({ op: '', externalId, fields: {} }, request, await this.#complete(twin, call));
  }

  async #refuseSimilar({ document, allowDuplicate, externalId }: CreateRequest, call: Call): Promise<void> {
    if (allowDuplicate || !this.#provider.findSimilar) return;
    const similar = await this.#provider.findSimilar(document, call);
    if (similar.length === 0) return;
    const tie = externalId === undefined ? '' : ' If it is the same customer, tie it with link_customer.';
    throw new CustomerError(
      'possible_duplicate',
      `${this.#provider.title} has ${similar.length === 1 ? 'a customer' : `${similar.length} customers`} with this email already; nothing was created.${tie} If it is another customer, call again with allow_duplicate: true.`,
      { candidates: similar.map(candidate) },
    );
  }

  /** What a lost create may have left at the provider. */
  async #search(data: IntentData, fields: Fields, call: Call): Promise<readonly ProviderCustomer[]> {
    if (this.#provider.findByExternalId) {
      const found = await this.#provider.findByExternalId(data.externalId, call);
      return found ? [found] : [];
    }
    const since = (data.sentAt ?? 0) - SKEW_MS;
    // The email finds it in one page; another document's email would not, so then everything new is looked at.
    const sameFields = JSON.stringify(hashes(data.op, fields)) === JSON.stringify(data.fields);
    const nearby = sameFields
      ? await this.#provider.findSimilar?.(fields, call)
      : await this.#provider.findCreatedSince?.(since, call);
    return (nearby ?? []).filter(
      (one) => one.state === 'active' && (one.createdAt ?? since) >= since && this.#matches(data, one),
    );
  }

  /** Whether a customer shows every field that was sent. */
  #matches(data: IntentData, customer: ProviderCustomer): boolean {
    const present = hashes(data.op, this.#provider.fieldsOf(customer));
    return Object.entries(data.fields).every(([field, hash]) => present[field] === hash);
  }

  /** Without an external id: the customer whose accepting answer held no id. Best effort, for the create itself is done. */
  async #justCreated({ fields }: CreateRequest, sentAt: number, call: Call): Promise<ProviderCustomer | undefined> {
    if (this.#provider.findByExternalId) return undefined;
    const op = this.#around.uuid();
    const found = await this.#search({ op, externalId: '', fields: hashes(op, fields), sentAt }, fields, call).catch(
      () => [],
    );
    return found.length === 1 ? found[0] : undefined;
  }

  /** The recorded customer, unless it is deleted or not found any more. */
  async #stillThere(intent: Intent, call: Call): Promise<ProviderCustomer | undefined> {
    if (intent.data.remoteId === undefined) return undefined;
    try {
      const customer = await this.#provider.getCustomer(intent.data.remoteId, call);
      return customer.state === 'deleted' ? undefined : customer;
    } catch (error) {
      if (error instanceof CustomerError && error.kind === 'not_found') return undefined;
      throw error;
    }
  }

  /** Same fields: the same customer. A field differs when it is neither what is there now nor what was sent then. */
  #existing(data: IntentData, { fields, externalId }: CreateRequest, customer: ProviderCustomer): CreateAnswer {
    const wanted = hashes(data.op, fields);
    const present = hashes(data.op, this.#provider.fieldsOf(customer));
    const differing = Object.keys(wanted).filter(
      (field) => wanted[field] !== data.fields[field] && wanted[field] !== present[field],
    );
    if (differing.length > 0) {
      throw new CustomerError(
        'conflict',
        `The ${this.#provider.traits.externalIdField} ${JSON.stringify(externalId)} belongs to the customer ${customer.id}, which differs in ${differing.join(', ')}. Nothing was changed. Use update_customer to change it, or another ${this.#provider.traits.externalIdField} for another customer.`,
        {
          customer_id: customer.id,
          fields: differing.map((field) => ({ path: field, message: 'differs from the existing customer' })),
        },
      );
    }
    return { outcome: 'existing', customer, document: customer.document, warnings: [] };
  }

  #answerCreated(accepted: Accepted, lost: ProviderCustomer | undefined): CreateAnswer {
    const customer = accepted.customer ?? lost;
    const { title } = this.#provider;
    return {
      outcome: accepted.existed ? 'updated' : 'created',
      customer,
      document: customer?.document ?? accepted.document,
      warnings: customer
        ? []
        : [
            `${title} accepted the customer, but its answer has no id. Find it with search_customer; do not create it again.`,
          ],
    };
  }

  /** The document of a customer of which the look-up gave only the ids. */
  async #complete(customer: ProviderCustomer, call: Call): Promise<ProviderCustomer> {
    return customer.partial ? this.#provider.getCustomer(customer.id, call) : customer;
  }

  /**
   * Records what the provider did. It did it whatever becomes of the record, so a failure here is a warning. Somebody who took
   * the row over in the meantime is offered our id.
   */
  async #record(intent: Intent, to: Advance, id: string | undefined): Promise<readonly string[]> {
    if (id !== undefined) await this.#ids.remember(to.data.externalId, id);
    try {
      if (await this.#ledger.advance(intent, to)) return [];
      const now = await this.#ledger.get(intent.key);
      if (now?.state === 'UNSURE' && to.state === 'DONE')
        await this.#ledger.advance(now, { ...to, data: { ...now.data, remoteId: to.data.remoteId ?? '' } });
      return [];
    } catch {
      return [
        `The store could not record that ${JSON.stringify(to.data.externalId)} is ${id ?? 'created'}; the next call with it looks the customer up again.`,
      ];
    }
  }

  /** An error while looking gives the row up as it was; one that never sent anything leaves the identity free. */
  async #restoreOnError<T>(intent: Intent, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const state = intent.state === 'PENDING' ? 'GONE' : intent.state;
      await this.#ledger.advance(intent, { state, data: intent.data, leaseMs: 0 }).catch(() => false);
      throw error;
    }
  }

  /** Where only a look for similar customers protects, two creates of the same one must not look at the same time. */
  async #inTurnBySimilarity<T>(
    { document, allowDuplicate }: CreateRequest,
    call: Call,
    work: () => Promise<T>,
  ): Promise<T> {
    if (!this.#provider.findSimilar || allowDuplicate) return work();
    return this.#inTurn(`similar/${String(document['email']).toLowerCase()}`, call, work);
  }

  /** The call for a create: not to be cancelled any more, within its lease, and with time left to record the end. */
  #seenThrough(call: Call): Call {
    const deadline = Math.min(call.deadline - RESERVE_MS, this.#around.elapsed() + SEND_MS);
    return { signal: new AbortController().signal, deadline };
  }

  /** One after the other within this process; other processes are kept apart by the claim. */
  async #inTurn<T>(key: string, call: Call, work: () => Promise<T>): Promise<T> {
    const before = this.#queues.get(key) ?? Promise.resolve();
    const turn = before
      .catch(() => {})
      .then(() => {
        if (this.#around.elapsed() + RESERVE_MS >= call.deadline || call.signal.aborted)
          throw this.#inProgress(undefined, 1_000);
        return work();
      });
    this.#queues.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#queues.get(key) === turn) this.#queues.delete(key);
    }
  }

  async #conflictOfMany(intent: Intent, request: CreateRequest, call: Call): Promise<CustomerError> {
    return this.#tooMany(intent.data.externalId, await this.#search(intent.data, request.fields, call).catch(() => []));
  }

  #tooMany(externalId: string, found: readonly ProviderCustomer[]): CustomerError {
    return new CustomerError(
      'conflict',
      `Several ${this.#provider.title} customers may be ${JSON.stringify(externalId)}. Have a person decide, then tie the right one with link_customer.`,
      { candidates: found.map(candidate) },
    );
  }

  #inProgress(externalId: string | undefined, retryInMs: number): CustomerError {
    const of = externalId === undefined ? 'customer' : `customer ${JSON.stringify(externalId)}`;
    return new CustomerError(
      'in_progress',
      `The same ${of} is being created at this moment. Call again with the same input in a few seconds; it will not be created twice.`,
      {
        retry_after_s: Math.max(1, Math.ceil(retryInMs / 1_000)),
      },
    );
  }

  #stillUnknown({ externalId, committed }: IntentData, waitMs: number): CustomerError {
    const { title, traits, findByExternalId } = this.#provider;
    const what = committed
      ? `${title} accepted the customer ${JSON.stringify(externalId)}, but it cannot be found yet`
      : `It is not known whether ${title} created the customer ${JSON.stringify(externalId)}`;
    const again = `Call create_customer again with the same ${traits.externalIdField} and fields: it looks for the customer and does not create a second one.`;
    const person = findByExternalId
      ? ''
      : ' If it stays unknown, a person can check in DayZero: link_customer ties it when it is there, create_customer with resend: true sends it again when it is not.'.replace(
          'DayZero',
          title,
        );
    return new CustomerError('outcome_unknown', `${what}. ${again}${person}`, {
      external_id: externalId,
      ...(waitMs > 0 && findByExternalId && { retry_after_s: Math.ceil(waitMs / 1_000) }),
    });
  }
}

/** Whether a write may have happened in spite of this error. An error that is not ours is a bug, and says nothing. */
function isUnknown(error: unknown): boolean {
  return !(error instanceof CustomerError) || error.kind === 'outcome_unknown';
}

function candidate({ id, document }: ProviderCustomer): { customer_id: string; customer: Fields } {
  return { customer_id: id, customer: document };
}

function hashes(salt: string, fields: Fields): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([field, value]): [string, string] => [
        field,
        createHash('sha256')
          .update(`${salt}\n${field}\n${canonical(value)}`)
          .digest('base64url')
          .slice(0, 22),
      ])
      .sort(([a], [b]) => a.localeCompare(b)),
  );
}

function canonical(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value.normalize('NFC').trim()) : JSON.stringify(value);
}
