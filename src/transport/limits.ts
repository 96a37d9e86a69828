// Bounds of both transports.

/**
 * The most deliveries of one consumer that may be unacked at once, delayed redeliveries included. It bounds the server's
 * memory, and is far above the need of one capability's slots and short retries.
 */
export const MAX_ACK_PENDING = 100_000;
/** The most open pulls of one consumer: two for each host process, for two thousand hosts. */
export const MAX_OPEN_PULLS = 4_096;
/** The largest message that a server with the default configuration accepts (nats-server `max_payload`). */
export const DEFAULT_MAX_PAYLOAD_BYTES = 1024 * 1024;
/**
 * The longest wait of `RequestSubscription.drain`, in ms: a healthy server answers within a few ms; a hanging one must not
 * keep a process from ending.
 */
export const DRAIN_LIMIT_MS = 500;
/** The default `stallMs` of a scatter: how long it waits for another reply after the latest one. */
export const DEFAULT_STALL_MS = 100;
/** The default `max` of `Log.subjects`: the most subjects that it reports. */
export const DEFAULT_MAX_SUBJECTS = 10_000;
