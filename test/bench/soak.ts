// npm run soak -- --minutes 30 [--http]. Our server under load for so long; prints what it holds, every so many calls.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { contenders } from './contenders.ts';
import { endure } from './endurance.ts';
import { holdingsTable } from './results.ts';
import { startUpstream } from './upstream.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, http: { type: 'boolean', default: false } },
});
const until = performance.now() + Number(values.minutes) * 60_000;
const scratch = mkdtempSync(join(tmpdir(), 'customers-mcp-soak-'));
const upstream = await startUpstream();
try {
  const key = values.http ? 'ours-http' : 'ours';
  const [entry] = await contenders(scratch, upstream.origin, [key], () => {});
  if (!entry || 'problem' in entry) throw new Error(entry?.problem);
  const holdings = await endure(entry, {
    readEvery: 10_000,
    creates: 500,
    enough(holding) {
      process.stderr.write(`${JSON.stringify(holding)}\n`);
      return performance.now() >= until;
    },
  });
  process.stdout.write(`${holdingsTable(holdings)}\n`);
} finally {
  upstream.close();
  rmSync(scratch, { recursive: true, force: true });
}
