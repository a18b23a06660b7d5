import { countTokens } from 'gpt-tokenizer/encoding/o200k_base';
import type { Contender } from './contenders.ts';
import { percentile, type Reading } from './figures.ts';
import type { Session } from './session.ts';
import type { Upstream } from './upstream.ts';
import { usageOf } from './usage.ts';

/** How much one round asks of each server. */
export interface Effort {
  readonly starts: number;
  readonly warmUp: number;
  readonly single: number;
  readonly crowded: number;
  readonly creates: number;
}

export const IN_FLIGHT = 32;

/** One round of one server: starts it a few times, then asks the last one everything. */
export async function measure(contender: Contender, upstream: Upstream, effort: Effort): Promise<Reading> {
  const starts: number[] = [];
  for (let start = 1; start < effort.starts; start += 1) {
    const session = await contender.open();
    starts.push(session.startMs);
    await session.close();
  }
  const session = await contender.open();
  try {
    starts.push(session.startMs);
    const tokens = await tokensOf(session);
    const rssStart = usageOf(session.pid).rssMb;
    await upstream.connections();

    const get = (n: number): Promise<unknown> => session.call(contender.get(n));
    // By then V8 has compiled what is hot; before, the figures say more of V8 than of the server.
    await flood(effort.warmUp, IN_FLIGHT, get);
    await flood(effort.warmUp / 10, 1, get);
    const single = await flood(effort.single, 1, get);
    const before = usageOf(session.pid);
    const crowded = await flood(effort.crowded, IN_FLIGHT, get);
    const after = usageOf(session.pid);
    const connections = await upstream.connections();
    const creates = await flood(effort.creates, 1, (n) => session.call(contender.create(n)));
    return {
      coldStart: percentile(starts, 0.5),
      p50: percentile(single.latencies, 0.5),
      p99: percentile(single.latencies, 0.99),
      perSecond1: single.perSecond,
      perSecond32: crowded.perSecond,
      cpu: ((after.cpuMs - before.cpuMs) * 1_000) / effort.crowded,
      createP50: percentile(creates.latencies, 0.5),
      rssStart,
      rss: after.rssMb,
      connections,
      tokens,
      size: contender.size.mb,
      packages: contender.size.packages,
    };
  } finally {
    await session.close();
  }
}

/** What a model reads when it is shown the tools. */
export async function tokensOf(session: Session): Promise<number> {
  const { tools } = await session.request('tools/list');
  return countTokens(JSON.stringify(tools));
}

/** Makes calls, so many of them at a time. */
export async function flood(
  calls: number,
  inFlight: number,
  call: (n: number) => Promise<unknown>,
): Promise<{ readonly latencies: readonly number[]; readonly perSecond: number }> {
  const latencies: number[] = [];
  let begun = 0;
  const lane = async (): Promise<void> => {
    while (begun < calls) {
      begun += 1;
      const startedAt = performance.now();
      await call(begun);
      latencies.push(performance.now() - startedAt);
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: inFlight }, lane));
  return { latencies, perSecond: (calls * 1_000) / (performance.now() - startedAt) };
}
