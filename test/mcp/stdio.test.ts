import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { isRecord } from '../../src/text.ts';
import { connect, errorOf, standIns, temporaryStore, type Environment } from '../support/client.ts';
import { bareServer, command, greetedServer, parsed, SANDBOX, until, type BareServer } from '../support/process.ts';
import type { StandIn } from '../support/stand-ins/stand-in.ts';

const providers = ['layer', 'dayzero', 'notify'] as const;
const QUIET_END = { code: 0, signal: null };

/** The structured answer in a response to tools/call. */
function structured(message: Record<string, unknown>): Record<string, unknown> {
  const { result } = message;
  return isRecord(result) && isRecord(result['structuredContent']) ? result['structuredContent'] : {};
}

function tool(name: string, args: Record<string, unknown> = {}): Record<string, unknown> {
  return { name, arguments: args };
}

describe('the handshake', () => {
  const hello = (protocolVersion: string): Record<string, unknown> => ({
    protocolVersion,
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  });

  it.each([
    ['2025-11-25', '2025-11-25'],
    ['2025-06-18', '2025-06-18'],
    ['2024-11-05', '2024-11-05'],
    ['2099-01-01', '2025-11-25'],
  ])('with a client of %s agrees on %s', async (asked, agreed) => {
    const server = bareServer();
    const { result } = await server.request('initialize', hello(asked));
    expect(result).toMatchObject({
      protocolVersion: agreed,
      serverInfo: { name: 'customers-mcp', title: expect.any(String), version: packageJson.version },
      capabilities: { tools: {} },
      instructions: expect.stringMatching(/search before you create/i),
    });
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
  });

  it('is still open to a client that tried the newer discovery first', async () => {
    const server = bareServer();
    expect(await server.request('server/discover')).toMatchObject({ error: { code: -32601 } });
    expect(await server.request('initialize', hello('2025-11-25'))).toHaveProperty('result.protocolVersion');
    server.child.kill();
  });

  it('promises no list that changes, for the list does not', async () => {
    const server = bareServer();
    const { result } = await server.request('initialize', hello('2025-11-25'));
    expect(result).not.toHaveProperty('capabilities.tools.listChanged', true);
    server.child.kill();
  });
});

