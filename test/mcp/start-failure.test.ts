import { describe, expect, it } from 'vitest';
import { connect } from '../support/client.ts';
import { stated } from '../support/modern.ts';
import { bareServer, command, ending, launch, type BareServer } from '../support/process.ts';

const WRONG = { CUSTOMERS_PROVIDER: 'dayzero', CUSTOMERS_READONLY: 'true' };
const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };

/** The same on stderr and for the client. */
function sentenceOf(server: BareServer): string {
  return server.stderr().replace(/\nSee customers-mcp --help\.\n$/, '');
}

describe('a server that cannot start because of its settings', () => {
  it('tells the client in the answer to initialize, and exits', async () => {
    const server = bareServer(WRONG);
    const { error } = await server.request('initialize', HELLO);
    expect(error).toEqual({ code: -32603, message: sentenceOf(server) });
    for (const part of ['invalid configuration', 'DAYZERO_API_TOKEN is not set', 'CUSTOMERS_READ_ONLY'])
      expect(sentenceOf(server)).toContain(part);
    expect(await server.ended).toMatchObject({ code: 2 });
  });

  it('answers the first requests of a client of the current revision, which then comes with initialize', async () => {
    const server = bareServer(WRONG);
    const [probe, hello] = await Promise.all([
      server.request('server/discover', stated()),
      server.request('initialize', HELLO),
    ]);
    expect(probe['error']).toEqual(hello['error']);
    expect(await server.ended).toMatchObject({ code: 2 });
    expect(server.lines).toHaveLength(2);
  });

  it('is shown by a real client', async () => {
    await expect(connect(WRONG)).rejects.toThrow(/DAYZERO_API_TOKEN is not set/);
  });

  it.each([
    ['says nothing', () => {}],
    ['sends what is no request', (server: BareServer) => ['{', '[]', '7', '{"method":"x"}'].forEach(server.send)],
    ['closes stdin', (server: BareServer) => void server.child.stdin.end()],
  ])('exits also if the client %s', async (_, act) => {
    const server = bareServer(WRONG);
    act(server);
    expect(await server.ended).toMatchObject({ code: 2 });
    expect(server.lines).toEqual([]);
    expect(server.stderr()).toContain('invalid configuration');
  });

  it('reports a wrong option of its command line in the same way', async () => {
    const child = launch(['--read-only'], {});
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += String(text)));
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params: HELLO })}\n`);
    expect(await ending(child)).toMatchObject({ code: 2 });
    expect(JSON.parse(stdout)).toMatchObject({ id: 1, error: { message: expect.stringContaining("'--read-only'") } });
  });

  it('writes nothing for a client where the command does not serve one', async () => {
    expect(await command(['call', 'search_customer'], WRONG)).toMatchObject({ code: 2, stdout: '' });
  });
});
