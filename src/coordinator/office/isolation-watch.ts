// Leaves a nats-server over which no other coordinator can be heard: it may be cut off from its cluster, and a member
// that is alone there is missing where a majority is sought. Owns when to go; how is the transport's. (A server that
// takes appends and answers none is left by the transport itself.)
import { createService, type Service } from "../../base/index.ts";
import { type CoordinatorStatus, SwarmError } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";

/** How long nobody leads before the server is left, in ms: several elections, of at most a second each. */
const LEAVE_AFTER_MS = 10_000;
const LEADER_CHECK_INTERVAL_MS = 1_000;

/** Looks after the connection of one coordinator until it is stopped. */
export function createIsolationWatch(parts: {
  transport: Pick<Transport, "changeServer">;
  office: { status(): CoordinatorStatus };
  /** Default {@link LEAVE_AFTER_MS} and {@link LEADER_CHECK_INTERVAL_MS}. */
  times?: { leaveAfterMs: number; lookIntervalMs: number };
}): Service {
  const { transport, office } = parts;
  const { leaveAfterMs, lookIntervalMs } = parts.times ?? {
    leaveAfterMs: LEAVE_AFTER_MS,
    lookIntervalMs: LEADER_CHECK_INTERVAL_MS,
  };
  let timer: NodeJS.Timeout | undefined;
  let lonelySinceMs: number | null = null;
  const look = () => {
    const nowMs = performance.now();
    lonelySinceMs = isLonely(office) ? (lonelySinceMs ?? nowMs) : null;
    if (lonelySinceMs === null || nowMs - lonelySinceMs < leaveAfterMs) return;
    lonelySinceMs = null;
    transport.changeServer();
  };
  return createService({
    name: "loneliness watch",
    start: () => {
      timer = setInterval(look, lookIntervalMs);
    },
    stop: () => clearInterval(timer),
  });
}

/** Knows no leader. One that has not read the log, or halted over it, knows none for reasons of its own. */
function isLonely(office: { status(): CoordinatorStatus }): boolean {
  try {
    const { leader, role } = office.status();
    return leader === null && role !== "halted";
  } catch (error) {
    if (error instanceof SwarmError) return false;
    throw error;
  }
}
