import { CustomerError, NOTHING_CREATED, withAssurance } from '../errors.ts';
import type { Call } from '../http-client/call.ts';
import type { Fields, ProviderCustomer } from '../providers/provider.ts';
import type { Attempt } from './attempt.ts';
import type { Account } from './account.ts';
import { Attempts } from './attempts.ts';
import type { CreateAnswer, CreateRequest } from './create-request.ts';
import type { Changed } from './difference.ts';
import { aboutAnother, inProgress, EARLIER_MAY_HAVE_RUN, severalMayBeIt, stillUnknown } from './errors.ts';
import { fingerprint, same } from './fingerprint.ts';
import { released, type Intent, type IntentData } from './intent.ts';
import { Links, type Linked } from './link.ts';
import { Matching } from './matching.ts';
import { Present } from './present.ts';
import { Reconciler } from './reconciler.ts';
import type { Unresolved } from './unresolved.ts';
import { created, Sender } from './sender.ts';
import { Similar } from './similar.ts';
import type { CustomerTurns } from './customer-turns.ts';
import type { Updates } from './update.ts';

/** The customer that a create would find under its external id. */
export interface Expected {
  readonly customerId: string;
  /** What the create would change. */
  readonly changed: Changed;
  /** Why this is unknown: the customer could not be read. */
  readonly unread?: CustomerError;
}

/** The provider's list, as far as it is known. */
export interface Listed {
  has(customerId: string): boolean;
  withExternalId(externalId: string): ProviderCustomer | undefined;
}

/**
 * Creates a customer at most once per external id, through all crashes, and does not change or take over any other customer.
 *
 * The ledger's row is claimed before anything is sent and is `SENT` before the first byte leaves, so a create that was
 * interrupted at any point is found in the ledger and looked up at the provider; it is never sent again without a check. Before
 * a create is sent, the customer is searched for by its external id and by its email and names.
 */
export class CreateOnce {
  readonly #account: Account;
  readonly #attempts: Attempts;
  readonly #matching: Matching;
  readonly #present: Present;
  readonly #similar: Similar;
  readonly #sender: Sender;
  readonly #links: Links;
  readonly #reconciler: Reconciler;
  readonly #turns: CustomerTurns;

  constructor(account: Account, { updates, turns }: { readonly updates: Updates; readonly turns: CustomerTurns }) {
    this.#account = account;
    this.#turns = turns;
    this.#attempts = new Attempts(account);
    this.#matching = new Matching(account.provider, account.ids);
    this.#present = new Present(account, this.#matching, updates);
    this.#similar = new Similar(account);
    this.#sender = new Sender({ attempts: this.#attempts, matching: this.#matching, present: this.#present });
    this.#links = new Links(this.#attempts, this.#matching);
    this.#reconciler = new Reconciler(this.#attempts, this.#matching);
  }

  /**
   * @throws CustomerError `conflict`, `possible_duplicate`, `in_progress`, `outcome_unknown`, `store_unavailable`, or whatever
   * the provider answered. Each but `outcome_unknown` states that this create did not run.
   */
  async create(request: CreateRequest, call: Call): Promise<CreateAnswer> {
    const { externalId } = request;
    return assuring(NOTHING_CREATED, () =>
      externalId === undefined
        ? this.#createUnkeyed(request, call)
        : this.#attempts.runExclusiveFor(externalId, call, () => this.#createKeyed(externalId, request, call)),
    );
  }

  /** The customer of a recorded create with exactly the same fields, if it still exists; such a create need not be sent. */
  async onRecord({ externalId, fields }: CreateRequest, call: Call): Promise<CreateAnswer | undefined> {
    const recorded = externalId === undefined ? undefined : await this.#recorded(externalId);
    if (!recorded || !isAsRecorded(fields, recorded)) return undefined;
    const customer = await this.#matching.getRecorded(recorded, call);
    return customer && this.#present.existing(customer);
  }

