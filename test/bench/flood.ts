// npm run flood. How long the calls of one business take while another one floods the server with calls of its own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isRecord } from '../../src/text.ts';
import { toolCall } from '../support/http.ts';
import { at, entries, serveTenants, tokenOf, type TenantServer } from '../support/tenants.ts';
import { percentile } from './figures.ts';
import { startUpstream } from './upstream.ts';

const CONNECTIONS = [0, 32, 128, 512];
const SECONDS = 8;
const PAUSE_MS = 10;
const CALL = toolCall('get_customer', { customer_id: 'customer-1' });

async function timed(server: TenantServer): Promise<readonly number[]> {
  const times: number[] = [];
  const end = performance.now() + SECONDS * 1_000;
  while (performance.now() < end) {
    const startedAt = performance.now();
    const { status } = await at(server, 'globex', CALL);
    if (status !== 200) throw new Error(`HTTP ${status}`);
    times.push(performance.now() - startedAt);
    await pause(PAUSE_MS);
  }
  return times;
}

async function flooded<T>(url: string, connections: number, work: () => Promise<T>): Promise<[T, string]> {
  if (connections === 0) return [await work(), 'none'];
  const program = fileURLToPath(new URL('flood-process.ts', import.meta.url));
  const child = fork(program, [url, tokenOf('acme'), JSON.stringify(CALL), String(connections)]);
  await once(child, 'message');
  await pause(1_000);
  const result = await work();
  const counted = once(child, 'message');
  child.send('end');
  const [counts]: unknown[] = await counted;
  const seconds = SECONDS + 1;
  const rates = Object.entries(isRecord(counts) ? counts : {});
  return [result, rates.map(([status, count]) => `${Math.round(Number(count) / seconds)}/s ${status}`).join(', ')];
}

const upstream = await startUpstream();
const layer = { CUSTOMERS_PROVIDER: 'layer', LAYER_BASE_URL: upstream.origin, LAYER_ACCESS_TOKEN: 'token' };
const server = await serveTenants(
  entries({ acme: { ...layer, LAYER_BUSINESS_ID: 'acme' }, globex: { ...layer, LAYER_BUSINESS_ID: 'globex' } }),
  { CUSTOMERS_HTTP_RATE: '10000000' },
);
try {
  await timed(server);
  process.stdout.write('connections of the flood  calls of the other business: p50 ms  p99 ms  the flood\n');
  for (const connections of CONNECTIONS) {
    const url = `http://127.0.0.1:${server.port}/mcp/acme`;
    const [times, rates] = await flooded(url, connections, () => timed(server));
    const cells = [
      String(connections).padEnd(24),
      percentile(times, 0.5).toFixed(1).padStart(38),
      percentile(times, 0.99).toFixed(1).padStart(6),
      rates,
    ];
    process.stdout.write(`${cells.join('  ')}\n`);
  }
} finally {
  await server.end();
  upstream.close();
}
