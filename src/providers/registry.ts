import { dayzero } from './dayzero/index.ts';
import { layer } from './layer/index.ts';
import { notify } from './notify/index.ts';
import type { ProviderDefinition } from './provider.ts';

/** Every provider; the first is the one that the sandbox simulates when nothing is said. */
export const providers: readonly [ProviderDefinition, ...ProviderDefinition[]] = [layer, dayzero, notify];