describe('a client', () => {
  it.each(providers)('lists and calls every tool of %s, each answer holding against its schema', async (provider) => {
    const connection = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: provider });
    onTestFinished(() => connection.close());
    const create = {
      layer: { external_id: 'a-1', company_name: 'Acme', tags: [{ key: 'tier', value: 'gold' }] },
      dayzero: { external_id: 'a-1', name: 'Acme', email: 'acme@example.com', credit_limit_cents: 5 },
      notify: { CustomerCode: 'a-1', Name: 'Acme', City: 'Utrecht' },
    }[provider];
    const own = provider === 'notify' ? { CustomerCode: 'a-1' } : { external_id: 'a-1' };
    const changes = { layer: { notes: 'x' }, dayzero: { notes: 'x' }, notify: { City: 'Leiden' } }[provider];

    const created = await connection.call('create_customer', create);
    expect(created.data).toMatchObject({ outcome: 'created', external_id: 'a-1' });
    const id = created.data['customer_id'];
    const rest = {
      layer: [
        ['archive_customer', own, { outcome: 'archived', customer_id: id }],
        ['restore_customer', own, { outcome: 'restored', customer_id: id }],
      ],
      dayzero: [
        ['link_customer', { external_id: 'b-1', customer_id: id }, { outcome: 'linked', customer_id: id }],
        ['archive_customer', { ...own, confirm: 'Acme' }, { outcome: 'deleted', customer_id: id }],
      ],
      notify: [['archive_customer', { ...own, confirm: 'Acme' }, { outcome: 'deleted', customer_id: id }]],
    } satisfies Record<typeof provider, [string, object, object][]>;
    const calls: [string, Record<string, unknown>, object][] = [
      ['get_customer', own, { customer_id: id, external_id: 'a-1' }],
      ['search_customer', {}, { customers: [{ customer_id: id }], has_more: false }],
      [
        'update_customer',
        { ...own, ...changes },
        { outcome: 'updated', changed: Object.keys(changes), customer_id: id },
      ],
      ...rest[provider].map(([name, args, answer]): [string, Record<string, unknown>, object] => [
        name,
        { ...args },
        answer,
      ]),
    ];
    for (const [name, args, answer] of calls) {
      const { isError, data, text } = await connection.call(name, args);
      expect.soft({ isError, data }, name).toMatchObject({ isError: false, data: answer });
      expect.soft(JSON.parse(text), name).toEqual(data);
    }
    const { tools } = await connection.client.listTools();
    const called = new Set(['create_customer', ...calls.map(([name]) => name), 'import_customers']);
    expect(tools.map(({ name }) => name).filter((name) => !called.has(name))).toEqual([]);
  });

  it.each(providers)('hears errors of every tool of %s as answers that hold against the schema', async (provider) => {
    const connection = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: provider });
    onTestFinished(() => connection.close());
    const { tools } = await connection.client.listTools();
    for (const { name } of tools) {
      const answer = await connection.call(name, { no_such_argument: 1 });
      expect.soft(answer.isError, name).toBe(true);
      expect.soft(errorOf(answer), name).toMatchObject({ kind: 'invalid_input', message: expect.any(String) });
      expect.soft(answer.text, name).toBe(`invalid_input: ${String(errorOf(answer)?.['message'])}`);
    }
  });

  it('that names a tool which does not exist hears of a protocol error', async () => {
    const connection = await connect(SANDBOX);
    onTestFinished(() => connection.close());
    await expect(connection.call('drop_customers')).rejects.toMatchObject({ code: -32602 });
    const server = await greetedServer();
    const answer = await server.request('tools/call', tool('drop_customers'));
    expect(answer).toMatchObject({ error: { code: -32602, message: expect.stringContaining('drop_customers') } });
    expect(answer).not.toHaveProperty('result');
    server.child.kill();
  });

  it('that asks for a method which does not exist hears so', async () => {
    const server = await greetedServer();
    expect(await server.request('customers/drop')).toMatchObject({ error: { code: -32601 } });
    server.child.kill();
  });

  it('gets fifty parallel calls answered, each with its own answer', async () => {
    const { standIn, environment } = await standIns.dayzero();
    onTestFinished(() => standIn.close());
    const server = await greetedServer({ ...environment, CUSTOMERS_STORE: 'memory:' });
    const numbers = Array.from({ length: 50 }, (_, index) => index);
    // The earlier a request comes in, the later it is answered.
    for (const index of numbers) standIn.fault({ on: 'create', act: { delayMs: (50 - index) * 4 } });
    const ids = numbers.map((number) =>
      server.begin(
        'tools/call',
        tool('create_customer', { external_id: `n-${number}`, name: `No ${number}`, email: `n${number}@example.com` }),
      ),
    );
    const answers = await Promise.all(ids.map((id) => server.answer(id)));
    expect(answers.map(structured)).toEqual(
      numbers.map((number) =>
        expect.objectContaining({
          outcome: 'created',
          external_id: `n-${number}`,
          customer: expect.objectContaining({ name: `No ${number}`, email: `n${number}@example.com` }),
        }),
      ),
    );
    expect(new Set(answers.map((answer) => structured(answer)['customer_id'])).size).toBe(50);
    expect(server.lines.length).toBe(51);
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
  }, 15_000);
});

describe('what stands on stdout', () => {
  it.each(['debug', 'info', 'warn', 'silent'])(
    'is the protocol and nothing else, with the log at %s',
    async (level) => {
      const server = await greetedServer({ ...SANDBOX, CUSTOMERS_LOG: level });
      await server.request('ping');
      await server.request('tools/list');
      await server.request(
        'tools/call',
        tool('create_customer', { company_name: 'Line\nbreak\u2028and\rmore', external_id: 'a' }),
      );
      await server.request('tools/call', tool('get_customer', { external_id: 'nobody' }));
      await server.request('tools/call', tool('no_such_tool'));
      server.send('garbage');
      server.child.stdin.end();
      await server.ended;
      expect(server.lines.length).toBeGreaterThanOrEqual(6);
      for (const line of server.lines) expect.soft(parsed(line), line).toMatchObject({ jsonrpc: '2.0' });
    },
  );
});

