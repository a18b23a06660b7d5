import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { sharedEngines } from '../support/stores.ts';
import type { StandIn } from '../support/stand-in.ts';

/** Every provider on every store that several processes can share. */
export const combinations = sharedEngines.flatMap((engine) =>
  kits.map((kit) => ({ kit, engine, title: `${kit.name} on ${engine.name}` })),
);
export type Combination = (typeof combinations)[number];

/** A create, determined by id and version. Every create for an id contains the id in some field. */
export function createOf(
  { externalIdField, minimal }: ProviderKit,
  id: string,
  version = 0,
): Readonly<Record<string, unknown>> {
  return { [externalIdField]: id, ...minimal(`Company ${version} ${id}`, `mail@${id}.example`) };
}

/** The customers that were created for an id, which any field of their documents may contain. */
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

/** Runs work with limited concurrency. */
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