  /**
   * What a create would find under its external id, without a write: the recorded customer, or the one in the provider's list. A
   * customer that the list has and whose record has the same fields is not read.
   * @throws CustomerError `conflict`; `store_unavailable`.
   */
  async expect(request: CreateRequest, list: Listed | undefined, call: Call): Promise<Expected | undefined> {
    const { externalId, fields } = request;
    if (externalId === undefined) return undefined;
    const recorded = await this.#recorded(externalId);
    const listed = list?.withExternalId(externalId);
    const known = recorded?.customerId ?? listed?.id;
    if (known === undefined) return undefined;
    const unchanged = { customerId: known, changed: {} };
    const asRecorded = recorded !== undefined && isAsRecorded(fields, recorded);
    if (asRecorded && list?.has(known)) return unchanged;
    try {
      const own = recorded && (await this.#matching.getRecorded(recorded, call));
      if (own && asRecorded) return unchanged;
      const customer = own ?? (listed && (await this.#account.provider.getCustomer(listed.id, call)));
      if (!customer || customer.state === 'deleted') return undefined;
      const data = own && recorded ? recorded : { salt: '', externalId, fingerprint: {} };
      return { customerId: customer.id, changed: this.#present.changes({ data, request, customer }) };
    } catch (error) {
      if (!(error instanceof CustomerError) || error.kind === 'conflict') throw error;
      return { ...unchanged, unread: error };
    }
  }

  /** See `Links.link`. */
  link(externalId: string, customer: ProviderCustomer, call: Call): Promise<Linked> {
    return this.#links.link(externalId, customer, call);
  }

  /** See `Links.release`. */
  release(externalId: string, customerId: string): Promise<void> {
    return this.#links.release(externalId, customerId);
  }

  /** See `Reconciler.open`. */
  open(limit: number, withinMs = 0): Promise<readonly Intent[]> {
    return this.#reconciler.open(limit, withinMs);
  }

  /** See `findUnresolved`. */
  unresolved(limit: number): Promise<Unresolved> {
    return this.#attempts.unresolved(limit);
  }

  /** See `Reconciler.resolve`. */
  resolve(intent: Intent, call: Call): Promise<Intent | undefined> {
    return this.#reconciler.resolve(intent, call);
  }

  async #recorded(externalId: string): Promise<IntentData | undefined> {
    const intent = await this.#attempts.get(externalId);
    return intent?.state === 'DONE' ? intent.data : undefined;
  }

  /** Without an external id, a repeat cannot be recognized; only the search for similar customers protects. */
  #createUnkeyed(request: CreateRequest, call: Call): Promise<CreateAnswer> {
    const { provider, random } = this.#account;
    const { title, traits } = provider;
    return this.#similar.runExclusive(request, call, async (held, unleased) => {
      const looked = await this.#similar.look(request, held);
      const data = { ...this.#sender.record(random.uuid(), request), externalId: '', excludedIds: looked.excludedIds };
      const accepted = await this.#similar.remembering(request, async (remembered) => {
        await remembered;
        return provider.createCustomer(request.document, this.#attempts.uncancellable(held));
      });
      if (accepted.customer && this.#matching.contradicts(request, accepted.customer))
        throw aboutAnother(provider, undefined);
      const searches = !accepted.customer && traits.externalIdKeptBy === 'ledger';
      // Without a key, the create cannot have overwritten a customer.
      const lost = searches ? await this.#matching.findSingle(data, request.fields, held) : undefined;
      const answer = created(title, accepted, lost);
      const repeated = `Repeating this create may create a second customer, because it has no ${traits.externalIdField}.`;
      const apart = 'The store does not respond, so similar creates on other servers cannot be detected.';
      const warnings = [...looked.warnings, ...(unleased ? [apart] : []), ...answer.warnings, repeated];
      return { ...answer, outcome: 'created', warnings };
    });
  }

  async #createKeyed(externalId: string, request: CreateRequest, call: Call): Promise<CreateAnswer> {
    const { provider } = this.#account;
    for (;;) {
      const reopen = request.overwrite !== undefined;
      // If a create can be sent again, a damaged row does not prevent the search.
      const evenDamaged = provider.traits.createUpserts || request.resend !== undefined;
      const { attempt, acquired } = await this.#attempts.begin(externalId, { reopen, evenDamaged }, call);
      const { state, data } = attempt.claimed;
      if (acquired) return this.#lookAndSend(attempt, request);
      if (state === 'CONFLICT') {
        const found = await this.#matching.search(data, request.fields, call).catch(() => []);
        throw severalMayBeIt(provider, externalId, found);
      }
      const customer = await this.#matching.getRecorded(data, call);
      if (customer) return this.#present.answer({ data, request, customer }, call);
      await attempt.transition(released(data));
    }
  }

