import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isRecord } from '../src/text.ts';
import { startRaw } from './support/stand-in-loopback.ts';
import { BUILT, connect, errorOf, temporaryStore, type Environment } from './support/client.ts';
import { startLayer } from './providers/layer/stand-in.ts';
import { startDayZero } from './providers/dayzero/stand-in.ts';
import { damageSqlite, keyOf } from './support/damager.ts';
import { kits } from './support/providers.ts';
import { sharedEngines } from './support/stores.ts';

interface Report {
  readonly code: number;
  readonly stdout: string;
  readonly healthy: unknown;
  readonly findings: readonly Record<string, unknown>[];
}

/** Runs `customers-mcp doctor` with only these variables. */
function doctor(environment: Environment, ...args: string[]): Promise<Report> {
  return new Promise((resolve) => {
    const env = { PATH: process.env['PATH'] ?? '', ...environment };
    execFile(process.execPath, [BUILT, 'doctor', ...args], { env }, (error, stdout) => {
      const report: unknown = args.includes('--json') ? JSON.parse(stdout) : {};
      const { healthy, findings } = isRecord(report) ? report : {};
      const code = error ? Number(error.code) : 0;
      resolve({ code, stdout, healthy, findings: Array.isArray(findings) ? findings.filter(isRecord) : [] });
    });
  });
}

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const { store, remove } = temporaryStore();
afterAll(remove);

describe('customers-mcp doctor', () => {
  test('reports no problem in the sandbox', async () => {
    const { code, stdout } = await doctor({ CUSTOMERS_STORE: 'memory:' });
    expect(
      stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.slice(0, 5)),
    ).toEqual(Array(6).fill('ok   '));
    expect(code).toBe(0);
  });

  test('reports every invalid setting, as JSON too', async () => {
    const report = await doctor({ CUSTOMERS_PROVIDER: 'dayzero', CUSTOMERS_STORE: 'memory:' }, '--json');
    expect(report.findings.map(({ check, ok }) => [check, ok])).toEqual([
      ['settings', false],
      ['settings', false],
    ]);
    expect(report.stdout).toContain('DAYZERO_API_TOKEN');
    expect(report.stdout).toContain('DAYZERO_BUSINESS_ID');
    expect(report).toMatchObject({ healthy: false, code: 1 });
  });

  test.each(kits)(
    'reports rejected credentials of $title and their variables, without showing the values',
    async (kit) => {
      const { standIn, environment } = await kit.start();
      const report = await doctor(
        { ...environment, [kit.settings.secret]: 'live_wrong-key', CUSTOMERS_STORE: 'memory:' },
        '--json',
      );
      await standIn.close();
      expect(report.findings.find(({ check }) => check === 'credentials')).toMatchObject({ ok: false });
      expect(report.stdout).toContain(kit.settings.secret);
      expect(report.stdout).not.toContain('live_wrong-key');
      expect(report.code).toBe(1);
    },
  );

  test('quotes the provider with each secret removed once, however short it is', async () => {
    const { standIn, environment } = await startLayer();
    const body = { errors: [{ type: 'Down', description: 'maintenance' }] };
    standIn.fault({ on: 'list', times: Infinity, act: { status: 503, body } });
    const report = await doctor({ ...environment, LAYER_ACCESS_TOKEN: 't', CUSTOMERS_STORE: 'memory:' }, '--json');
    await standIn.close();
    expect(report.findings.find(({ check }) => check === 'provider')).toMatchObject({
      ok: false,
      found: expect.stringContaining('answered 503: "main[secret]enance"'),
    });
  });

  test.each(kits)(
    'reports that $title does not respond and which variable sets the address, and omits credentials and clock',
    async (kit) => {
      const { origin, close } = await startRaw('refuse');
      const { standIn, environment } = await kit.start();
      await standIn.close();
      const { baseUrl } = kit.settings;
      const report = await doctor({ ...environment, [baseUrl]: origin, CUSTOMERS_STORE: 'memory:' }, '--json');
      await close();
      expect(report.findings.map(({ check, ok }) => [check, ok])).toEqual([
        ['settings', true],
        ['store', true],
        ['provider', false],
        ['open creates', true],
      ]);
      expect(report.findings[2]?.['found']).toMatch(new RegExp(`refused.*${kit.name}_\\w+_url`, 'is'));
      expect(report.code).toBe(1);
    },
  );

  test.each([
    ['agrees', 4_000, { ok: true, found: 'It agrees with that of Layer.' }],
    ['is behind', 90_000, { ok: false, found: expect.stringMatching(/is (8[5-9]|90) s behind that of Layer/) }],
    ['is ahead', -90_000, { ok: false, found: expect.stringMatching(/is 9\d s ahead of that of Layer/) }],
  ])("reports that this machine's clock %s", async (_, aheadMs, finding) => {
    const { standIn, environment } = await startLayer();
    const body = { data: [], meta: { pagination: { cursor: null, has_more: false } } };
    const date = new Date(Date.now() + aheadMs).toUTCString();
    standIn.fault({ on: 'list', act: { status: 200, body, headers: { date } } });
    const report = await doctor({ ...environment, CUSTOMERS_STORE: 'memory:' }, '--json');
    await standIn.close();
    expect(report.findings.find(({ check }) => check === 'clock')).toMatchObject(finding);
    expect(report.code).toBe(finding.ok ? 0 : 1);
  });

  test('reports that the store cannot be written', async () => {
    const report = await doctor({ CUSTOMERS_STORE: 'sqlite:/proc/nowhere/customers.sqlite' }, '--json');
    expect(report.findings.find(({ check }) => check === 'store')).toMatchObject({ ok: false });
    expect(report.stdout).toContain('CUSTOMERS_STORE');
  });
});

