import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { CustomerError } from '../../src/errors.ts';
import type { Call } from '../../src/http-client/call.ts';
import type {
  CreateResult,
  Changes,
  Fields,
  Nearby,
  Page,
  Provider,
  ProviderCustomer,
  Traits,
} from '../../src/providers/provider.ts';

/** A store outlives a run, and what it has recorded for a customer of an earlier run must not be taken for this one's. */
const RUN = randomUUID().slice(0, 8);

/**
 * What a provider does with an external id. `upserting`: it knows it, and a second create updates. `conditional`: it knows it,
 * and refuses a second create. `keyless`: it does not know it and creates whatever comes; customers are found by e-mail.
 */
export const fakeKinds = ['upserting', 'conditional', 'keyless'] as const;
export type FakeKind = (typeof fakeKinds)[number];

export type FakeOperation =
  | 'create'
  | 'update'
  | 'get'
  | 'search'
  | 'archive'
  | 'restore'
  | 'findByExternalId'
  | 'findSimilar'
  | 'findCreatedSince';

/** Called around the moment at which an operation happens; a simulation waits here, or throws. */
export interface FakeHooks {
  /** What is thrown here kept the operation from happening. */
  before?(operation: FakeOperation, call: Call): Promise<void>;
  /** The operation has happened; what is thrown here is all that its caller hears. */
  after?(operation: FakeOperation, call: Call): Promise<void>;
  /** The provider's clock. */
  now?(): number;
}

const documents = {
  create: z.strictObject({
    external_id: z.string().optional(),
    name: z.string().optional(),
    email: z.string().optional(),
    notes: z.string().optional(),
    overwrite: z.boolean().optional(),
  }),
  update: z.strictObject({
    name: z.string().optional(),
    email: z.string().optional(),
    notes: z.string().optional(),
  }),
  search: z.strictObject({ email: z.string().optional() }),
};
type Documents = typeof documents;

/** Of all providers, since those of several tests share a store. */
let made = 0;

/** A provider in memory. Everything happens in one tick, between its two hooks. */
export class FakeProvider implements Provider<Documents> {
  readonly name = 'fake';
  readonly title = 'Fake';
  readonly account: string;
  readonly documents = documents;
  readonly traits: Traits;
  /** All that exist, oldest first, deleted ones of a keyless provider included. */
  readonly customers: ProviderCustomer[] = [];
  /** How many creates arrived, whatever came of them. */
  creates = 0;
  /** Absent or present as the kind has it. */
  readonly restoreCustomer?: (id: string, call: Call) => Promise<ProviderCustomer>;
  readonly findByExternalId?: (externalId: string, call: Call) => Promise<readonly ProviderCustomer[]>;
  readonly findCreatedSince?: (since: number, call: Call) => Promise<readonly ProviderCustomer[]>;
  readonly #kind: FakeKind;
  readonly #hooks: FakeHooks;

  constructor(kind: FakeKind, hooks: FakeHooks = {}) {
    this.account = kind;
    this.traits = traitsOf(kind);
    this.#kind = kind;
    this.#hooks = hooks;
    if (kind === 'keyless') {
      this.findCreatedSince = (since, call) =>
        this.#happens('findCreatedSince', call, () => this.#active().filter(({ createdAt = 0 }) => createdAt >= since));
    } else {
      this.findByExternalId = (externalId, call) =>
        this.#happens('findByExternalId', call, () => this.#owners(externalId));
    }
    if (kind === 'upserting') {
      this.restoreCustomer = (id, call) =>
        this.#happens('restore', call, () => this.#keep({ ...this.#known(id), state: 'active' }));
    }
  }

  createCustomer({ overwrite = false, ...fields }: z.output<Documents['create']>, call: Call): Promise<CreateResult> {
    return this.#happens('create', call, () => {
      this.creates += 1;
      const owner = fields.external_id === undefined ? undefined : this.#owner(fields.external_id);
      if (owner && this.#kind === 'conditional' && !overwrite)
        throw new CustomerError('invalid_input', 'The fake provider says: this code is taken.', { status: 400 });
      const id = owner?.id ?? `fake-${RUN}-${(made += 1)}`;
      const customer = this.#keep({
        id,
        externalId: this.#kind === 'keyless' ? undefined : fields.external_id,
        name: fields.name,
        state: owner?.state ?? 'active',
        createdAt: owner?.createdAt ?? this.#now(),
        ...fakeDocument({ ...(this.#kind === 'upserting' && owner?.document), ...fields, id }),
      });
      return { customer, document: customer.document, existed: owner !== undefined && !overwrite };
    });
  }

