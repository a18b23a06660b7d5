import { afterEach, describe, expect, test } from 'vitest';
import { isRecord } from '../../src/text.ts';
import { connect, temporaryStore, type Connection, type Environment } from '../support/client.ts';
import { until } from '../support/process.ts';
import { kit as layer } from '../providers/layer/index.ts';
import { kit as notify } from '../providers/notify/index.ts';
import type { ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import type { StandIn } from '../support/stand-in.ts';

/** What a test has opened, closed after it, last first. */
const ends: (() => unknown)[] = [];
const atEnd = (end: () => unknown): void => void ends.push(end);
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

type Row = Readonly<Record<string, unknown>>;

const ALL = 40;
const BAD = [5, 12, 20, 33];

/** The `n`th good row. */
function rowOf({ externalIdField, minimal }: ProviderKit, n: number): Row {
  return { [externalIdField]: `own-${n}.`, ...minimal(`Company ${n}`, `mail${n}@example.com`) };
}

/** A field of a create with a value that it cannot have. */
function wrongIn({ wrong, externalIdField }: ProviderKit): { readonly given: Row; readonly path: string } {
  return wrong.find(({ tool, path }) => tool === 'create_customer' && path !== externalIdField) ?? expect.unreachable();
}

/** 40 rows, of which four are bad. */
function mixedRows(kit: ProviderKit): readonly Row[] {
  const { externalIdField, typo } = kit;
  return Array.from({ length: ALL }, (_, index) => {
    const n = index + 1;
    const row = rowOf(kit, n);
    if (n === 5) return { ...row, [typo.given]: 'a@example.com' };
    if (n === 12) return { ...row, ...wrongIn(kit).given };
    if (n === 20) return Object.fromEntries(Object.entries(row).filter(([field]) => field !== externalIdField));
    return n === 33 ? { ...row, [externalIdField]: 'own-1.' } : row;
  });
}

async function server(
  kit: ProviderKit,
  extra: Environment = {},
): Promise<{ readonly standIn: StandIn; readonly server: Connection }> {
  const { standIn, environment } = await kit.start();
  atEnd(() => standIn.close());
  const connection = await connect({ ...environment, ...extra });
  atEnd(() => connection.close());
  return { standIn, server: connection };
}

/** The rows that an answer names. */
function named(data: Record<string, unknown>): readonly Record<string, unknown>[] {
  return Array.isArray(data['rows']) ? data['rows'].filter(isRecord) : [];
}

/** The names of all customers, sorted: twins show. */
function namesAt({ customers }: StandIn, { nameField }: ProviderKit): readonly string[] {
  return [...customers.values()].map((document) => String(document[nameField.stored])).sort();
}

function goodNames(): readonly string[] {
  return Array.from({ length: ALL }, (_, index) => index + 1)
    .filter((n) => !BAD.includes(n))
    .map((n) => `Company ${n}`)
    .sort();
}

describe.each(kits)('import_customers at $title', (kit) => {
  test('creates every valid row once, names every invalid one, and reports progress', async () => {
    const { standIn, server: connection } = await server(kit);
    const seen: number[] = [];
    const { structuredContent } = await connection.client.callTool(
      { name: 'import_customers', arguments: { rows: mixedRows(kit) } },
      undefined,
      {
        onprogress: ({ progress, total }) => {
          expect(total).toBe(ALL);
          seen.push(progress);
        },
      },
    );
    const data = isRecord(structuredContent) ? structuredContent : {};
    expect(data).toMatchObject({ total: ALL, counts: { created: 36, updated: 0, existing: 0, failed: 4, unknown: 0 } });
    expect(data).not.toHaveProperty('next');
    expect(namesAt(standIn, kit)).toEqual(goodNames());
    expect(standIn.count('create')).toBe(36);

    expect(named(data).map(({ row }) => row)).toEqual(BAD);
    expect(named(data)).toMatchObject([
      {
        external_id: 'own-5.',
        error: { kind: 'invalid_input', message: expect.stringContaining(`did you mean \`${kit.typo.meant}\``) },
      },
      { external_id: 'own-12.', error: { message: expect.stringContaining(wrongIn(kit).path) } },
      { error: { message: expect.stringContaining(kit.externalIdField) } },
      { external_id: 'own-1.', error: { message: expect.stringContaining('duplicates row 1') } },
    ]);

    expect(seen.length).toBeGreaterThan(0);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
    expect(seen.at(-1)).toBeLessThanOrEqual(ALL);
  });

  test('again: sends no create, and leaves what was changed at the provider since', async () => {
    const { standIn, server: connection } = await server(kit);
    const rows = mixedRows(kit);
    await connection.call('import_customers', { rows });
    const [id = '', document = {}] = [...standIn.customers][7] ?? [];
    standIn.customers.set(id, { ...document, [kit.nameField.stored]: 'Changed there' });
    standIn.requests.length = 0;

    const { data } = await connection.call('import_customers', { rows });
    expect(data['counts']).toMatchObject({ created: 0, updated: 0, existing: 36, failed: 4 });
    expect(named(data).map(({ row }) => row)).toEqual(BAD);
    expect(standIn.count('create') + standIn.count('update')).toBe(0);
    expect(standIn.customers.get(id)?.[kit.nameField.stored]).toBe('Changed there');
  });

  test('stops soon when the credentials are refused', async () => {
    const { standIn, server: connection } = await server(kit, { [kit.settings.secret]: 'wrong' });
    const { data } = await connection.call('import_customers', { rows: mixedRows(kit) });
    expect(standIn.customers.size).toBe(0);
    // Four rows are in flight, and each looks for its customer with up to three requests at once.
    expect(standIn.count('*')).toBeLessThanOrEqual(12);
    expect(named(data).some(({ error }) => isRecord(error) && error['kind'] === 'unauthorized')).toBe(true);
    expect(isRecord(data['counts']) && Number(data['counts']['not_started'])).toBeGreaterThanOrEqual(28);
    expect(data['next']).toContain('same rows');
  });

  test('waits when the provider asks for it, longer than one create may take, too', async () => {
    const { standIn, server: connection } = await server(kit, { CUSTOMERS_TIMEOUT_MS: '1500' });
    standIn.fault({ on: 'create', skip: 6, times: 2, act: { status: 429, headers: { 'retry-after': '2' } } });
    const startedAt = performance.now();
    const { data } = await connection.call('import_customers', { rows: mixedRows(kit) });
    expect(data['counts']).toMatchObject({ created: 36, failed: 4, not_started: 0 });
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
    expect(namesAt(standIn, kit)).toEqual(goodNames());
    expect(standIn.count('create')).toBe(38);
  });
});

describe('an import that was killed', () => {
  test('goes on when it is run again, with every row once', { timeout: 40_000 }, async () => {
    const { standIn, environment } = await layer.start();
    atEnd(() => standIn.close());
    const { store, remove } = temporaryStore();
    atEnd(remove);
    const settings = { ...environment, CUSTOMERS_STORE: store };
    const rows = mixedRows(layer);
    standIn.fault({ on: 'create', times: 16, when: 'after', act: { delayMs: 20 } });
    standIn.fault({ on: 'create', times: 4, when: 'after', act: 'hang' });
    const first = await connect(settings);
    const call = first.call('import_customers', { rows }).catch(() => undefined);
    await until(() => standIn.count('create') >= 20);
    process.kill(first.pid, 'SIGKILL');
    await call;
    await first.close();

    const second = await connect(settings);
    atEnd(() => second.close());
    const { data } = await second.call('import_customers', { rows });
    expect(named(data).map(({ row }) => row)).toEqual(BAD);
    expect(data['counts']).toMatchObject({ existing: 20, failed: 4, unknown: 0, not_started: 0 });
    expect(namesAt(standIn, layer)).toEqual(goodNames());
  });
});

describe('import_customers in chat', () => {
  test('a dry run names the bad rows and sends nothing', async () => {
    const { standIn, server: connection } = await server(layer);
    const { data } = await connection.call('import_customers', { rows: mixedRows(layer), dry_run: true });
    expect(data).toMatchObject({ dry_run: true, total: ALL, counts: { failed: 4, not_started: 36 } });
    expect(named(data).map(({ row }) => row)).toEqual(BAD);
    expect(standIn.count('create')).toBe(0);
  });

  test('names all that is wrong with a row at once, and refuses to write over customers', async () => {
    const { server: connection } = await server(notify);
    const rows = [
      { CustomerCode: 'c1', Name: 'One', Country: 'Netherlands', Language: 'spanish' },
      { CustomerCode: 'c2', Name: 'Two', Overwrite: true },
    ];
    const { data } = await connection.call('import_customers', { rows, dry_run: true });
    expect(named(data)).toMatchObject([
      { error: { message: expect.stringMatching(/Country.*Language/) } },
      { error: { message: expect.stringContaining('Overwrite') } },
    ]);
  });

  test('problems of the id are named with the others, and a row with nothing but an id is refused', async () => {
    const { server: connection } = await server(notify);
    const rows = [
      { Name: 'One', Email: 'x' },
      { CustomerCode: 'c1', Name: 'Two' },
      { CustomerCode: 'c1', Email: 'x' },
      { CustomerCode: 'c2' },
    ];
    const { data } = await connection.call('import_customers', { rows, dry_run: true });
    expect(named(data)).toMatchObject([
      { row: 1, error: { message: expect.stringMatching(/Email.*CustomerCode: is required/) } },
      { row: 3, error: { message: expect.stringMatching(/Email.*CustomerCode: duplicates row 2/) } },
      { row: 4, error: { message: expect.stringContaining('add a name') } },
    ]);
  });

  test('an id counts even when its row is invalid', async () => {
    const { server: connection } = await server(notify);
    const rows = [
      { CustomerCode: 'c1', Name: 'One', Country: 'Netherlands' },
      { CustomerCode: 'c1', Name: 'Two' },
    ];
    const { data } = await connection.call('import_customers', { rows, dry_run: true });
    expect(named(data)).toMatchObject([{ row: 1 }, { row: 2, error: { message: expect.stringContaining('row 1') } }]);
  });

  test.each(kits)('a dry run at $title names customers that exist, as the import then does', async (kit) => {
    const { externalIdField: id, minimal, nameField } = kit;
    const { standIn, environment } = await kit.start();
    atEnd(() => standIn.close());
    const [other, own] = await Promise.all([connect(environment), connect(environment)]);
    atEnd(() => Promise.all([other.close(), own.close()]));
    const theirs = { ...minimal('Bakkerij Jansen B.V.', 'info@jansen.example'), [id]: 'theirs' };
    const { data: existing } = await other.call('create_customer', theirs);
    const rows = [
      { ...minimal('JANSEN, Bakkerij', 'post@elsewhere.example'), [id]: 'r-1' },
      { ...minimal('Smit', 'post@smit.example'), [id]: 'r-2' },
      { ...minimal('Smit B.V.', 'post@other.example'), [id]: 'r-3' },
      { ...minimal('Bakkerij Jansen', 'zaak@jansen.example'), [id]: 'r-4', allow_duplicate: true },
      { ...minimal('Vries', 'post@vries.example'), [id]: 'r-5' },
    ];
    const dry = await own.call('import_customers', { rows, dry_run: true });
    expect(dry.data, dry.text).toMatchObject({ total: 5, counts: { failed: 2, not_started: 3 } });
    const same = [
      {
        row: 1,
        error: { kind: 'possible_duplicate' },
        candidates: [{ customer_id: existing['customer_id'], name: theirs[nameField.field] }],
      },
      { row: 3, error: { kind: 'possible_duplicate' } },
    ];
    expect(named(dry.data)).toMatchObject(same);
    expect(standIn.count('create')).toBe(1);
    const { data, text } = await own.call('import_customers', { rows });
    expect(data, text).toMatchObject({ counts: { failed: 2, created: 3 } });
    // Rows are sent at once, and of 2 and 3 either can be the first.
    expect(named(data)).toMatchObject([
      { row: 1, error: { kind: 'possible_duplicate' } },
      { error: { kind: expect.stringMatching(/duplicate|progress/) } },
    ]);
    expect([2, 3]).toContain(named(data)[1]?.['row']);
    expect((await own.call('import_customers', { rows, dry_run: true })).data).toMatchObject({
      counts: { existing: 3, failed: 2 },
    });
  });

  test.each(kits.filter(({ keepsExternalId }) => keepsExternalId))(
    'a dry run at $title finds an id that belongs to another customer',
    async (kit) => {
      const { externalIdField: id, minimal } = kit;
      const { standIn, environment } = await kit.start();
      atEnd(() => standIn.close());
      const [other, own] = await Promise.all([connect(environment), connect(environment)]);
      atEnd(() => Promise.all([other.close(), own.close()]));
      const theirs = { ...minimal('Bakkerij Jansen', 'info@jansen.example'), [id]: 'theirs' };
      await other.call('create_customer', theirs);
      const rows = [theirs, { ...minimal('Smit', 'post@smit.example'), [id]: 'theirs-2' }];
      const known = await own.call('import_customers', { rows, dry_run: true });
      expect(known.data).toMatchObject({ counts: { existing: 1, not_started: 1 }, rows: [] });
      const wrong = [{ ...minimal('Smit', 'post@smit.example'), [id]: 'theirs' }];
      const { data } = await own.call('import_customers', { rows: wrong, dry_run: true });
      expect(named(data)).toMatchObject([{ row: 1, error: { kind: 'conflict' } }]);
      expect(named((await own.call('import_customers', { rows: wrong })).data)).toMatchObject([
        { row: 1, error: { kind: 'conflict' } },
      ]);
    },
  );

  test.each(kits.flatMap((kit) => ['the same', 'another'].map((store) => ({ kit, store, title: kit.title }))))(
    'a dry run at $title says what the import makes of customers that exist, with $store store',
    async ({ kit, store }) => {
      const { externalIdField: id, minimal, change } = kit;
      const { standIn, environment } = await kit.start();
      const [own, other] = [temporaryStore(), temporaryStore()];
      const first = await connect({ ...environment, CUSTOMERS_STORE: own.store });
      const second = await connect({
        ...environment,
        CUSTOMERS_STORE: store === 'the same' ? own.store : other.store,
      });
      atEnd(async () => {
        await Promise.all([first.close(), second.close(), standIn.close()]);
        [own, other].forEach(({ remove }) => remove());
      });
      const people = ['Noether', 'Hilbert', 'Klein', 'Weyl'];
      const rows: Row[] = people.map((name) => ({ ...minimal(name, `${name}@example.com`), [id]: `id-${name}` }));
      expect((await first.call('import_customers', { rows })).data).toMatchObject({ counts: { created: 4 } });
      const [weyl] = [...standIn.customers].filter(([, document]) => JSON.stringify(document).includes('Weyl'));
      standIn.customers.delete(weyl?.[0] ?? '');
      const again = [
        { ...rows[0] },
        { ...rows[1], [change.field]: change.value },
        { ...rows[2], ...minimal('Someone Else', 'else@example.com') },
        { ...rows[3] },
      ];

      const writes = standIn.count('create') + standIn.count('update');
      const dry = await second.call('import_customers', { rows: again, dry_run: true });
      expect(standIn.count('create') + standIn.count('update')).toBe(writes);
      const done = await second.call('import_customers', { rows: again });
      const { created, not_started: before } = Object(done.data['counts']);
      expect({ created, before }).toEqual({ created: kit.keepsExternalId || store === 'the same' ? 1 : 2, before: 0 });
      expect(dry.data['counts'], `${dry.text}\n${done.text}`).toEqual({
        ...Object(done.data['counts']),
        created: 0,
        not_started: created,
      });
      // The import names the customers that it creates.
      const left = named(done.data).filter(({ outcome }) => outcome !== 'created');
      expect(named(dry.data)).toEqual(left);
      expect(named(dry.data).length).toBeGreaterThan(0);
    },
  );

  test.each(kits)('a dry run says that a customer that exists at $title could not be compared', async (kit) => {
    const { standIn, server: connection } = await server(kit);
    await connection.call('import_customers', { rows: [rowOf(kit, 1)] });
    standIn.fault({ on: kit.read, times: Infinity, act: { status: 500 } });
    const rows = [{ ...rowOf(kit, 1), [kit.change.field]: kit.change.value }];
    const { data, text } = await connection.call('import_customers', { rows, dry_run: true });
    expect(data, text).toMatchObject({ counts: { existing: 1 } });
    const sentence = new RegExp(`^1 row exists but could not be compared: ${kit.title} `);
    expect(data['warnings']).toContainEqual(expect.stringMatching(sentence));
  });

  test.each(kits)('a dry run at $title knows what another server has created since the list was read', async (kit) => {
    const { standIn, environment } = await kit.start();
    const { store, remove } = temporaryStore();
    const [one, other] = await Promise.all([1, 2].map(() => connect({ ...environment, CUSTOMERS_STORE: store })));
    atEnd(async () => {
      await Promise.all([one?.close(), other?.close(), standIn.close()]);
      remove();
    });
    const find = { find: 'Company' };
    expect((await one?.call('search_customer', find))?.data).toMatchObject({ total: 0, complete: true });
    const rows = [rowOf(kit, 1)];
    expect((await other?.call('import_customers', { rows }))?.data).toMatchObject({ counts: { created: 1 } });
    const dry = await one?.call('import_customers', { rows, dry_run: true });
    expect(dry?.data, dry?.text).toMatchObject({ counts: { existing: 1 } });
  });

  test.each(kits)('a dry run says that it could not compare with the customers of $title', async (kit) => {
    const { standIn, server: connection } = await server(kit);
    standIn.fault({ on: 'list', times: Infinity, act: { status: 403 } });
    const { data } = await connection.call('import_customers', { rows: [rowOf(kit, 1)], dry_run: true });
    expect(data).toMatchObject({
      counts: { not_started: 1 },
      warnings: [expect.stringContaining(`Not compared with ${kit.title}`)],
    });
  });
});
