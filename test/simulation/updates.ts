import { z } from 'zod';
import { CustomerError } from '../../src/errors.ts';
import type { Call } from '../../src/http-client/call.ts';
import { wantedBy } from '../../src/identity/difference.ts';
import type { Changes, Fields, Provider, ProviderCustomer } from '../../src/providers/provider.ts';
import type { MemoryRow } from '../../src/stores/memory.ts';
import { ForgetfulStore } from './forgetful-store.ts';
import { identityOn } from './identities.ts';
import { scenarios, trouble } from './simulate.ts';
import { Machine, World } from './world.ts';

/** How the provider writes: only the named fields (`fields`), or also emptying the fields that a request omits (`document`). */
export const writes = ['fields', 'document'] as const;
export type Writes = (typeof writes)[number];

/** `lease` is the shipped design; `none` reads, merges and writes without a lease. */
export type UpdateDesign = 'lease' | 'none';

/** The result of one customer of which several agents change one field each at the same time. */
export interface UpdateVerdict {
  readonly acknowledged: number;
  /** Acknowledged changes that the customer does not show although no later change of the field started. */
  readonly lost: number;
  /** Refused changes that took effect. */
  readonly phantoms: number;
}

const MACHINES = 3;
const AGENTS = 6;
/** So many of the agents repeat the customer's create with another value, and so update it as an import does. */
const CREATORS = 2;
const CHANGES = 4;
const TRIES = 8;
const CUSTOMER_ID = 'c1';
const EXTERNAL_ID = 'crm-1';
const IDENTITY: Fields = { external_id: EXTERNAL_ID, name: 'Acme' };
const FAULTY = 0.3;
/** The pauses and crashes are those of creates. A lost request ends with its caller, as it does behind a proxy. */
const { crashes, pauses, pauseMs, storeFaulty } = scenarios[0] ?? fail('no scenario');
const trials = { crashes, pauses, pauseMs, storeFaulty, storeForgets: 0 };

/**
 * One history: three machines with two agents each, which change different fields of one customer, by updates and by creates
 * with its external id, while faults occur.
 */
export async function simulateUpdates(
  seed: number,
  how: Writes,
  design: UpdateDesign = 'lease',
): Promise<UpdateVerdict> {
  const world = new World(seed);
  const upstream = new UpstreamCustomer(how);
  const rows = new Map<string, MemoryRow>();
  const store = new ForgetfulStore(world, rows, trials);
  const boot = (): Place => {
    const machine = new Machine(world);
    const provider = providerFor(world, machine, upstream);
    const { updates, creates } = identityOn({ world, machine, provider, store });
    return {
      machine,
      async write(set, by) {
        const call = { signal: new AbortController().signal, deadline: world.now + 25_000 };
        const changes: Changes = { set, clear: [] };
        if (design === 'none')
          return void (await provider.updateCustomer(await provider.getCustomer(CUSTOMER_ID, call), changes, call));
        if (by === 'update')
          return void (await updates.updateCustomer({ customerId: CUSTOMER_ID, externalId: undefined, changes }, call));
        const fields = { ...IDENTITY, ...set };
        await creates.create({ externalId: EXTERNAL_ID, document: fields, fields, allowDuplicate: false }, call);
      },
    };
  };
  const fleet = Array.from({ length: MACHINES }, boot);
  trouble(world, trials, fleet, boot);
  const agents = Array.from(
    { length: AGENTS },
    (_, index) => new Agent(world, `field${index}`, index < CREATORS ? 'create' : 'update'),
  );
  for (const [index, agent] of agents.entries()) void agent.run(() => fleet[index % MACHINES]);
  await world.run(20 * 60_000);
  return {
    acknowledged: agents.reduce((sum, { acknowledged }) => sum + acknowledged, 0),
    lost: agents.filter((agent) => agent.lost(upstream.fields)).length,
    phantoms: agents.filter((agent) => agent.tookPlaceThoughRefused(upstream.fields)).length,
  };
}

type By = 'update' | 'create';

interface Place {
  readonly machine: Machine;
  write(set: Fields, by: By): Promise<void>;
}

/** Changes one field a few times, each time to a new value, and records the answers. */
class Agent {
  readonly #world: World;
  readonly #field: string;
  readonly #by: By;
  /**
   * The values that the field may have according to this agent: the last acknowledged one, and later ones with an unknown
   * outcome.
   */
  #possible = new Set(['0']);
  readonly #refused = new Set<string>();
  acknowledged = 0;

  constructor(world: World, field: string, by: By) {
    this.#world = world;
    this.#field = field;
    this.#by = by;
  }

