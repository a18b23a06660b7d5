import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Contender } from './contenders.ts';
import { flood } from './measure.ts';
import { inTime, type Session } from './session.ts';
import { usageOf } from './usage.ts';

const PROBE = fileURLToPath(new URL('probe.js', import.meta.url));
const IN_FLIGHT = 8;

/** What a long-running server holds at one moment. */
export interface Holding {
  readonly calls: number;
  readonly rssMb: number;
  /** What is still held after a collection; the difference to the memory above is what V8 keeps for itself. */
  readonly heapMb: number;
  readonly sockets: number;
  readonly timers: number;
}

/** Calls one server of ours again and again; `readEvery` so many calls says what it holds, until `enough`. */
export async function endure(
  contender: Contender,
  { readEvery, creates, enough }: { readEvery: number; creates: number; enough: (holding: Holding) => boolean },
): Promise<readonly Holding[]> {
  const session = await contender.open(['--expose-gc', '--import', PROBE]);
  const holdings: Holding[] = [];
  try {
    for (;;) {
      const done = holdings.length * readEvery;
      await flood(readEvery - creates, IN_FLIGHT, (n) => session.call(contender.get(n)));
      await flood(creates, IN_FLIGHT, (n) => session.call(contender.create(done + n)));
      const { rssMb, sockets } = usageOf(session.pid);
      const inside = await probe(session, holdings.length + 1);
      const holding = { calls: done + readEvery, rssMb, sockets, ...inside };
      holdings.push(holding);
      if (enough(holding)) return holdings;
    }
  } finally {
    await session.close();
  }
}

/** Asks the probe inside for the n-th time. */
async function probe(session: Session, n: number): Promise<Pick<Holding, 'timers' | 'heapMb'>> {
  process.kill(session.pid, 'SIGUSR2');
  const answer = new RegExp(`^PROBE ${n} (\\d+) (\\d+)$`, 'm');
  const told = async (): Promise<Pick<Holding, 'timers' | 'heapMb'>> => {
    for (;;) {
      const [, timers, heap] = answer.exec(session.stderr()) ?? [];
      if (timers !== undefined) return { timers: Number(timers), heapMb: Number(heap) / 1_000_000 };
      await pause(5);
    }
  };
  return inTime(told());
}