  async #lookAndSend(attempt: Attempt, request: CreateRequest): Promise<CreateAnswer> {
    const { call, claimed, externalId } = attempt;
    const existing =
      claimed.state === 'UNKNOWN'
        ? await assuring(EARLIER_MAY_HAVE_RUN, () => this.#resolve(attempt, request))
        : await attempt.releaseOnError(() => this.#matching.findByExternalId(externalId, call));
    if (!existing) return this.#sendUnlessSimilar(attempt, request);
    if (!request.overwrite) return this.#sender.useExisting({ attempt, request, call }, existing);
    return this.#overwrite(attempt, { ...request, overwrite: request.overwrite }, existing.id);
  }

  /** Writes over the customer as the user has seen it: no other write comes between the read and the create. */
  async #overwrite(
    attempt: Attempt,
    request: CreateRequest & Required<Pick<CreateRequest, 'overwrite'>>,
    id: string,
  ): Promise<CreateAnswer> {
    let begun = false;
    try {
      return await this.#turns.runExclusive(id, attempt.call, async ({ call }) => {
        begun = true;
        const { provider } = this.#account;
        const existing = await attempt.releaseOnError(() => provider.getCustomer(id, call));
        const approved = await attempt.releaseOnError(async () => {
          if (existing.externalId !== attempt.externalId) throw inProgress(attempt.externalId, 1_000);
          return request.overwrite(existing);
        });
        if (!approved) return this.#sender.useExisting({ attempt, request, call }, existing);
        return this.#sender.send({ attempt, request, call, writesOver: true, excludedIds: [] });
      });
    } catch (error) {
      if (!begun) await attempt.release();
      throw error;
    }
  }

  /** The customer of a create that may have run. `undefined`: it may be sent now. */
  async #resolve(attempt: Attempt, request: CreateRequest): Promise<ProviderCustomer | undefined> {
    const { provider } = this.#account;
    const { data, call, externalId } = attempt;
    const found = await attempt.releaseOnError(() => this.#matching.search(data, request.fields, call));
    const [only, ...others] = found;
    if (others.length > 0) {
      await attempt.transition({ state: 'CONFLICT', data, leaseMs: 0 });
      throw severalMayBeIt(provider, externalId, found);
    }
    if (only || this.#attempts.mayBeSentAgain(data)) return only;
    const { resend } = request;
    if (resend) {
      await attempt.releaseOnError(async () => resend(data));
      return undefined;
    }
    await attempt.transition({ state: 'UNKNOWN', data, leaseMs: 0 });
    throw stillUnknown(provider, data, this.#attempts.quietForMs(data));
  }

  async #sendUnlessSimilar(attempt: Attempt, request: CreateRequest): Promise<CreateAnswer> {
    let begun = false;
    try {
      return await this.#similar.runExclusive(request, attempt.call, async (call) => {
        begun = true;
        const { excludedIds, warnings } = await attempt.releaseOnError(() => this.#similar.look(request, call));
        const answer = await this.#similar.remembering(request, (remembered) =>
          this.#sender.send({ attempt, request, call, writesOver: false, excludedIds, remembered }),
        );
        return { ...answer, warnings: [...warnings, ...answer.warnings] };
      });
    } catch (error) {
      if (!begun) await attempt.release();
      throw error;
    }
  }
}

function isAsRecorded(fields: Fields, { salt, fingerprint: sent }: IntentData): boolean {
  return same(fingerprint(salt, fields), sent);
}

/** Runs work whose errors, except `outcome_unknown`, mean that a create did not run, and has them state it. */
async function assuring<T>(assurance: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof CustomerError ? withAssurance(error, assurance) : error;
  }
}
