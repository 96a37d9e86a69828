// The child's side of the channel to the supervisor of `up`: the child reports that it is ready, and at intervals that its
// event loop turns. It learns when the supervisor is gone.

/** A message of a process to its supervisor, over the channel that the supervisor opened. */
export type ChildMessage = { type: "ready" } | { type: "alive" };

/** The environment variable that the supervisor sets for its children. */
export const SUPERVISED = "MURMUR_SUPERVISED";

/** Messages within the time that a process may be silent: two may be lost or late. */
export const MESSAGES_PER_SILENCE = 3;

/**
 * Reports to the supervisor, if there is one. `onOrphaned` is called when the supervisor is gone, however it ended.
 * The messages use the supervisor's own channel and not NATS: an outage of NATS is no reason to kill the process.
 */
export function joinSupervisor(options: { silenceMs: number; onOrphaned: () => void }): {
  ready(): void;
  leave(): void;
} {
  if (process.env[SUPERVISED] === undefined || process.send === undefined) {
    return { ready: () => undefined, leave: () => undefined };
  }
  delete process.env[SUPERVISED]; // programs that an agent starts are not supervised
  const say = (message: ChildMessage) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  };
  const timer = setInterval(() => say({ type: "alive" }), options.silenceMs / MESSAGES_PER_SILENCE);
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
