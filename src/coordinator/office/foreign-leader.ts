// Finds a leader that does not count this coordinator, because their lists of coordinators differ: a change of the list reaches one
// coordinator after the other. It holds the office, so this coordinator does no harm by being ready; a rolling change waits for that.
import { createService, type Logger, type Service } from "../../base/index.ts";
import type { CoordinatorStatus } from "../../protocol/index.ts";
import { knowsNoLeader } from "./status.ts";

/** How long no leader is known before the coordinator asks for one, in ms: longer than an election. */
const ASK_AFTER_MS = 3_000;
/** How often it looks and asks, in ms. */
const LEADER_LOOK_INTERVAL_MS = 1_000;
/** The longest wait for the leader's answer, in ms. */
const TENURE_TIMEOUT_MS = 2_000;

/** Watches for a leader with another list until the service stops. */
export interface ForeignLeaderWatch {
  readonly service: Service;
  /** The problem for people; null while this coordinator knows a leader, or no leader answers. */
  problem(): string | null;
}

/** @param parts.members the list of this coordinator. */
export function createForeignLeaderWatch(parts: {
  office: { status(): CoordinatorStatus };
  /** Asks the leader, whatever its list is. */
  client: { tenure(options: { timeoutMs: number }): Promise<{ leader: string; members: readonly string[] }> };
  members: readonly string[];
  log: Pick<Logger, "warn">;
  /** Default {@link ASK_AFTER_MS} and {@link LEADER_LOOK_INTERVAL_MS}. */
  times?: { askAfterMs: number; lookIntervalMs: number };
}): ForeignLeaderWatch {
  const { office, client, members, log } = parts;
  const { askAfterMs, lookIntervalMs } = parts.times ?? {
    askAfterMs: ASK_AFTER_MS,
    lookIntervalMs: LEADER_LOOK_INTERVAL_MS,
  };
  let timer: NodeJS.Timeout | undefined;
  let withoutSinceMs: number | null = null;
  let isAsking = false;
  let foreign: { leader: string; members: readonly string[] } | null = null;
  const own = members.join(",");
  const isOther = (list: readonly string[]) => [...list].sort().join() !== [...members].sort().join();
  const describe = ({ leader, members: list }: NonNullable<typeof foreign>) =>
    `${leader} holds the office and does not count this coordinator: its list of coordinators is ${list.join(",")} and that of this one ${own}; start every coordinator with the same MURMUR_COORDINATORS`;
  const look = async () => {
    withoutSinceMs = knowsNoLeader(office) ? (withoutSinceMs ?? performance.now()) : null;
    if (withoutSinceMs === null) foreign = null;
    if (isAsking || withoutSinceMs === null || performance.now() - withoutSinceMs < askAfterMs) return;
    isAsking = true;
    const answer = await client.tenure({ timeoutMs: TENURE_TIMEOUT_MS }).catch(() => null);
    isAsking = false;
    if (!knowsNoLeader(office)) return;
    // A leader with the same list is only cut off from this coordinator.
    const found = answer !== null && isOther(answer.members) ? answer : null;
    if (found !== null && found.leader !== foreign?.leader) log.warn(found, describe(found));
    foreign = found;
  };
  return {
    service: createService({
      name: "foreign leader watch",
      start: () => {
        timer = setInterval(() => void look(), lookIntervalMs);
      },
      stop: () => clearInterval(timer),
    }),
    problem: () => (foreign === null || !knowsNoLeader(office) ? null : describe(foreign)),
  };
}
