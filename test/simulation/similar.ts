import { KeyvMemoryAdapter } from 'keyv';
import { CustomerError } from '../../src/errors.ts';
import type { CreateOnce } from '../../src/identity/create-once.ts';
import type { MemoryRow } from '../../src/stores/memory.ts';
import { ForgetfulStore } from './forgetful-store.ts';
import { identityOn } from './identities.ts';
import { scenarios, trouble, type Scenario } from './simulate.ts';
import { simulatedProvider, Upstream, type Kind } from './upstream.ts';
import { Machine, World } from './world.ts';

/** With `one store`, the machines share a store, as shipped; with `none`, each has a store of its own. */
export const similarDesigns = ['one store', 'none'] as const;
export type SimilarDesign = (typeof similarDesigns)[number];

const MACHINES = 3;
const TRIES = 12;

const usual = scenarios[0] ?? fail('no scenario');

/**
 * The lease prevents the first; the others also need the memory of recent creates, because a search cannot find a customer whose
 * create runs after its caller gave up, or that the provider's searches do not show yet.
 */
export const similarScenarios: readonly Scenario[] = [
  { ...usual, name: 'creates end with their callers', lateMs: 0 },
  usual,
  { ...usual, name: 'search lags up to 5 s', lateMs: 0, lagMs: 5_000 },
];

/**
 * One history: three machines create the same customer, each under an external id of its own, while faults occur.
 * @returns the number of customers at the end.
 */
export async function simulateSimilar(
  seed: number,
  scenario: Scenario,
  kind: Kind,
  design: SimilarDesign = 'one store',
): Promise<number> {
  const world = new World(seed);
  const upstream = new Upstream(world, kind, scenario);
  const shared = new ForgetfulStore(world, new Map<string, MemoryRow>(), scenario);
  const storage = new KeyvMemoryAdapter(new Map());
  const boot = (): Place => {
    const machine = new Machine(world);
    const store = design === 'one store' ? shared : new ForgetfulStore(world, new Map<string, MemoryRow>(), scenario);
    const provider = simulatedProvider(world, machine, upstream, kind, scenario);
    const { creates } = identityOn({ world, machine, provider, store, ...(design === 'one store' && { storage }) });
    return { machine, creates };
  };
  const fleet = Array.from({ length: MACHINES }, boot);
  trouble(world, scenario, fleet, boot);
  for (const index of fleet.keys()) void assistant(world, `crm-${index}`, () => fleet[index]);
  await world.run(15 * 60_000);
  return upstream.kept.length;
}

interface Place {
  readonly machine: Machine;
  readonly creates: CreateOnce;
}

/** Calls until the customer exists, under this external id or another one. */
async function assistant(world: World, externalId: string, place: () => Place | undefined): Promise<void> {
  const document = { external_id: externalId, name: 'Acme', email: 'a@acme.example' };
  const request = { externalId, document, fields: document, allowDuplicate: false };
  await world.wait(world.between(0, 3_000));
  for (let tries = 0; tries < TRIES; tries += 1) {
    const here = place();
    if (here?.machine.alive) {
      const call = { signal: new AbortController().signal, deadline: world.now + 25_000 };
      const ended = here.creates.create(request, call).then(
        () => 'created',
        (error: unknown) => (error instanceof CustomerError ? error.kind : fail(String(error))),
      );
      const end = await Promise.race([ended, here.machine.died.then(() => 'outcome_unknown')]);
      if (end === 'created' || end === 'possible_duplicate') return;
    }
    await world.wait(world.between(1_000, 30_000));
  }
}

function fail(why: string): never {
  throw new Error(why);
}
