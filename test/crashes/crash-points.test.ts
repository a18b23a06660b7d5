import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { KeyvMemoryAdapter } from 'keyv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CustomerError } from '../../src/errors.ts';
import { CreateOnce, LEASE_MS, SETTLE_MS, type CreateAnswer } from '../../src/identity/create-once.ts';
import { IdMap, openCache } from '../../src/identity/id-map.ts';
import type { Ledger } from '../../src/identity/ledger.ts';
import type { Store } from '../../src/identity/stores/store.ts';
import { fakeKinds, FakeProvider, type FakeKind } from '../support/fake-provider.ts';
import { engines } from '../support/stores.ts';

/** What goes wrong at the provider in the life that ends with the crash. */
const faults = {
  nothing: undefined,
  'the request is lost': { at: 'before', error: new CustomerError('outcome_unknown', 'lost on the way there') },
  'the answer is lost': { at: 'after', error: new CustomerError('outcome_unknown', 'lost on the way back') },
  'the request is refused': { at: 'before', error: new CustomerError('invalid_input', 'not like this') },
  'the provider is not reached': { at: 'before', error: new CustomerError('unavailable', 'refused') },
} as const;
type FaultName = keyof typeof faults;

/** Dies at its n-th step: nothing that it waits for from then on comes back. Steps are the edges of every call that it makes. */
class Life {
  steps = 0;
  readonly #last: number;
  readonly #death = Promise.withResolvers<undefined>();
  readonly died = this.#death.promise;

  constructor(last = Number.POSITIVE_INFINITY) {
    this.#last = last;
  }

  async step(): Promise<void> {
    this.steps += 1;
    if (this.steps < this.#last) return;
    this.#death.resolve(undefined);
    await new Promise(() => {});
  }

  /** A ledger every call of which can be cut off before it is made and before its answer arrives. */
  ledger(real: Ledger): Ledger {
    const around = async <T>(work: () => Promise<T>): Promise<T> => {
      await this.step();
      const result = await work();
      await this.step();
      return result;
    };
    return {
      claim: (key, options) => around(() => real.claim(key, options)),
      advance: (intent, to) => around(() => real.advance(intent, to)),
      get: (key) => around(() => real.get(key)),
      due: (prefix, limit, withinMs) => around(() => real.due(prefix, limit, withinMs)),
    };
  }
}

interface Trial {
  readonly provider: FakeProvider;
  readonly externalId: string;
  /** Creates in a life of its own. */
  live(life: Life, fault: FaultName, aheadMs?: number): Promise<CreateAnswer | CustomerError>;
}

function trialOf(store: Store, kind: FakeKind): Trial {
  let life = new Life();
  let fault: FaultName = 'nothing';
  const fail = (at: 'before' | 'after', operation: string): void => {
    const present = faults[fault];
    if (operation === 'create' && present?.at === at) throw present.error;
  };
  const provider = new FakeProvider(kind, {
    async before(operation) {
      await life.step();
      fail('before', operation);
    },
    async after(operation) {
      fail('after', operation);
      await life.step();
    },
  });
  const externalId = randomUUID();
  const document = { external_id: externalId, name: 'Acme', email: `${externalId}@acme.example` };
  const request = { externalId, document, fields: document, allowDuplicate: false, overwrite: false, resend: false };
  return {
    provider,
    externalId,
    async live(ownLife, ownFault, aheadMs = 0) {
      [life, fault] = [ownLife, ownFault];
      const ledger = ownLife.ledger(store.ledger);
      const ids = new IdMap(provider, ledger, openCache(new KeyvMemoryAdapter(new Map())));
      const creates = new CreateOnce(provider, ledger, ids, {
        now: () => Date.now() + aheadMs,
        elapsed: () => performance.now(),
        sleep: (ms) => sleep(ms),
        random: Math.random,
        uuid: randomUUID,
      });
      const call = { signal: new AbortController().signal, deadline: performance.now() + 25_000 };
      return creates.create(request, call).catch((error: unknown) => {
        if (error instanceof CustomerError) return error;
        throw error;
      });
    },
  };
}

function idOf(answer: CreateAnswer | CustomerError): string | undefined {
  return answer instanceof CustomerError ? undefined : answer.customer?.id;
}

interface Killed {
  readonly trial: Trial;
  readonly step: number;
  readonly steps: number;
}

/** One create for every step at which it can be killed, all of them killed. */
async function killAtEveryStep(store: Store, kind: FakeKind, fault: FaultName): Promise<readonly Killed[]> {
  const whole = new Life();
  await trialOf(store, kind).live(whole, fault);
  return Promise.all(
    Array.from({ length: whole.steps }, async (_, index) => {
      const trial = trialOf(store, kind);
      const life = new Life(index + 1);
      await Promise.race([trial.live(life, fault), life.died]);
      return { trial, step: index + 1, steps: whole.steps };
    }),
  );
}

const cases = engines.flatMap((engine) =>
  fakeKinds.flatMap((kind) =>
    Object.keys(faults)
      .filter(isFault)
      .map((fault) => ({ engine, name: engine.name, kind, fault })),
  ),
);
// The memory engine survives here because the test holds it: what is tried is the state machine, on each engine's own ledger.
const stores = new Map(engines.map((engine) => [engine, engine.open()]));
const killed = new Map<(typeof cases)[number], readonly Killed[]>();

/** All kills first, so that their leases run out together. */
beforeAll(async () => {
  for (const one of cases) killed.set(one, await killAtEveryStep(storeOf(one), one.kind, one.fault));
  await sleep(LEASE_MS + 500);
}, 60_000);
afterAll(() => Promise.all([...stores.values()].map((store) => store.close())));

function storeOf({ engine }: (typeof cases)[number]): Store {
  const store = stores.get(engine);
  if (!store) throw new Error(`no store for ${engine.name}`);
  return store;
}

describe('a create that is killed at any of its steps makes no customer twice and loses none', () => {
  test.each(cases)('on $name, at a provider that is $kind, where $fault', async (one) => {
    const trials = killed.get(one) ?? [];
    expect(trials.length).toBeGreaterThan(5);
    for (const { trial, step, steps } of trials) {
      const before = trial.provider.customers.length;
      // Past the time in which a lost request may still arrive; leases go by the store's clock.
      const answer = await trial.live(new Life(), 'nothing', SETTLE_MS + 60_000);
      const again = await trial.live(new Life(), 'nothing', SETTLE_MS + 60_000);
      const told = `killed at step ${step} of ${steps}: ${answer instanceof CustomerError ? answer.message : answer.outcome}`;
      const ids = trial.provider.customers.map(({ id }) => id);
      if (answer instanceof CustomerError) {
        // Nobody can know whether a request that left will be carried out yet, where the provider has no key to ask by.
        const second = again instanceof CustomerError && again.kind;
        expect({ told, kind: one.kind, first: answer.kind, second, before, ids }).toEqual({
          told,
          kind: 'keyless',
          first: 'outcome_unknown',
          second: 'outcome_unknown',
          before: 0,
          ids: [],
        });
      } else {
        expect({ told, ids, first: idOf(answer), again: idOf(again) }).toEqual({
          told,
          ids: [ids[0]],
          first: ids[0],
          again: ids[0],
        });
      }
    }
  });
});

function isFault(name: string): name is FaultName {
  return name in faults;
}
