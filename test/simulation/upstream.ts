import { z } from 'zod';
import { CustomerError } from '../../src/errors.ts';
import type { Call } from '../../src/http-client/call.ts';
import type { CreateResult, Fields, Page, Provider, ProviderCustomer } from '../../src/providers/provider.ts';
import type { Machine, World } from './world.ts';

/**
 * What a provider does with a create: `upsert` knows the external id and updates (Layer), `conditional` knows it and refuses a
 * second one (Notify), `keyless` does not know it and always creates (DayZero).
 */
export const kinds = ['upsert', 'conditional', 'keyless'] as const;
export type Kind = (typeof kinds)[number];

export interface Trouble {
  /** Share of the provider's calls that fail in some way. */
  readonly faulty: number;
  /** How much later than the caller's timeout a create may run. */
  readonly lateMs: number;
  /** How long a new customer may be missing from searches. */
  readonly lagMs: number;
}

interface Kept {
  readonly customer: ProviderCustomer;
  readonly visibleAt: number;
}

/** The provider's state: the customers that exist, and every create that ran. */
export class Upstream {
  readonly kept: Kept[] = [];
  readonly #world: World;
  readonly #kind: Kind;
  readonly #trouble: Trouble;

  constructor(world: World, kind: Kind, trouble: Trouble) {
    this.#world = world;
    this.#kind = kind;
    this.#trouble = trouble;
  }

  get ids(): string[] {
    return this.kept.map(({ customer }) => customer.id);
  }

  commit(document: Fields): CreateResult {
    const externalId = this.#kind === 'keyless' ? undefined : String(document['external_id']);
    const duplicate =
      externalId === undefined ? undefined : this.kept.find(({ customer }) => customer.externalId === externalId);
    if (duplicate && this.#kind === 'conditional') throw new CustomerError('invalid_input', 'The code is taken.');
    if (duplicate) return { customer: duplicate.customer, document, existed: true };
    const { now } = this.#world;
    const id = `c${this.kept.length + 1}`;
    const customer: ProviderCustomer = {
      id,
      externalId,
      name: undefined,
      state: 'active',
      createdAt: now,
      document: { ...document, id },
      fields: document,
    };
    this.kept.push({ customer, visibleAt: now + this.#world.between(0, this.#trouble.lagMs) });
    return { customer, document, existed: false };
  }

  visible(): ProviderCustomer[] {
    return this.kept.filter(({ visibleAt }) => visibleAt <= this.#world.now).map(({ customer }) => customer);
  }
}

const documents = { create: z.looseObject({}), update: z.looseObject({}), search: z.looseObject({}) };

/** The port, over one machine's simulated network. */
export function simulatedProvider(
  world: World,
  machine: Machine,
  upstream: Upstream,
  kind: Kind,
  trouble: Trouble,
): Provider {
  const latency = (): number => world.between(5, 400);
  const read = <T>(happen: () => T): Promise<T> => {
    if (!world.chance(trouble.faulty / 2)) return machine.ask(latency(), happen, latency());
    const fail = (): never => {
      throw new CustomerError('unavailable', 'simulated');
    };
    return machine.ask(latency(), fail, world.between(0, 3_000));
  };
  const unknown = (): CustomerError => new CustomerError('outcome_unknown', 'simulated');
  const notUsed = (): never => {
    throw new Error('not part of the simulation');
  };

  const createCustomer = async (document: Fields, call: Call): Promise<CreateResult> => {
    const left = call.deadline - world.now;
    if (left <= 0) throw new CustomerError('unavailable', 'too late');
    if (!world.chance(trouble.faulty)) {
      const [there, back] = [latency(), latency()];
      if (there + back < left) return machine.ask(there, () => upstream.commit(document), back);
      return lost(there, left);
    }
    switch (Math.floor(world.between(0, 7))) {
      case 0:
        return machine.ask(5, () => Promise.reject(new CustomerError('unavailable', 'refused')), 5);
      case 1:
        return machine.ask(latency(), () => Promise.reject(new CustomerError('rate_limited', '429')), latency());
      case 2:
        // The request is lost, or an intermediary answers with a 5xx.
        return machine.ask(latency(), () => Promise.reject(unknown()), world.between(0, left));
      case 3:
        return machine.ask(latency(), () => Promise.reject(new CustomerError('invalid_input', '422')), latency());
      case 4:
        // The create ran, and the answer contains no id.
        return machine.ask(latency(), () => ({ ...upstream.commit(document), customer: undefined }), latency());
      case 5:
        return lost(latency(), world.between(0, left));
      default:
        return lost(left + world.between(0, trouble.lateMs), left);
    }
    /** The create runs at one time, and the caller times out at another. */
    function lost(commitMs: number, giveUpMs: number): Promise<CreateResult> {
      const commit = (): void =>
        world.after(commitMs, () => {
          try {
            upstream.commit(document);
          } catch {
            // The provider refused, and its answer is lost.
          }
        });
      return machine.ask(0, () => (commit(), Promise.reject(unknown())), giveUpMs);
    }
  };

  return {
    name: 'simulated',
    title: 'Simulated',
    account: kind,
    documents,
    traits: {
      meanings: {},
      externalIdField: 'external_id',
      externalIdKeptBy: kind === 'keyless' ? 'ledger' : 'provider',
      onCreate: '',
      onArchive: '',
      archiveCanBeUndone: false,
      createUpserts: kind === 'upsert',
      limitField: 'limit',
      cursorField: 'cursor',
      identity: { names: ['name'], emails: ['email'] },
      searched: { phones: [], texts: [] },
      newestFirst: false,
      exactFilters: {},
      clearable: ['name'],
      display: { names: ['name'], email: 'email', hidden: [], defaults: {}, labels: {} },
    },
    createCustomer,
    getCustomer: (id) =>
      read(() => {
        const found = upstream.kept.find(({ customer }) => customer.id === id);
        if (!found) throw new CustomerError('not_found', 'simulated');
        return found.customer;
      }),
    ...(kind !== 'keyless' && {
      findByExternalId: (externalId: string) =>
        read(() => upstream.visible().filter((one) => one.externalId === externalId)),
    }),
    findSimilar: (document: Fields) =>
      read(() => ({
        customers: upstream.visible().filter((one) => one.document['email'] === document['email']),
        complete: true,
      })),
    ...(kind === 'keyless' && {
      findCreatedSince: (since: number) =>
        read(() => upstream.visible().filter((one) => (one.createdAt ?? 0) >= since)),
    }),
    updateCustomer: () => notUsed(),
    searchCustomers: (): Promise<Page> => notUsed(),
    listCustomers: (): Promise<Page> => notUsed(),
    archiveCustomer: () => notUsed(),
    close: async () => {},
  };
}
