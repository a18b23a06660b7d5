// npm run instructions [-- --keep]. Counts the instructions of a start to the first answer and of a call over stdio with callgrind,
// beside plain Node: unlike times, the counts hardly depend on the machine or its load, so a change of a few percent shows. With
// --keep they are written to instructions.json, where growth is a diff. Needs valgrind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { INITIALIZE } from './session.ts';
import { startUpstream } from './upstream.ts';

const CALLS = 1_000;
const fileAt = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const PROGRAMS = { ours: fileAt('../../dist/main.js'), floor: fileAt('peers/floor/stdio.js') };
const VALGRIND = ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--smc-check=all-non-file'];

const { values } = parseArgs({ options: { keep: { type: 'boolean', default: false } } });
const scratch = mkdtempSync(join(tmpdir(), 'customers-mcp-instructions-'));
const upstream = await startUpstream();
const env = {
  PATH: process.env['PATH'] ?? '',
  CUSTOMERS_PROVIDER: 'layer',
  CUSTOMERS_STORE: 'memory:',
  LAYER_BASE_URL: upstream.origin,
  LAYER_BUSINESS_ID: 'bench-business',
  LAYER_ACCESS_TOKEN: 'bench-token',
  NODE_COMPILE_CACHE: join(scratch, 'compile-cache'),
  // One thread after the other anyway; with fewer of them, less differs from run to run.
  UV_THREADPOOL_SIZE: '1',
};

/** The instructions of a process that answers so many calls, one after the other. Not counted without `counted`. */
async function run(program: string, calls: number, counted = true): Promise<number> {
  const node = [process.execPath, '--single-threaded', program];
  const [command = '', ...args] = counted ? ['valgrind', ...VALGRIND, ...node] : node;
  const child = spawn(command, args, { env });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += String(text)));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const ask = async (id: number, method: string, params: object): Promise<void> => {
    child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`);
    const { value } = await lines.next();
    if (!String(value).includes('"result"')) throw new Error(`no result: ${value} ${stderr}`);
  };
  await ask(0, 'initialize', INITIALIZE);
  for (let n = 1; n <= calls; n += 1)
    await ask(n, 'tools/call', { name: 'get_customer', arguments: { customer_id: `customer-${n}` } });
  const closed = once(child, 'close');
  child.stdin.end();
  await closed;
  return Number(/Collected : (\d+)/.exec(stderr)?.[1]);
}

try {
  const counts: Record<string, object> = {};
  for (const [name, program] of Object.entries(PROGRAMS)) {
    // Fills the compile cache.
    await run(program, 1, false);
    const start = await run(program, 0);
    const all = await run(program, CALLS);
    counts[name] = { startMillions: Math.round(start / 1e6), callThousands: Math.round((all - start) / CALLS / 1e3) };
    process.stdout.write(`${name}: ${JSON.stringify(counts[name])}\n`);
  }
  const file = fileAt('instructions.json');
  if (values.keep) writeFileSync(file, `${JSON.stringify({ node: process.versions.node, ...counts }, null, 2)}\n`);
} finally {
  upstream.close();
  rmSync(scratch, { recursive: true, force: true });
}