  async run(place: () => Place | undefined): Promise<void> {
    for (let change = 1; change <= CHANGES; change += 1) {
      await this.#world.wait(this.#world.between(0, 4_000));
      for (let tries = 1; tries <= TRIES; tries += 1) {
        if (await this.#tries(`${change}.${tries}`, place())) break;
        await this.#world.wait(this.#world.between(500, 10_000));
      }
    }
  }

  lost(fields: Fields): boolean {
    const value = String(fields[this.#field]);
    return !this.#possible.has(value) && !this.#refused.has(value);
  }

  tookPlaceThoughRefused(fields: Fields): boolean {
    return this.#refused.has(String(fields[this.#field]));
  }

  async #tries(value: string, place: Place | undefined): Promise<boolean> {
    if (!place?.machine.alive) return false;
    const ended = place.write({ [this.#field]: value }, this.#by).then(
      () => 'acknowledged',
      (error: unknown) => (error instanceof CustomerError ? error.kind : fail(String(error))),
    );
    const end = await Promise.race([ended, place.machine.died.then(() => 'outcome_unknown')]);
    if (end === 'acknowledged') {
      this.acknowledged += 1;
      this.#possible = new Set([value]);
    } else if (end === 'outcome_unknown') this.#possible.add(value);
    else this.#refused.add(value);
    return end === 'acknowledged';
  }
}

/** The customer as it really is. */
class UpstreamCustomer {
  readonly how: Writes;
  fields: Fields = {
    ...IDENTITY,
    ...Object.fromEntries(Array.from({ length: AGENTS }, (_, index) => [`field${index}`, '0'])),
  };

  constructor(how: Writes) {
    this.how = how;
  }

  write(sent: Fields): ProviderCustomer {
    this.fields = this.how === 'document' ? sent : { ...this.fields, ...sent };
    return this.shown();
  }

  shown(): ProviderCustomer {
    const document = { id: CUSTOMER_ID, ...this.fields };
    const told = { externalId: String(this.fields['external_id']), name: undefined, createdAt: undefined };
    return { id: CUSTOMER_ID, ...told, state: 'active', document, fields: this.fields, extras: {} };
  }
}

/** The methods of the port that a change of this customer uses, over a network that loses requests and answers. */
function providerFor(world: World, machine: Machine, upstream: UpstreamCustomer): Provider {
  const latency = (): number => world.between(5, 400);
  const notUsed = (): never => fail('not part of the simulation');
  const shape = z.looseObject({});
  const read = async <T>(happen: () => T): Promise<T> => {
    if (!world.chance(FAULTY / 2)) return machine.ask(latency(), happen, latency());
    const failed = (): Promise<never> => Promise.reject(new CustomerError('unavailable', 'simulated'));
    return machine.ask(latency(), failed, world.between(0, 3_000));
  };
  return {
    name: 'simulated',
    title: 'Simulated',
    account: 'updates',
    documents: { create: shape, update: z.looseObject(upstream.fields), search: shape },
    traits: {
      meanings: {},
      externalIdField: 'external_id',
      externalIdKeptBy: 'provider',
      onCreate: '',
      onArchive: '',
      archiveCanBeUndone: false,
      createUpserts: true,
      limitField: 'limit',
      cursorField: 'cursor',
      identity: { names: ['name'], emails: [] },
      searched: { phones: [], texts: [] },
      newestFirst: false,
      exactFilters: {},
      clearable: ['field0'],
      display: { names: ['name'], email: 'email', hidden: [], defaults: {}, labels: {} },
    },
    replacesDocument: () => upstream.how === 'document',
    getCustomer: () => read(() => upstream.shown()),
    findByExternalId: (externalId) => read(() => (externalId === EXTERNAL_ID ? [upstream.shown()] : [])),
    updateCustomer(before, changes, call) {
      const sent = upstream.how === 'document' ? { ...before.fields, ...wantedBy(changes) } : wantedBy(changes);
      return send(sent, call);
    },
    createCustomer: notUsed,
    findSimilar: notUsed,
    searchCustomers: notUsed,
    listCustomers: notUsed,
    archiveCustomer: notUsed,
    close: async () => {},
  };

  async function send(sent: Fields, { deadline }: Call): Promise<ProviderCustomer | undefined> {
    const left = deadline - world.now;
    if (left <= 0) throw new CustomerError('unavailable', 'too late');
    const unknown = (): Promise<never> => Promise.reject(new CustomerError('outcome_unknown', 'simulated'));
    const [there, back] = [latency(), latency()];
    if (there + back >= left) {
      if (there < left) world.after(there, () => upstream.write(sent));
      return machine.ask(0, unknown, left);
    }
    if (!world.chance(FAULTY)) return machine.ask(there, () => upstream.write(sent), back);
    switch (Math.floor(world.between(0, 4))) {
      case 0:
        return machine.ask(5, () => Promise.reject(new CustomerError('unavailable', 'refused')), 5);
      case 1:
        // The request is lost.
        return machine.ask(there, unknown, world.between(0, left - there));
      case 2:
        // The answer is lost.
        return machine.ask(there, () => (upstream.write(sent), unknown()), world.between(0, left - there));
      default:
        return machine.ask(there, () => (upstream.write(sent), undefined), back);
    }
  }
}

function fail(why: string): never {
  throw new Error(why);
}
