import { KeyvMemoryAdapter } from 'keyv';
import { CreateOnce, type CreateRequest } from '../../src/identity/create-once.ts';
import { CustomerError } from '../../src/errors.ts';
import { identityKey, IdMap, openCache } from '../../src/identity/id-map.ts';
import type { Ledger } from '../../src/identity/ledger.ts';
import { settleOpen } from '../../src/identity/reconciler.ts';
import { memoryLedger, type Row } from '../../src/identity/stores/memory.ts';
import { baselines, type Design } from './baselines.ts';
import { simulatedProvider, Upstream, type Kind, type Trouble } from './upstream.ts';
import { Machine, World } from './world.ts';

export interface Scenario extends Trouble {
  readonly name: string;
  readonly crashes: number;
  readonly pauses: number;
  readonly pauseMs: number;
  /** Share of the store's calls that fail, carried out or not. */
  readonly storeFaulty: number;
  /** Chance that the store forgets its last second once. */
  readonly storeForgets: number;
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

/** What became of one identity that several assistants wanted to create at once. */
export interface Verdict {
  readonly customers: number;
  /** An answer named a customer that does not exist, or two answers named two. */
  readonly phantom: boolean;
  /** A customer exists and the ledger does not know it, after the reconciler has had its time. */
  readonly unmapped: boolean;
  /** The ledger does not know whether there is one. */
  readonly unknown: boolean;
}

const MACHINES = 3;
const AGENTS = 2;
const TRIES = 12;
const EXTERNAL_ID = 'crm-1';
const DOCUMENT = { external_id: EXTERNAL_ID, name: 'Acme', email: 'a@acme.example' };

/** One history: 3 machines with 2 assistants each, all creating the same customer, while things go wrong. */
export async function simulate(
  seed: number,
  scenario: Scenario,
  kind: Kind,
  design: Design = 'ledger',
): Promise<Verdict> {
  const world = new World(seed);
  const upstream = new Upstream(world, kind, scenario);
  const rows = new Map<string, Row>();
  const store = new ForgetfulStore(world, rows, scenario);
  const answers = new Set<string>();
  const locks = new Map<string, { owner: number; until: number; id?: string }>();

  const boot = (): Booted => {
    const machine = new Machine(world);
    const provider = simulatedProvider(world, machine, upstream, kind, scenario);
    const ledger = store.seenFrom(machine);
    const ids = new IdMap(provider, ledger, openCache(new KeyvMemoryAdapter(new Map())));
    let count = 0;
    const creates = new CreateOnce(provider, ledger, ids, {
      now: () => world.now,
      elapsed: () => world.now,
      sleep: (ms) => machine.sleep(ms),
      random: world.random,
      uuid: () => `u${seed}-${(count += 1)}-${world.random()}`,
    });
    const create =
      design === 'ledger'
        ? async () => (await creates.create(REQUEST, callOf(world))).customer?.id
        : baselines[design]({ world, machine, provider, locks, document: DOCUMENT });
    return { machine, creates, create, provider };
  };

  const fleet = Array.from({ length: MACHINES }, boot);
  for (let index = 0; index < MACHINES; index += 1) {
    trouble(world, scenario, fleet, index, boot);
    for (let agent = 0; agent < AGENTS; agent += 1) void assistant(world, () => fleet[index], answers);
  }
  await world.run(15 * 60_000);

  const calm = boot();
  const key = identityKey(calm.provider, EXTERNAL_ID);
  const isOpen = (): boolean => ['PENDING', 'SENT', 'UNSURE'].includes(rows.get(key)?.intent.state ?? '');
  for (let round = 0; design === 'ledger' && isOpen() && round < 12; round += 1) {
    void settleOpen(calm.creates, () => callOf(world)).catch(() => {});
    await world.run(round < 6 ? 60_000 : 3_600_000);
  }

  const row = rows.get(key)?.intent;
  const known = design === 'ledger' ? row?.state === 'DONE' && row.data.remoteId : locks.get(EXTERNAL_ID)?.id;
  return {
    customers: upstream.kept.length,
    phantom: answers.size > 1 || [...answers].some((id) => !upstream.ids.includes(id)),
    unmapped: upstream.kept.length > 0 && !upstream.ids.includes(String(known)),
    unknown: row?.state === 'UNSURE',
  };
}

const REQUEST: CreateRequest = {
  externalId: EXTERNAL_ID,
  document: DOCUMENT,
  fields: DOCUMENT,
  allowDuplicate: false,
  overwrite: false,
  resend: false,
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

/** Calls until it has an answer, as an assistant does that follows the messages. */
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

function trouble(world: World, scenario: Scenario, fleet: Booted[], index: number, boot: () => Booted): void {
  if (world.chance(scenario.pauses))
    world.after(world.between(0, 20_000), () => fleet[index]?.machine.pause(world.between(0, scenario.pauseMs)));
  if (!world.chance(scenario.crashes)) return;
  world.after(world.between(0, 20_000), () => {
    fleet[index]?.machine.crash();
    world.after(world.between(1_000, 30_000), () => (fleet[index] = boot()));
  });
}

/** The memory ledger over a network that fails, and, where the scenario says so, with a store that forgets. */
class ForgetfulStore {
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #faulty: number;
  readonly #rows: Map<string, Row>;
  readonly #history: { readonly at: number; readonly rows: [string, Row][] }[] = [];

  constructor(world: World, rows: Map<string, Row>, { storeFaulty, storeForgets }: Scenario) {
    this.#world = world;
    this.#ledger = memoryLedger(() => world.now, rows);
    this.#faulty = storeFaulty;
    this.#rows = rows;
    if (world.chance(storeForgets)) world.after(world.between(0, 20_000), () => this.#forget());
  }

  seenFrom(machine: Machine): Ledger {
    const reach = <T>(happen: () => Promise<T>): Promise<T> => {
      const latency = this.#world.between(0.2, 5);
      const fate = this.#world.random();
      const failing = (): CustomerError => new CustomerError('store_unavailable', 'simulated');
      const noted = (): Promise<T> => {
        this.#history.push({ at: this.#world.now, rows: structuredClone([...this.#rows]) });
        return happen();
      };
      if (fate < this.#faulty / 2) return machine.ask(latency, () => Promise.reject(failing()), 500);
      if (fate < this.#faulty) return machine.ask(latency, () => noted().then(() => Promise.reject(failing())), 500);
      return machine.ask(latency, noted, latency);
    };
    return {
      claim: (key, options) => reach(() => this.#ledger.claim(key, options)),
      advance: (intent, to) => reach(() => this.#ledger.advance(intent, to)),
      get: (key) => reach(() => this.#ledger.get(key)),
      due: (prefix, limit, withinMs) => reach(() => this.#ledger.due(prefix, limit, withinMs)),
    };
  }

  #forget(): void {
    const kept = this.#history.findLast(({ at }) => at <= this.#world.now - 1_000)?.rows ?? [];
    this.#rows.clear();
    for (const [key, row] of kept) this.#rows.set(key, row);
  }
}
