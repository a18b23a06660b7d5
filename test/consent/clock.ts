// Loaded before the server: its clock is ahead by TEST_AHEAD_MS, and the ten minutes of a question last TEST_QUESTION_MS.
const { TEST_AHEAD_MS = '0', TEST_QUESTION_MS = '600000' } = process.env;

const now = Date.now;
Date.now = () => now() + Number(TEST_AHEAD_MS);

const after = globalThis.setTimeout;
globalThis.setTimeout = Object.assign(
  (work: (...values: unknown[]) => void, ms?: number, ...values: unknown[]) =>
    after(work, ms === 600_000 ? Number(TEST_QUESTION_MS) : ms, ...values),
  after,
);
