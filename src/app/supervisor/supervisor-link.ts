// The child's side of the channel to the supervisor of `up`: the child reports that it is ready, and at intervals that its
// event loop turns. It learns when the supervisor is gone, and which other children died: the supervisor has no connection to
// NATS, so a living child passes the notice on.
import { isName } from "../../protocol/index.ts";

/** A message of a process to its supervisor, over the channel that the supervisor opened. */
export type ChildMessage = { type: "ready" } | { type: "alive"; processId?: string };

/** A message of the supervisor to a child: the process with this id died. */
export type SupervisorMessage = { type: "died"; processId: string };

/** The environment variable that the supervisor sets for its children. */
export const SUPERVISED = "MURMUR_SUPERVISED";

/** Messages within the time that a process may be silent: two may be lost or late. */
export const MESSAGES_PER_SILENCE = 3;

/** The id of the dead process in a message of the supervisor; null for any other message. */
function readDeath(message: unknown): string | null {
  const { type, processId } = (message ?? {}) as Partial<SupervisorMessage>;
  return type === "died" && typeof processId === "string" && isName(processId) ? processId : null;
}

/** True in a process of `up`, until it has joined its supervisor. */
export function isSupervised(): boolean {
  return process.env[SUPERVISED] !== undefined && process.send !== undefined;
}

/**
 * Reports to the supervisor, if there is one, with the id of this process. `onOrphaned` is called when the supervisor is gone,
 * however it ended; `onDeath` when another child died, and only after `ready`.
 * The messages use the supervisor's own channel and not NATS: an outage of NATS is no reason to kill the process.
 */
export function joinSupervisor(options: {
  processId: string;
  silenceMs: number;
  onOrphaned: () => void;
  onDeath: (processId: string) => void;
}): {
  ready(): void;
  leave(): void;
} {
  if (!isSupervised()) {
    return { ready: () => undefined, leave: () => undefined };
  }
  delete process.env[SUPERVISED]; // programs that an agent starts are not supervised
  const say = (message: ChildMessage) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
  };
  const timer = setInterval(() => say({ type: "alive" }), options.silenceMs / MESSAGES_PER_SILENCE);
  timer.unref();
  const onMessage = (message: unknown) => {
    const processId = readDeath(message);
    if (processId !== null) options.onDeath(processId);
  };
  process.on("message", onMessage);
  process.once("disconnect", options.onOrphaned);
  process.channel?.unref(); // after the listeners: adding them refs the channel
  say({ type: "alive", processId: options.processId });
  return {
    ready: () => say({ type: "ready" }),
    leave: () => {
      clearInterval(timer);
      process.off("message", onMessage);
      process.off("disconnect", options.onOrphaned);
      if (process.connected) process.disconnect();
    },
  };
}
