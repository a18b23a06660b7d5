import { CustomerError, NOTHING_CHANGED, type ErrorKind } from '../errors.ts';
import type { Call } from '../http-client/call.ts';
import { MAX_DOCUMENT_SENDS, pauseBeforeCheck } from '../http-client/retry.ts';
import type { Changes, Fields, Provider, ProviderCustomer } from '../providers/provider.ts';
import type { Account } from './account.ts';
import type { CustomerTurns, Turn } from './customer-turns.ts';
import { changedBetween, differing, holdings, isNothing, lostBetween, wantedBy, type Changed } from './difference.ts';
import { storeUnavailable } from './errors.ts';
import { identityKey, type CustomerRef } from './id-map.ts';

/** An update. With both ids, the customer `customerId` must still have this external id. */
export interface UpdateRequest extends CustomerRef {
  readonly changes: Changes;
}

export interface Updated {
  /** The current customer; if it cannot be read, the customer before the update. */
  readonly customer: ProviderCustomer;
  readonly changed: Changed;
  readonly warnings: readonly string[];
  /** The provider accepted the update, but its result cannot be read. */
  readonly unread: boolean;
}

/** Changes to send, and a function that reads the customer again. */
interface Sending {
  readonly before: ProviderCustomer;
  readonly changes: Changes;
  read(): Promise<ProviderCustomer>;
}

/** Changes that the provider accepted. */
interface Sent {
  readonly changes: Changes;
  /** The customer at the first read, and right before the last send. */
  readonly before: ProviderCustomer;
  readonly latest: ProviderCustomer;
  /** `undefined` if it could not be read. */
  readonly answer: ProviderCustomer | undefined;
}

/**
 * Updates customers so that only the named fields change, whatever the provider does with the other fields and whoever else
 * writes.
 *
 * The customer is read first, under a lease that all its updates take; a write of the whole document is merged with the current
 * state before each send; values that vanished are restored afterwards.
 */
export class Updates {
  readonly #account: Account;
  readonly #turns: CustomerTurns;

  constructor(account: Account, turns: CustomerTurns) {
    this.#account = account;
    this.#turns = turns;
  }

  /**
   * @throws CustomerError `not_found`, also for a deleted customer and for one that has another external id by now; `conflict` for an
   * external id that belongs to another customer; `in_progress` while another call works on the customer; `store_unavailable` where
   * the whole document would have to be written without a lease; or whatever the provider answered.
   */
  async updateCustomer(request: UpdateRequest, call: Call): Promise<Updated> {
    const { ids } = this.#account;
    return ids.withId(request, call, (id) =>
      this.#turns.runExclusive(id, call, (turn) => this.#update(id, request, turn)),
    );
  }

