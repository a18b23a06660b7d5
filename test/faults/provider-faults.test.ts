import { randomUUID } from 'node:crypto';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  connect,
  errorOf,
  temporaryStore,
  type Connection,
  type Environment,
  type ToolResult,
} from '../support/client.ts';
import type { Fields, ProviderKit } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { startProxy, type Proxy } from '../support/proxy.ts';
import { Report } from '../support/report.ts';
import { startRaw, type Act, type Fault, type Recorded, type StandIn } from '../support/stand-in.ts';

/** A value for all providers, or a function of the provider's kit. */
type Each<T extends string | number> = T | ((kit: ProviderKit) => T);

const upserts =
  <T extends string | number>(yes: T, no: T): Each<T> =>
  (kit) =>
    kit.upserts ? yes : no;
const renews =
  <T extends string | number>(yes: T, no: T): Each<T> =>
  ({ renewsToken }) =>
    renewsToken ? yes : no;

const ifRefused: Each<number> = ({ otherMethod }) => (otherMethod ? 2 : 1);

/** How a call ends, and how many requests of its own kind reach the provider; alternatives with `|` between them. */
type Expected = readonly [ends: Each<string>, sent: Each<number | string>];

/** The faults of one operation's requests, in order; the last one may repeat forever. */
type Hits = readonly Omit<Fault, 'on'>[];

interface HttpRow {
  /** Completes "when …". */
  readonly when: string;
  readonly hits: Hits;
  /** Takes the whole budget. */
  readonly slow?: boolean;
  readonly token?: Hits;
  readonly create?: Expected;
  readonly get?: Expected;
  readonly update?: Expected;
}

const BUDGET_MS = 3_000;
const GRACE_MS = 5_000;
const OUTAGE_READS = 60;

const always = (act: Act): Hits => [{ act, times: Infinity }];
const committed = (act: Act): Hits => [{ act, times: Infinity, when: 'after' }];
const once = (act: Act): Hits => [{ act }];
const all = (...expected: Expected) => ({ create: expected, get: expected, update: expected });
const tooMany = (after: string): Act => ({ status: 429, headers: { 'retry-after': after } });

/** A create that ran without a confirmation is looked up. An upsert is repeated first, as its provider's pages allow. */
const FOUND = 'created';
const REPEATED = upserts(2, 1);
/** A received status is definite: the write was accepted, and a read shows its result. */
const ACCEPTED_BUT_UNREADABLE = { create: ['created', 1], get: ['bad_response', 1], update: ['updated', 1] } as const;
const GATEWAY = {
  create: ['outcome_unknown', REPEATED],
  get: ['unavailable', 3],
  update: ['outcome_unknown', 3],
} as const;

