import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isRecord } from '../../src/text.ts';
import { kits } from '../support/providers.ts';
import { bareServer, greetedServer, parsed, SANDBOX, structured, tool, type BareServer } from '../support/process.ts';

const PARSE_ERROR = -32700;
const INVALID_REQUEST = -32600;
const INVALID_PARAMS = -32602;

async function greeted(environment = SANDBOX): Promise<BareServer> {
  const server = await greetedServer(environment);
  onTestFinished(() => void server.child.kill('SIGKILL'));
  return server;
}

/** The frames that answer an id. */
function answersTo(server: BareServer, id: unknown): Record<string, unknown>[] {
  return server.lines
    .map(parsed)
    .filter(isRecord)
    .filter((message) => message['id'] === id);
}

describe('a frame that carries an id', () => {
  const broken: readonly (readonly [what: string, frame: string, id: string | number, code: number])[] = [
    ['a method that is no text', '{"jsonrpc":"2.0","id":71,"method":42}', 71, INVALID_REQUEST],
    ['no method', '{"jsonrpc":"2.0","id":72}', 72, INVALID_REQUEST],
    ['another version of JSON-RPC', '{"jsonrpc":"1.0","id":73,"method":"ping"}', 73, INVALID_REQUEST],
    ['a list for params', '{"jsonrpc":"2.0","id":"x-74","method":"ping","params":[1]}', 'x-74', INVALID_REQUEST],
    ['JSON that breaks off', '{"jsonrpc":"2.0","id":75,"method":"ping","params":{', 75, PARSE_ERROR],
    [
      'JSON that is damaged before an id at its end',
      '{"method":"ping","params":{,"jsonrpc":"2.0","id":76}',
      76,
      PARSE_ERROR,
    ],
    ['a number for it that is no integer', '{"jsonrpc":"2.0","id":78.5,"method":"ping"}', 78.5, INVALID_REQUEST],
    ['a number for it that is too large', '{"jsonrpc":"2.0","id":1e300,"method":"ping"}', 1e300, INVALID_REQUEST],
    ['a list for its metadata', '{"jsonrpc":"2.0","id":60,"method":"ping","params":{"_meta":[]}}', 60, INVALID_PARAMS],
    [
      'a progress token that no notification may carry',
      '{"jsonrpc":"2.0","id":61,"method":"ping","params":{"_meta":{"progressToken":{}}}}',
      61,
      INVALID_PARAMS,
    ],
    ['a handshake without its parameters', '{"jsonrpc":"2.0","id":62,"method":"initialize"}', 62, INVALID_PARAMS],
    [
      'a handshake with half of them',
      '{"jsonrpc":"2.0","id":63,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}',
      63,
      INVALID_PARAMS,
    ],
    ['a batch around it', '[{"jsonrpc":"2.0","id":77,"method":"ping"}]', 77, INVALID_REQUEST],
  ];

  it.each(broken)('is answered under its id with %s', async (_, frame, id, code) => {
    const server = await greeted();
    server.send(frame);
    await expect.poll(() => answersTo(server, id)).toHaveLength(1);
    expect(answersTo(server, id)[0]).toMatchObject({ error: { code, message: expect.stringMatching(/\.$/) } });
    expect(await server.request('ping')).toMatchObject({ result: {} });
  });

  it.each([
    ['null for it', '{"jsonrpc":"2.0","id":null,"method":"ping"}'],
    ['an object for it', '{"jsonrpc":"2.0","id":{},"method":"ping"}'],
    ['nothing that can be read', '{"jsonrpc":'],
    ['a number in place of a message', '42'],
  ])('is answered without an id with %s, because the protocol has no other for it', async (_, frame) => {
    const server = await greeted();
    server.send(frame);
    await expect.poll(() => answersTo(server, undefined)).toHaveLength(1);
    expect(answersTo(server, undefined)[0]).toMatchObject({ error: { message: expect.stringMatching(/\.$/) } });
    expect(await server.request('ping')).toMatchObject({ result: {} });
  });

  it.each([
    [
      'at its start',
      (text: string) =>
        `{"jsonrpc":"2.0","id":90,"method":"tools/call","params":{"name":"x","arguments":{"a":"${text}"}}}`,
    ],
    [
      'at its end',
      (text: string) =>
        `{"method":"tools/call","params":{"name":"x","arguments":{"a":"${text}"}},"jsonrpc":"2.0","id":90}`,
    ],
  ] as const)('is answered when it is too large, with the id %s, and calls in flight go on', async (_, frame) => {
    const [kit] = kits;
    if (!kit) throw new Error('no provider');
    const { standIn, environment } = await kit.start();
    onTestFinished(() => standIn.close());
    const server = await greeted({ ...environment, CUSTOMERS_STORE: 'memory:' });
    standIn.fault({ on: 'create', act: { delayMs: 300 }, times: 1 });
    const create = server.begin(
      'tools/call',
      tool('create_customer', { ...kit.minimal('Acme', 'a@acme.example'), [kit.externalIdField]: 'w-1' }),
    );
    server.send(frame('x'.repeat(12 * 1024 * 1024)));
    await expect.poll(() => answersTo(server, 90), { timeout: 5_000 }).toHaveLength(1);
    expect(answersTo(server, 90)[0]).toMatchObject({
      error: { code: INVALID_REQUEST, message: expect.stringContaining('larger') },
    });
    expect(structured(await server.answer(create))).toMatchObject({ outcome: 'created' });
    expect(await server.request('ping')).toMatchObject({ result: {} });
    expect(server.stderr()).toBe('');
  });

  it('is refused when it is not valid UTF-8: a name must not be changed on its way', async () => {
    const server = await greeted();
    const frame = Buffer.from(
      JSON.stringify({
        jsonrpc: '2.0',
        id: 91,
        method: 'tools/call',
        params: tool('create_customer', { company_name: 'Caf?' }),
      }),
    );
    frame[frame.indexOf('?')] = 0xe9;
    server.child.stdin.write(Buffer.concat([frame, Buffer.from('\n')]));
    await expect.poll(() => answersTo(server, 91)).toHaveLength(1);
    expect(answersTo(server, 91)[0]).toMatchObject({
      error: { code: PARSE_ERROR, message: expect.stringContaining('UTF-8') },
    });
    const found = structured(await server.request('tools/call', tool('search_customer')));
    expect(found['customers']).toEqual([]);
  });
});

