import { standIns } from '../support/client.ts';
import { sharedEngines } from '../support/stores.ts';
import type { StandIn } from '../support/stand-ins/stand-in.ts';

/** A provider on loopback, and creates for it. All that is sent for an external id holds that id in some field. */
export interface Case {
  readonly provider: keyof typeof standIns;
  start(): Promise<{ readonly standIn: StandIn; readonly environment: Readonly<Record<string, string>> }>;
  /** The same for the same id and version. */
  create(id: string, version?: number): Record<string, unknown>;
  /** The operation by which a create looks for a twin before it is sent. */
  readonly probe?: string;
  /** The fields without the external id. */
  unkeyed(name: string): Record<string, unknown>;
}

const cases: readonly Case[] = [
  {
    provider: 'layer',
    start: () => standIns.layer({ tokenUses: Infinity }),
    create: (id, version = 0) => ({ external_id: id, company_name: `Company ${version}`, email: `mail@${id}.example` }),
    unkeyed: (name) => ({ company_name: name }),
  },
  {
    provider: 'dayzero',
    start: () => standIns.dayzero(),
    create: (id, version = 0) => ({ external_id: id, name: `Company ${version}`, email: `mail@${id}.example` }),
    probe: 'list',
    unkeyed: (name) => ({ name, email: `mail@${name}.example` }),
  },
  {
    provider: 'notify',
    // Nothing but our own care keeps a code from being used twice.
    start: () => standIns.notify({ duplicateCode: 'duplicate' }),
    create: (id, version = 0) => ({ CustomerCode: id, Name: `Company ${version}`, Email: `mail@${id}.example` }),
    probe: 'search',
    unkeyed: (name) => ({ Name: name }),
  },
];

/** Every provider on every store that several processes can share. */
export const combinations = sharedEngines.flatMap((engine) =>
  cases.map((one) => ({ ...one, engine, title: `${one.provider} on ${engine.name}` })),
);
export type Combination = (typeof combinations)[number];

/** The customers that were made for an id, wherever their documents show it. */
export function customersOf({ customers }: StandIn, id: string): string[] {
  return [...customers].flatMap(([customerId, document]) =>
    JSON.stringify(document).includes(id) ? [customerId] : [],
  );
}

/** How many creates for an id arrived. */
export function createsOf({ requests }: StandIn, id: string): number {
  return requests.filter(({ operation, rawBody }) => operation === 'create' && rawBody.includes(id)).length;
}

export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Runs work as it comes, but no more than so much of it at a time. */
export function limiter(most: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = most;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
