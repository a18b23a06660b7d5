/** Work on the same thing, one after the other within this process. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs when everything that was given in before, under the same key, is over. */
  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(work);
    this.#last.set(key, turn);
    try {
      return await turn;
    } finally {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    }
  }
}
