import { dayzero } from './dayzero/index.ts';
import { layer } from './layer/index.ts';
import { notify } from './notify/index.ts';
import type { ProviderDefinition } from './provider.ts';

/** Every provider; the first one is simulated by the sandbox unless another is chosen. */
export const providers: readonly [ProviderDefinition, ...ProviderDefinition[]] = [layer, dayzero, notify];