describe('what stands on stderr', () => {
  const LogLine = z.strictObject({
    time: z.iso.datetime(),
    level: z.enum(['error', 'warn', 'info', 'debug']),
    event: z.string(),
    tool: z.string().optional(),
    provider: z.string().optional(),
    outcome: z.string().optional(),
    status: z.number().optional(),
    ms: z.number().optional(),
    attempt: z.number().optional(),
    store: z.string().optional(),
    stack: z.string().optional(),
  });
  const PERSONAL = [
    'Lovelace',
    'ada@example.com',
    '555-0199',
    'Baker',
    'person-77',
    'Secret remark',
    'word from the provider',
  ];

  it('is a line of JSON for each call, with its outcome and without a word about the customer', async () => {
    const { standIn, environment } = await standIns.layer();
    onTestFinished(() => standIn.close());
    const server = await greetedServer({ ...environment, CUSTOMERS_STORE: 'memory:', CUSTOMERS_LOG: 'debug' });
    const customer = {
      external_id: 'person-77',
      individual_name: 'Ada Lovelace',
      email: 'ada@example.com',
      mobile_phone: '555-0199',
      address_string: '1 Baker Street',
      notes: 'Secret remark',
    };
    await server.request('tools/call', tool('create_customer', customer));
    await server.request('tools/call', tool('search_customer', { name_contains: 'Lovelace' }));
    await server.request(
      'tools/call',
      tool('update_customer', { external_id: 'person-77', email: 'lovelace@example.com' }),
    );
    await server.request('tools/call', tool('get_customer', { external_id: 'Lovelace' }));
    await server.request('tools/call', tool('create_customer', { Lovelace: 'ada@example.com' }));
    standIn.fault({
      on: 'get',
      act: { status: 422, body: { errors: [{ type: 'X', description: 'word from the provider: Lovelace' }] } },
    });
    await server.request('tools/call', tool('get_customer', { customer_id: 'person-77' }));
    standIn.fault({ on: 'list', act: { status: 500 }, times: 9 });
    await server.request('tools/call', tool('search_customer', { name: 'Lovelace' }));
    server.child.stdin.end();
    await server.ended;

    const lines = server.stderr().trimEnd().split('\n').map(parsed);
    expect(z.array(LogLine).safeParse(lines).error?.issues ?? []).toEqual([]);
    const calls = z
      .array(LogLine)
      .parse(lines)
      .filter(({ event }) => event === 'call');
    expect(calls.map(({ tool: name, provider, outcome, status }) => ({ name, provider, outcome, status }))).toEqual([
      { name: 'create_customer', provider: 'layer', outcome: 'created', status: 201 },
      { name: 'search_customer', provider: 'layer', outcome: 'ok', status: 200 },
      { name: 'update_customer', provider: 'layer', outcome: 'updated', status: 200 },
      { name: 'get_customer', provider: 'layer', outcome: 'not_found', status: 200 },
      { name: 'create_customer', provider: 'layer', outcome: 'invalid_input' },
      { name: 'get_customer', provider: 'layer', outcome: 'invalid_input', status: 422 },
      { name: 'search_customer', provider: 'layer', outcome: 'unavailable', status: 500 },
    ]);
    expect(calls.every(({ ms }) => ms !== undefined)).toBe(true);
    for (const word of [...PERSONAL, 'lovelace', ...secretsOf(environment)])
      expect.soft(server.stderr()).not.toContain(word);
  });

  it('tells which attempt it was that a provider answered at last', async () => {
    const { standIn, environment } = await standIns.dayzero();
    onTestFinished(() => standIn.close());
    standIn.fault({ on: 'list', act: { status: 503 } });
    const server = await greetedServer({ ...environment, CUSTOMERS_STORE: 'memory:', CUSTOMERS_LOG: 'debug' });
    await server.request('tools/call', tool('search_customer'));
    server.child.stdin.end();
    await server.ended;
    expect(standIn.count('list')).toBe(2);
    const lines = z.array(LogLine).parse(server.stderr().trimEnd().split('\n').map(parsed));
    expect(lines.map(({ attempt }) => attempt)).toContain(2);
  });

  it('is nothing at the usual level when all is well with a real account', async () => {
    const { standIn, environment } = await standIns.notify();
    onTestFinished(() => standIn.close());
    const server = await greetedServer({ ...environment, CUSTOMERS_STORE: 'memory:' });
    await server.request('tools/call', tool('create_customer', { CustomerCode: 'a', Name: 'Acme' }));
    server.child.stdin.end();
    await server.ended;
    expect(server.stderr()).toBe('');
  });

  it('begins in the sandbox with one plain sentence, and goes on in JSON', async () => {
    const server = await greetedServer({ ...SANDBOX, CUSTOMERS_LOG: 'debug' });
    await server.request('tools/call', tool('search_customer'));
    server.child.stdin.end();
    await server.ended;
    const [first, ...rest] = server.stderr().trimEnd().split('\n');
    expect(first).toMatch(/^customers-mcp: SANDBOX/);
    expect(rest.length).toBeGreaterThan(0);
    for (const line of rest) expect.soft(LogLine.safeParse(parsed(line)).success, line).toBe(true);
  });
});

