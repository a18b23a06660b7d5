// npm run bench [-- --quick] [--rounds N] [--only ours,sdk] [--json]. Measures our server beside the bare SDK and its peers, all
// on this machine, and says of each target whether it is reached. A whole run renews results.json and results.svg.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { format } from 'prettier';
import { chart } from './chart.ts';
import { contenders, reasonOf, type Contender } from './contenders.ts';
import { endure } from './endurance.ts';
import type { Reading } from './figures.ts';
import { measureAll, nameOf, rotated, type Effort } from './measure.ts';
import { report, summary, type Results } from './results.ts';
import { createsByStore } from './creates.ts';
import { measureMachine, tokensByProvider } from './machine.ts';
import { targetsOf, type Measured } from './targets.ts';
import { startUpstream } from './upstream.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    quick: { type: 'boolean', default: false },
    only: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds ?? (values.quick ? 2 : 7));
const effort: Effort = values.quick
  ? { starts: 2, warmUp: 1_000, single: 500, crowded: 1_000, creates: 50, farCreates: 2 }
  : { starts: 4, warmUp: 4_000, single: 3_000, crowded: 10_000, creates: 300, farCreates: 7 };
/** How long a server is left alone so that it can write down what it caches from start to start. */
const CACHED_MS = 1_000;
const progress = (line: string): void => void process.stderr.write(`${line}\n`);

const scratch = mkdtempSync(join(tmpdir(), 'customers-mcp-bench-'));
const upstream = await startUpstream();
try {
  const results = await bench();
  process.stdout.write(values.json ? `${JSON.stringify(results, null, 2)}\n` : `\n${report(results)}\n`);
  // A part of the servers, a hurried look at them, or a run that lost our own is not what the README should show.
  const whole = values.only === undefined && !values.quick && results.servers.some(({ ours }) => ours);
  if (whole) {
    writeFileSync(new URL('results.json', import.meta.url), await format(JSON.stringify(results), { parser: 'json' }));
    writeFileSync(new URL('results.svg', import.meta.url), chart(results));
  }
} finally {
  upstream.close();
  rmSync(scratch, { recursive: true, force: true });
}

async function bench(): Promise<Results> {
  const entries = await contenders(scratch, upstream.origin, values.only?.split(','), progress);
  const couldNotStart = entries.flatMap((entry) =>
    'problem' in entry ? [{ name: entry.name, why: entry.problem }] : [],
  );
  const drop = (one: Contender, error: unknown): void => {
    couldNotStart.push({ name: nameOf(one), why: reasonOf(error) });
  };
  let running = entries.flatMap((entry) => ('problem' in entry ? [] : [entry]));
  for (const one of running) {
    // One start that does not count.
    await one.open().then(
      (session) => pause(CACHED_MS).then(() => session.close()),
      (error: unknown) => {
        drop(one, error);
        running = running.filter((other) => other !== one);
      },
    );
  }

  const readings = new Map<string, Reading[]>(running.map(({ key }) => [key, []]));
  for (let round = 0; round < rounds; round += 1) {
    const said = (what: string): void => progress(`round ${round + 1} of ${rounds}: ${what}`);
    const measured = await measureAll(rotated(running, round), upstream, effort, said, (one, error) => {
      drop(one, error);
      readings.delete(one.key);
      running = running.filter((other) => other !== one);
    });
    for (const [key, reading] of measured) readings.get(key)?.push(reading);
  }

  const ours = running.find(({ key }) => key === 'ours');
  const endurance: Measured['endurance'][number][] = [];
  for (const one of running.filter(({ ours: own, name }) => own || name === 'bare SDK')) {
    progress(`10,000 calls: ${nameOf(one)}`);
    const holdings = await endure(one, { readEvery: 1_000, creates: 50, enough: ({ calls }) => calls >= 10_000 });
    endurance.push({ name: nameOf(one), ours: one.ours, holdings });
  }
  progress('what it has to be read against');
  const tokens = ours ? await tokensByProvider(ours) : [];
  const floor = running.find(({ key }) => key === 'floor');
  const creates = ours && floor ? await createsByStore(ours, floor) : [];
  const machine = await measureMachine(scratch, ours);
  return {
    measured: new Date().toISOString().slice(0, 10),
    rounds,
    machine,
    servers: running.map((one) => summary(nameOf(one), one.ours, readings.get(one.key) ?? [])),
    couldNotStart,
    targets: targetsOf({ readings, tokens, endurance, creates, startMs: machine.startMs }),
    tokens,
    endurance,
    creates,
  };
}