/** Faults in the provider's status or answer. */
const HTTP: readonly HttpRow[] = [
  { when: 'the connection is reset after the request was read, before the commit', hits: always('reset'), ...GATEWAY },
  {
    when: 'the connection is reset after the commit',
    hits: committed('reset'),
    create: [FOUND, REPEATED],
    update: ['outcome_unknown', 3],
  },
  { when: 'it is answered 400', hits: always({ status: 400 }), ...all('invalid_input', 1) },
  {
    when: 'it is answered 401 once',
    hits: once({ status: 401 }),
    create: [renews('created', 'unauthorized'), renews(2, 1)],
    get: [renews('ok', 'unauthorized'), renews(2, 1)],
    update: [renews('updated', 'unauthorized'), renews(2, 1)],
  },
  { when: 'it is answered 401 from now on', hits: always({ status: 401 }), ...all('unauthorized', renews(2, 1)) },
  {
    when: 'it is answered 401 and there is no new token either',
    hits: always({ status: 401 }),
    token: always({ status: 500 }),
    ...all(renews('unavailable', 'unauthorized'), 1),
  },
  { when: 'it is answered 403', hits: always({ status: 403 }), ...all('forbidden', 1) },
  {
    when: 'it is answered 404',
    hits: always({ status: 404 }),
    ...all('not_found', 1),
    get: ['not_found', ({ read }) => (read === '*' ? 2 : 1)],
    update: ['not_found', ifRefused],
  },
  { when: 'it is answered 409', hits: always({ status: 409 }), ...all('conflict', 1) },
  { when: 'it is answered 422', hits: always({ status: 422 }), ...all('invalid_input', 1) },
  { when: 'it is answered 429 without Retry-After', hits: always({ status: 429 }), ...all('rate_limited', 3) },
  {
    when: 'it is answered 429 once with a Retry-After of 1 s',
    hits: once(tooMany('1')),
    create: ['created', 2],
    get: ['ok', 2],
    update: ['updated', 2],
  },
  { when: 'it is answered 429 with a Retry-After of a day', hits: always(tooMany('86400')), ...all('rate_limited', 1) },
  {
    when: 'it is answered 429 with a Retry-After of a thousand years',
    hits: always(tooMany('31556952000')),
    ...all('rate_limited', 1),
  },
  {
    when: 'it is answered 429 with a Retry-After on a day far off',
    hits: always(tooMany('Tue, 31 Dec 2999 23:59:59 GMT')),
    ...all('rate_limited', 1),
  },
  {
    when: 'it is answered 500 before the commit',
    hits: always({ status: 500 }),
    create: ['outcome_unknown', REPEATED],
    get: ['unavailable', 1],
    update: ['outcome_unknown', 1],
  },
  {
    when: 'it is answered 500 after the commit',
    hits: committed({ status: 500 }),
    create: [FOUND, REPEATED],
    update: ['outcome_unknown', 1],
  },
  {
    when: 'it is answered 501',
    hits: always({ status: 501 }),
    ...all('unavailable', 1),
    update: ['unavailable', ifRefused],
  },
  { when: 'it is answered 502', hits: always({ status: 502 }), ...GATEWAY },
  { when: 'it is answered 503', hits: always({ status: 503 }), ...GATEWAY },
  { when: 'it is answered 504', hits: always({ status: 504 }), ...GATEWAY },
  {
    when: 'it is answered 503 with a Retry-After of an hour',
    hits: always({ status: 503, headers: { 'retry-after': '3600' } }),
    create: ['outcome_unknown', 1],
    get: ['unavailable', 1],
    update: ['outcome_unknown', 1],
  },
  {
    when: 'it is answered 504 after the commit',
    hits: committed({ status: 504 }),
    create: [FOUND, REPEATED],
    update: ['outcome_unknown', 3],
  },
  {
    when: 'it is answered 503 after the commit and 429 from then on',
    hits: [{ act: { status: 503 }, when: 'after' }, ...always(tooMany('3600'))],
    create: [upserts('created|outcome_unknown', 'created'), REPEATED],
    update: ['outcome_unknown', 2],
  },
  {
    when: 'it is answered 503 after the commit and 401 from then on',
    hits: [{ act: { status: 503 }, when: 'after' }, ...always({ status: 401 })],
    create: [upserts('created|outcome_unknown', 'created'), upserts('2|3', '1')],
    update: ['outcome_unknown', renews('2|3', '2')],
  },
  {
    when: 'it is never answered and not carried out',
    hits: always('hang'),
    slow: true,
    create: ['outcome_unknown', 1],
    get: ['unavailable', 1],
    update: ['outcome_unknown', 1],
  },
  {
    when: 'it is carried out and never answered',
    hits: committed('hang'),
    slow: true,
    create: [FOUND, 1],
    update: ['outcome_unknown', 1],
  },
  { when: 'the answer is cut off before its length', hits: committed('cut'), ...ACCEPTED_BUT_UNREADABLE },
  { when: 'the answer is cut off between chunks', hits: committed('cut-chunked'), ...ACCEPTED_BUT_UNREADABLE },
  {
    when: 'the answer is broken JSON',
    hits: committed({ status: 201, body: '{"id": "1", "unfin' }),
    ...ACCEPTED_BUT_UNREADABLE,
  },
  { when: 'the answer is a page of HTML', hits: committed('html'), ...ACCEPTED_BUT_UNREADABLE },
  { when: 'the answer is a list', hits: committed('array'), ...ACCEPTED_BUT_UNREADABLE },
  { when: 'the answer is null', hits: committed('null'), ...ACCEPTED_BUT_UNREADABLE },
  { when: 'the answer comes byte by byte', hits: committed('drip'), slow: true, ...ACCEPTED_BUT_UNREADABLE },
  { when: 'the answer has 50 MB', hits: committed('huge'), ...ACCEPTED_BUT_UNREADABLE },
  { when: 'the answer is a gzip bomb', hits: committed('gzip'), ...ACCEPTED_BUT_UNREADABLE },
  {
    when: 'it is redirected',
    hits: always('redirect'),
    create: ['outcome_unknown', REPEATED],
    get: ['bad_response', 1],
    update: ['outcome_unknown', 1],
  },
];

