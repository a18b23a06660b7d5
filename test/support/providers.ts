import { existsSync } from 'node:fs';
import { providers } from '../../src/providers/registry.ts';
import type { ProviderKit } from './provider-kit.ts';

/** The kit of every registered provider, in the order of the registry. */
export const kits: readonly ProviderKit[] = await Promise.all(providers.map(({ name }) => load(name)));

async function load(name: string): Promise<ProviderKit> {
  const index = new URL(`../providers/${name}/index.ts`, import.meta.url);
  if (!existsSync(index))
    throw new Error(
      `The provider ${name} is registered, but the suite cannot test it: test/providers/${name}/index.ts has to export its ProviderKit as \`kit\`.`,
    );
  const { kit }: { readonly kit?: ProviderKit } = await import(index.href);
  if (!kit) throw new Error(`test/providers/${name}/index.ts does not export a ProviderKit as \`kit\`.`);
  return kit;
}
