import { randomUUID } from 'node:crypto';
import { KeyvMemoryAdapter } from 'keyv';
import { expect, test } from 'vitest';
import { CustomerError } from '../../src/errors.ts';
import { CreateOnce, SETTLE_MS } from '../../src/identity/create-once.ts';
import { IdMap, openCache } from '../../src/identity/id-map.ts';
import { settleOpen } from '../../src/identity/reconciler.ts';
import { memoryLedger } from '../../src/identity/stores/memory.ts';
import { FakeProvider } from '../support/fake-provider.ts';

test('a create that finds its customer deleted leaves alone what is linked in the meantime', async () => {
  let meanwhile: (() => Promise<unknown>) | undefined;
  const provider = new FakeProvider('keyless', {
    async after(operation) {
      const now = operation === 'get' ? meanwhile : undefined;
      meanwhile = undefined;
      await now?.();
    },
  });
  const ledger = memoryLedger(Date.now);
  const process = (): CreateOnce => {
    const ids = new IdMap(provider, ledger, openCache(new KeyvMemoryAdapter(new Map())));
    const sleep = async (): Promise<void> => {};
    return new CreateOnce(provider, ledger, ids, {
      now: Date.now,
      elapsed: () => performance.now(),
      sleep,
      random: Math.random,
      uuid: randomUUID,
    });
  };
  const call = () => ({ signal: new AbortController().signal, deadline: performance.now() + 25_000 });
  const creating = (externalId: string | undefined, name: string) => {
    const document = { name, email: `${name}@acme.example` };
    return { externalId, document, fields: document, allowDuplicate: false, overwrite: false, resend: false };
  };
  const [one, other] = [process(), process()];
  const first = await one.create(creating('crm-1', 'first'), call());
  const second = await one.create(creating(undefined, 'second'), call());
  await provider.archiveCustomer(first.customer?.id ?? '', call());
  const linked = second.customer;
  if (!linked) throw new Error('nothing to link');

  meanwhile = () => other.link('crm-1', linked, call());
  await expect(one.create(creating('crm-1', 'first'), call())).rejects.toMatchObject({ kind: 'conflict' });
  expect(await other.link('crm-1', linked, call())).toBe('already_linked');
  expect(provider.customers.filter(({ state }) => state === 'active').map(({ id }) => id)).toEqual([linked.id]);
});

test('a create that is carried out long after a repeat of it was refused is still found', async () => {
  let now = 1_700_000_000_000;
  let fault: CustomerError | undefined;
  const provider = new FakeProvider('conditional', {
    async before(operation) {
      if (operation === 'create' && fault) throw fault;
    },
    now: () => now,
  });
  const ledger = memoryLedger(() => now);
  const ids = new IdMap(provider, ledger, openCache(new KeyvMemoryAdapter(new Map())));
  const creates = new CreateOnce(provider, ledger, ids, {
    now: () => now,
    elapsed: () => performance.now(),
    sleep: async () => {},
    random: () => 0.5,
    uuid: randomUUID,
  });
  const call = () => ({ signal: new AbortController().signal, deadline: performance.now() + 25_000 });
  const document = { external_id: 'crm-1', name: 'Acme' };
  const request = {
    externalId: 'crm-1',
    document,
    fields: document,
    allowDuplicate: false,
    overwrite: false,
    resend: false,
  };

  fault = new CustomerError('outcome_unknown', 'no answer');
  await expect(creates.create(request, call())).rejects.toMatchObject({ kind: 'outcome_unknown' });
  now += SETTLE_MS + 1_000;
  fault = new CustomerError('rate_limited', 'not now');
  await expect(creates.create(request, call())).rejects.toMatchObject({ kind: 'rate_limited' });

  fault = undefined;
  await provider.createCustomer(document, call());
  now += 60_000;
  const [id] = provider.customers.map((customer) => customer.id);
  expect(await settleOpen(creates, call)).toEqual([{ externalId: 'crm-1', state: 'DONE', remoteId: id }]);
  expect(await creates.create(request, call())).toMatchObject({ outcome: 'existing', customer: { id } });
  expect(provider.customers).toHaveLength(1);
});
