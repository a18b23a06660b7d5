import { expect, it } from 'vitest';
import { kits } from './support/providers.ts';
import { stated } from './support/modern.ts';
import { bareServer } from './support/process.ts';

/** Node's own modules that take long to load and that no start needs. */
const SLOW = ['crypto', 'http', 'https', 'http2', 'readline', 'zlib', 'sqlite', 'child_process', 'worker_threads'];

const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };

it.each(kits)('a start for $title loads none of the slow modules of Node before its first answers', async (kit) => {
  const { standIn, environment } = await kit.start();
  // Told on stderr as soon as the list of tools is written.
  const spy = `const write = process.stdout.write; process.stdout.write = function (text, ...rest) {
    process.stderr.write(process.moduleLoadList.join('\\n')); return write.call(this, text, ...rest); }`;
  for (const [method, params] of [
    ['tools/list', stated()],
    ['initialize', HELLO],
  ] as const) {
    const server = bareServer({
      ...environment,
      CUSTOMERS_STORE: 'memory:',
      NODE_OPTIONS: `--import="data:text/javascript,${encodeURIComponent(spy)}"`,
    });
    await server.request(method, params);
    const loaded = server.stderr().split('\n');
    expect(loaded).toContain('NativeModule stream');
    expect(SLOW.filter((name) => loaded.includes(`NativeModule ${name}`))).toEqual([]);
    server.child.kill();
  }
  await standIn.close();
});