describe('a frame that needs no more than kindness', () => {
  it.each([
    ['null for params', '{"jsonrpc":"2.0","id":80,"method":"tools/list","params":null}'],
    ['null for the cursor', '{"jsonrpc":"2.0","id":80,"method":"tools/list","params":{"cursor":null}}'],
    ['null for the metadata', '{"jsonrpc":"2.0","id":80,"method":"tools/list","params":{"_meta":null}}'],
    [
      'null for the progress token',
      '{"jsonrpc":"2.0","id":80,"method":"tools/list","params":{"_meta":{"progressToken":null}}}',
    ],
    ['a member that JSON-RPC does not know', '{"jsonrpc":"2.0","id":80,"method":"tools/list","trace":1}'],
    ['a result beside its method', '{"jsonrpc":"2.0","id":80,"method":"tools/list","result":{}}'],
    ['a task to run it in', '{"jsonrpc":"2.0","id":80,"method":"tools/list","params":{"task":{"ttl":1}}}'],
    [
      'a task that it belongs to',
      '{"jsonrpc":"2.0","id":80,"method":"tools/list","params":{"_meta":{"io.modelcontextprotocol/related-task":7}}}',
    ],
    ['a byte-order mark', '\ufeff{"jsonrpc":"2.0","id":80,"method":"tools/list"}'],
    ['a carriage return at its end', '{"jsonrpc":"2.0","id":80,"method":"tools/list"}\r'],
  ])('is answered like any other with %s', async (_, frame) => {
    const server = await greeted();
    server.send(frame);
    await expect.poll(() => answersTo(server, 80)).toHaveLength(1);
    expect(answersTo(server, 80)[0]).toMatchObject({ result: { tools: expect.any(Array) } });
  });

  it.each([
    ['empty lines', '\n'],
    ['lines of a blank', ' \n'],
    ['frames without a meaning', '{}\n'],
  ])('arrives behind a million bytes of %s', async (_, line) => {
    const server = await greeted();
    server.child.stdin.write(line.repeat(2 ** 20 / line.length));
    expect(await server.request('ping')).toMatchObject({ result: {} });
  });

  it('arrives byte by byte', async () => {
    const server = await greeted();
    for (const byte of Buffer.from('{"jsonrpc":"2.0","id":81,"method":"ping","params":{"a":"é"}}\n')) {
      server.child.stdin.write(Buffer.of(byte));
      if (byte > 0x7f) await pause(5);
    }
    expect(await server.answer(81)).toMatchObject({ result: {} });
  });
});