describe('customers-mcp doctor, after a create with an unknown outcome', () => {
  let environment: Environment;
  let stand: Awaited<ReturnType<typeof startDayZero>>['standIn'];
  const lost = { external_id: 'crm-1', name: 'Acme', email: 'a@acme.example' };

  beforeAll(async () => {
    const started = await startDayZero();
    stand = started.standIn;
    environment = { ...started.environment, CUSTOMERS_STORE: store };
    const server = await connect(environment);
    // The answer is lost, and the search that follows fails too.
    stand.fault({ on: 'create', when: 'after', act: 'reset' });
    stand.fault({ on: 'list', skip: 3, act: { status: 500 } });
    expect(errorOf(await server.call('create_customer', lost))).toMatchObject({ kind: 'outcome_unknown' });
    await server.close();
  });
  afterAll(() => stand.close());

  test('reports it, leaves it unchanged, and explains how to settle it', async () => {
    const { code, findings } = await doctor(environment, '--json');
    const open = findings.find(({ check }) => check === 'open creates');
    expect(open).toMatchObject({ ok: false, found: '1 open: crm-1' });
    expect(String(open?.['remedy'])).toContain('doctor --settle');
    expect(code).toBe(1);
  });

  test('with --settle finds and links its customer, and sends no create', async () => {
    const { code, findings } = await doctor(environment, '--settle', '--json');
    expect(findings.find(({ check }) => check === 'open creates')).toMatchObject({
      ok: true,
      found: '1 settled, none is open',
    });
    expect(code).toBe(0);
    expect(stand.count('create')).toBe(1);

    const server = await connect(environment);
    const { data } = await server.call('create_customer', lost);
    expect(data).toMatchObject({
      outcome: 'existing',
      external_id: 'crm-1',
      customer_id: [...stand.customers.keys()][0],
    });
    await server.close();
    expect(stand.customers.size).toBe(1);
  });
});