interface NetworkRow {
  readonly when: string;
  readonly mode: 'refuse' | 'reset';
  /** Whether the connection of reads stays open, so that only a create fails, which needs a new one. */
  readonly readsPass: boolean;
  readonly create: Each<string>;
  readonly get?: Each<string>;
  readonly update?: Each<string>;
}

/** A reset right after the connection is established may arrive before or after the request is passed to it. */
const DROPPED = 'unavailable|outcome_unknown';

/** Faults of connections, so that nothing reaches the provider. */
const NETWORK: readonly NetworkRow[] = [
  {
    when: 'the connection is refused',
    mode: 'refuse',
    readsPass: false,
    create: 'unavailable',
    get: 'unavailable',
    update: 'unavailable',
  },
  {
    when: 'the connection is refused to the create alone',
    mode: 'refuse',
    readsPass: true,
    create: 'unavailable',
  },
  {
    when: 'the connection is reset as soon as it stands',
    mode: 'reset',
    readsPass: false,
    create: 'unavailable',
    get: 'unavailable',
    update: ({ updateOperations }) => (updateOperations.includes('get') ? 'unavailable' : DROPPED),
  },
  {
    when: 'the connection of the create alone is reset as soon as it stands',
    mode: 'reset',
    readsPass: true,
    create: DROPPED,
  },
];

interface AddressRow {
  readonly when: string;
  readonly slow?: boolean;
  address(standIn: StandIn, silent: string): string;
}

/** Addresses at which no request can arrive. */
const ADDRESSES: readonly AddressRow[] = [
  { when: 'the host name does not exist', address: () => 'https://customers-mcp.invalid' },
  { when: 'TLS is spoken to a plain port', address: ({ origin }) => origin.replace('http:', 'https:') },
  {
    when: 'the TLS handshake is never answered',
    slow: true,
    address: (_, silent) => silent.replace('http:', 'https:'),
  },
];

const report = new Report('Provider faults, every call with a budget of 3000 ms');

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

afterAll(() => console.log(`\n${report}\n`));

// Most of the time is spent waiting, so the groups run concurrently; each has its own stand-in and servers.
describe.concurrent.each(kits)('$title', (kit) => {
  describe.concurrent.each([
    { pace: 'what shows at once', slow: false },
    { pace: 'what takes its time', slow: true },
  ])('$pace', ({ slow }) => {
    describe('one by one', { concurrent: false }, () => faultsOf(kit, slow));
  });
});