describe('a client that does not read its answers', () => {
  const REQUEST = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })}\n`;

  /** A server whose answers fill every buffer between it and a client that does not read. */
  async function stuffed(): Promise<BareServer> {
    const server = bareServer();
    onTestFinished(() => void server.child.kill('SIGKILL'));
    server.child.stdout.pause();
    server.send({
      jsonrpc: '2.0',
      id: 0,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
    });
    server.child.stdout.removeAllListeners('data');
    server.child.stdout.pause();
    for (let sent = 0; sent < 20_000; sent += 1) server.child.stdin.write(REQUEST);
    await pause(1_500);
    return server;
  }

  it.runIf(process.platform === 'linux').each([
    ['empty lines', '\n'],
    ['frames without a meaning', '{}\n'],
  ])(
    'costs bounded memory, also with many %s',
    async (_, line) => {
      const server = await stuffed();
      server.child.stdin.write(line.repeat(2 ** 23 / line.length));
      await pause(2_000);
      const status = readFileSync(`/proc/${server.child.pid}/status`, 'utf8');
      expect(Number(/VmRSS:\s+(?<kB>\d+)/.exec(status)?.groups?.['kB'])).toBeLessThan(200_000);
    },
    20_000,
  );

  it.each([
    ['SIGTERM', (server: BareServer) => void server.child.kill('SIGTERM')],
    ['the end of its input', (server: BareServer) => void server.child.stdin.end()],
  ])(
    'does not keep the server from ending at %s',
    async (_, end) => {
      const server = await stuffed();
      end(server);
      const ended = new Promise((resolve) => server.child.once('exit', () => resolve('ended')));
      expect(await Promise.race([ended, pause(8_000, 'still running')])).toBe('ended');
    },
    20_000,
  );
});

describe('progress', () => {
  it('comes at most twice a second, never at 100 %, and never with the answer', async () => {
    const server = await greeted();
    const seen: { at: number; message: Record<string, unknown> }[] = [];
    server.child.stdout.on('data', (chunk) => {
      for (const line of String(chunk).trim().split('\n')) {
        const message = parsed(line);
        if (isRecord(message)) seen.push({ at: performance.now(), message });
      }
      const kinds = String(chunk)
        .trim()
        .split('\n')
        .map(parsed)
        .filter(isRecord)
        .map((message) => ('method' in message ? 'progress' : 'answer'));
      expect(kinds.includes('progress') && kinds.includes('answer')).toBe(false);
    });
    const rows = Array.from({ length: 300 }, (_, index) => ({
      external_id: `p-${index}`,
      company_name: `Firm ${index} of ${index * 7}`,
    }));
    await server.request('tools/call', { ...tool('import_customers', { rows }), _meta: { progressToken: 'p' } });
    const progress = seen.filter(({ message }) => message['method'] === 'notifications/progress');
    expect(progress.length).toBeGreaterThan(0);
    for (const [index, { at, message }] of progress.entries()) {
      const { progress: done, total } = isRecord(message['params']) ? message['params'] : {};
      expect(Number(done)).toBeLessThan(Number(total));
      if (index > 0) expect(at - (progress[index - 1]?.at ?? 0)).toBeGreaterThan(400);
    }
  });
});