/** A real account whose creates take their time, on a store that outlives the server. */
async function slowAccount(): Promise<{ standIn: StandIn; environment: Environment }> {
  const { standIn, environment } = await standIns.dayzero();
  const { store, remove } = temporaryStore();
  onTestFinished(async () => {
    await standIn.close();
    remove();
  });
  return { standIn, environment: { ...environment, CUSTOMERS_STORE: store } };
}

const ACME = { external_id: 'a-1', name: 'Acme', email: 'acme@example.com' };

/** After a stop the create counts: the same call finds the customer and sends nothing. */
async function expectRecorded(standIn: StandIn, environment: Environment): Promise<void> {
  expect(standIn.count('create')).toBe(1);
  expect(standIn.customers.size).toBe(1);
  const { stdout } = await command(['call', 'create_customer', JSON.stringify(ACME)], environment);
  expect(JSON.parse(stdout)).toMatchObject({ outcome: 'existing', customer_id: [...standIn.customers.keys()][0] });
  expect(standIn.count('create')).toBe(1);
}

describe('cancelling', () => {
  const cancel = (server: BareServer, requestId: number): void =>
    server.send({
      jsonrpc: '2.0',
      method: 'notifications/cancelled',
      params: { requestId, reason: 'changed my mind' },
    });

  it('gives a read up, answers nothing to it, and leaves the server at work', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'list', act: 'hang' });
    const server = await greetedServer(environment);
    const id = server.begin('tools/call', tool('search_customer'));
    await until(() => standIn.count('list') === 1);
    cancel(server, id);
    expect(structured(await server.request('tools/call', tool('search_customer')))).toEqual({
      customers: [],
      has_more: false,
    });
    // Were the read not given up, the end would wait for it far longer than this test may take.
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    expect(server.lines.filter((line) => line.includes(`"id":${id},`) || line.includes(`"id":${id}}`))).toEqual([]);
  });

  it('sees a create that is under way through, and records it', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'create', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    const id = server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('create') === 1);
    cancel(server, id);
    const again = structured(await server.request('tools/call', tool('create_customer', ACME)));
    expect(again).toMatchObject({ outcome: 'existing', customer: { name: 'Acme' } });
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    await expectRecorded(standIn, environment);
  });

  it('keeps a create from being sent that was still looking for duplicates', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'list', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    const id = server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('list') === 1);
    cancel(server, id);
    await server.request('ping');
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    expect(standIn.count('create')).toBe(0);
  });

  it('of something that is over, or never was, does no harm', async () => {
    const server = await greetedServer();
    cancel(server, 1);
    cancel(server, 999);
    expect(await server.request('ping')).toMatchObject({ result: {} });
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
  });
});

describe('the end', () => {
  const ways: [string, (server: BareServer) => void][] = [
    ['stdin closes', ({ child }) => void child.stdin.end()],
    ['SIGTERM comes', ({ child }) => void child.kill('SIGTERM')],
    ['SIGINT comes', ({ child }) => void child.kill('SIGINT')],
    ['SIGHUP comes', ({ child }) => void child.kill('SIGHUP')],
  ];

  it.each(ways)('is at once and quiet when %s and nothing is under way', async (_, stop) => {
    const server = await greetedServer();
    await server.request('tools/call', tool('search_customer'));
    stop(server);
    expect(await server.ended).toEqual(QUIET_END);
    expect(server.stderr()).toMatch(/^customers-mcp: SANDBOX.*\n$/);
  });

  it.each(ways)('waits for a create that is under way when %s, answers it and records it', async (_, stop) => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'create', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    const id = server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('create') === 1);
    stop(server);
    expect(await server.ended).toEqual(QUIET_END);
    expect(structured(await server.answer(id))).toMatchObject({ outcome: 'created', external_id: 'a-1' });
    await expectRecorded(standIn, environment);
  });

  it.each(ways)('does not wait for a read that hangs when %s', async (_, stop) => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'list', act: 'hang' });
    const server = await greetedServer(environment);
    server.begin('tools/call', tool('search_customer'));
    await until(() => standIn.count('list') === 1);
    stop(server);
    expect(await server.ended).toEqual(QUIET_END);
  });

  it('begins no new work: a create that was still looking for duplicates is not sent', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'list', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('list') === 1);
    server.child.kill('SIGTERM');
    expect(await server.ended).toEqual(QUIET_END);
    expect(standIn.count('create')).toBe(0);
  });

  it('comes after the answers to what was asked just before stdin closed', async () => {
    const server = await greetedServer();
    const ids = [server.begin('ping'), server.begin('tools/list'), server.begin('tools/call', tool('no_such_tool'))];
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    for (const id of ids) expect(await server.answer(id)).toMatchObject({ id });
  });

  it('comes before a first word was said, too', async () => {
    const server = bareServer();
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    expect(server.lines).toEqual([]);
  });

  it('is quiet when nobody reads stdout any more', async () => {
    const server = await greetedServer();
    server.child.stdout.destroy();
    for (let times = 0; times < 5; times += 1) {
      server.begin('tools/list');
      await pause(20);
    }
    expect(await server.ended).toEqual(QUIET_END);
    expect(server.stderr()).toMatch(/^customers-mcp: SANDBOX.*\n$/);
  });

  it('sees a create through when the client is gone altogether', async () => {
    const { standIn, environment } = await slowAccount();
    standIn.fault({ on: 'create', act: { delayMs: 300 } });
    const server = await greetedServer(environment);
    server.begin('tools/call', tool('create_customer', ACME));
    await until(() => standIn.count('create') === 1);
    server.child.stdout.destroy();
    server.child.stderr.destroy();
    server.child.stdin.destroy();
    expect(await server.ended).toEqual(QUIET_END);
    await expectRecorded(standIn, environment);
  });
});

