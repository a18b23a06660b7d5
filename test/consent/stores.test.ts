import { randomUUID } from 'node:crypto';
import { describe, expect, it, onTestFinished } from 'vitest';
import { signingKey } from '../../src/identity/signing-key.ts';
import { kindOf, messageOf } from '../support/answers.ts';
import { connect, errorOf } from '../support/client.ts';
import { engines, sharedEngines } from '../support/stores.ts';
import { destructive } from './cases.ts';

const KEY = 'v1/keys/consent';

describe.each(engines)('the key in $name', (engine) => {
  it('is made once, however many ask for the first one at the same time', async () => {
    const stores = Array.from({ length: engine.shared ? 4 : 1 }, () => engine.open());
    onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))));
    const [first] = stores;
    const present = await first?.rows.read(KEY);
    if (present) await first?.rows.remove(present);

    const rows = Array.from({ length: 5 }, () => stores.map((store) => store.rows)).flat();
    const keys = await Promise.all(rows.map(signingKey));
    expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
    expect(keys[0]).toHaveLength(32);
  });

  it.each(['{}', '{"key":""}', '{"key":"c2hvcnQ="}', '{"key":1}', '"key"', 'null'])(
    'replaces a damaged row (%s)',
    async (data) => {
      const store = engine.open();
      onTestFinished(() => store.close());
      const before = await signingKey(store.rows);
      const row = (await store.rows.read(KEY)) ?? expect.unreachable();
      const damaged = { state: 'KEY', data, leaseMs: 0, checkInMs: 0, durable: true };
      expect(await store.rows.replace(row, damaged)).toBe(true);
      const keys = await Promise.all([1, 2, 3].map(() => signingKey(store.rows)));
      expect(new Set(keys.map((key) => key.toString('hex'))).size).toBe(1);
      expect(keys[0]).toHaveLength(32);
      expect(keys[0]).not.toEqual(before);
    },
  );
});

const cases = sharedEngines.flatMap((engine) => destructive.map((one) => ({ ...one, engine })));

describe.each(cases)('$title, with replicas on $engine.name', ({ kit, tool, outcome, engine, prepare }) => {
  it('takes the value of another replica', async () => {
    const { standIn, environment } = await kit.start();
    const settings = { ...environment, CUSTOMERS_STORE: engine.address, CUSTOMERS_ACCOUNT: randomUUID() };
    const [one, other] = [await connect(settings), await connect(settings)];
    onTestFinished(async () => {
      await Promise.all([one.close(), other.close()]);
      await standIn.close();
    });
    const { args, happened } = await prepare(one.call, standIn);
    const { confirm } = errorOf(await one.call(tool, args)) ?? {};
    expect(kindOf(await other.call(tool, { ...args, confirm: `${String(confirm)}x` }))).toBe('confirmation_required');
    expect(happened()).toBe(false);
    expect(kindOf(await other.call(tool, { ...args, confirm }))).toBe(outcome);
    expect(happened()).toBe(true);
  });
});

describe.each(destructive.filter(({ tool }) => tool === 'archive_customer'))(
  '$title, without a store,',
  ({ kit, tool, prepare }) => {
    const down = { CUSTOMERS_STORE: 'redis://127.0.0.1:1' };

    it('is not done in two steps', async () => {
      const { standIn, environment } = await kit.start();
      const up = await connect(environment);
      const server = await connect({ ...environment, ...down });
      onTestFinished(async () => {
        await Promise.all([up.close(), server.close()]);
        await standIn.close();
      });
      const { args, happened } = await prepare(up.call, standIn);
      for (const confirm of [undefined, 'true']) {
        const result = await server.call(tool, { ...args, ...(confirm !== undefined && { confirm }) });
        expect(kindOf(result)).toBe('store_unavailable');
        expect(messageOf(result)).toContain('CUSTOMERS_STORE');
      }
      expect(happened()).toBe(false);
    });

    it('is done when the user agrees, for which nothing need be stored', async () => {
      const { standIn, environment } = await kit.start();
      const up = await connect(environment);
      const server = await connect(
        { ...environment, ...down },
        { onQuestion: () => ({ result: { action: 'accept', content: { confirm: true } } }) },
      );
      onTestFinished(async () => {
        await Promise.all([up.close(), server.close()]);
        await standIn.close();
      });
      const { args, happened } = await prepare(up.call, standIn);
      expect(kindOf(await server.call(tool, args))).toBe('deleted');
      expect(happened()).toBe(true);
    });
  },
);
