import { CustomerError } from '../../src/errors.ts';
import { memoryRows, type MemoryRow } from '../../src/stores/memory.ts';
import type { Rows } from '../../src/stores/store.ts';
import type { Machine, World } from './world.ts';

export interface StoreTrouble {
  /** Share of the store's calls that fail, before or after they run. */
  readonly storeFaulty: number;
  /** Probability that the store loses its last second once. */
  readonly storeForgets: number;
}

/** The memory store behind an unreliable network, which in some scenarios also loses rows. */
export class ForgetfulStore {
  readonly #world: World;
  readonly #store: Rows;
  readonly #faulty: number;
  readonly #rows: Map<string, MemoryRow>;
  /** Only a store that will lose rows needs its past. */
  readonly #remembers: boolean;
  readonly #history: { readonly at: number; readonly rows: [string, MemoryRow][] }[] = [];

  constructor(world: World, rows: Map<string, MemoryRow>, { storeFaulty, storeForgets }: StoreTrouble) {
    this.#world = world;
    this.#store = memoryRows(() => world.now, rows);
    this.#faulty = storeFaulty;
    this.#rows = rows;
    this.#remembers = world.chance(storeForgets);
    if (this.#remembers) world.after(world.between(0, 20_000), () => this.#forget());
  }

  seenFrom(machine: Machine): Rows {
    const reach = <T>(happen: () => Promise<T>): Promise<T> => {
      const latency = this.#world.between(0.2, 5);
      const fate = this.#world.random();
      const failing = (): CustomerError => new CustomerError('store_unavailable', 'simulated');
      const noted = (): Promise<T> => {
        if (this.#remembers) this.#history.push({ at: this.#world.now, rows: structuredClone([...this.#rows]) });
        return happen();
      };
      if (fate < this.#faulty / 2) return machine.ask(latency, () => Promise.reject(failing()), 500);
      if (fate < this.#faulty) return machine.ask(latency, () => noted().then(() => Promise.reject(failing())), 500);
      return machine.ask(latency, noted, latency);
    };
    return {
      insert: (row) => reach(() => this.#store.insert(row)),
      read: (key) => reach(() => this.#store.read(key)),
      replace: (version, change) => reach(() => this.#store.replace(version, change)),
      remove: (version) => reach(() => this.#store.remove(version)),
      due: (query) => reach(() => this.#store.due(query)),
      list: (query) => reach(() => this.#store.list(query)),
      findByCustomerId: (prefix, ids) => reach(() => this.#store.findByCustomerId(prefix, ids)),
    };
  }

  #forget(): void {
    const kept = this.#history.findLast(({ at }) => at <= this.#world.now - 1_000)?.rows ?? [];
    this.#rows.clear();
    for (const [key, row] of kept) this.#rows.set(key, row);
  }
}
