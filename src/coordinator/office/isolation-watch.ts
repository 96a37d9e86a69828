// Leaves a nats-server through which this coordinator hears no leader: the server may be cut off from its cluster, and a
// member that is alone there is missing in the majority. Owns the time to leave; the transport owns how. (The transport by
// itself leaves a server that takes appends and never acknowledges one.)
import { createService, type Service } from "../../base/index.ts";
import type { CoordinatorStatus } from "../../protocol/index.ts";
import type { Transport } from "../../transport/index.ts";
import { knowsNoLeader } from "./status.ts";

/** How long there is no leader before the coordinator leaves its server, in ms: several elections of at most a second. */
const LEAVE_AFTER_MS = 10_000;
/** How often the coordinator checks whether it knows a leader, in ms. */
const LEADER_CHECK_INTERVAL_MS = 1_000;

/** Watches the connection of one coordinator until the service stops. */
export function createIsolationWatch(parts: {
  transport: Pick<Transport, "changeServer">;
  office: { status(): CoordinatorStatus };
  /** Default {@link LEAVE_AFTER_MS} and {@link LEADER_CHECK_INTERVAL_MS}. */
  times?: { leaveAfterMs: number; checkIntervalMs: number };
}): Service {
  const { transport, office } = parts;
  const { leaveAfterMs, checkIntervalMs } = parts.times ?? {
    leaveAfterMs: LEAVE_AFTER_MS,
    checkIntervalMs: LEADER_CHECK_INTERVAL_MS,
  };
  let timer: NodeJS.Timeout | undefined;
  let isolatedSinceMs: number | null = null;
  const check = () => {
    const nowMs = performance.now();
    isolatedSinceMs = knowsNoLeader(office) ? (isolatedSinceMs ?? nowMs) : null;
    if (isolatedSinceMs === null || nowMs - isolatedSinceMs < leaveAfterMs) return;
    isolatedSinceMs = null;
    transport.changeServer();
  };
  return createService({
    name: "isolation watch",
    start: () => {
      timer = setInterval(check, checkIntervalMs);
    },
    stop: () => clearInterval(timer),
  });
}