describe.each(sharedEngines)('customers-mcp doctor, with rows on $name that are not settled', (engine) => {
  const { address } = engine;
  /** The damager finds a row by the end of its key, so no other account on the store may have the same id. */
  let run = '';
  const idOf = (name: string): string => `${name}-${run}`;
  const keyOfId = (name: string): string => keyOf(idOf(name));
  const createOf = (id: string) => ({ external_id: idOf(id), name: `Firm ${id}`, email: `${id}@firm.example` });
  /** As a process wrote it that crashed while its clock was a year ahead. */
  const aYearAhead = (): Date => new Date(Date.now() + 365 * 24 * 3_600_000);

  async function start() {
    run = randomUUID();
    // Rows outlive a test here and ports come again: of a business of its own, doctor lists no other test's rows.
    const { standIn, environment: own } = await startDayZero({ businessId: run });
    const environment = { ...own, CUSTOMERS_STORE: address };
    const server = await connect(environment);
    const damager = await engine.damage(address);
    const created = async (id: string) => {
      const { data, text } = await server.call('create_customer', createOf(id));
      expect(data['outcome'], text).toBe('created');
      return String(data['customer_id']);
    };
    return {
      standIn,
      environment,
      server,
      damager,
      created,
      close: async () => {
        await server.close();
        await damager.close();
        await standIn.close();
      },
    };
  }
  const openCreates = ({ findings }: Report) => findings.filter(({ check }) => check === 'open creates');

  test('names each, whatever is wrong with it, and what to do; what is in progress or settled is not among them', async () => {
    const { environment, damager, created, close } = await start();
    for (const id of ['done', 'ahead', 'lost', 'several', 'broken', 'strange', 'busy']) await created(id);
    await damager.setRecord(keyOfId('ahead'), { state: 'SENT' });
    await damager.setTimes(keyOfId('ahead'), aYearAhead());
    await damager.setRecord(keyOfId('lost'), { state: 'UNSURE' });
    await damager.setRecord(keyOfId('several'), { state: 'CONFLICT' });
    await damager.setRecord(keyOfId('broken'), { data: '"text"' });
    await damager.setRecord(keyOfId('strange'), { state: 'NONSENSE' });
    await damager.setRecord(keyOfId('busy'), { state: 'SENT' });
    await damager.setTimes(keyOfId('busy'), new Date(Date.now() + 50_000));
    const report = await doctor(environment, '--json');
    const [open, conflict, damaged, ...others] = openCreates(report);
    expect(others).toEqual([]);
    expect(open).toMatchObject({ ok: false, remedy: expect.stringContaining('doctor --settle') });
    expect(open?.['rows']).toHaveLength(2);
    expect(open?.['rows']).toEqual(
      expect.arrayContaining([
        {
          key: expect.stringContaining(keyOfId('ahead')),
          state: 'SENT',
          external_id: idOf('ahead'),
          note: expect.stringContaining('clock was ahead'),
        },
        { key: expect.stringContaining(keyOfId('lost')), state: 'UNKNOWN', external_id: idOf('lost') },
      ]),
    );
    expect(conflict).toMatchObject({
      ok: false,
      found: `several customers match ${idOf('several')}`,
      remedy: expect.stringMatching(/link_customer.*doctor --settle/),
      rows: [{ state: 'CONFLICT', external_id: idOf('several') }],
    });
    expect(damaged?.['found']).toMatch(/^2 cannot be read: /);
    expect(damaged?.['remedy']).toMatch(/SHA-256.*link_customer.*resend: true/);
    expect(damaged?.['rows']).toEqual(
      expect.arrayContaining([
        { key: expect.stringContaining(keyOfId('broken')), state: 'damaged' },
        { key: expect.stringContaining(keyOfId('strange')), state: 'damaged', external_id: idOf('strange') },
      ]),
    );
    expect(report.code).toBe(1);
    const { stdout } = await doctor(environment);
    expect(stdout).toContain(keyOfId('broken'));
    expect(stdout).toContain('clock was ahead');
    expect(stdout).not.toMatch(/done-|busy-/);
    expect(stdout).not.toContain('CUSTOMERS_TOOLS');
    const few = { ...environment, CUSTOMERS_TOOLS: 'search_customer,create_customer' };
    expect((await doctor(few)).stdout).toMatch(/link_customer.* not offer link_customer; see .*CUSTOMERS_TOOLS/);
    await close();
  });

  test('a row leased while a clock was ahead is settled at once, by a create and with --settle', async () => {
    const { environment, server, damager, created, close } = await start();
    const ids = new Map([
      ['by-create', await created('by-create')],
      ['by-settle', await created('by-settle')],
    ]);
    for (const id of ids.keys()) {
      await damager.setRecord(keyOfId(id), { state: 'SENT' });
      await damager.setTimes(keyOfId(id), aYearAhead());
    }
    expect((await server.call('create_customer', createOf('by-create'))).data).toMatchObject({
      outcome: 'existing',
      customer_id: ids.get('by-create'),
    });
    const [finding] = openCreates(await doctor(environment, '--settle', '--json'));
    expect(finding).toMatchObject({ ok: true, found: '1 settled, none is open' });
    expect((await server.call('get_customer', { external_id: idOf('by-settle') })).data['customer_id']).toBe(
      ids.get('by-settle'),
    );
    await close();
  });

  test('a conflict is settled with --settle once only one customer is left', async () => {
    const { environment, server, standIn, damager, created, close } = await start();
    const id = await created('several');
    await damager.setRecord(keyOfId('several'), { state: 'CONFLICT' });
    const { data } = await server.call('create_customer', {
      ...createOf('several'),
      external_id: undefined,
      allow_duplicate: true,
    });
    const still = openCreates(await doctor(environment, '--settle', '--json'));
    expect(still).toMatchObject([{ ok: false, found: `0 settled, several customers match ${idOf('several')}` }]);
    standIn.customers.delete(String(data['customer_id']));
    expect(openCreates(await doctor(environment, '--settle', '--json'))).toMatchObject([
      { ok: true, found: '1 settled, none is open' },
    ]);
    expect((await server.call('create_customer', createOf('several'))).data).toMatchObject({
      outcome: 'existing',
      customer_id: id,
    });
    await close();
  });

  test('a damaged row is free again when a person links the customer, and stays an error to all others', async () => {
    const { environment, server, standIn, damager, created, close } = await start();
    const id = await created('broken');
    // Made since; no damaged record may be taken for its own.
    await created('later');
    await damager.setRecord(keyOfId('broken'), { data: '"text"' });
    const again = await server.call('create_customer', createOf('broken'));
    expect(errorOf(again)).toMatchObject({ kind: 'store_unavailable' });
    const linked = await server.call('link_customer', { external_id: idOf('broken'), customer_id: id });
    expect(linked.data, linked.text).toMatchObject({ outcome: 'linked', customer_id: id });
    expect(openCreates(await doctor(environment, '--json'))).toMatchObject([{ ok: true }]);
    expect((await server.call('create_customer', createOf('broken'))).data).toMatchObject({ outcome: 'existing' });
    expect(standIn.count('create')).toBe(2);
    await close();
  });

  test('a damaged row is sent again when a person confirms it, and no newer customer is taken for its own', async () => {
    const { environment, standIn, damager, created, close } = await start();
    const id = await created('broken');
    standIn.customers.delete(id);
    await created('later');
    await damager.setRecord(keyOfId('broken'), { data: '"text"' });
    const person = await connect(environment, {
      onElicit: () => ({ action: 'accept', content: { confirm: true } }),
    });
    const again = await person.call('create_customer', { ...createOf('broken'), resend: true });
    expect(again.data['outcome'], again.text).toBe('created');
    expect(standIn.customers.size).toBe(2);
    await person.close();
    await close();
  });
});

