import fc, { type Scheduler } from 'fast-check';
import { expect, test } from 'vitest';
import { Directory } from '../../src/directory/directory.ts';
import type { CreateAnswer, CreateRequest } from '../../src/identity/create-request.ts';
import { CustomerError } from '../../src/errors.ts';
import type { Call } from '../../src/http-client/call.ts';
import { signingKey } from '../../src/identity/signing-key.ts';
import { memoryRows } from '../../src/stores/memory.ts';
import type { Rows } from '../../src/stores/store.ts';
import type { Fields, ProviderCustomer } from '../../src/providers/provider.ts';
import { createLog } from '../../src/log.ts';
import { archiveCustomer } from '../../src/tools/archive-customer.ts';
import { fakeKinds, FakeProvider, type FakeKind } from '../support/fake-provider.ts';
import { identityOf } from '../support/identity.ts';

/** Orders that are tried per kind of provider. */
const RUNS = Number(process.env['RUNS'] ?? 200);
const LIMIT_MS = 60_000;

/** What becomes of a create at the provider. */
const fates = ['fine', 'answer lost', 'request lost', 'refused'] as const;
type Fate = (typeof fates)[number];

const acme = { name: 'Acme', email: 'mail@acme.example' };

/** What the property tests draw besides the order of steps. */
interface Draw {
  /** All callers in one process, or each in its own. */
  readonly together: boolean;
  /** Pauses that fall somewhere, in ms. */
  readonly pauses: readonly number[];
  readonly flag: boolean;
}

interface Process {
  create(externalId: string | undefined, extra?: Partial<CreateRequest>, fields?: Fields): Promise<CreateAnswer>;
  link(externalId: string, customer: ProviderCustomer): Promise<'linked' | 'already_linked'>;
  /** As `archive_customer` does it. */
  remove(externalId: string): Promise<unknown>;
}

/** Several server processes on one ledger and one provider. During a race every step of theirs waits for the scheduler. */
class Scene {
  readonly provider: FakeProvider;
  readonly kind: FakeKind;
  /** Of the next creates that reach the provider; then all is fine. */
  readonly fates: Fate[];
  /** Called when a deletion has happened, before its caller hears of it. */
  meanwhile: () => Promise<unknown> = async () => {};
  readonly #s: Scheduler | undefined;
  readonly #rows: Rows;
  #racing = false;
  #now = 1_800_000_000_000;
  #serial = 0;

  constructor(kind: FakeKind, s?: Scheduler, upcoming: readonly Fate[] = []) {
    this.kind = kind;
    this.fates = [...upcoming];
    this.#s = s;
    this.#rows = memoryRows(() => this.#now);
    const fateOf = new WeakMap<Call, Fate>();
    this.provider = new FakeProvider(kind, {
      now: () => this.#now,
      before: async (operation, call) => {
        await this.#step(`to the provider: ${operation}`);
        if (operation !== 'create') return;
        const fate = this.fates.shift() ?? 'fine';
        fateOf.set(call, fate);
        if (fate === 'request lost') throw new CustomerError('outcome_unknown', 'The request was lost.');
        if (fate === 'refused') throw new CustomerError('unavailable', 'The provider was not reached.');
      },
      after: async (operation, call) => {
        if (operation === 'archive') await this.meanwhile();
        await this.#step(`from the provider: ${operation}`);
        const lost = fateOf.get(call) === 'answer lost' || this.#now > call.deadline;
        if (operation === 'create' && lost) throw new CustomerError('outcome_unknown', 'The answer was lost.');
      },
    });
  }

