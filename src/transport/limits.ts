// Bounds that both transports keep.

/**
 * How many deliveries of one consumer may be unacked at once, delayed redeliveries included. Bounds the server's
 * memory; far above what slots and short retries of one capability need.
 */
export const MAX_ACK_PENDING = 100_000;
/** How many open pulls one consumer may have: two per host process and two thousand hosts. */
export const MAX_OPEN_PULLS = 4_096;
/** The largest message of a server with its default configuration (nats-server `max_payload`). */
export const DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024;
/** How long a scatter goes on after the latest reply when the caller names no `stallMs`. */
export const DEFAULT_STALL_MS = 100;
/** How many subjects `Log.subjects` reports when the caller names no bound. */
export const DEFAULT_MAX_SUBJECTS = 10_000;
