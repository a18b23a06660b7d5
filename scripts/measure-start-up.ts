// Measures the gain of each optimization in start-up.ts: node scripts/measure-start-up.ts [ROUNDS]. Builds the program once
// with all of them and once without each, starts the builds alternately, and prints when tools/list and a first call are
// answered.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'rolldown';
import { program } from './rolldown.config.ts';
import { optimizations } from './start-up.ts';

const rounds = Number(process.argv[2] ?? 20);
const folder = mkdtempSync(join(tmpdir(), 'customers-mcp-start-'));

/** A handshake, tools/list and a first call, as a client sends them. */
const messages = [
  {
    id: 1,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'measure', version: '1' } },
  },
  { method: 'notifications/initialized' },
  { id: 2, method: 'tools/list' },
  { id: 3, method: 'tools/call', params: { name: 'search_customer', arguments: {} } },
].map((message) => `${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);

/** When the answers to tools/list and to the call arrived, in ms since the launch. */
interface Times {
  readonly list: number;
  readonly call: number;
}

function start(dir: string): Promise<Times> {
  const began = performance.now();
  const child = spawn(process.execPath, [join(dir, 'main.js')], {
    env: { CUSTOMERS_STORE: 'memory:', NODE_COMPILE_CACHE: join(dir, 'compiled') },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.write(messages.join(''));
  return new Promise((resolve, reject) => {
    let list = Number.NaN;
    let call = Number.NaN;
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.includes('"id":2')) list = performance.now() - began;
      if (!line.includes('"id":3')) return;
      call = performance.now() - began;
      child.stdin.end();
    });
    child.once('error', reject).once('close', () => resolve({ list, call }));
  });
}

/** The 10th percentile, which is less sensitive than the median to other load on the machine. */
function typical(times: readonly Times[], key: keyof Times): number {
  const sorted = times.map((one) => one[key]).toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 10)] ?? Number.NaN;
}

function sizeOf(dir: string): number {
  const files = readdirSync(dir).filter((file) => file.endsWith('.js'));
  return files.reduce((sum, file) => sum + statSync(join(dir, file)).size, 0) / 1_000;
}

try {
  const variants = ['', ...optimizations].map((without) => ({ without, dir: join(folder, without || 'all') }));
  for (const { without, dir } of variants) await build({ ...program(dir, without), logLevel: 'silent' });
  // The first start of each build fills the compile cache.
  for (const { dir } of variants) await start(dir);
  const times = new Map<string, Times[]>();
  for (let round = 0; round < rounds; round += 1)
    for (const { dir } of variants) times.set(dir, [...(times.get(dir) ?? []), await start(dir)]);
  for (const { without, dir } of variants) {
    const [list, call] = [typical(times.get(dir) ?? [], 'list'), typical(times.get(dir) ?? [], 'call')];
    const name = without === '' ? 'all optimizations' : `without ${without}`;
    process.stdout.write(
      `${name.padEnd(22)} tools/list ${list.toFixed(1)} ms, first call ${call.toFixed(1)} ms, ${sizeOf(dir).toFixed(0)} kB\n`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
