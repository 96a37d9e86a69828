// The child's side of a process under `up`: it tells the supervisor that it is ready and, again and again, that its
// event loop turns; it ends when the supervisor is gone.

/** What a process says to its supervisor over the channel that the supervisor opened. */
export type ChildMessage = { type: "ready" } | { type: "alive" };

/** Set by the supervisor for its children. */
export const SUPERVISED = "MURMUR_SUPERVISED";

/** Words within the time that a process may be silent: two may be lost or late. */
export const WORDS_PER_SILENCE = 3;

/**
 * Speaks to the supervisor, when there is one. `onOrphaned` is called when it is gone, however it ended.
 * The words go over the supervisor's own channel and not over the bus: an outage of NATS is no reason to kill.
 */
export function joinSupervisor(options: { silenceMs: number; onOrphaned: () => void }): {
  ready(): void;
  leave(): void;
} {
  if (process.env[SUPERVISED] === undefined || process.send === undefined) {
    return { ready: () => undefined, leave: () => undefined };
  }
  delete process.env[SUPERVISED]; // what an agent starts is not supervised
  const say = (message: ChildMessage) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  };
  const timer = setInterval(() => say({ type: "alive" }), options.silenceMs / WORDS_PER_SILENCE);
  timer.unref();
  process.once("disconnect", options.onOrphaned);
  process.channel?.unref();
  say({ type: "alive" });
  return {
    ready: () => say({ type: "ready" }),
    leave: () => {
      clearInterval(timer);
      process.off("disconnect", options.onOrphaned);
      if (process.connected) process.disconnect();
    },
  };
}
