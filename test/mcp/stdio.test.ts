import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import packageJson from '../../package.json' with { type: 'json' };
import { connect, errorOf } from '../support/client.ts';
import { startDayZero } from '../providers/dayzero/stand-in.ts';
import type { Fields } from '../support/provider-kit.ts';
import { kits } from '../support/providers.ts';
import { SHOWS_VIEWS, VIEW_URI } from '../support/view-answers.ts';
import { bareServer, greetedServer, parsed, QUIET_END, SANDBOX, structured, tool, until } from '../support/process.ts';

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

  it('counts for requests that come together with it', async () => {
    const server = bareServer();
    const capabilities = { extensions: SHOWS_VIEWS };
    const first = server.begin('initialize', { ...hello('2025-11-25'), capabilities });
    const second = server.begin('tools/list');
    expect(await server.answer(first)).toHaveProperty('result.protocolVersion');
    const { result } = await server.answer(second);
    expect(JSON.stringify(result)).toContain(VIEW_URI);
    expect(server.lines.map(parsed)).toMatchObject([{ id: first }, { id: second }]);
    server.child.kill();
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
  it.each(kits)('lists and calls every tool of $title, each answer holding against its schema', async (kit) => {
    const connection = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: kit.name, CUSTOMERS_CONFIRM: 'never' });
    onTestFinished(() => connection.close());
    const { externalIdField, nameField, archive } = kit;
    const own = { [externalIdField]: 'a-1' };
    const created = await connection.call('create_customer', { ...kit.customer(1), [nameField.field]: 'Acme', ...own });
    expect(created.data).toMatchObject({ outcome: 'created', external_id: 'a-1' });
    const id = created.data['customer_id'];
    const calls = [
      ['get_customer', own, { customer_id: id, external_id: 'a-1' }],
      ['search_customer', {}, { customers: [{ customer_id: id }], has_more: false }],
      [
        'update_customer',
        { ...own, [kit.change.field]: kit.change.value },
        { outcome: 'updated', changed: { [kit.change.field]: { to: kit.change.value } }, customer_id: id },
      ],
      ['link_customer', { customer_id: id, external_id: 'a-1' }, { outcome: 'already_linked', customer_id: id }],
      ['archive_customer', own, { outcome: archive.outcome, customer_id: id }],
      ['restore_customer', own, { outcome: 'restored', customer_id: id }],
    ] as const satisfies (readonly [string, Fields, object])[];
    const { tools } = await connection.client.listTools();
    const listed = tools.map(({ name }) => name);
    for (const [name, args, answer] of calls.filter(([name]) => listed.includes(name))) {
      const { isError, data, text } = await connection.call(name, { ...args });
      expect.soft({ isError, data }, name).toMatchObject({ isError: false, data: answer });
      expect.soft(JSON.parse(text), name).toEqual(data);
    }
    // Merging takes two customers, and has tests of its own.
    const called = new Set<string>([
      'create_customer',
      'merge_customers',
      ...calls.map(([name]) => name),
      'import_customers',
    ]);
    expect(listed.filter((name) => !called.has(name))).toEqual([]);
  });

  it.each(kits)(
    'returns errors of every tool of $title as answers that match the schema',
    async ({ name: provider }) => {
      const connection = await connect({ ...SANDBOX, CUSTOMERS_PROVIDER: provider });
      onTestFinished(() => connection.close());
      const { tools } = await connection.client.listTools();
      for (const { name } of tools) {
        const answer = await connection.call(name, { no_such_argument: 1 });
        expect.soft(answer.isError, name).toBe(true);
        expect.soft(errorOf(answer), name).toMatchObject({ kind: 'invalid_input', message: expect.any(String) });
        const [sentence, details] = answer.text.split('\n');
        expect.soft(sentence, name).toBe(`invalid_input: ${String(errorOf(answer)?.['message'])}`);
        expect.soft(parsed(details ?? ''), name).toEqual({ fields: errorOf(answer)?.['fields'] });
      }
    },
  );

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
    const { standIn, environment } = await startDayZero();
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

describe('garbage on stdin', () => {
  const garbage: [string, unknown][] = [
    ['words', 'hello'],
    ['half an object', '{"jsonrpc":"2.0","id":"g"'],
    ['an empty line', ''],
    ['an empty object', {}],
    ['a number', 7],
    ['null', null],
    ['an empty list', []],
    ['no method', { jsonrpc: '2.0', id: 'g' }],
    ['another protocol', { jsonrpc: '1.0', id: 'g', method: 'ping' }],
    ['params that are no object', { jsonrpc: '2.0', id: 'g', method: 'tools/call', params: 'search_customer' }],
    [
      'arguments that are no object',
      { jsonrpc: '2.0', id: 'g', method: 'tools/call', params: { name: 'search_customer', arguments: [] } },
    ],
    ['a name that is no text', { jsonrpc: '2.0', id: 'g', method: 'tools/call', params: { name: 7 } }],
    ['an answer to nothing', { jsonrpc: '2.0', id: 77, result: {} }],
    ['a cancellation of nothing', { jsonrpc: '2.0', method: 'notifications/cancelled', params: {} }],
    [
      'a prototype',
      '{"jsonrpc":"2.0","id":"g","method":"tools/call","params":{"name":"__proto__","arguments":{"__proto__":{}}}}',
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
