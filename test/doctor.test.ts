import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isRecord } from '../src/text.ts';
import { startRaw } from './support/stand-ins/loopback.ts';
import { BUILT, connect, errorOf, standIns, temporaryStore, type Environment } from './support/client.ts';

interface Report {
  readonly code: number;
  readonly stdout: string;
  readonly healthy: unknown;
  readonly findings: readonly Record<string, unknown>[];
}

/** Runs `customers-mcp doctor` with these variables and no others that concern it. */
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

const { store, remove } = temporaryStore();
afterAll(remove);

describe('customers-mcp doctor', () => {
  test('finds nothing wrong in the sandbox', async () => {
    const { code, stdout } = await doctor({ CUSTOMERS_STORE: 'memory:' });
    expect(
      stdout
        .split('\n')
        .filter(Boolean)
        .map((line) => line.slice(0, 5)),
    ).toEqual(Array(6).fill('ok   '));
    expect(code).toBe(0);
  });

  test('says every setting that is wrong, as JSON too', async () => {
    const report = await doctor({ CUSTOMERS_PROVIDER: 'dayzero', CUSTOMERS_STORE: 'memory:' }, '--json');
    expect(report.findings.map(({ check, ok }) => [check, ok])).toEqual([
      ['settings', false],
      ['settings', false],
    ]);
    expect(report.stdout).toContain('DAYZERO_API_TOKEN');
    expect(report.stdout).toContain('DAYZERO_BUSINESS_ID');
    expect(report).toMatchObject({ healthy: false, code: 1 });
  });

  test('says that credentials are refused, and where they are set, without showing them', async () => {
    const { standIn, environment } = await standIns.notify();
    const report = await doctor(
      { ...environment, NOTIFY_API_KEY: 'live_wrong-key', CUSTOMERS_STORE: 'memory:' },
      '--json',
    );
    await standIn.close();
    expect(report.findings.find(({ check }) => check === 'credentials')).toMatchObject({ ok: false });
    expect(report.stdout).toContain('NOTIFY_API_KEY');
    expect(report.stdout).not.toContain('live_wrong-key');
    expect(report.code).toBe(1);
  });

  test('quotes the provider with each secret taken out once, however short it is', async () => {
    const { standIn, environment } = await standIns.layer();
    const body = { errors: [{ type: 'Down', description: 'maintenance' }] };
    standIn.fault({ on: 'list', times: Infinity, act: { status: 503, body } });
    const report = await doctor({ ...environment, LAYER_ACCESS_TOKEN: 't', CUSTOMERS_STORE: 'memory:' }, '--json');
    await standIn.close();
    expect(report.findings.find(({ check }) => check === 'provider')).toMatchObject({
      ok: false,
      found: expect.stringContaining('answered 503: "main[secret]enance"'),
    });
  });

  test('says that nobody answers, and where the address is set, and then nothing of credentials and clock', async () => {
    const { origin, close } = await startRaw('refuse');
    const { standIn, environment } = await standIns.notify();
    await standIn.close();
    const report = await doctor({ ...environment, NOTIFY_BASE_URL: origin, CUSTOMERS_STORE: 'memory:' }, '--json');
    await close();
    expect(report.findings.map(({ check, ok }) => [check, ok])).toEqual([
      ['settings', true],
      ['store', true],
      ['provider', false],
      ['open creates', true],
    ]);
    expect(report.findings[2]?.['found']).toMatch(/refused.*NOTIFY_BASE_URL/s);
    expect(report.code).toBe(1);
  });

  test.each([
    ['agrees', 4_000, { ok: true, found: 'It agrees with that of Layer.' }],
    ['is behind', 90_000, { ok: false, found: expect.stringMatching(/is (89|90) s behind that of Layer/) }],
    ['is ahead', -90_000, { ok: false, found: expect.stringMatching(/is 9[01] s ahead of that of Layer/) }],
  ])("says that this machine's clock %s", async (_, aheadMs, finding) => {
    const { standIn, environment } = await standIns.layer();
    const body = { data: [], meta: { pagination: { cursor: null, has_more: false } } };
    const date = new Date(Date.now() + aheadMs).toUTCString();
    standIn.fault({ on: 'list', act: { status: 200, body, headers: { date } } });
    const report = await doctor({ ...environment, CUSTOMERS_STORE: 'memory:' }, '--json');
    await standIn.close();
    expect(report.findings.find(({ check }) => check === 'clock')).toMatchObject(finding);
    expect(report.code).toBe(finding.ok ? 0 : 1);
  });

  test('says that the store cannot be written', async () => {
    const report = await doctor({ CUSTOMERS_STORE: 'sqlite:/proc/nowhere/customers.sqlite' }, '--json');
    expect(report.findings.find(({ check }) => check === 'store')).toMatchObject({ ok: false });
    expect(report.stdout).toContain('CUSTOMERS_STORE');
  });
});

describe('customers-mcp doctor, after a create whose fate is unknown', () => {
  let environment: Environment;
  let stand: Awaited<ReturnType<typeof standIns.dayzero>>['standIn'];
  const lost = { external_id: 'crm-1', name: 'Acme', email: 'a@acme.example' };

  beforeAll(async () => {
    const started = await standIns.dayzero();
    stand = started.standIn;
    environment = { ...started.environment, CUSTOMERS_STORE: store };
    const server = await connect(environment);
    // Lost on the way back, and the search that follows does not get through either.
    stand.fault({ on: 'create', when: 'after', act: 'reset' });
    stand.fault({ on: 'list', skip: 1, act: { status: 500 } });
    expect(errorOf(await server.call('create_customer', lost))).toMatchObject({ kind: 'outcome_unknown' });
    await server.close();
  });
  afterAll(() => stand.close());

  test('names it, leaves it as it is, and says how to settle it', async () => {
    const { code, findings } = await doctor(environment, '--json');
    const open = findings.find(({ check }) => check === 'open creates');
    expect(open).toMatchObject({ ok: false, found: '1 open: crm-1' });
    expect(String(open?.['remedy'])).toContain('doctor --settle');
    expect(code).toBe(1);
  });

  test('with --settle finds its customer and ties it, and sends nothing', async () => {
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
