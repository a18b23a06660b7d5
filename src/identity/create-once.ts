import { CustomerError } from '../errors.ts';
import type { Call } from '../http-client.ts';
import type { Accepted, Fields, Provider, ProviderCustomer } from '../providers/provider.ts';
import { Turns } from '../turns.ts';
import { covers, fingerprint, same } from './fingerprint.ts';
import { accountPrefix, identityKey, type IdMap } from './id-map.ts';
import type { Advance, Claim, Intent, IntentData, Ledger } from './ledger.ts';
import { differs, inProgress, looksTheSame, severalMayBeIt, stillUnknown, tiedElsewhere } from './refusals.ts';

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
const LEASE_MARGIN_MS = 3_000;
export const LEASE_MS = SEND_MS + LEASE_MARGIN_MS;
/** A process that was stopped for longer than this between recording the send and sending does not send. */
const GUARD_MS = 2_000;
/** How long after a send "not found" still proves nothing: the provider may be slow to finish, or to show it. */
export const SETTLE_MS = 120_000;
/** How long a create waits for the same create elsewhere. */
const WAIT_MS = 10_000;
/** How far the provider's clock may be behind ours. */
export const SKEW_MS = 10_000;
/** Kept free at the end of a call for recording what happened. */
const RESERVE_MS = 750;
/** Pauses of the reconciler between two looks at the same identity. */
const FIRST_CHECK_MS = 60_000;
const LAST_CHECK_MS = 3_600_000;
/** After so many looks, half a day in all, a create that may be sent again is taken for one that never ran. */
const MOST_CHECKS = 16;

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
  readonly #turns = new Turns();
  /** Sends of this process that the store may have recorded, but that never were made. */
  readonly #neverSent = new Set<string>();

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
    if (externalId === undefined)
      return this.#inTurnBySimilarity(request, call, () => this.#createUnkeyed(request, call));
    return this.#inTurn(this.#key(externalId), call, () => this.#createKeyed(externalId, request, call));
  }

  /** The customer of a create that is on record with the very same fields, if it is still there: nothing need be sent for it. */
  async onRecord({ externalId, fields }: CreateRequest, call: Call): Promise<CreateAnswer | undefined> {
    const intent = externalId === undefined ? undefined : await this.#ledger.get(this.#key(externalId));
    if (intent?.state !== 'DONE' || !same(fingerprint(intent.data.op, fields), intent.data.fields)) return undefined;
    const customer = await this.#stillThere(intent.data, call);
    return customer && { outcome: 'existing', customer, document: customer.document, warnings: [] };
  }

  /** Ties an external id to a customer that exists (`link_customer`), whatever became of an earlier create with that id. */
  async link(externalId: string, customer: ProviderCustomer, call: Call): Promise<'linked' | 'already_linked'> {
    if (customer.state === 'deleted') {
      throw new CustomerError(
        'not_found',
        `The customer ${customer.id} is deleted, so it was not linked. Use search_customer to find another.`,
      );
    }
    return this.#inTurn(this.#key(externalId), call, async () => {
      // Owned even when it is done: whoever found the old customer gone must not free what is tied here.
      const { intent } = await this.#claim(externalId, true, call);
      const before = intent.state === 'DONE' ? intent.data.remoteId : undefined;
      if (before !== undefined && before !== customer.id) {
        await this.#restoreOnError(intent, async () => {
          const other = await this.#stillThere(intent.data, call);
          if (other) throw tiedElsewhere(externalId, other);
        });
      }
      // What was sent under this id before says nothing about the customer that it is tied to now.
      const data = { ...intent.data, fields: {}, remoteId: customer.id };
      if (!(await this.#ledger.advance(intent, { state: 'DONE', data, leaseMs: 0 })))
        throw inProgress(externalId, 1_000);
      await this.#ids.remember(externalId, customer.id);
      return before === customer.id ? 'already_linked' : 'linked';
    });
  }

  /**
   * A customer was deleted: its external id is free again. By now the id may be another customer's, which a create made as soon
   * as this one was gone; then it stays with that one.
   */
  async release(externalId: string, customerId: string): Promise<void> {
    await this.#ids.forget(externalId);
    try {
      const intent = await this.#ledger.get(this.#key(externalId));
      if (intent?.state === 'DONE' && intent.data.remoteId === customerId)
        await this.#ledger.advance(intent, { state: 'GONE', data: intent.data, leaseMs: 0 });
    } catch {
      // The next create with this external id finds out by itself.
    }
  }

  /** Open identities of this account that nobody works on and that are due for a look, now or within so many ms. */
  async open(limit: number, withinMs = 0): Promise<readonly Intent[]> {
    return this.#ledger.due(accountPrefix(this.#provider), limit, withinMs);
  }

  /**
   * Looks at one open identity without anybody asking for its customer, and settles it if that is possible. Sends nothing.
   * @returns where it stands now, or `undefined` when somebody else is at work on it.
   */
  async settle({ data: { externalId } }: Intent, call: Call): Promise<Intent | undefined> {
    return this.#inTurn(this.#key(externalId), call, async () => {
      const claim = await this.#ledger.claim(this.#key(externalId), this.#claimOptions(externalId, false));
      if (claim.kind !== 'owned') return claim.kind === 'settled' ? claim.intent : undefined;
      const { intent } = claim;
      const to =
        intent.state === 'PENDING'
          ? free(intent.data)
          : await this.#restoreOnError(intent, () => this.#judge(intent.data, call));
      const { remoteId } = to.data;
      if (!(await this.#ledger.advance(intent, to))) return undefined;
      if (to.state === 'DONE' && remoteId !== undefined) await this.#ids.remember(externalId, remoteId);
      return { ...intent, state: to.state, data: to.data };
    });
  }

  /** What a search says about a create of which nobody knows whether it happened. */
  async #judge(data: IntentData, call: Call): Promise<Advance> {
    const [only, ...others] = await this.#search(data, undefined, call);
    if (only && others.length > 0) return { state: 'CONFLICT', data, leaseMs: 0 };
    if (only) return this.#found(data, only);
    const checks = (data.checks ?? 0) + 1;
    // Nobody is waiting, so nothing is gained by giving up early, and a late commit would be nobody's.
    const hopeless = checks > MOST_CHECKS && this.#mayBeSentAgain(data);
    if (hopeless || this.#neverSent.has(sendOf(data))) return free(data);
    const checkInMs = Math.min(FIRST_CHECK_MS * 2 ** (checks - 1), LAST_CHECK_MS) * (0.9 + this.#around.random() * 0.2);
    return { state: 'UNSURE', data: { ...data, checks }, leaseMs: 0, checkInMs };
  }

  /** Without a key of the caller's there is nothing to recognise a repeat by; only the look for similar ones protects. */
  async #createUnkeyed(request: CreateRequest, call: Call): Promise<CreateAnswer> {
    const before = await this.#lookForSimilar(request, call);
    const op = this.#around.uuid();
    const data = { op, externalId: '', fields: fingerprint(op, request.fields), sentAt: this.#around.now(), before };
    const accepted = await this.#provider.createCustomer(request.document, this.#seenThrough(call));
    const searches = !accepted.customer && !this.#provider.findByExternalId;
    // Without a key there is nothing that it could have written over.
    const answer = this.#created(accepted, searches ? await this.#theOne(data, request, call) : undefined);
    return { ...answer, outcome: 'created' };
  }

  async #createKeyed(externalId: string, request: CreateRequest, call: Call): Promise<CreateAnswer> {
    const { createUpserts } = this.#provider.traits;
    for (;;) {
      const { kind, intent } = await this.#claim(externalId, createUpserts || request.overwrite, call);
      if (kind === 'owned') {
        const settled =
          intent.state === 'UNSURE' && !createUpserts ? await this.#resolve(intent, request, call) : undefined;
        return settled ?? this.#inTurnBySimilarity(request, call, () => this.#probeAndSend(intent, request, call));
      }
      if (intent.state === 'CONFLICT') {
        throw severalMayBeIt(
          this.#provider,
          externalId,
          await this.#search(intent.data, request.fields, call).catch(() => []),
        );
      }
      const customer = await this.#stillThere(intent.data, call);
      if (customer) return this.#existing(intent.data, request, customer);
      await this.#ledger.advance(intent, free(intent.data));
    }
  }

  /** An identity whose create may have happened: look for the customer. `undefined`: it may be sent now. */
  async #resolve(intent: Intent, request: CreateRequest, call: Call): Promise<CreateAnswer | undefined> {
    const { data } = intent;
    const found = await this.#restoreOnError(intent, () => this.#search(data, request.fields, call));
    const [only, ...others] = found;
    if (only && request.overwrite) return undefined;
    if (only && others.length === 0) return this.#adopt(intent, only, request);
    if (only) {
      await this.#ledger.advance(intent, { state: 'CONFLICT', data, leaseMs: 0 });
      throw severalMayBeIt(this.#provider, data.externalId, found);
    }
    if (request.resend || this.#mayBeSentAgain(data)) return undefined;
    await this.#ledger.advance(intent, { state: 'UNSURE', data, leaseMs: 0 });
    throw stillUnknown(this.#provider, data, this.#settlesInMs(data));
  }

  async #probeAndSend(claimed: Intent, request: CreateRequest, call: Call): Promise<CreateAnswer> {
    const { createUpserts } = this.#provider.traits;
    // Where a create writes over what is there, finding the customer afterwards does not prove that it was written.
    let writesOver = createUpserts || claimed.state === 'DONE';
    let before: readonly string[] = [];
    if (!writesOver) {
      const twin = await this.#restoreOnError(claimed, async () => {
        before = await this.#lookForSimilar(request, call);
        return this.#findByKey(claimed.data.externalId, call);
      });
      if (twin && !request.overwrite) return this.#adopt(claimed, twin, request);
      writesOver = twin !== undefined;
    }

    const { op, externalId, remoteId } = claimed.data;
    const data: IntentData = {
      op,
      externalId,
      fields: fingerprint(op, request.fields),
      sentAt: this.#around.now(),
      ...(before.length > 0 && { before }),
      ...(remoteId !== undefined && { remoteId }),
    };
    const sent: Intent = { ...claimed, state: 'SENT', data };
    await this.#recordSend(claimed, sent);

    let accepted: Accepted;
    try {
      accepted = await this.#send(sent, request, call);
    } catch (error) {
      if (!isUnknown(error)) return this.#refused(claimed, sent, request, error, call);
      const found = error instanceof CustomerError ? await this.#theOne(data, request, call) : undefined;
      const shown = found && this.#shows(data, found);
      if (!found || (writesOver && !shown)) {
        await this.#conclude(sent, { state: 'UNSURE', data, leaseMs: 0 });
        throw error instanceof CustomerError ? stillUnknown(this.#provider, data, SETTLE_MS) : error;
      }
      const answer = await this.#adopt(sent, found, request);
      return { ...answer, outcome: writesOver ? 'updated' : 'created' };
    }
    // The customer as it was before, from a provider that neither refuses a known code nor writes over it.
    if (accepted.existed && accepted.customer && !createUpserts && !writesOver)
      return this.#adopt(sent, accepted.customer, request);

    const lost = accepted.customer ? undefined : await this.#theOne(data, request, call);
    const id = (accepted.customer ?? lost)?.id;
    const warnings = await this.#record(
      sent,
      id === undefined ? { state: 'UNSURE', data: { ...data, committed: true }, leaseMs: 0 } : done(data, id),
    );
    const answer = this.#created(accepted, lost);
    return {
      ...answer,
      outcome: !createUpserts && writesOver ? 'updated' : answer.outcome,
      warnings: [...warnings, ...answer.warnings],
    };
  }

  /** Nothing may leave before the ledger says so. */
  async #recordSend(claimed: Intent, sent: Intent): Promise<void> {
    try {
      if (await this.#ledger.advance(claimed, { state: 'SENT', data: sent.data, leaseMs: LEASE_MS })) return;
    } catch (error) {
      // The store may carry it out yet, when it comes back; nothing was sent, so that is taken back behind it, and, as that
      // may be lost too, remembered.
      if (claimed.state !== 'UNSURE') this.#neverSent.add(sendOf(sent.data));
      void this.#ledger.advance(sent, asBefore(claimed)).catch(() => false);
      throw error;
    }
    throw inProgress(claimed.data.externalId, 1_000);
  }

  async #send({ data }: Intent, { document }: CreateRequest, call: Call): Promise<Accepted> {
    if (this.#around.now() - (data.sentAt ?? 0) > GUARD_MS) {
      throw new CustomerError('unavailable', 'This machine was held up, so nothing was sent. Call again.');
    }
    const sending = this.#seenThrough(call);
    try {
      return await this.#provider.createCustomer(document, sending);
    } catch (error) {
      // Layer promises that a create may be repeated: "This endpoint is idempotent using the external_id field."
      const waitMs = error instanceof CustomerError ? (error.details.retry_after_s ?? 0) * 1_000 : 0;
      const inTime = this.#around.elapsed() + waitMs < sending.deadline;
      if (!this.#provider.traits.createUpserts || !isUnknown(error) || !inTime) throw error;
      await this.#around.sleep(waitMs);
      return await this.#provider.createCustomer(document, sending).catch((second: unknown) => {
        // Only a refusal of the content tells the fate of the first as well.
        throw second instanceof CustomerError && second.kind === 'invalid_input' ? second : error;
      });
    }
  }

  /** The provider said no, or was never reached: the identity is as it was before. */
  async #refused(
    claimed: Intent,
    sent: Intent,
    request: CreateRequest,
    error: unknown,
    call: Call,
  ): Promise<CreateAnswer> {
    await this.#conclude(sent, asBefore(claimed));
    const mayBeTwin = error instanceof CustomerError && (error.kind === 'conflict' || error.kind === 'invalid_input');
    if (!mayBeTwin || request.overwrite || this.#provider.traits.createUpserts) throw error;
    // A provider that refuses a code that is taken has answered the question: the customer is there.
    const twin = await this.#findByKey(sent.data.externalId, call).catch(() => undefined);
    if (!twin) throw error;
    await this.#ids.remember(sent.data.externalId, twin.id);
    return this.#existing({ ...sent.data, fields: {} }, request, twin);
  }

  /** Records a customer that was found to be the one. Whether it is as asked for is another question, answered last. */
  async #adopt(intent: Intent, customer: ProviderCustomer, request: CreateRequest): Promise<CreateAnswer> {
    const to = this.#found(intent.data, customer);
    const warnings = await this.#record(intent, to);
    return { ...this.#existing(to.data, request, customer), warnings };
  }

  /** What was sent counts as this customer's only if it shows all of it; otherwise it is somebody else's doing. */
  #found(data: IntentData, customer: ProviderCustomer): Advance {
    return done(this.#shows(data, customer) ? data : { ...data, fields: {} }, customer.id);
  }

  /** The only customer that a create can have left; best effort. */
  async #theOne(data: IntentData, { fields }: CreateRequest, call: Call): Promise<ProviderCustomer | undefined> {
    const [only, ...others] = await this.#search(data, fields, call).catch(() => []);
    return others.length === 0 ? only : undefined;
  }

  /** The customer with an external id, with its document; some look-ups give no more than the ids. */
  async #findByKey(externalId: string, call: Call): Promise<ProviderCustomer | undefined> {
    const found = await this.#provider.findByExternalId?.(externalId, call);
    return found?.partial ? this.#provider.getCustomer(found.id, call) : found;
  }

  /** What a lost create may have left at the provider. `fields` are those of the present caller, where there is one. */
  async #search(data: IntentData, fields: Fields | undefined, call: Call): Promise<readonly ProviderCustomer[]> {
    if (this.#provider.findByExternalId) {
      const found = await this.#findByKey(data.externalId, call);
      return found ? [found] : [];
    }
    const since = (data.sentAt ?? 0) - SKEW_MS;
    // The email finds it in one page; another document's email would not, so then everything new is looked at.
    const byEmail = fields && same(fingerprint(data.op, fields), data.fields);
    const nearby = byEmail
      ? await this.#provider.findSimilar?.(fields, call)
      : await this.#provider.findCreatedSince?.(since, call);
    const isNew = (one: ProviderCustomer): boolean =>
      (one.createdAt ?? since) >= since && !data.before?.includes(one.id);
    return (nearby ?? []).filter((one) => one.state === 'active' && isNew(one) && this.#shows(data, one));
  }

  #shows(data: IntentData, customer: ProviderCustomer): boolean {
    return covers(fingerprint(data.op, this.#provider.fieldsOf(customer)), data.fields);
  }

  /**
   * Customers that look the same, by id, when the caller wants another one all the same.
   * @throws CustomerError `possible_duplicate` when the caller did not say so.
   */
  async #lookForSimilar(
    { document, allowDuplicate, externalId }: CreateRequest,
    call: Call,
  ): Promise<readonly string[]> {
    const similar = (await this.#provider.findSimilar?.(document, call)) ?? [];
    if (similar.length > 0 && !allowDuplicate) throw looksTheSame(this.#provider, externalId, similar);
    return similar.map(({ id }) => id);
  }

  /** The recorded customer, unless it is deleted or not found any more. */
  async #stillThere({ remoteId }: IntentData, call: Call): Promise<ProviderCustomer | undefined> {
    if (remoteId === undefined) return undefined;
    try {
      const customer = await this.#provider.getCustomer(remoteId, call);
      return customer.state === 'deleted' ? undefined : customer;
    } catch (error) {
      if (!(error instanceof CustomerError) || error.kind !== 'not_found') throw error;
      // Only an account that answers can say that a customer is gone: a wrong business is a 404 too.
      await this.#provider.searchCustomers({ [this.#provider.traits.limitField]: 1 }, call);
      return undefined;
    }
  }

  /**
   * Same fields: the same customer. A field differs when it is neither what is there now nor what we sent then.
   * @throws CustomerError `conflict` naming the fields that differ.
   */
  #existing(data: IntentData, { fields, externalId }: CreateRequest, customer: ProviderCustomer): CreateAnswer {
    const wanted = fingerprint(data.op, fields);
    const present = fingerprint(data.op, this.#provider.fieldsOf(customer));
    const differing = Object.keys(wanted).filter(
      (field) => wanted[field] !== data.fields[field] && wanted[field] !== present[field],
    );
    if (differing.length > 0) throw differs(this.#provider, externalId, customer, differing);
    return { outcome: 'existing', customer, document: customer.document, warnings: [] };
  }

  #created(accepted: Accepted, lost: ProviderCustomer | undefined): CreateAnswer {
    const customer = accepted.customer ?? lost;
    const warning = `${this.#provider.title} accepted the customer, but its answer has no id. Find it with search_customer; do not create it again.`;
    return {
      outcome: accepted.existed ? 'updated' : 'created',
      customer,
      document: customer?.document ?? accepted.document,
      warnings: customer ? [] : [warning],
    };
  }

  /** Records what the provider did. It did it whatever becomes of the record, so a failure here is a warning. */
  async #record(intent: Intent, to: Advance): Promise<readonly string[]> {
    const { externalId, remoteId } = to.data;
    const recorded = await this.#conclude(intent, to);
    if (remoteId !== undefined) await this.#ids.remember(externalId, remoteId);
    if (recorded) return [];
    return [
      `The store did not record the customer of ${JSON.stringify(externalId)}; the next call with it looks it up again.`,
    ];
  }

  /**
   * Ends a send, as far as the store allows. When somebody has taken the row over in the meantime and is unsure, our knowledge
   * still counts for the send that it speaks of.
   */
  async #conclude(intent: Intent, to: Advance): Promise<boolean> {
    try {
      if (await this.#ledger.advance(intent, to)) return true;
      const now = await this.#ledger.get(intent.key);
      if (now?.state === 'DONE' && now.data.remoteId === to.data.remoteId) return true;
      if (now?.state !== 'UNSURE' || to.state === 'UNSURE' || now.data.sentAt !== intent.data.sentAt) return false;
      return await this.#ledger.advance(now, to);
    } catch {
      return false;
    }
  }

  /** An error while looking gives the row up as it was; one that never sent anything leaves the identity free. */
  async #restoreOnError<T>(intent: Intent, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      const ours = await this.#ledger.advance(intent, asBefore(intent)).catch(() => true);
      // Somebody took over while we looked, so what we found may be their work.
      throw ours ? error : inProgress(intent.data.externalId, 1_000);
    }
  }

  /** A claim, waited for while somebody else holds it. */
  async #claim(externalId: string, reopen: boolean, call: Call): Promise<Exclude<Claim, { kind: 'busy' }>> {
    const giveUpAt = Math.min(this.#around.elapsed() + WAIT_MS, call.deadline - RESERVE_MS);
    for (;;) {
      const claim = await this.#ledger.claim(this.#key(externalId), this.#claimOptions(externalId, reopen));
      if (claim.kind !== 'busy') return claim;
      const pause = Math.min(claim.retryInMs, 50 + this.#around.random() * 150);
      if (call.signal.aborted || this.#around.elapsed() + pause > giveUpAt)
        throw inProgress(externalId, claim.retryInMs);
      await this.#around.sleep(pause);
    }
  }

  #claimOptions(externalId: string, reopen: boolean) {
    const data: IntentData = { op: this.#around.uuid(), externalId, fields: {} };
    return { owner: this.#around.uuid(), leaseMs: LEASE_MS, data, reopen };
  }

  /** Nothing was found: whether that proves that nothing will be. Never where only the fields could tell. */
  #mayBeSentAgain(data: IntentData): boolean {
    if (this.#provider.traits.createUpserts || this.#neverSent.has(sendOf(data))) return true;
    return this.#provider.findByExternalId !== undefined && !data.committed && this.#settlesInMs(data) <= 0;
  }

  #settlesInMs({ sentAt = 0 }: IntentData): number {
    return sentAt + SETTLE_MS - this.#around.now();
  }

  /** The call for a create: not to be cancelled any more, within its lease, and with time left to record the end. */
  #seenThrough(call: Call): Call {
    if (call.signal.aborted) {
      throw new CustomerError(
        'unavailable',
        `The call was stopped before anything was sent to ${this.#provider.title}. Repeat it if it is still wanted.`,
      );
    }
    const deadline = Math.min(call.deadline - RESERVE_MS, this.#around.elapsed() + SEND_MS);
    return { ...call, signal: new AbortController().signal, deadline };
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

  /** One after the other within this process; other processes are kept apart by the claim. */
  #inTurn<T>(key: string, call: Call, work: () => Promise<T>): Promise<T> {
    return this.#turns.take(key, () => {
      const over = this.#around.elapsed() + RESERVE_MS >= call.deadline || call.signal.aborted;
      return over ? Promise.reject(inProgress(undefined, 1_000)) : work();
    });
  }

  #key(externalId: string): string {
    return identityKey(this.#provider, externalId);
  }
}

function done(data: IntentData, remoteId: string): Advance {
  return { state: 'DONE', data: { ...data, remoteId }, leaseMs: 0 };
}

function free(data: IntentData): Advance {
  return { state: 'GONE', data, leaseMs: 0 };
}

/** Back to where it was before a send that did not happen: an earlier one may still be under way. */
function asBefore({ state, data }: Intent): Advance {
  return state === 'PENDING' ? free(data) : { state, data, leaseMs: 0 };
}

/** Names one send of one intent. */
function sendOf({ op, sentAt }: IntentData): string {
  return `${op}/${sentAt}`;
}

/** Whether a write may have happened in spite of this error. An error that is not ours is a bug, and says nothing. */
function isUnknown(error: unknown): boolean {
  return !(error instanceof CustomerError) || error.kind === 'outcome_unknown';
}
