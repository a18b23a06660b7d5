import { readProxies } from '../../src/config.ts';
import { readHttpConfig } from '../../src/http/config.ts';
import { providers } from '../../src/providers/registry.ts';
import { createRuntime } from '../../src/runtime.ts';
import { Settings, type Variable } from '../../src/settings.ts';

/** Settings that are all empty, or all filled with nonsense, and note what is asked of them. */
class Notes extends Settings {
  readonly names = new Set<string>();
  readonly #filled: boolean;

  constructor(filled: boolean) {
    super({});
    this.#filled = filled;
  }

  override optional({ name }: Variable): string | undefined {
    this.names.add(name);
    return this.#filled ? 'nonsense' : undefined;
  }

  override has({ name }: Variable): boolean {
    this.names.add(name);
    return this.#filled;
  }
}

/** The names that code really asks of its settings: with all of them empty, and with all of them filled. */
export async function asked(read: (settings: Settings) => unknown): Promise<readonly string[]> {
  const [empty, filled] = [new Notes(false), new Notes(true)];
  await read(empty);
  await read(filled);
  return [...new Set([...empty.names, ...filled.names])].toSorted();
}

/** What all programs of the machine ask, in upper case; each may be written in lower case. */
export const ofMachine = [...new Set((await asked(readProxies)).map((name) => name.toUpperCase()))];
const isOwn = (name: string): boolean => !ofMachine.includes(name.toUpperCase());

/** What serving over stdio asks, whatever the provider. */
export const ofStdio = (
  await asked(async (settings) => {
    for (const { configure } of providers) configure(settings);
    settings.problem('This only looks.');
    const started = await createRuntime(settings, () => {}, true).catch(() => undefined);
    if (started) throw new Error('It started, although its settings have a problem.');
  })
).filter(isOwn);

/** What serving over HTTP asks besides. */
export const ofHttp = (await asked((settings) => readHttpConfig(settings, '127.0.0.1', 0))).filter(isOwn);
