import { Settings } from '../../src/config.ts';
import { readHttpConfig } from '../../src/http/config.ts';
import { providers } from '../../src/providers/registry.ts';
import { setUp } from '../../src/setup.ts';

/** Settings that are all empty, or all filled with nonsense, and note what is asked of them. */
class Notes extends Settings {
  readonly names = new Set<string>();
  readonly choices = new Map<string, readonly string[]>();
  readonly ranges = new Map<string, readonly [least: number, most: number]>();
  readonly #filled: boolean;

  constructor(filled: boolean) {
    super({});
    this.#filled = filled;
  }

  override optional(name: string): string | undefined {
    this.names.add(name);
    return this.#filled ? 'nonsense' : undefined;
  }

  override has(name: string): boolean {
    this.names.add(name);
    return this.#filled;
  }

  override choice<const T extends string>(name: string, choices: readonly T[], standard: T): T {
    this.choices.set(name, choices);
    return super.choice(name, choices, standard);
  }

  override wholeNumber(name: string, least: number, most: number, standard: number): number {
    this.ranges.set(name, [least, most]);
    return super.wholeNumber(name, least, most, standard);
  }
}

export interface Asked {
  readonly names: readonly string[];
  readonly choices: ReadonlyMap<string, readonly string[]>;
  readonly ranges: ReadonlyMap<string, readonly [least: number, most: number]>;
}

/** What code really asks of its settings: with all of them empty, and with all of them filled. */
export async function asked(read: (settings: Settings) => unknown): Promise<Asked> {
  const [empty, filled] = [new Notes(false), new Notes(true)];
  await read(empty);
  await read(filled);
  return {
    names: [...new Set([...empty.names, ...filled.names])].toSorted(),
    choices: filled.choices,
    ranges: filled.ranges,
  };
}

/** What serving over stdio asks, whatever the provider. */
export const ofStdio = await asked(async (settings) => {
  for (const { configure } of providers) configure(settings);
  settings.problem('This only looks.');
  const started = await setUp(settings, () => {}, true).catch(() => undefined);
  if (started) throw new Error('It started, although its settings have a problem.');
});

/** What serving over HTTP asks besides. */
export const ofHttp = await asked((settings) => readHttpConfig(settings, '127.0.0.1', 0));
