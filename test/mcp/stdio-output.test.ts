import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { Environment } from '../support/client.ts';
import { startLayer } from '../providers/layer/stand-in.ts';
import { kits } from '../support/providers.ts';
import { greetedServer, parsed, SANDBOX, tool } from '../support/process.ts';

describe('stdout', () => {
  it.each(['debug', 'info', 'warn', 'silent'])('contains only the protocol, with the log at %s', async (level) => {
    const server = await greetedServer({ ...SANDBOX, CUSTOMERS_LOG: level });
    await server.request('ping');
    await server.request('tools/list');
    await server.request(
      'tools/call',
      tool('create_customer', { company_name: 'Line\nbreak\u2028and\rmore', external_id: 'a' }),
    );
    await server.request('tools/call', tool('get_customer', { external_id: 'unknown' }));
    await server.request('tools/call', tool('no_such_tool'));
    server.send('garbage');
    server.child.stdin.end();
    await server.ended;
    expect(server.lines.length).toBeGreaterThanOrEqual(6);
    for (const line of server.lines) expect.soft(parsed(line), line).toMatchObject({ jsonrpc: '2.0' });
  });
});

describe('stderr', () => {
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

  it('contains a line of JSON for each call, with its outcome and without customer data', async () => {
    const { standIn, environment } = await startLayer();
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

  it.each(kits)('contains the number of the attempt that succeeded at $title', async (kit) => {
    const { standIn, environment } = await kit.start();
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

  it.each(kits)('is empty at the default level for a working account at $title', async (kit) => {
    const { standIn, environment } = await kit.start();
    onTestFinished(() => standIn.close());
    const server = await greetedServer({ ...environment, CUSTOMERS_STORE: 'memory:' });
    await server.request('tools/call', tool('create_customer', kit.customer(1)));
    server.child.stdin.end();
    await server.ended;
    expect(standIn.count('create')).toBe(1);
    expect(server.stderr()).toBe('');
  });

  it('begins in the sandbox with one sentence, followed by JSON', async () => {
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

function secretsOf(environment: Environment): string[] {
  return Object.entries(environment)
    .filter(([name]) => /SECRET|TOKEN$|KEY|CLIENT_ID|BUSINESS_ID/.test(name))
    .map(([, value]) => value);
}
