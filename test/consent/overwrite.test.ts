import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { confirmed, idOf, kindOf, last, messageOf } from '../support/answers.ts';
import { connect, errorOf, temporaryStore, type Connection, type Environment } from '../support/client.ts';
import { command } from '../support/process.ts';
import { isRecord, type StandIn } from '../support/stand-in.ts';
import { fresh, overwriting } from './cases.ts';

describe.each(overwriting)('overwriting at $title', (kit) => {
  const { externalIdField, nameField, clear, change } = kit;
  const overwrite = kit.insist ?? '';
  let standIn: StandIn;
  let environment: Environment;
  let server: Connection;
  let trusting: Connection;

  beforeAll(async () => {
    const started = await kit.start();
    standIn = started.standIn;
    environment = started.environment;
    server = await connect(environment);
    trusting = await connect({ ...environment, CUSTOMERS_CONFIRM: 'never' });
  });
  beforeEach(() => standIn.reset());
  afterAll(async () => {
    await Promise.all([server.close(), trusting.close()]);
    await standIn.close();
  });

  /** A customer with every field, and what it is created with. */
  async function full() {
    const { id, fields } = fresh(kit);
    const all = { ...kit.customer(3), ...fields };
    return { id, fields, all, customer_id: idOf(await server.call('create_customer', all)) };
  }

  it('asks with what it would replace and empty, and returns what it changed', async () => {
    const { fields, all, customer_id } = await full();
    const args = { ...fields, [change.field]: change.value, [overwrite]: true };
    const first = await server.call('create_customer', args);
    expect(kindOf(first)).toBe('confirmation_required');
    const before: Record<string, unknown> = all;
    for (const field of Object.keys(all).filter((name) => !(name in fields)))
      expect(messageOf(first)).toContain(`${field} (${JSON.stringify(before[field])})`);
    expect(messageOf(first)).toContain(JSON.stringify(change.value));
    for (const same of Object.keys(fields)) expect(messageOf(first)).not.toMatch(new RegExp(`\\b${same} \\(`));
    expect(standIn.count('create')).toBe(1);

    const result = await confirmed(server.call, 'create_customer', args);
    expect(result.data).toMatchObject({
      outcome: 'updated',
      customer_id,
      changed: {
        [change.field]: { from: before[change.field], to: change.value },
        [clear.field]: { from: before[clear.field], to: null },
      },
    });
    const { changed } = result.data;
    for (const same of Object.keys(fields)) expect(changed).not.toHaveProperty(same);
    expect(last(standIn, 'create')?.query.get(overwrite)).toBe('true');
  });

  it('returns what it changed if no consent is needed', async () => {
    const { fields, customer_id } = await full();
    const result = await trusting.call('create_customer', {
      ...fields,
      [change.field]: change.value,
      [overwrite]: true,
    });
    expect(result.data).toMatchObject({
      outcome: 'updated',
      customer_id,
      changed: { [change.field]: { to: change.value }, [clear.field]: { to: null } },
    });
  });

  it('shows values as far as they are visible, and not all of a long one', async () => {
    const { fields, customer_id } = await full();
    const long = `Tulip\u202e\u200b Shop ${'x'.repeat(200)}`;
    standIn.customers.set(customer_id, { ...standIn.customers.get(customer_id), [nameField.stored]: long });
    const message = messageOf(await server.call('create_customer', { ...fields, [overwrite]: true }));
    expect(message).toContain(`${nameField.field} ("Tulip Shop xxx`);
    expect(message).not.toMatch(/x{100}|\u202e|\u200b/);
  });

  it.each(['created here', 'of another program'])(
    'that would change nothing of a customer %s is existing',
    async (by) => {
      const { all, customer_id } = await full();
      const asker = by === 'created here' ? server : await connect(environment);
      if (asker !== server) onTestFinished(() => asker.close());
      const result = await asker.call('create_customer', { ...all, [overwrite]: true });
      expect(result.data).toMatchObject({ outcome: 'existing', customer_id });
      expect(result.data).not.toHaveProperty('changed');
      expect(standIn.count('create')).toBe(1);
    },
  );

  it('that would change nothing is existing although the provider filled in defaults', async () => {
    const { fields } = fresh(kit);
    const customer_id = idOf(await server.call('create_customer', fields));
    const result = await server.call('create_customer', { ...fields, [overwrite]: true });
    expect(result.data).toMatchObject({ outcome: 'existing', customer_id });
    expect(standIn.count('create')).toBe(1);
  });

  it('never happens to a customer that appeared after the look', async () => {
    const { fields, customer_id } = await full();
    const before = standIn.customers.get(customer_id);
    const other = await connect(environment);
    onTestFinished(() => other.close());
    standIn.fault({ on: kit.lookUp ?? '', act: { status: 404 } });
    const result = await other.call('create_customer', {
      ...fields,
      [nameField.field]: 'Hilbert Hotels',
      [overwrite]: true,
    });
    expect(kindOf(result)).toBe('conflict');
    expect(standIn.customers.get(customer_id)).toEqual(before);
    expect(standIn.customers.size).toBe(1);
  });

  it.each([true, 'true', 1])('is refused in rows of an import (%s) with the next step', async (value) => {
    const { id, fields, customer_id } = await full();
    const before = standIn.customers.get(customer_id);
    const good = fresh(kit);
    const row = { ...fields, [nameField.field]: 'Hilbert Hotels', [overwrite]: value };
    for (const connection of [server, trusting]) {
      const { data } = await connection.call('import_customers', { rows: [row, good.fields] });
      const [first] = Array.isArray(data['rows']) ? data['rows'].filter(isRecord) : [];
      expect(first).toMatchObject({ row: 1, external_id: id, error: { kind: 'invalid_input' } });
      const { message } = isRecord(first?.['error']) ? first['error'] : {};
      expect(message).toMatch(new RegExp(`${overwrite}.*Omit it`));
      expect(data).toMatchObject({ counts: { failed: 1 } });
    }
    expect(standIn.customers.get(customer_id)).toEqual(before);
  });

  it('is ignored in rows of an import if it is false', async () => {
    const rows = [false, null, ''].map((value) => ({ ...fresh(kit).fields, [overwrite]: value }));
    const { data } = await server.call('import_customers', { rows });
    expect(data).toMatchObject({ counts: { created: 3 }, rows: [] });
  });

  it('is refused in a file', async () => {
    const { store, folder, remove } = temporaryStore();
    onTestFinished(remove);
    const { fields, customer_id } = await full();
    const before = standIn.customers.get(customer_id);
    const file = join(folder, 'customers.csv');
    const row: Record<string, unknown> = { ...fields, [nameField.field]: 'Hilbert Hotels', [overwrite]: 'true' };
    writeFileSync(file, `${Object.keys(row).join(',')}\n${Object.values(row).map(String).join(',')}\n`);
    const { code, stderr, stdout } = await command(['import', file], { ...environment, CUSTOMERS_STORE: store });
    expect(code, stdout + stderr).not.toBe(0);
    expect(standIn.customers.get(customer_id)).toEqual(before);
    expect(stdout + stderr).toContain(overwrite);
    expect(readFileSync(file, 'utf8')).toContain(overwrite);
  });

  it(`without ${externalIdField} has nothing to overwrite`, async () => {
    const { [externalIdField]: _, ...fields } = fresh(kit).fields;
    const result = await server.call('create_customer', { ...fields, [overwrite]: true });
    expect(kindOf(result)).toBe('created');
    expect(errorOf(result)).toBeUndefined();
    expect(last(standIn, 'create')?.query.size).toBe(0);
  });
});
