// Finds coordinators that must not run beside this one: a process with the same id, and the leader of another swarm that uses the same
// prefix. Each would take the office from the other again and again. Owns the look and its texts; the process waits at its start, and
// tells a rival that appears later.
import { createService, type Logger, type Service } from "../../base/index.ts";
import type { CoordinatorStatus } from "../../protocol/index.ts";

/** How often a running coordinator looks for rivals, in ms: a mistake of an operator, which a minute more would not change. */
const RIVAL_LOOK_INTERVAL_MS = 10_000;

/** The parts of a look. */
export interface RivalParts {
  client: {
    listCoordinators(): Promise<CoordinatorStatus[]>;
    tenure(options: { timeoutMs: number }): Promise<{ leader: string; members: readonly string[] }>;
  };
  prefix: string;
  /** The id of this coordinator, and the ids of all. */
  id: string;
  members: readonly string[];
}

/** The longest wait for the list of the other leader, in ms. */
const TENURE_TIMEOUT_MS = 2_000;

/**
 * The problem of a rival, with the next step; null without one, and while NATS gives no answer. `answersItself`: this coordinator answers
 * the roll call too. Lists that share a coordinator are one swarm whose list changes (foreign-leader.ts), so only a list without a common
 * coordinator is another swarm's.
 */
export async function findRival(
  { client, prefix, id, members }: RivalParts,
  { answersItself }: { answersItself: boolean },
): Promise<string | null> {
  const found = await client.listCoordinators().catch(() => []);
  const sameId = found.filter((each) => each.id === id).length;
  if (sameId > (answersItself ? 1 : 0)) {
    return `another process runs as the coordinator ${id} of the prefix ${prefix}; stop one of them, or give each swarm a prefix of its own (MURMUR_PREFIX)`;
  }
  if (!found.some((each) => each.role === "leader" && !members.includes(each.id))) return null;
  const tenure = await client.tenure({ timeoutMs: TENURE_TIMEOUT_MS }).catch(() => null);
  if (tenure === null || tenure.members.some((each) => members.includes(each))) return null;
  return `another swarm uses the prefix ${prefix}: its coordinators are ${tenure.members.join(",")}, and this one's ${members.join(",")}; give each swarm a prefix of its own (MURMUR_PREFIX), or stop that one`;
}

/** Watches for rivals until the service stops, and logs each new problem once. */
export function createRivalWatch(
  parts: RivalParts & {
    log: Pick<Logger, "error">;
    /** Default {@link RIVAL_LOOK_INTERVAL_MS}. */
    lookIntervalMs?: number;
  },
): { readonly service: Service; problem(): string | null } {
  const { log, lookIntervalMs = RIVAL_LOOK_INTERVAL_MS } = parts;
  let timer: NodeJS.Timeout | undefined;
  let rival: string | null = null;
  let isLooking = false;
  const look = async () => {
    if (isLooking) return;
    isLooking = true;
    const found = await findRival(parts, { answersItself: true });
    isLooking = false;
    if (found !== null && rival === null) log.error({ alert: "rival_coordinator" }, found);
    rival = found;
  };
  return {
    service: createService({
      name: "rival watch",
      start: () => {
        timer = setInterval(() => void look(), lookIntervalMs);
        timer.unref();
      },
      stop: () => clearInterval(timer),
    }),
    problem: () => rival,
  };
}
