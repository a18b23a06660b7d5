/** Virtual time and seeded random numbers, so that a seed always produces the same history. */
export class World {
  readonly random: () => number;
  #now = 1_700_000_000_000;
  #count = 0;
  readonly #events: { at: number; order: number; run: () => void }[] = [];

  constructor(seed: number) {
    this.random = mulberry32(seed);
  }

  get now(): number {
    return this.#now;
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  between(least: number, most: number): number {
    return least + this.random() * (most - least);
  }

  after(ms: number, run: () => void): void {
    const event = { at: this.#now + Math.max(0, ms), order: (this.#count += 1), run };
    let place = this.#events.length;
    while (place > 0 && later(this.#events[place - 1], event)) place -= 1;
    this.#events.splice(place, 0, event);
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }

  /** Runs until there are no more events, or until the time has passed. */
  async run(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      // Lets everything that the last event triggered finish before the clock advances.
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#events[0];
      if (!next || next.at > end) break;
      this.#events.shift();
      this.#now = Math.max(this.#now, next.at);
      next.run();
    }
    this.#now = Math.max(this.#now, end);
  }
}

/** A process of the simulated fleet. It can be suspended, and it can die; then nothing that it waits for ever resolves. */
export class Machine {
  readonly #world: World;
  #pausedUntil = 0;
  readonly #death = Promise.withResolvers<undefined>();
  /** Resolves when it dies, for its callers. */
  readonly died = this.#death.promise;
  alive = true;

  constructor(world: World) {
    this.#world = world;
  }

  crash(): void {
    this.alive = false;
    this.#death.resolve(undefined);
  }

  pause(ms: number): void {
    this.#pausedUntil = Math.max(this.#pausedUntil, this.#world.now + ms);
  }

  /** A remote operation, with a delay before it and a delay after it. */
  ask<T>(thereMs: number, happen: () => T | Promise<T>, backMs: number): Promise<T> {
    return new Promise((resolve, reject) => {
      const hear = (tell: () => void): void => this.#world.after(backMs, () => this.#deliver(tell));
      this.#deliver(() =>
        this.#world.after(thereMs, () => {
          void Promise.resolve()
            .then(happen)
            .then(
              (value) => hear(() => resolve(value)),
              (error: unknown) => hear(() => reject(error)),
            );
        }),
      );
    });
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#world.after(ms, () => this.#deliver(resolve)));
  }

  #deliver(tell: () => void): void {
    if (!this.alive) return;
    const wait = this.#pausedUntil - this.#world.now;
    if (wait > 0) this.#world.after(wait, () => this.#deliver(tell));
    else tell();
  }
}

function later(a: { at: number; order: number } | undefined, b: { at: number; order: number }): boolean {
  return a !== undefined && (a.at > b.at || (a.at === b.at && a.order > b.order));
}

function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
