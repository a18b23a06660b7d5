import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connect, errorOf, temporaryStore } from './support/client.ts';
import { SANDBOX } from './support/process.ts';
import { kits } from './support/providers.ts';
import { pageOf, sandboxTests } from './support/sandbox.ts';

const { open, call, search, create } = sandboxTests();

describe.each(kits)('the data of the sandbox of $title', (kit) => {
  const own = { [kit.externalIdField]: 'a-1' };
  const customer = { ...own, ...kit.minimal('Acme', 'a@example.com') };
  const CUSTOMERS_PROVIDER = kit.name;
  const store = (): string => {
    const { store: address, remove } = temporaryStore();
    onTestFinished(remove);
    return address;
  };

  it('survives a restart on SQLite, including the external id', async () => {
    const CUSTOMERS_STORE = store();
    await open({ CUSTOMERS_PROVIDER, CUSTOMERS_STORE });
    const id = await create(customer);
    await open({ CUSTOMERS_PROVIDER, CUSTOMERS_STORE });
    expect((await call('get_customer', { customer_id: id })).data).toMatchObject({ customer_id: id });
    expect((await call('get_customer', own)).data).toMatchObject({ customer_id: id });
    expect((await call('create_customer', customer)).data).toMatchObject({ outcome: 'existing', customer_id: id });
    expect((await search()).customers.length).toBe(1);
  });

  it('is not affected by unrelated entries of the same store, even damaged ones', async () => {
    const CUSTOMERS_STORE = store();
    await open({ CUSTOMERS_PROVIDER, CUSTOMERS_STORE });
    await create(customer);
    const database = new DatabaseSync(CUSTOMERS_STORE.slice('sqlite:'.length));
    const insert = database.prepare('INSERT INTO cache (key, value) VALUES (?, ?)');
    for (const [key, value] of [
      [`v1/${kit.name}/damaged`, '{"value": "cut o'],
      ['test/other', 'not JSON'],
      ['sandbox/other/1', '{"value": 1}'],
    ])
      insert.run(key ?? '', value ?? '');
    database.close();
    expect((await search()).customers.length).toBe(1);
  });

  it('is lost with the process on memory:', async () => {
    await open({ CUSTOMERS_PROVIDER });
    await create(customer);
    expect((await search()).customers.length).toBe(1);
    await open({ CUSTOMERS_PROVIDER });
    expect((await search()).customers).toEqual([]);
    await create(customer);
  });

  it('is shared by two servers on one store', async () => {
    const CUSTOMERS_STORE = store();
    const other = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER, CUSTOMERS_STORE });
    onTestFinished(() => other.close());
    await open({ CUSTOMERS_PROVIDER, CUSTOMERS_STORE });
    const id = await create(customer);
    expect((await other.call('get_customer', own)).data).toMatchObject({ customer_id: id });
    // Each server now has customers in memory, so each must notice the other's writes.
    const made = new Set([id]);
    const callOther = (tool: string, args: Record<string, unknown> = {}) => other.call(tool, args);
    for (const [index, callOne] of [callOther, call, callOther, callOther, call].entries()) {
      const more = { [kit.externalIdField]: `b-${index}`, ...kit.minimal(`Acme ${index}`, `${index}@example.com`) };
      made.add(String((await callOne('create_customer', more)).data['customer_id']));
    }
    expect(made.size).toBe(6);
    for (const callOne of [call, callOther]) {
      const { data } = await callOne('search_customer');
      expect(new Set(pageOf(data).customers.map(({ customer_id }) => customer_id))).toEqual(made);
    }
  });

  it('is separate from a real account on the same store', async () => {
    const CUSTOMERS_STORE = store();
    await open({ CUSTOMERS_PROVIDER, CUSTOMERS_STORE });
    const simulated = await create(customer);
    const { standIn, environment } = await kit.start();
    onTestFinished(() => standIn.close());
    await open({ ...environment, CUSTOMERS_SANDBOX: '', CUSTOMERS_STORE });
    const { data } = await call('create_customer', customer);
    expect(data).toMatchObject({ outcome: 'created' });
    expect(data['customer_id']).not.toBe(simulated);
    expect((await search()).customers.length).toBe(1);
  });

  it("is separate from another provider's sandbox on the same store", async () => {
    const CUSTOMERS_STORE = store();
    await open({ CUSTOMERS_PROVIDER, CUSTOMERS_STORE });
    await create(customer);
    const other = kits.find((one) => one !== kit) ?? expect.unreachable();
    await open({ CUSTOMERS_PROVIDER: other.name, CUSTOMERS_STORE });
    expect((await search()).customers).toEqual([]);
    const answer = await call('get_customer', { [other.externalIdField]: 'a-1' });
    expect(errorOf(answer)).toMatchObject({ kind: 'not_found' });
  });
});

describe('a sandbox whose store is broken', () => {
  it.each(kits)('of $title does not report a create that it could not store', async (kit) => {
    const { folder, remove } = temporaryStore();
    onTestFinished(remove);
    const file = join(folder, 'customers.sqlite');
    writeFileSync(file, 'This is not a database.');
    await open({ CUSTOMERS_PROVIDER: kit.name, CUSTOMERS_STORE: `sqlite:${file}` });
    const { isError, data } = await call('create_customer', kit.minimal('Acme', 'a@example.com'));
    expect({ isError, data }).toMatchObject({ isError: true, data: { error: { kind: expect.any(String) } } });
  });
});