test('doctor names twenty of many rows, and how many more there are', async () => {
  const { standIn, environment: own } = await startDayZero();
  const engine = sharedEngines.find(({ name }) => name === 'sqlite');
  const environment = { ...own, CUSTOMERS_STORE: engine?.address ?? '' };
  const server = await connect(environment);
  const { data } = await server.call('create_customer', { external_id: 'one', name: 'One', email: 'one@one.example' });
  expect(data['outcome']).toBe('created');
  await server.close();
  const database = new DatabaseSync(environment.CUSTOMERS_STORE.slice('sqlite:'.length), { timeout: 5_000 });
  database
    .prepare(
      `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
      INSERT INTO intents (key, state, epoch, lease_until, check_at, data)
      SELECT substr(key, 1, length(key) - 64) || printf('%064d', i), CASE WHEN i % 100 = 0 THEN 'CONFLICT' ELSE 'DONE' END, 1, 0, 0, data
      FROM intents, n WHERE key LIKE ?`,
    )
    .run(`%${keyOf('one')}`);
  database.close();
  const { stdout } = await doctor(environment);
  expect(stdout).toContain(`${Array(20).fill('one').join(', ')} and 80 more`);
  const { findings } = await doctor(environment, '--json');
  const found = findings.find(({ check }) => check === 'open creates');
  expect(found).toMatchObject({ ok: false, more: 80 });
  expect(found?.['rows']).toHaveLength(20);
  await standIn.close();
});

test.each(kits.filter(({ keepsExternalId }) => keepsExternalId))(
  'a damaged row is made new through the customer that $title shows',
  async (kit) => {
    const { standIn, environment: own } = await kit.start();
    const { store: file, remove: removeStore } = temporaryStore();
    const environment = { ...own, CUSTOMERS_STORE: file };
    const person = await connect(environment, {
      onElicit: () => ({ action: 'accept', content: { confirm: true } }),
    });
    const damager = await damageSqlite(file);
    const create = { [kit.externalIdField]: 'broken-1', ...kit.minimal('Broken Firm', 'broken@firm.example') };
    const first = await person.call('create_customer', create);
    expect(first.data['outcome'], first.text).toBe('created');
    await damager.setRecord(keyOf('broken-1'), { data: '"text"' });
    const report = await doctor(environment, '--json');
    const damaged = report.findings.find(({ check }) => check === 'open creates');
    expect(damaged).toMatchObject({ ok: false, found: expect.stringContaining(keyOf('broken-1')) });
    const resends = String(damaged?.['remedy']).includes('resend: true');
    const again = await person.call('create_customer', { ...create, ...(resends && { resend: true }) });
    expect(again.data, again.text).toMatchObject({ customer_id: first.data['customer_id'] });
    expect(standIn.customers.size).toBe(1);
    expect((await doctor(environment, '--json')).findings.at(-1)).toMatchObject({ check: 'open creates', ok: true });
    await person.close();
    await damager.close();
    await standIn.close();
    removeStore();
  },
);