  async #update(id: string, { externalId, changes }: UpdateRequest, turn: Turn): Promise<Updated> {
    const read = (): Promise<ProviderCustomer> => this.#read(id, externalId, turn.call);
    const before = await read();
    if (isNothing(differing(changes, before))) return { customer: before, changed: {}, warnings: [], unread: false };
    await this.#checkExternalId(changes, before, turn.call);
    const { latest, answer } = await this.#write({ before, changes, read }, turn);
    const updated = await this.#compare({ before, latest, answer, changes }, turn);
    await this.#rememberExternalId(changes, before);
    return updated;
  }

  /** Reads the customer, and checks that it is the intended one. */
  async #read(id: string, externalId: string | undefined, call: Call): Promise<ProviderCustomer> {
    const { provider } = this.#account;
    const customer = await provider.getCustomer(id, call);
    if (externalId !== undefined && !(await this.#hasExternalId(customer, externalId)))
      throw notFound(provider, id, `has another ${provider.traits.externalIdField} by now`);
    if (customer.state === 'deleted') throw notFound(provider, id, 'is deleted, so it was not changed');
    return customer;
  }

  async #hasExternalId(customer: ProviderCustomer, externalId: string): Promise<boolean> {
    const { provider, ledger } = this.#account;
    if (provider.traits.externalIdKeptBy === 'provider') return customer.externalId === externalId;
    const intent = await ledger.get(identityKey(provider, externalId));
    if (intent?.state === 'RELEASED') return false;
    return intent?.data.customerId === undefined || intent.data.customerId === customer.id;
  }

  /** Refuses to give a customer the external id of another one. */
  async #checkExternalId(changes: Changes, before: ProviderCustomer, call: Call): Promise<void> {
    const { provider } = this.#account;
    const { externalIdField: field } = provider.traits;
    const wanted = differing(changes, before).set[field];
    if (typeof wanted !== 'string') return;
    const owners = (await provider.findByExternalId?.(wanted, call)) ?? [];
    const owner = owners.find(({ id }) => id !== before.id);
    if (!owner) return;
    const what = `The ${field} ${JSON.stringify(wanted)} belongs to another customer, ${owner.id}.`;
    throw new CustomerError('conflict', what, {
      assurance: NOTHING_CHANGED,
      advice: `Use another ${field}, or use that customer.`,
      customer_id: owner.id,
    });
  }

  async #rememberExternalId(changes: Changes, before: ProviderCustomer): Promise<void> {
    const { provider, ids } = this.#account;
    const written = changes.set[provider.traits.externalIdField];
    if (typeof written !== 'string' || written === before.externalId) return;
    await ids.remember(written, before.id);
    if (before.externalId !== undefined) await ids.forget(before.externalId);
  }

  /**
   * Sends the changes. A write of the whole document with an unknown outcome is sent again only after the customer was read and
   * merged again, and not at all if the customer shows the changes.
   * @returns the customer before the last send, and the answer if it could be read.
   */
  async #write({ before, changes, read }: Sending, { call, leased }: Turn): Promise<Pick<Sent, 'latest' | 'answer'>> {
    const { provider, clock, random } = this.#account;
    let latest = before;
    for (let sends = 1; ; sends += 1) {
      const missing = differing(changes, latest);
      if (isNothing(missing)) return { latest, answer: latest };
      const replaces = (): boolean => provider.replacesDocument?.(latest, missing) === true;
      const whole = replaces();
      if (whole && !leased) throw storeUnavailable(undefined);
      try {
        return { latest, answer: await provider.updateCustomer(latest, missing, call) };
      } catch (error) {
        // The provider turned out not to support writes of single fields, so nothing was changed.
        if (!whole && replaces()) continue;
        if (!whole || !isKind(error, 'outcome_unknown')) throw error;
        const pauseMs = pauseBeforeCheck(error, call, { now: clock.monotonic(), random: random.random() });
        if (pauseMs === undefined) throw error;
        await clock.sleep(pauseMs);
        latest = await read().catch(() => Promise.reject(error));
        if (sends === MAX_DOCUMENT_SENDS && !isNothing(differing(changes, latest))) throw error;
      }
    }
  }

  /** Compares the result of an update with the customer before, and restores values that vanished. */
  async #compare({ before, latest, answer, changes }: Sent, turn: Turn): Promise<Updated> {
    const { provider } = this.#account;
    const { title } = provider;
    const named = Object.keys(wantedBy(changes));
    const lost = (after: ProviderCustomer): Fields =>
      lostBetween({ ...before.extras, ...holdings(latest) }, holdings(after), named);
    const complete = answer && !answer.partial && isNothing(differing(changes, answer)) && isEmpty(lost(answer));
    // An answer may omit fields.
    const after = complete ? answer : await provider.getCustomer(before.id, turn.call).catch(() => answer);
    if (!after || after.partial) {
      const warning = `${title} accepted the update, but its answer could not be read; the customer is shown as it was before.`;
      const changed = changedBetween(before.fields, wantedBy(changes), named);
      return { customer: before, changed, warnings: [warning], unread: true };
    }

    const vanished = lost(after);
    const missed = this.#missedByWhole(before, after, changes);
    const nothing = isEmpty(vanished) && isNothing(missed);
    const customer = nothing ? after : await this.#putBack(after, { vanished, missed }, turn);
    const gone = Object.keys(lost(customer));
    const restored = Object.keys(vanished).filter((name) => !gone.includes(name));
    const fields = changedBetween(before.fields, customer.fields, named);
    return {
      customer,
      changed: { ...fields, ...changedBetween(vanished, {}, gone) },
      warnings: [
        ...(restored.length > 0
          ? [`${title} emptied ${restored.join(', ')}, which the update did not name; the server wrote it back.`]
          : []),
        ...(gone.length > 0
          ? [
              `${title} emptied ${gone.join(', ')}, which the update did not name, and it could not be written back; \`changed\` contains the previous values.`,
            ]
          : []),
      ],
      unread: false,
    };
  }

  /** What a write of the whole document did not take of the changes, and a write of single fields may. */
  #missedByWhole(before: ProviderCustomer, after: ProviderCustomer, changes: Changes): Changes {
    const { provider } = this.#account;
    const missed = differing(changes, after);
    const first = differing(changes, before);
    const helps = provider.replacesDocument?.(before, first) === true && !provider.replacesDocument(after, missed);
    return helps ? missed : { set: {}, clear: [] };
  }

  /** Restores lost values, best effort. @returns the customer afterwards. */
  async #putBack(
    after: ProviderCustomer,
    { vanished, missed }: { readonly vanished: Fields; readonly missed: Changes },
    turn: Turn,
  ): Promise<ProviderCustomer> {
    const { provider } = this.#account;
    const isWritable = (name: string): boolean => name in provider.documents.update.shape;
    const fields = Object.fromEntries(Object.entries(vanished).filter(([name]) => isWritable(name)));
    const extras = Object.fromEntries(Object.entries(vanished).filter(([name]) => !isWritable(name)));
    const read = (): Promise<ProviderCustomer> => provider.getCustomer(after.id, turn.call);
    const changes = { set: { ...fields, ...missed.set }, clear: missed.clear };
    await this.#write({ before: after, changes, read }, turn).catch(() => undefined);
    if (!isEmpty(extras)) await provider.putBack?.(after.id, extras, turn.call);
    return read().catch(() => after);
  }
}

function isEmpty(fields: Fields): boolean {
  return Object.keys(fields).length === 0;
}

function isKind(error: unknown, kind: ErrorKind): error is CustomerError {
  return error instanceof CustomerError && error.kind === kind;
}

function notFound({ title }: Provider, id: string, why: string): CustomerError {
  return new CustomerError('not_found', `The ${title} customer ${id} ${why}.`, {
    advice: [
      { tool: 'search_customer', text: 'Use search_customer with find set to the name or email to get the right one.' },
    ],
  });
}
