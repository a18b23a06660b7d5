import { EventEmitter } from 'node:events';
import { keyvStorageCapability, type KeyvStorageAdapter, type KeyvStorageEntry } from 'keyv';

/** The operations of an engine for Keyv; `expires` is ms since 1970. */
export interface KeyValue {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string, expires: number | undefined): Promise<void>;
  delete(key: string): Promise<boolean>;
  clear(): Promise<void>;
  entries(): AsyncIterable<readonly [string, string]>;
}

/** Keyv's storage on an engine's operations. */
export class KeyvStorage extends EventEmitter implements KeyvStorageAdapter {
  readonly capabilities = keyvStorageCapability(this);
  readonly #engine: KeyValue;

  constructor(engine: KeyValue) {
    super();
    this.#engine = engine;
  }

  get(key: string): Promise<string | undefined> {
    return this.#engine.get(key);
  }

  getMany(keys: string[]): Promise<Array<string | undefined>> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  hasMany(keys: string[]): Promise<boolean[]> {
    return Promise.all(keys.map((key) => this.has(key)));
  }

  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    await this.#engine.set(key, String(value), expires);
    return true;
  }

  setMany<Value>(entries: KeyvStorageEntry<Value>[]): Promise<boolean[]> {
    return Promise.all(entries.map(({ key, value, expires }) => this.set(key, value, expires)));
  }

  delete(key: string): Promise<boolean> {
    return this.#engine.delete(key);
  }

  deleteMany(keys: string[]): Promise<boolean[]> {
    return Promise.all(keys.map((key) => this.delete(key)));
  }

  clear(): Promise<void> {
    return this.#engine.clear();
  }

  async *iterator(): AsyncGenerator<string[], void> {
    for await (const [key, value] of this.#engine.entries()) yield [key, value];
  }
}
