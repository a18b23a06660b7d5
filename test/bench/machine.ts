import { mkdtempSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Contender } from './contenders.ts';
import { kits } from '../support/providers.ts';
import { percentile, spreadOf, type Spread } from './figures.ts';
import { PEERS } from './install.ts';
import { tokensOf } from './measure.ts';
import { MODERN } from './session.ts';
import { openStdio } from './stdio-session.ts';
import type { Measured } from './targets.ts';

/** What the figures have to be read against: this machine, and the lower bound of every figure. */
export interface Machine {
  readonly node: string;
  readonly processor: string;
  readonly cores: number;
  /** How many processes wanted a core in the last minute; a good deal more than the bench's own three, and the figures are rough. */
  readonly load: number;
  /**
   * From launching a process to its first answer, measured in turns: Node with nothing loaded, and our server in both protocol
   * eras.
   */
  readonly startMs: Readonly<Record<'alone' | 'handshake' | 'modern', Spread>>;
  /** Our cold start when Node has not compiled it before. */
  readonly firstStartMs: number | undefined;
  /** One commit of SQLite on this disk, as safe as the ledger's. */
  readonly commitMs: number;
}

export async function measureMachine(scratch: string, ours: Contender | undefined): Promise<Machine> {
  return {
    node: process.versions.node,
    processor: cpus()[0]?.model ?? '',
    cores: cpus().length,
    load: loadavg()[0] ?? Number.NaN,
    startMs: await startsInTurns(ours),
    firstStartMs:
      ours && (await firstStart(() => ours.open([], { NODE_COMPILE_CACHE: mkdtempSync(join(scratch, 'empty-')) }))),
    commitMs: commit(scratch),
  };
}

async function startsInTurns(ours: Contender | undefined): Promise<Machine['startMs']> {
  const times: Record<keyof Machine['startMs'], number[]> = { alone: [], handshake: [], modern: [] };
  for (let turn = 0; turn < 15; turn += 1) {
    times.alone.push(await startOf(() => openStdio({ args: [join(PEERS, 'node/stdio.js')], environment: {} })));
    if (!ours) continue;
    times.handshake.push(await startOf(() => ours.open()));
    times.modern.push(await startOf(() => ours.open([], {}, { method: 'server/discover', params: MODERN })));
  }
  return { alone: spreadOf(times.alone), handshake: spreadOf(times.handshake), modern: spreadOf(times.modern) };
}

async function firstStart(open: Contender['open']): Promise<number> {
  const starts: number[] = [];
  for (let start = 0; start < 5; start += 1) starts.push(await startOf(open));
  return percentile(starts, 0.5);
}

async function startOf(open: Contender['open']): Promise<number> {
  const session = await open();
  await session.close();
  return session.startMs;
}

function commit(scratch: string): number {
  const database = new DatabaseSync(join(scratch, 'commit.sqlite'));
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE t (n INTEGER)');
  const insert = database.prepare('INSERT INTO t VALUES (?)');
  const times = Array.from({ length: 200 }, (_, n) => {
    const startedAt = performance.now();
    insert.run(n);
    return performance.now() - startedAt;
  });
  database.close();
  return percentile(times, 0.5);
}

/** What tools/list of our server costs a model, for each provider. */
export async function tokensByProvider(ours: Contender): Promise<Measured['tokens']> {
  const counted: Measured['tokens'][number][] = [];
  for (const kit of kits) {
    const { standIn, environment } = await kit.start();
    const session = await ours.open([], environment);
    const { tools } = await session.request('tools/list');
    const imports = JSON.stringify(tools).includes('"name":"import_customers"');
    counted.push({ provider: kit.name, tokens: await tokensOf(session), imports });
    await session.close();
    await standIn.close();
  }
  return counted;
}
