import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

/** Time, which a simulation can replace. */
export interface Clock {
  /** This machine's clock, ms since 1970. */
  now(): number;
  /** The monotonic clock of `Call.deadline`, ms. */
  monotonic(): number;
  sleep(ms: number): Promise<void>;
}

/** Random numbers, which a simulation can replace. */
export interface Random {
  /** From 0 up to, but not including, 1. */
  random(): number;
  uuid(): string;
}

export const systemClock: Clock = {
  now: Date.now,
  monotonic: () => performance.now(),
  sleep: (ms) => sleep(ms),
};

export const systemRandom: Random = { random: Math.random, uuid: () => randomUUID() };
