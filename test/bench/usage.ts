import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What the system says of a process. */
export interface Usage {
  readonly rssMb: number;
  readonly cpuMs: number;
  readonly sockets: number;
}

/** The clock of /proc ticks a hundred times a second wherever Node runs. */
const TICK_MS = 10;

/** From /proc; elsewhere every figure is NaN, which the tables show as missing. */
export function usageOf(pid: number): Usage {
  const folder = `/proc/${pid}`;
  if (!existsSync(folder)) return { rssMb: Number.NaN, cpuMs: Number.NaN, sockets: Number.NaN };
  const status = readFileSync(`${folder}/status`, 'utf8');
  const stat = readFileSync(`${folder}/stat`, 'utf8');
  // The name in brackets may hold blanks; after it come the state and then figures only.
  const figures = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    rssMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
    cpuMs: (Number(figures[11]) + Number(figures[12])) * TICK_MS,
    sockets: readdirSync(`${folder}/fd`).filter((name) => isSocket(`${folder}/fd/${name}`)).length,
  };
}

function isSocket(file: string): boolean {
  try {
    return readlinkSync(file).startsWith('socket:');
  } catch {
    // Closed since it was listed.
    return false;
  }
}
