import { expect, test } from 'vitest';
import { CustomerError } from '../../src/errors.ts';
import { systemClock } from '../../src/identity/clock.ts';
import type { CreateOnce } from '../../src/identity/create-once.ts';
import { resolveDue } from '../../src/identity/reconciler.ts';
import { QUIET_AFTER_SEND_MS } from '../../src/identity/timing.ts';
import { memoryRows } from '../../src/stores/memory.ts';
import { FakeProvider } from '../support/fake-provider.ts';
import { identityOf } from '../support/identity.ts';

test('a create that finds its customer deleted does not change a link that was made meanwhile', async () => {
  let meanwhile: (() => Promise<unknown>) | undefined;
  const provider = new FakeProvider('keyless', {
    async after(operation) {
      const now = operation === 'get' ? meanwhile : undefined;
      meanwhile = undefined;
      await now?.();
    },
  });
  const rows = memoryRows(Date.now);
  const process = (): CreateOnce => identityOf({ provider, rows }).creates;
  const call = () => ({ signal: new AbortController().signal, deadline: performance.now() + 25_000 });
  const creating = (externalId: string | undefined, name: string) => {
    const document = { name, email: `${name}@acme.example` };
    return { externalId, document, fields: document, allowDuplicate: false };
  };
  const [one, other] = [process(), process()];
  const first = await one.create(creating('crm-1', 'first'), call());
  const second = await one.create(creating(undefined, 'second'), call());
  await provider.archiveCustomer(first.customer?.id ?? '', call());
  const linked = second.customer;
  if (!linked) throw new Error('nothing to link');

  meanwhile = () => other.link('crm-1', linked, call());
  await expect(one.create(creating('crm-1', 'first'), call())).rejects.toMatchObject({ kind: 'conflict' });
  expect(await other.link('crm-1', linked, call())).toEqual({ outcome: 'already_linked', unlinked: [] });
  expect(provider.customers.filter(({ state }) => state === 'active').map(({ id }) => id)).toEqual([linked.id]);
});

test('a create that runs long after its repeat was refused is still found', async () => {
  let now = 1_700_000_000_000;
  let fault: CustomerError | undefined;
  const provider = new FakeProvider('conditional', {
    async before(operation) {
      if (operation === 'create' && fault) throw fault;
    },
    now: () => now,
  });
  const clock = { ...systemClock, now: () => now };
  const { creates } = identityOf({ provider, rows: memoryRows(() => now), clock });
  const call = () => ({ signal: new AbortController().signal, deadline: performance.now() + 25_000 });
  const document = { external_id: 'crm-1', name: 'Acme' };
  const request = {
    externalId: 'crm-1',
    document,
    fields: document,
    allowDuplicate: false,
  };

  fault = new CustomerError('outcome_unknown', 'no answer');
  await expect(creates.create(request, call())).rejects.toMatchObject({ kind: 'outcome_unknown' });
  now += QUIET_AFTER_SEND_MS + 1_000;
  fault = new CustomerError('rate_limited', 'not now');
  await expect(creates.create(request, call())).rejects.toMatchObject({ kind: 'rate_limited' });

  fault = undefined;
  await provider.createCustomer(document, call());
  now += 60_000;
  const [id] = provider.customers.map((customer) => customer.id);
  expect(await resolveDue(creates, call)).toEqual([{ externalId: 'crm-1', state: 'DONE', customerId: id }]);
  expect(await creates.create(request, call())).toMatchObject({ outcome: 'existing', customer: { id } });
  expect(provider.customers).toHaveLength(1);
});