  updateCustomer({ id }: ProviderCustomer, { set, clear }: Changes, call: Call): Promise<ProviderCustomer> {
    return this.#happens('update', call, () => {
      const before = this.#living(id);
      const kept = Object.entries({ ...before.document, ...set }).filter(([field]) => !clear.includes(field));
      return this.#keep({ ...before, ...fakeDocument(Object.fromEntries(kept)) });
    });
  }

  getCustomer(id: string, call: Call): Promise<ProviderCustomer> {
    return this.#happens('get', call, () => this.#known(id));
  }

  listCustomers(_cursor: string | undefined, call: Call): Promise<Page> {
    return this.searchCustomers({}, call);
  }

  searchCustomers({ email }: z.output<Documents['search']>, call: Call): Promise<Page> {
    return this.#happens('search', call, () => ({
      customers: this.#active().filter(({ document }) => email === undefined || document['email'] === email),
      hasMore: false,
      nextCursor: undefined,
      total: undefined,
      warnings: [],
    }));
  }

  findSimilar({ email, name }: z.output<Documents['create']>, call: Call): Promise<Nearby> {
    return this.#happens('findSimilar', call, () => ({
      customers: this.customers.filter(
        ({ document, state }) => state !== 'deleted' && (document['email'] === email || document['name'] === name),
      ),
      complete: true,
    }));
  }

  /** Archived, gone, or deleted and still readable by id. */
  archiveCustomer(id: string, call: Call): Promise<ProviderCustomer | undefined> {
    return this.#happens('archive', call, () => {
      const customer = this.#living(id);
      if (this.#kind !== 'conditional')
        return this.#keep({ ...customer, state: this.#kind === 'upserting' ? 'archived' : 'deleted' });
      this.customers.splice(this.customers.indexOf(customer), 1);
      return undefined;
    });
  }

  async close(): Promise<void> {}

  async #happens<T>(operation: FakeOperation, call: Call, work: () => T): Promise<T> {
    await this.#hooks.before?.(operation, call);
    // Whatever the answer is, a refusal too, it is heard only after the second hook.
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    try {
      resolve(work());
    } catch (error) {
      promise.catch(() => {});
      reject(error);
    }
    await this.#hooks.after?.(operation, call);
    return promise;
  }

  #now(): number {
    return this.#hooks.now?.() ?? Date.now();
  }

  #active(): ProviderCustomer[] {
    return this.customers.filter(({ state }) => state === 'active');
  }

  #owner(externalId: string): ProviderCustomer | undefined {
    return this.#owners(externalId)[0];
  }

  #owners(externalId: string): ProviderCustomer[] {
    return this.customers.filter((customer) => customer.externalId === externalId);
  }

  #known(id: string): ProviderCustomer {
    const customer = this.customers.find((candidate) => candidate.id === id);
    if (!customer) throw new CustomerError('not_found', 'The fake provider has no such customer.', { status: 404 });
    return customer;
  }

  #living(id: string): ProviderCustomer {
    const customer = this.#known(id);
    if (customer.state === 'deleted')
      throw new CustomerError('not_found', 'The fake provider has deleted this customer.', { status: 404 });
    return customer;
  }

  /** Replaces the customer with the same id; a new one is the newest. */
  #keep(customer: ProviderCustomer): ProviderCustomer {
    const place = this.customers.findIndex(({ id }) => id === customer.id);
    this.customers.splice(place < 0 ? this.customers.length : place, place < 0 ? 0 : 1, customer);
    return customer;
  }
}

/** A document and what it holds; all that the provider adds to the fields is the id. */
function fakeDocument(document: Fields): Pick<ProviderCustomer, 'document' | 'fields'> {
  const { id: _id, ...fields } = document;
  return { document, fields };
}

function traitsOf(kind: FakeKind): Traits {
  return {
    meanings: {},
    externalIdField: 'external_id',
    externalIdKeptBy: kind === 'keyless' ? 'ledger' : 'provider',
    onCreate: '',
    onArchive: '',
    archiveCanBeUndone: kind === 'upserting',
    createUpserts: kind === 'upserting',
    limitField: 'limit',
    cursorField: 'cursor',
    ...(kind === 'conditional' && { overwriteField: 'overwrite' }),
    identity: { names: ['name'], emails: ['email'] },
    searched: { phones: [], texts: [] },
    newestFirst: false,
    exactFilters: {},
    clearable: ['notes'],
    display: { names: ['name'], email: 'email', hidden: [], defaults: {}, labels: {} },
  };
}