describe('garbage on stdin', () => {
  const garbage: [string, unknown][] = [
    ['words', 'hello'],
    ['half an object', '{"jsonrpc":"2.0","id":7'],
    ['an empty line', ''],
    ['an empty object', {}],
    ['a number', 7],
    ['null', null],
    ['an empty list', []],
    ['no method', { jsonrpc: '2.0', id: 7 }],
    ['another protocol', { jsonrpc: '1.0', id: 7, method: 'ping' }],
    ['params that are no object', { jsonrpc: '2.0', id: 7, method: 'tools/call', params: 'search_customer' }],
    [
      'arguments that are no object',
      { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'search_customer', arguments: [] } },
    ],
    ['a name that is no text', { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 7 } }],
    ['an answer to nothing', { jsonrpc: '2.0', id: 77, result: {} }],
    ['a cancellation of nothing', { jsonrpc: '2.0', method: 'notifications/cancelled', params: {} }],
    [
      'a prototype',
      '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"__proto__","arguments":{"__proto__":{}}}}',
    ],
    ['a megabyte', 'x'.repeat(1024 * 1024)],
    ['a deep nest', '['.repeat(10_000)],
  ];

  it('is survived, line after line, with nothing but the protocol on stdout', async () => {
    const server = await greetedServer();
    let dead = false;
    void server.ended.then(() => (dead = true));
    for (const [what, line] of garbage) {
      server.send(line);
      const id = server.begin('ping');
      await until(() => dead || server.lines.some((one) => one.includes(`"id":${id}`)));
      expect(dead, `ended by ${what}`).toBe(false);
      expect.soft(await server.answer(id), what).toMatchObject({ result: {} });
    }
    server.child.stdin.end();
    expect(await server.ended).toEqual(QUIET_END);
    for (const line of server.lines) expect.soft(parsed(line), line).toMatchObject({ jsonrpc: '2.0' });
  });

  it('is survived: bytes that are no UTF-8', async () => {
    const server = await greetedServer();
    server.child.stdin.write(Buffer.from([0xff, 0xfe, 0x00, 0xc3, 0x28, 0x0a]));
    expect(await server.request('ping')).toMatchObject({ result: {} });
    server.child.kill();
  });

  it('may cut a message anywhere, also within a character', async () => {
    const server = await greetedServer();
    const bytes = Buffer.from(
      `${JSON.stringify({ jsonrpc: '2.0', id: 500, method: 'tools/call', params: tool('create_customer', { company_name: 'Žluťoučký kůň 🐎' }) })}\n`,
    );
    const middle = bytes.indexOf(Buffer.from('🐎')) + 2;
    server.child.stdin.write(bytes.subarray(0, middle));
    await pause(50);
    server.child.stdin.write(bytes.subarray(middle));
    expect(structured(await server.answer(500))).toMatchObject({ customer: { company_name: 'Žluťoučký kůň 🐎' } });
    server.child.kill();
  });
});

function secretsOf(environment: Environment): string[] {
  return Object.entries(environment)
    .filter(([name]) => /SECRET|TOKEN$|KEY|CLIENT_ID|BUSINESS_ID/.test(name))
    .map(([, value]) => value);
}
