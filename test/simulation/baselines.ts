import { CustomerError } from '../../src/errors.ts';
import type { Fields, Provider } from '../../src/providers/provider.ts';
import type { Machine, World } from './world.ts';

/** `ledger` is the shipped design; the others are common alternatives. */
export type Design = 'ledger' | keyof typeof baselines;

interface Parts {
  readonly world: World;
  readonly machine: Machine;
  readonly provider: Provider;
  readonly locks: Map<string, { owner: number; until: number; id?: string }>;
  readonly document: Fields;
}

const LOCK_MS = 30_000;
const KEY = 'crm-1';
const ATTEMPTS = 3;

async function post({ world, provider, document }: Parts): Promise<string | undefined> {
  const call = { signal: new AbortController().signal, deadline: world.now + 12_000 };
  return (await provider.createCustomer(document, call)).customer?.id;
}

/** Sends again after any error. */
async function retrying(
  parts: Parts,
  before: () => Promise<string | undefined> = async () => undefined,
): Promise<string | undefined> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return (await before()) ?? (await post(parts));
    } catch (error) {
      if (attempt === ATTEMPTS || !(error instanceof CustomerError)) throw error;
      await parts.machine.sleep(1_000);
    }
  }
}

/** One at a time, with an expiring lock; the id is stored beside it. */
async function locked(parts: Parts, work: () => Promise<string | undefined>): Promise<string | undefined> {
  const { world, machine, locks } = parts;
  const owner = world.random();
  const taken = await machine.ask(
    1,
    () => {
      const lock = locks.get(KEY);
      if (lock && (lock.id !== undefined || lock.until > world.now)) return lock;
      locks.set(KEY, { owner, until: world.now + LOCK_MS });
      return undefined;
    },
    1,
  );
  if (taken?.id !== undefined) return taken.id;
  if (taken) throw new CustomerError('in_progress', 'locked');
  const id = await work();
  await machine.ask(1, () => locks.set(KEY, { owner, until: 0, ...(id !== undefined && { id }) }), 1);
  return id;
}

async function search({ world, provider, document }: Parts): Promise<string | undefined> {
  const call = { signal: new AbortController().signal, deadline: world.now + 12_000 };
  if (provider.findByExternalId) return (await provider.findByExternalId(KEY, call))[0]?.id;
  return (await provider.findSimilar?.(document, call))?.customers[0]?.id;
}

export const baselines = {
  retry: (parts: Parts) => () => retrying(parts),
  'lock, retry': (parts: Parts) => () => locked(parts, () => retrying(parts)),
  'lock, search, retry': (parts: Parts) => () => locked(parts, () => retrying(parts, () => search(parts))),
};
