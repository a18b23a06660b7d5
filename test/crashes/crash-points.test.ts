import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CustomerError } from '../../src/errors.ts';
import { systemClock } from '../../src/identity/clock.ts';
import type { CreateAnswer } from '../../src/identity/create-request.ts';
import { LEASE_MS, QUIET_AFTER_SEND_MS } from '../../src/identity/timing.ts';
import type { Rows, Store } from '../../src/stores/store.ts';
import { fakeKinds, FakeProvider, type FakeKind } from '../support/fake-provider.ts';
import { identityOf } from '../support/identity.ts';
import { engines } from '../support/stores.ts';

/** The provider's faults during the process that crashes. */
const faults = {
  nothing: undefined,
  'the request is lost': { at: 'before', error: new CustomerError('outcome_unknown', 'the request was lost') },
  'the answer is lost': { at: 'after', error: new CustomerError('outcome_unknown', 'the answer was lost') },
  'the request is refused': { at: 'before', error: new CustomerError('invalid_input', 'not like this') },
  'the provider is not reached': { at: 'before', error: new CustomerError('unavailable', 'refused') },
} as const;
type FaultName = keyof typeof faults;

/** A process that dies at its n-th step: no call returns from then on. Steps are the start and the end of every call. */
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

  /** Rows of which every call can be cut off before it starts and before its answer arrives. */
  rows(real: Rows): Rows {
    const around = async <T>(work: () => Promise<T>): Promise<T> => {
      await this.step();
      const result = await work();
      await this.step();
      return result;
    };
    return {
      insert: (row) => around(() => real.insert(row)),
      read: (key) => around(() => real.read(key)),
      replace: (version, change) => around(() => real.replace(version, change)),
      remove: (version) => around(() => real.remove(version)),
      due: (query) => around(() => real.due(query)),
      list: (query) => around(() => real.list(query)),
      findByCustomerId: (prefix, ids) => around(() => real.findByCustomerId(prefix, ids)),
    };
  }
}

interface Trial {
  readonly provider: FakeProvider;
  readonly externalId: string;
  /** Creates in a process of its own. */
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
  const document = { external_id: externalId, name: `Acme ${externalId}`, email: `${externalId}@acme.example` };
  const request = { externalId, document, fields: document, allowDuplicate: false };
  return {
    provider,
    externalId,
    async live(ownLife, ownFault, aheadMs = 0) {
      [life, fault] = [ownLife, ownFault];
      const clock = { ...systemClock, now: () => Date.now() + aheadMs };
      const { creates } = identityOf({ provider, rows: ownLife.rows(store.rows), clock });
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

/** One create for every step at which it can be killed, each killed there. */
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
// The memory store survives because the test keeps it: the test is about the state machine on each engine's rows.
const stores = new Map(engines.map((engine) => [engine, engine.open()]));
const killed = new Map<(typeof cases)[number], readonly Killed[]>();

/** All kills come first, so that their leases expire together. */
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

describe('a create that is killed at any of its steps leaves no duplicate and loses no customer', () => {
  test.each(cases)('on $name, at a provider that is $kind, where $fault', async (one) => {
    const trials = killed.get(one) ?? [];
    expect(trials.length).toBeGreaterThan(5);
    for (const { trial, step, steps } of trials) {
      const before = trial.provider.customers.length;
      // After the time in which a lost request may still arrive; leases use the store's clock.
      const answer = await trial.live(new Life(), 'nothing', QUIET_AFTER_SEND_MS + 60_000);
      const again = await trial.live(new Life(), 'nothing', QUIET_AFTER_SEND_MS + 60_000);
      const told = `killed at step ${step} of ${steps}: ${answer instanceof CustomerError ? answer.message : answer.outcome}`;
      const ids = trial.provider.customers.map(({ id }) => id);
      if (answer instanceof CustomerError) {
        // At a provider without a key, it is unknown whether a request that was sent will still run.
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
