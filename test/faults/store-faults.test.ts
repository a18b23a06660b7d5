import { afterAll, describe, expect, it, vi } from 'vitest';
import { setTimeout as pause } from 'node:timers/promises';
import { kit as dayzero } from '../providers/dayzero/index.ts';
import type { Fields, ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { Report } from '../support/report.ts';
import { engines, serverEngines, type Engine } from '../support/stores.ts';
import type { Proxy } from '../support/proxy.ts';
import { keyOf, type Damager } from '../support/damager.ts';
import { behindProxy, FILE, inFile, lock, NETWORK, stop, type FaultyStore, type Outage } from './store-outages.ts';
import { note, startScene, type Scene } from './store-scene.ts';

/** Every outage is tested with the provider that depends most on the store, because only the store has its external ids. */
const others = kits.filter(({ name }) => name !== dayzero.name);

/** How long the server may take to reconnect to a store. */
const TIMEOUT_MS = 20_000;

const report = new Report('Store faults: how creates end while the store is down; requests are creates that were sent');

vi.setConfig({ testTimeout: 90_000, hookTimeout: 60_000 });

afterAll(() => console.log(`\n${report}\n`));

const sqlite = engines.find(({ name }) => name === 'sqlite') ?? expect.unreachable();

describe.concurrent('A store on the network', () => {
  for (const engine of serverEngines) {
    const { name, address } = engine;
    for (const {
      when,
      connected,
      late = false,
      breakStore,
      repair = (proxy: Proxy) => proxy.set('forward'),
    } of NETWORK) {
      const outage: Outage = { when, connected, late, prepare: () => behindProxy(address, breakStore, repair) };
      it(`sends no create and reads on when ${name} ${when}, and recovers`, () => passes(engine, outage, dayzero));
    }
    for (const kit of others) {
      const outage: Outage = {
        when: 'stops',
        connected: true,
        late: false,
        prepare: () => behindProxy(address, stop, (proxy) => proxy.set('forward')),
      };
      it(`sends no create to ${kit.name} and reads on when ${name} stops, and recovers`, () =>
        passes(engine, outage, kit));
    }
    for (const { how, breakStore } of [
      { how: 'stops', breakStore: stop },
      { how: 'freezes', breakStore: (proxy: Proxy) => proxy.set('freeze') },
    ]) {
      const prepare = (): Promise<FaultyStore> => behindProxy(address, breakStore, (proxy) => proxy.set('forward'));
      it(`sends nothing when ${name} ${how} between the claim and the send`, () =>
        interrupted(engine, how, 'list', prepare));
      it(`finds the customer again when ${name} ${how} after the send`, () =>
        interrupted(engine, how, 'create', prepare));
    }
  }
});

describe.concurrent('A store in a file', () => {
  for (const { when, connected, breakStore } of FILE) {
    it(`sends no create and reads on when the file ${when}, and recovers`, () =>
      passes(sqlite, { when, connected, late: false, prepare: async () => inFile(breakStore) }, dayzero));
  }
  for (const kit of others)
    it(`sends no create to ${kit.name} and reads on when the file is locked by another, and recovers`, () =>
      passes(
        sqlite,
        { when: 'is locked by another', connected: true, late: false, prepare: async () => inFile(lock) },
        kit,
      ));
  it('answers reads within the time limit while the file is locked by another and many creates wait for it', async () => {
    const faulty = inFile(lock);
    const scene = await startScene(dayzero, faulty.address);
    try {
      const { answer } = await scene.timed('create_customer', scene.freshCreate());
      await faulty.breakStore();
      const creating = Array.from({ length: 20 }, () => scene.timed('create_customer', scene.freshCreate()));
      // Asserts only the time limit of every call, because the other calls are ahead of it.
      const read = await scene.timed('get_customer', { customer_id: answer.data.customer_id });
      report.add('20 creates at once on a locked file', 'get', {
        subject: 'sqlite',
        outcome: read.ends,
        requests: 1,
        ms: read.ms,
      });
      expect(read.ends, read.answer.text).toBe('ok');
      const ended = await Promise.all(creating);
      for (const create of ended) {
        note(report, ['sqlite', '20 creates at once on a locked file'], { ...create, requests: 0 });
        expect(['store_unavailable', 'in_progress', 'unavailable'], create.answer.text).toContain(create.ends);
      }
      expect(scene.standIn.count('create')).toBe(1);
      await faulty.repair();
    } finally {
      await scene.close();
      await faulty.close();
    }
  });
  it('sends nothing when the file is locked by another between the claim and the send', () =>
    interrupted(sqlite, 'is locked by another', 'list', async () => inFile(lock)));
  it('finds the customer again when the file is locked by another after the send', () =>
    interrupted(sqlite, 'is locked by another', 'create', async () => inFile(lock)));
});

/**
 * A complete outage: creates with an external id fail and send nothing, everything else works, and the recovery is complete.
 */
async function passes(engine: Engine, { when, connected, late, prepare }: Outage, kit: ProviderKit): Promise<void> {
  const faulty = await prepare();
  if (!connected) await faulty.breakStore();
  const scene = await startScene(kit, faulty.address);
  const damager = await engine.damage(faulty.address);
  try {
    const { standIn, externalIdField, freshCreate, sent } = scene;
    const before = freshCreate();
    if (connected) {
      const { ends, answer } = await scene.timed('create_customer', before);
      expect(ends, answer.text).toBe('created');
      await faulty.breakStore();
    }

    const creates = [freshCreate(), freshCreate(), freshCreate()];
    for (const tried of await Promise.all(creates.map((create) => scene.timed('create_customer', create)))) {
      note(report, [engine.name, when], { ...tried, requests: 0 });
      expect(tried.ends, tried.answer.text).toBe('store_unavailable');
    }
    expect(creates.map(sent)).toEqual([0, 0, 0]);

    const { [externalIdField]: _, ...unkeyed } = freshCreate();
    const made = await scene.timed('create_customer', unkeyed);
    expect(made.ends, made.answer.text).toBe('created');
    const ref = { customer_id: made.answer.data.customer_id };
    const read = await scene.timed('get_customer', ref);
    expect(read.ends, read.answer.text).toBe('ok');
    const changed = await scene.timed('update_customer', { ...ref, [kit.nameField.field]: 'Another name' });
    expect(changed.ends, changed.answer.text).toBe('updated');
    if (connected) {
      // Only DayZero's ids are nowhere else than in the store. A locked file can still be read.
      const byOwn = await scene.timed('get_customer', { [externalIdField]: before[externalIdField] });
      expect(byOwn.ends, byOwn.answer.text).toBe(
        !kit.keepsExternalId && engine !== sqlite ? 'store_unavailable' : 'ok',
      );
    }

    const repairedAt = performance.now();
    await faulty.repair();
    const passing = await Promise.all(creates.map((create) => expectInTheEnd(scene, damager, create, 'created')));
    const waited = passing.flat().includes('in_progress');
    report.add(`${when}: back again`, 'create', {
      subject: engine.name,
      outcome: waited ? 'in_progress, then created' : 'created',
      requests: Math.max(...creates.map(sent)),
      ms: performance.now() - repairedAt,
    });
    if (!late) expect(waited, 'nothing was in progress').toBe(false);
    for (const create of connected ? [before, ...creates] : creates) {
      const again = await scene.timed('create_customer', create);
      expect(again.ends, again.answer.text).toBe('existing');
      expect(sent(create)).toBe(1);
    }
    expect(standIn.customers.size).toBe(connected ? 5 : 4);
  } finally {
    await scene.close();
    await damager.close();
    await faulty.close();
  }
}

/** The store fails while a create is in flight, at the request `at`. */
async function interrupted(
  engine: Engine,
  how: string,
  at: 'list' | 'create',
  prepare: () => Promise<FaultyStore>,
): Promise<void> {
  const faulty = await prepare();
  const scene = await startScene(dayzero, faulty.address);
  const damager = await engine.damage(faulty.address);
  try {
    const { standIn, freshCreate, sent } = scene;
    const warm = await scene.timed('create_customer', freshCreate());
    expect(warm.ends, warm.answer.text).toBe('created');
    standIn.requests.length = 0;
    standIn.fault({ on: at, act: { delayMs: 500 } });
    const create = freshCreate();
    const calling = scene.timed('create_customer', create);
    await vi.waitFor(() => expect(standIn.count(at)).toBeGreaterThan(0), { timeout: 5_000, interval: 10 });
    await faulty.breakStore();
    const cut = await calling;
    const where = at === 'list' ? 'between the claim and the send' : 'after the send';
    note(report, [engine.name, `${how} ${where}`], { ...cut, requests: sent(create) });
    if (at === 'list') {
      expect(cut.ends, cut.answer.text).toBe('store_unavailable');
      expect(sent(create)).toBe(0);
    } else {
      expect(cut.ends, cut.answer.text).toBe('created');
      expect(cut.answer.data.warnings).toEqual([expect.stringContaining('store')]);
    }
    const repairedAt = performance.now();
    await faulty.repair();
    const end = at === 'list' ? 'created' : 'existing';
    const waited = (await expectInTheEnd(scene, damager, create, end)).includes('in_progress');
    const ms = performance.now() - repairedAt;
    report.add(`${how} ${where}: back again`, 'create', {
      subject: engine.name,
      outcome: waited ? `in_progress, then ${end}` : end,
      requests: sent(create),
      ms,
    });
    expect(sent(create)).toBe(1);
    expect(standIn.customers.size).toBe(2);
  } finally {
    await scene.close();
    await damager.close();
    await faulty.close();
  }
}

/**
 * Calls until the store is back. The lease of an interrupted call is expired, as time would do.
 * @returns how the calls before the last one ended.
 */
async function expectInTheEnd(scene: Scene, damager: Damager, create: Fields, end: string): Promise<readonly string[]> {
  const before: string[] = [];
  const giveUpAt = performance.now() + TIMEOUT_MS;
  for (;;) {
    const { answer, ends } = await scene.timed('create_customer', create);
    const passing = ends === 'store_unavailable' || ends === 'in_progress';
    if (!passing || performance.now() > giveUpAt) {
      expect(ends, answer.text).toBe(end);
      return before;
    }
    before.push(ends);
    if (ends === 'in_progress') await damager.setTimes(keyOf(create[scene.externalIdField]), new Date(0));
    await pause(250);
  }
}