  /** A server process: a client of the ledger with a cache and queues of its own. */
  process(): Process {
    const { provider } = this;
    const around = async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      await this.#step(`to the store: ${name}`);
      const result = await work();
      await this.#step(`from the store: ${name}`);
      return result;
    };
    const rows: Rows = {
      insert: (row) => around('insert', () => this.#rows.insert(row)),
      read: (key) => around('read', () => this.#rows.read(key)),
      replace: (version, change) => around(`replace by ${change.state}`, () => this.#rows.replace(version, change)),
      remove: (version) => around('remove', () => this.#rows.remove(version)),
      due: (query) => this.#rows.due(query),
      list: (query) => this.#rows.list(query),
      findByCustomerId: (prefix, ids) => this.#rows.findByCustomerId(prefix, ids),
    };
    const clock = {
      now: () => this.#now,
      monotonic: () => this.#now,
      sleep: async (ms: number) => {
        const until = this.#now + ms;
        await this.#step('sleep');
        this.#now = Math.max(this.#now, until);
      },
    };
    const random = { random: () => ((this.#serial += 1) * 0.618) % 1, uuid: () => `uuid-${(this.#serial += 1)}` };
    const { ids, creates, updates, turns } = identityOf({ provider, rows, clock, random });
    const call = (): Call => ({ signal: new AbortController().signal, deadline: this.#now + 25_000 });
    return {
      create: (externalId, extra, fields = acme) => {
        const document =
          provider.traits.externalIdKeptBy === 'provider' ? { external_id: externalId, ...fields } : fields;
        const plain = { externalId, document, fields: document };
        const request = { ...plain, allowDuplicate: false, ...extra };
        return creates.create(request, call());
      },
      link: async (externalId, customer) => (await creates.link(externalId, customer, call())).outcome,
      async remove(externalId) {
        const client = { ask: async () => 'accepted' as const, progress() {} };
        const settings = {
          confirms: false,
          signingKey: () => signingKey(rows),
          useOnce: async () => true,
          sandbox: false,
          timeoutMs: 25_000,
          log: createLog('silent', () => {}),
        };
        const context = {
          tools: [],
          provider,
          ids,
          creates,
          updates,
          turns,
          directory: new Directory(provider),
          blanks: [],
          call: call(),
          ...settings,
          ...client,
        };
        return archiveCustomer(provider)?.run({ external_id: externalId }, context);
      },
    };
  }

  /** So many callers' processes. */
  callers(count: number, together: boolean): Process[] {
    const one = this.process();
    return Array.from({ length: count }, () => (together ? one : this.process()));
  }

  /** Begins several things at once; returns when all have ended, and after that nothing waits. */
  async race<T extends readonly unknown[] | []>(begin: () => T) {
    this.#racing = true;
    const results = await (this.#s?.waitFor(Promise.allSettled(begin())) ?? Promise.allSettled(begin()));
    this.#racing = false;
    this.fates.length = 0;
    return results;
  }

  /** Lets time pass, in a race at a moment of the scheduler's choice. */
  async pass(ms: number): Promise<void> {
    await this.#step(`${ms} ms pass`);
    this.#now += ms;
  }

  get active(): readonly ProviderCustomer[] {
    return this.provider.customers.filter(({ state }) => state === 'active');
  }

  async #step(label: string): Promise<void> {
    if (this.#racing) await this.#s?.schedule(Promise.resolve(), label);
  }
}

function kindOfError(reason: unknown): string {
  return reason instanceof CustomerError ? reason.kind : `a bug: ${String(reason)}`;
}

/** The ids that were answered with, each once, and the kinds of all errors but `in_progress`, which is always allowed. */
function summary(results: readonly PromiseSettledResult<CreateAnswer>[]): { ids: string[]; errors: string[] } {
  const answers = results.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const errors = results.flatMap((one) => (one.status === 'rejected' ? [kindOfError(one.reason)] : []));
  return {
    ids: [...new Set(answers.map(({ customer }) => String(customer?.id)))],
    errors: errors.filter((kind) => kind !== 'in_progress'),
  };
}

/** Holds in every order that fast-check tries; a failure names the seed and the path that replay it. */
async function holds(
  kinds: readonly FakeKind[],
  work: (scene: Scene, draw: Draw) => Promise<void>,
  { troubled = false } = {},
): Promise<void> {
  const most = { maxLength: troubled ? 3 : 0 };
  const property = fc.asyncProperty(
    fc.scheduler(),
    fc.constantFrom(...kinds),
    fc.boolean(),
    fc.boolean(),
    fc.array(fc.constantFrom(...fates), most),
    fc.array(fc.constantFrom(3_000, 16_000, 130_000), most),
    (s, kind, together, flag, upcoming, pauses) => work(new Scene(kind, s, upcoming), { together, flag, pauses }),
  );
  await fc.assert(property, { numRuns: RUNS * kinds.length });
}

test(
  'three creates of one id make one customer, and all answer with it',
  () =>
    holds(fakeKinds, async (scene, { together }) => {
      const results = await scene.race(() => scene.callers(3, together).map((one) => one.create('crm-1')));
      expect(scene.provider.customers).toHaveLength(1);
      expect(summary(results)).toEqual({ ids: scene.active.map(({ id }) => id), errors: [] });
      if (scene.kind !== 'upserting') expect(scene.provider.creates).toBe(1);
    }),
  LIMIT_MS,
);

test(
  'three creates of one id make at most one customer while requests and answers are lost and processes stop for minutes',
  () =>
    holds(
      fakeKinds,
      async (scene, { together, pauses }) => {
        const { customers } = scene.provider;
        const callers = scene.callers(3, together);
        const creates: Promise<PromiseSettledResult<CreateAnswer>[]>[] = [];
        await scene.race(() => {
          creates.push(Promise.allSettled(callers.map((one) => one.create('crm-1'))));
          return [...creates, ...pauses.map((ms) => scene.pass(ms))];
        });
        const { ids, errors } = summary((await Promise.all(creates)).flat());
        expect(customers.length).toBeLessThanOrEqual(1);
        expect(customers.map(({ id }) => id)).toEqual(expect.arrayContaining(ids));
        expect(errors.filter((kind) => kind !== 'outcome_unknown' && kind !== 'unavailable')).toEqual([]);

        // Whoever asks later gets the one that is there, or the first; where only a person can decide, no caller gets a second.
        await scene.pass(300_000);
        for (const later of scene.callers(2, false)) {
          const answer = await later.create('crm-1').catch(kindOfError);
          expect(customers.length).toBeLessThanOrEqual(1);
          if (customers[0]) expect(answer).toMatchObject({ customer: { id: customers[0].id } });
          else expect([scene.kind, answer]).toEqual(['keyless', 'outcome_unknown']);
        }
      },
      { troubled: true },
    ),
  LIMIT_MS,
);

test('a delayed create does not mention the customer that another created with its id meanwhile', async () => {
  const scene = new Scene('keyless');
  const [slow, quick] = scene.callers(2, false);
  const findSimilar = scene.provider.findSimilar.bind(scene.provider);
  let first = true;
  // The first look for similar customers takes so long that another process takes the id over and creates.
  Object.assign(scene.provider, {
    async findSimilar(document: Fields, call: Call) {
      if (first) {
        first = false;
        await scene.pass(16_000);
        await quick?.create('crm-1');
      }
      return findSimilar(document, call);
    },
  });
  const answer = await slow?.create('crm-1').catch(kindOfError);
  expect(scene.active).toHaveLength(1);
  expect(typeof answer === 'string' ? answer : answer?.customer?.id).toBeOneOf(['in_progress', scene.active[0]?.id]);
});

test(
  'creates of one id with different fields make one customer, and the others hear of a conflict',
  () =>
    holds(['conditional', 'keyless'], async (scene, { together }) => {
      const callers = scene.callers(3, together);
      const results = await scene.race(() =>
        callers.map((one, n) => one.create('crm-1', {}, { ...acme, name: `Acme ${n}` })),
      );
      const { ids, errors } = summary(results);
      expect(scene.provider.customers.map(({ id }) => id)).toEqual(ids);
      expect(errors.filter((kind) => kind !== 'conflict')).toEqual([]);
    }),
  LIMIT_MS,
);

test(
  'a create and a link of one id agree on one customer',
  () =>
    holds(['keyless'], async (scene, { together, flag }) => {
      const fields = flag ? acme : { ...acme, email: 'old@acme.example' };
      await scene.process().create(undefined, {}, fields);
      const [present] = scene.active;
      const [creator, linker] = scene.callers(2, together);
      if (!present || !creator || !linker) throw new Error('the scene is not set');
      const [created, linked] = await scene.race(() => [creator.create('crm-1'), linker.link('crm-1', present)]);

      const { ids, errors } = summary([created]);
      expect(scene.active.filter(({ document }) => document['email'] === acme.email).length).toBeLessThanOrEqual(1);
      if (linked.status === 'fulfilled') {
        expect(ids.filter((id) => id !== present.id)).toEqual([]);
        expect(errors.filter((kind) => kind !== 'conflict' && kind !== 'possible_duplicate')).toEqual([]);
      } else {
        expect(kindOfError(linked.reason)).toBeOneOf(['conflict', 'in_progress']);
      }
      const owner = linked.status === 'fulfilled' ? present.id : ids[0];
      await expect(scene.process().link('crm-1', { ...present, id: String(owner) })).resolves.toBe('already_linked');
    }),
  LIMIT_MS,
);

test(
  'creates beside the deletion of their customer leave at most one, which keeps the id',
  () =>
    holds(['conditional', 'keyless'], async (scene, { together }) => {
      const [deleter, ...creators] = scene.callers(3, together);
      const old = (await deleter?.create('crm-1'))?.customer?.id;
      const creates: Promise<PromiseSettledResult<CreateAnswer>[]>[] = [];
      const [removed] = await scene.race(() => {
        creates.push(Promise.allSettled(creators.map((one) => one.create('crm-1'))));
        return [deleter?.remove('crm-1'), ...creates];
      });
      const { ids, errors } = summary((await Promise.all(creates)).flat());
      const next = scene.active.map(({ id }) => id);
      expect(removed.status).toBe('fulfilled');
      expect(next.length).toBeLessThanOrEqual(1);
      expect(ids.filter((id) => id !== old && id !== next[0])).toEqual([]);
      expect(errors).toEqual([]);

      const answer = await scene.process().create('crm-1');
      expect(scene.active.map(({ id }) => id)).toEqual([answer.customer?.id]);
      expect([answer.customer?.id]).toEqual(expect.arrayContaining(next));
    }),
  LIMIT_MS,
);

test.each(['conditional', 'keyless'] as const)(
  'a deletion that ends late does not free the id of the next customer (%s)',
  async (kind) => {
    const scene = new Scene(kind);
    const [deleter, creator] = scene.callers(2, false);
    await deleter?.create('crm-1');
    scene.meanwhile = async () => creator?.create('crm-1');
    await deleter?.remove('crm-1');
    expect(scene.active).toHaveLength(1);
    const answer = await creator?.create('crm-1', { allowDuplicate: true });
    expect(scene.active).toHaveLength(1);
    expect(answer?.customer?.id).toBe(scene.active[0]?.id);
  },
);

test(
  'creates of two ids with the same email make one customer, and the other hears of a possible duplicate',
  () =>
    holds(fakeKinds, async (scene, { together }) => {
      const callers = scene.callers(2, together);
      const race = await scene.race(() => callers.map((one, n) => one.create(`crm-${n}`)));
      const { ids, errors } = summary(race);
      expect(scene.active.map(({ id }) => id)).toEqual(ids);
      expect(errors).toEqual(['possible_duplicate']);
    }),
  LIMIT_MS,
);

test(
  'creates without an id make one customer of one email',
  () =>
    holds(fakeKinds, async (scene, { together }) => {
      const callers = scene.callers(3, together);
      const { errors } = summary(await scene.race(() => callers.map((one) => one.create(undefined))));
      expect(scene.active).toHaveLength(1);
      expect(errors).toEqual(['possible_duplicate', 'possible_duplicate']);
    }),
  LIMIT_MS,
);

test(
  'a lost create that several people order again at once is sent again once',
  () =>
    holds(['conditional', 'keyless'], async (scene, { together }) => {
      const [first, ...people] = scene.callers(3, together);
      scene.fates.push('request lost');
      await expect(first?.create('crm-1')).rejects.toMatchObject({ kind: 'outcome_unknown' });
      const results = await scene.race(() => people.map((one) => one.create('crm-1', { resend() {} })));
      expect(summary(results)).toEqual({ ids: scene.provider.customers.map(({ id }) => id), errors: [] });
      expect(scene.provider.creates).toBe(1);
    }),
  LIMIT_MS,
);
