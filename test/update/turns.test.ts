import { afterEach, describe, expect, it } from 'vitest';
import { idOf, kindOf } from '../support/answers.ts';
import { connect, temporaryStore, type Connection } from '../support/client.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import type { StandIn } from '../support/stand-in.ts';
import { fresh, overwriting } from '../consent/cases.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** Two servers on one store, whose operator trusts the agent. */
async function pair(
  kit: ProviderKit,
): Promise<{ readonly standIn: StandIn; readonly servers: [Connection, Connection] }> {
  const { standIn, environment } = await kit.start();
  const { store, remove } = temporaryStore();
  const settings = { ...environment, CUSTOMERS_STORE: store, CUSTOMERS_CONFIRM: 'never' };
  const [first, second] = await Promise.all([connect(settings), connect(settings)]);
  ends.push(
    remove,
    () => standIn.close(),
    () => first.close(),
    () => second.close(),
  );
  return { standIn, servers: [first, second] };
}

const operationsOf = ({ requests }: StandIn): string[] => requests.map(({ operation }) => operation);

describe.each(kits.filter(({ archive }) => archive.outcome === 'deleted'))('a deletion at $title', (kit) => {
  it('takes turns with an update on another server, which then finds no customer', async () => {
    const { standIn, servers } = await pair(kit);
    const [first, second] = servers;
    const { fields } = fresh(kit);
    const customer_id = idOf(await first.call('create_customer', fields));
    standIn.fault({ on: 'delete', act: { delayMs: 500 } });
    const deletion = first.call('archive_customer', { customer_id });
    await expect.poll(() => standIn.count('delete')).toBe(1);
    const update = await second.call('update_customer', { customer_id, [kit.change.field]: kit.change.value });
    expect(kindOf(update), update.text).toBe('not_found');
    expect(kindOf(await deletion)).toBe('deleted');
    expect(standIn.count('update')).toBe(0);
  });

  it('shows in its answer what another server changed before its turn', async () => {
    const { standIn, servers } = await pair(kit);
    const [first, second] = servers;
    const { fields } = fresh(kit);
    const customer_id = idOf(await first.call('create_customer', fields));
    standIn.fault({ on: 'update', act: { delayMs: 500 } });
    const update = first.call('update_customer', { customer_id, [kit.change.field]: kit.change.value });
    await expect.poll(() => standIn.count('update')).toBe(1);
    const deletion = await second.call('archive_customer', { customer_id });
    expect(kindOf(await update)).toBe('updated');
    expect(kindOf(deletion), deletion.text).toBe('deleted');
    expect(kit.change.stored(Object(deletion.data['customer']))).toBe(kit.change.value);
  });
});

describe.each(overwriting)('a create that overwrites at $title', (kit) => {
  it('takes turns with an update on another server, and neither is lost', async () => {
    const { standIn, servers } = await pair(kit);
    const [first, second] = servers;
    const { fields } = fresh(kit);
    const customer_id = idOf(await first.call('create_customer', fields));
    standIn.fault({ on: 'create', act: { delayMs: 500 } });
    const created = standIn.count('create');
    const overwrite = first.call('create_customer', {
      ...fields,
      [kit.nameField.field]: 'Hilbert Hotels',
      [kit.insist ?? '']: true,
    });
    await expect.poll(() => standIn.count('create')).toBe(created + 1);
    const update = await second.call('update_customer', { customer_id, [kit.change.field]: kit.change.value });
    expect(kindOf(update), update.text).toBe('updated');
    expect(kindOf(await overwrite)).toBe('updated');
    expect(operationsOf(standIn).indexOf('update')).toBeGreaterThan(operationsOf(standIn).lastIndexOf('create'));
    const stored = standIn.customers.get(customer_id) ?? {};
    expect(stored[kit.nameField.stored]).toBe('Hilbert Hotels');
    expect(kit.change.stored(stored)).toBe(kit.change.value);
  });
});