function faultsOf(kit: ProviderKit, slow: boolean): void {
  const { name, title, externalIdField, nameField } = kit;
  const { store, remove } = temporaryStore();
  let standIn: StandIn;
  let environment: Environment;
  let direct: Connection;
  /** The same provider behind a proxy, which the server treats as another account. */
  let proxy: Proxy;
  let proxied: Connection;
  let silent: Awaited<ReturnType<typeof startRaw>>;
  const ofItsPace = (row: { readonly slow?: boolean }): boolean => (row.slow ?? false) === slow;

  const own = <T extends string | number>(value: Each<T>): T => (typeof value === 'function' ? value(kit) : value);

  beforeAll(async () => {
    const started = await kit.start();
    standIn = started.standIn;
    environment = {
      ...started.environment,
      CUSTOMERS_STORE: store,
      CUSTOMERS_TIMEOUT_MS: String(BUDGET_MS),
      CUSTOMERS_CONFIRM: 'never',
    };
    proxy = await startProxy(Number(new URL(standIn.origin).port));
    silent = await startRaw('silent');
    direct = await connect(environment);
    proxied = await connect({ ...environment, [kit.settings.baseUrl]: `http://127.0.0.1:${proxy.port}` });
  });

  afterEach(async () => {
    await proxy.set('forward');
    standIn.reset();
  });

  afterAll(async () => {
    await Promise.all([direct.close(), proxied.close()]);
    await Promise.all([proxy.close(), silent.close(), standIn.close()]);
    remove();
  });

  /** Calls a tool and returns its result and duration. */
  async function timed(
    connection: Connection,
    tool: string,
    args: Fields,
  ): Promise<{ answer: ToolResult; ends: string; ms: number }> {
    const startedAt = performance.now();
    const answer = await connection.call(tool, { ...args });
    const ms = performance.now() - startedAt;
    expect(ms, `${tool} took too long`).toBeLessThan(BUDGET_MS + GRACE_MS);
    const error = errorOf(answer);
    const ends = error ? String(error.kind) : String(answer.data.outcome ?? 'ok');
    if (error) expect(String(error.message)).toContain(title);
    return { answer, ends, ms };
  }

  function note(when: string, operation: string, outcome: string, requests: number, ms: number): void {
    report.add(when, operation, { subject: name, outcome, requests, ms });
  }

  /** The provider's id of an existing customer. */
  async function someone(connection = direct): Promise<string> {
    const { answer } = await timed(connection, 'create_customer', customer(randomUUID()));
    expect(answer.isError, answer.text).toBe(false);
    return String(answer.data.customer_id);
  }

  /** Requests for one customer, because the server may look up others in the background. */
  function about(id: string): readonly Recorded[] {
    return standIn.requests.filter(({ path, query }) => path.includes(id) || [...query.values()].includes(id));
  }

  function writes(): readonly Recorded[] {
    return standIn.requests.filter(({ method, operation }) => method !== 'GET' && operation !== 'token');
  }

  function fault(on: string, hits: Hits): void {
    for (const hit of hits) standIn.fault({ on, ...hit });
  }

  /** Ends all faults of the provider; its customers stay. */
  function recover(): void {
    const customers = [...standIn.customers];
    standIn.reset();
    for (const [id, document] of customers) standIn.customers.set(id, document);
  }

  function customer(tag: string): Fields {
    return kit.minimal(`Firm ${tag}`, `${tag}@example.com`);
  }

  function freshCreate(): Fields {
    const id = randomUUID();
    return { ...customer(id), [externalIdField]: id };
  }

  /** Simulates that two minutes have passed since the create was sent, after which it can no longer run. */
  function letTimePass(externalId: unknown): void {
    const database = new DatabaseSync(store.slice('sqlite:'.length), { timeout: 2_000 });
    database
      .prepare(
        "UPDATE intents SET data = json_set(data, '$.sentAt', json_extract(data, '$.sentAt') - 180000) WHERE json_extract(data, '$.externalId') = ?",
      )
      .run(String(externalId));
    database.close();
  }

  /** Repeats the create without faults: there is exactly one customer, or the outcome is still unknown and nothing is sent. */
  async function expectRecovery(connection: Connection, create: Fields, first: string): Promise<void> {
    recover();
    const wasThere = standIn.customers.size === 1;
    const { answer, ends } = await timed(connection, 'create_customer', create);
    if (wasThere) {
      expect(ends, answer.text).toBe('existing');
      expect(standIn.count('create')).toBe(0);
    } else if (first === 'outcome_unknown' && !kit.upserts) {
      expect(ends, answer.text).toBe('outcome_unknown');
      expect(standIn.count('create')).toBe(0);
      await expectSettled(connection, create);
    } else {
      expect(ends, answer.text).toBe('created');
      expect(standIn.count('create')).toBe(1);
    }
    expect(standIn.customers.size).toBe(1);
    const last = await timed(connection, 'create_customer', create);
    expect(last.ends, last.answer.text).toBe('existing');
    expect([...standIn.customers.keys()]).toEqual([last.answer.data.customer_id]);
  }

  /**
   * A create with an unknown outcome and without a customer: time settles it if the provider has a key; otherwise the user has
   * to decide.
   */
  async function expectSettled(connection: Connection, create: Fields): Promise<void> {
    letTimePass(create[externalIdField]);
    const later = await timed(connection, 'create_customer', create);
    if (kit.keepsExternalId) {
      expect(later.ends, later.answer.text).toBe('created');
    } else {
      expect(later.ends, later.answer.text).toBe('outcome_unknown');
      expect(standIn.count('create')).toBe(0);
      const ordered = await timed(connection, 'create_customer', { ...create, resend: true });
      expect(ordered.ends, ordered.answer.text).toBe('created');
    }
    expect(standIn.count('create')).toBe(1);
  }

  for (const { when, hits, token = [], create, get, update } of HTTP.filter(ofItsPace)) {
    if (create) {
      const [ends, sent] = [own(create[0]), String(own(create[1]))];
      it(`create ends as ${ends} with ${sent} sent when ${when}`, async () => {
        await someone();
        standIn.reset();
        fault('create', hits);
        fault('token', token);
        const args = freshCreate();
        const { answer, ends: ended, ms } = await timed(direct, 'create_customer', args);
        const requests = standIn.count('create');
        const kept = standIn.customers.size;
        note(when, 'create', ended, requests, ms);
        expect(ends.split('|'), answer.text).toContain(ended);
        expect(sent.split('|')).toContain(String(requests));
        const done = hits[0]?.when === 'after' || !answer.isError;
        expect(kept).toBe(done ? 1 : 0);
        await expectRecovery(direct, args, ended);
      });
    }

    if (get) {
      const [ends, sent] = [own(get[0]), String(own(get[1]))];
      it(`get ends as ${ends} with ${sent} sent when ${when}`, async () => {
        const id = await someone();
        standIn.requests.length = 0;
        fault(kit.read, hits);
        fault('token', token);
        const { answer, ends: ended, ms } = await timed(direct, 'get_customer', { customer_id: id });
        const requests = about(id).length;
        note(when, 'get', ended, requests, ms);
        expect(ends.split('|'), answer.text).toContain(ended);
        expect(sent.split('|')).toContain(String(requests));
        recover();
        const again = await timed(direct, 'get_customer', { customer_id: id });
        expect(again.answer.data.customer, again.answer.text).toEqual(standIn.customers.get(id));
      });
    }

    if (update) {
      const [ends, sent] = [own(update[0]), String(own(update[1]))];
      it(`update ends as ${ends} with ${sent} sent when ${when}`, async () => {
        const id = await someone();
        const before = standIn.customers.get(id);
        standIn.requests.length = 0;
        fault('update', hits);
        fault('token', token);
        const args = { customer_id: id, [nameField.field]: 'Another name' };
        const { answer, ends: ended, ms } = await timed(direct, 'update_customer', args);
        const requests = standIn.count('update');
        note(when, 'update', ended, requests, ms);
        const done = hits[0]?.when === 'after' || !answer.isError;
        expect(standIn.customers.get(id)?.[nameField.stored]).toBe(done ? 'Another name' : before?.[nameField.stored]);
        expect(ends.split('|'), answer.text).toContain(ended);
        expect(sent.split('|')).toContain(String(requests));
        recover();
        const again = await timed(direct, 'update_customer', args);
        expect(again.answer.isError, again.answer.text).toBe(false);
        expect(standIn.customers.get(id)?.[nameField.stored]).toBe('Another name');
        expect(standIn.customers.size).toBe(1);
      });
    }
  }

  for (const { when, mode, readsPass, create, get, update } of slow ? [] : NETWORK) {
    /** Breaks the network; with `readsPass`, the last used connection keeps working. */
    const breakNetwork = async (): Promise<void> => {
      await proxy.set(mode);
      if (!readsPass) proxy.cut();
      standIn.requests.length = 0;
    };

    it(`create ends as ${own(create)} with none sent when ${when}`, async () => {
      await timed(proxied, 'get_customer', { customer_id: await someone(proxied) });
      standIn.reset();
      await breakNetwork();
      const args = freshCreate();
      const { answer, ends, ms } = await timed(proxied, 'create_customer', args);
      note(when, 'create', ends, standIn.count('create'), ms);
      expect(own(create).split('|'), answer.text).toContain(ends);
      expect(writes()).toEqual([]);
      await proxy.set('forward');
      await expectRecovery(proxied, args, ends);
    });

    if (get) {
      it(`get ends as ${own(get)} when ${when}`, async () => {
        const id = await someone(proxied);
        await breakNetwork();
        const { answer, ends, ms } = await timed(proxied, 'get_customer', { customer_id: id });
        note(when, 'get', ends, about(id).length, ms);
        expect(own(get).split('|'), answer.text).toContain(ends);
        expect(about(id)).toEqual([]);
        await proxy.set('forward');
        expect((await timed(proxied, 'get_customer', { customer_id: id })).ends).toBe('ok');
      });
    }

    if (update) {
      it(`update ends as ${own(update)} with none sent when ${when}`, async () => {
        const id = await someone(proxied);
        await breakNetwork();
        const args = { customer_id: id, [nameField.field]: 'Another name' };
        const { answer, ends, ms } = await timed(proxied, 'update_customer', args);
        note(when, 'update', ends, standIn.count('update'), ms);
        expect(own(update).split('|'), answer.text).toContain(ends);
        expect(writes()).toEqual([]);
        await proxy.set('forward');
        expect((await timed(proxied, 'update_customer', args)).ends).toBe('updated');
        expect(standIn.customers.get(id)?.[nameField.stored]).toBe('Another name');
      });
    }
  }

  for (const { when, address } of ADDRESSES.filter(ofItsPace)) {
    it(`create, get and update end as unavailable with none sent when ${when}`, async () => {
      const lost = await connect({ ...environment, [kit.settings.baseUrl]: address(standIn, silent.origin) });
      try {
        const args = freshCreate();
        const calls: readonly [string, Fields][] = [
          ['create', args],
          ['get', { customer_id: 'unknown' }],
          ['update', { customer_id: 'unknown', [nameField.field]: 'Another name' }],
        ];
        await Promise.all(
          calls.map(async ([operation, given]) => {
            const { answer, ends, ms } = await timed(lost, `${operation}_customer`, given);
            note(when, operation, ends, 0, ms);
            expect(ends, answer.text).toBe('unavailable');
          }),
        );
        // The create was not sent, so the external id is free: the repeat is attempted at once, and its outcome is not unknown.
        expect((await timed(lost, 'create_customer', args)).ends).toBe('unavailable');
        expect(writes()).toEqual([]);
        expect(about('unknown')).toEqual([]);
        expect((await timed(direct, 'create_customer', args)).ends).toBe('created');
        expect(standIn.customers.size).toBe(1);
      } finally {
        await lost.close();
      }
    });
  }

  if (slow) {
    it('create that runs only after the call timed out is found by the next one', async () => {
      const args = freshCreate();
      fault('create', [{ act: { delayMs: BUDGET_MS + 500 } }]);
      const { answer, ends, ms } = await timed(direct, 'create_customer', args);
      note('it runs after the call timed out', 'create', ends, standIn.count('create'), ms);
      expect(ends, answer.text).toBe('outcome_unknown');
      expect(standIn.customers.size).toBe(0);
      await vi.waitFor(() => expect(standIn.customers.size).toBe(1), { timeout: 5_000 });
      await expectRecovery(direct, args, ends);
    });
  } else {
    it('get makes at most three requests in an outage, and afterwards one again', async () => {
      const id = await someone();
      const read = async (): Promise<string> => (await timed(direct, 'get_customer', { customer_id: id })).ends;
      const burst = (): Promise<string[]> => Promise.all(Array.from({ length: OUTAGE_READS }, read));
      for (const act of [{ status: 503 }, 'reset'] as const) {
        standIn.requests.length = 0;
        fault(kit.read, always(act));
        const startedAt = performance.now();
        const ends = await burst();
        const each = about(id).length / OUTAGE_READS;
        const what = `${OUTAGE_READS} reads at once, ${act === 'reset' ? 'all reset' : 'all answered 503'}`;
        note(what, 'get', [...new Set(ends)].join('|'), each, performance.now() - startedAt);
        expect(new Set(ends)).toEqual(new Set(['unavailable']));
        expect(each).toBeLessThanOrEqual(3);
        recover();
        expect(new Set(await burst())).toEqual(new Set(['ok']));
        expect(about(id)).toHaveLength(OUTAGE_READS);
      }
    });
  }
}
