import { MAX_ATTEMPT_MS } from '../http-client/retry.ts';

// All time limits of create-once, in ms, with their uses.

/** The time limit of a create from sending to a complete answer (`Attempts.uncancellable`); a call's own budget may be shorter. */
export const SEND_MS = MAX_ATTEMPT_MS;

/** The time at the end of a call for recording its result (`Attempts.uncancellable`, `Attempts.runExclusive`). */
export const RESERVE_MS = 750;

/** How much longer a lease is than the send that it covers, so that it is not taken over while an answer may still arrive. */
export const LEASE_MARGIN_MS = 3_000;

/** The lease of a row, from its claim and again from the record of the send. At most `MAX_LEASE_MS` of the store. */
export const LEASE_MS = SEND_MS + LEASE_MARGIN_MS;

/** A process that was suspended for longer than this between recording the send and sending does not send. Less than the margin. */
export const GUARD_MS = 2_000;

/** How long after a send "not found" still proves nothing: the provider may finish or list it late (`Attempts.quietForMs`). */
export const QUIET_AFTER_SEND_MS = 120_000;

/** How far the provider's clock may be behind ours: how much earlier than the send the search for its customer begins. */
export const SKEW_MS = 10_000;

/**
 * The lease under which a create searches for similar customers and is sent. It begins before the search, and its remaining
 * time limits the send.
 */
export const SIMILAR_LEASE_MS = LEASE_MS + 3_000;

/** The lease of a customer while it is recorded for an external id: one read of the store and one write. */
export const RECORD_LEASE_MS = 5_000;

/** How long a create waits for the same create in another process. */
export const WAIT_MS = 10_000;

/** The pauses while it waits: the minimum, and the maximum of the random addition. */
export const POLL_MS = 50;
export const POLL_JITTER_MS = 150;

/**
 * The reconciler's pauses between two checks of the same row: the first, doubled each time, up to the last. At most
 * `MAX_CHECK_MS` of the store.
 */
export const FIRST_CHECK_MS = 60_000;
export const LAST_CHECK_MS = 3_600_000;

/** After so many checks, half a day in total, a create that is safe to send again counts as one that never ran. */
export const MAX_CHECKS = 16;

/** The reconciler's rounds. The first comes soon after the start, when the leases of a previous process are over. */
export const ROUND_MS = 60_000;
export const FIRST_ROUND_MS = 20_000;

/** How often one process removes leases of crashed holders (`Leases`). */
export const SWEEP_MS = 60_000;
