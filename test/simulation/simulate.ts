import type { CreateOnce } from '../../src/identity/create-once.ts';
import type { CreateRequest } from '../../src/identity/create-request.ts';
import { CustomerError } from '../../src/errors.ts';
import { identityKey } from '../../src/identity/id-map.ts';
import { resolveDue } from '../../src/identity/reconciler.ts';
import { decodeIntent } from '../../src/identity/stored-intent.ts';
import type { MemoryRow } from '../../src/stores/memory.ts';
import { DUE_STATES } from '../../src/stores/store.ts';
import { baselines, type Design } from './baselines.ts';
import { ForgetfulStore, type StoreTrouble } from './forgetful-store.ts';
import { identityOn } from './identities.ts';
import { simulatedProvider, Upstream, type Kind, type Trouble } from './upstream.ts';
import { Machine, World } from './world.ts';

export interface Scenario extends Trouble, StoreTrouble {
  readonly name: string;
  readonly crashes: number;
  readonly pauses: number;
  readonly pauseMs: number;
}

const usual = {
  crashes: 0.5,
  pauses: 0.3,
  pauseMs: 90_000,
  faulty: 0.4,
  lateMs: 60_000,
  lagMs: 0,
  storeFaulty: 0.03,
  storeForgets: 0,
};

export const scenarios: readonly Scenario[] = [
  { ...usual, name: 'late commits up to 1 min' },
  { ...usual, name: 'search lags up to 5 s', lagMs: 5_000 },
  { ...usual, name: 'late commits up to 10 min', lateMs: 600_000 },
  { ...usual, name: 'pauses up to 10 min', pauseMs: 600_000 },
  { ...usual, name: 'store forgets its last second', storeForgets: 0.3 },
];

/** The result of one external id that several assistants create at once. */
export interface Verdict {
  readonly customers: number;
  /** An answer named a customer that does not exist, or two answers named two. */
  readonly phantom: boolean;
  /** A customer exists and the ledger does not know it, even after the reconciler had enough time. */
  readonly unmapped: boolean;
  /** The ledger does not know whether the customer exists. */
  readonly unknown: boolean;
}

const MACHINES = 3;
const AGENTS = 2;
const TRIES = 12;
const EXTERNAL_ID = 'crm-1';
const DOCUMENT = { external_id: EXTERNAL_ID, name: 'Acme', email: 'a@acme.example' };

/** One history: 3 machines with 2 assistants each, which all create the same customer while faults occur. */
export async function simulate(
  seed: number,
  scenario: Scenario,
  kind: Kind,
  design: Design = 'ledger',
): Promise<Verdict> {
  const world = new World(seed);
  const upstream = new Upstream(world, kind, scenario);
  const rows = new Map<string, MemoryRow>();
  const store = new ForgetfulStore(world, rows, scenario);
  const answers = new Set<string>();
  const locks = new Map<string, { owner: number; until: number; id?: string }>();

  const boot = (): Booted => {
    const machine = new Machine(world);
    const provider = simulatedProvider(world, machine, upstream, kind, scenario);
    const { creates } = identityOn({ world, machine, provider, store });
    const create =
      design === 'ledger'
        ? async () => (await creates.create(REQUEST, callOf(world))).customer?.id
        : baselines[design]({ world, machine, provider, locks, document: DOCUMENT });
    return { machine, creates, create, provider };
  };

  const fleet = Array.from({ length: MACHINES }, boot);
  trouble(world, scenario, fleet, boot);
  for (let index = 0; index < MACHINES; index += 1) {
    for (let agent = 0; agent < AGENTS; agent += 1) void assistant(world, () => fleet[index], answers);
  }
  await world.run(15 * 60_000);

  const calm = boot();
  const key = identityKey(calm.provider, EXTERNAL_ID);
  const isOpen = (): boolean => DUE_STATES.includes(rows.get(key)?.state ?? '');
  for (let round = 0; design === 'ledger' && isOpen() && round < 12; round += 1) {
    void resolveDue(calm.creates, () => callOf(world)).catch(() => {});
    await world.run(round < 6 ? 60_000 : 3_600_000);
  }

  const row = rows.get(key);
  const intent = row && decodeIntent(row);
  const known = design === 'ledger' ? intent?.state === 'DONE' && intent.data.customerId : locks.get(EXTERNAL_ID)?.id;
  return {
    customers: upstream.kept.length,
    phantom: answers.size > 1 || [...answers].some((id) => !upstream.ids.includes(id)),
    unmapped: upstream.kept.length > 0 && !upstream.ids.includes(String(known)),
    unknown: intent?.state === 'UNKNOWN',
  };
}

const REQUEST: CreateRequest = {
  externalId: EXTERNAL_ID,
  document: DOCUMENT,
  fields: DOCUMENT,
  allowDuplicate: false,
};

interface Booted {
  readonly machine: Machine;
  readonly creates: CreateOnce;
  readonly provider: ReturnType<typeof simulatedProvider>;
  readonly create: () => Promise<string | undefined>;
}

function callOf(world: World) {
  return { signal: new AbortController().signal, deadline: world.now + 25_000 };
}

/** Calls until it has an answer, like an assistant that follows the messages. */
async function assistant(world: World, place: () => Booted | undefined, answers: Set<string>): Promise<void> {
  await world.wait(world.between(0, 5_000));
  for (let tries = 0; tries < TRIES; tries += 1) {
    const here = place();
    if (here?.machine.alive) {
      const outcome = await Promise.race([here.create().catch(asKind), here.machine.died]);
      const final =
        outcome instanceof CustomerError && (outcome.kind === 'conflict' || outcome.kind === 'possible_duplicate');
      if (typeof outcome === 'string') answers.add(outcome);
      if (typeof outcome === 'string' || final) return;
    }
    await world.wait(world.between(1_000, 30_000));
  }
}

function asKind(error: unknown): CustomerError {
  if (error instanceof CustomerError) return error;
  throw error;
}

/** Suspends and kills machines of a fleet, and restarts killed ones. */
export function trouble<T extends { readonly machine: Machine }>(
  world: World,
  scenario: Pick<Scenario, 'crashes' | 'pauses' | 'pauseMs'>,
  fleet: T[],
  boot: () => T,
): void {
  for (const index of fleet.keys()) {
    if (world.chance(scenario.pauses))
      world.after(world.between(0, 20_000), () => fleet[index]?.machine.pause(world.between(0, scenario.pauseMs)));
    if (!world.chance(scenario.crashes)) continue;
    world.after(world.between(0, 20_000), () => {
      fleet[index]?.machine.crash();
      world.after(world.between(1_000, 30_000), () => (fleet[index] = boot()));
    });
  }
}
