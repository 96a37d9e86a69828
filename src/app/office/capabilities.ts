// The capabilities of the swarm with their queues and pauses: NATS tells the queues, and any coordinator tells the
// time and the operator of each pause. `capability ls`, `task show` and `doctor` use it.
import type { OfficeClient, WholeReply } from "../../coordinator/index.ts";
import { PAUSED_UNTIL_MS, toSwarmError } from "../../protocol/index.ts";
import type { QueueConsumerInfo, Transport } from "../../transport/index.ts";
import { capabilityOfConsumer, isQueueFilter } from "../../work/index.ts";

/** How long a coordinator has to tell the pauses, in ms. Each one answers from memory, also without a leader. */
const PAUSES_TIMEOUT_MS = 1_000;

/** A capability of the swarm. */
export interface CapabilityView {
  capability: string;
  state: "open" | "paused" | "pausing" | "resuming" | "held";
  waiting: number;
  inFlight: number;
  since: string | null;
  by: string | null;
}

/**
 * Reads all capabilities, by name. `pausesTimeoutMs`: how long a coordinator may take, default {@link PAUSES_TIMEOUT_MS}.
 * @throws SwarmError `unavailable` when NATS does not answer.
 */
export async function readCapabilities({
  transport,
  office,
  pausesTimeoutMs = PAUSES_TIMEOUT_MS,
}: {
  transport: Transport;
  office: OfficeClient;
  pausesTimeoutMs?: number;
}): Promise<{ capabilities: CapabilityView[]; isOfficeKnown: boolean }> {
  const [consumers, pauses] = await Promise.all([
    transport.queue("tasks").consumers(),
    readPauses(office, pausesTimeoutMs),
  ]);
  return {
    capabilities: viewCapabilities(transport.prefix, consumers, pauses),
    isOfficeKnown: pauses !== null,
  };
}

type Pause = WholeReply<"pauses">["pauses"][number];

/** The office's pauses as any coordinator knows them; null when none answers. */
async function readPauses(office: OfficeClient, timeoutMs: number): Promise<readonly Pause[] | null> {
  try {
    return (await office.readStale("pauses", {}, { timeoutMs })).pauses;
  } catch (error) {
    if (toSwarmError(error).code === "unavailable") return null;
    throw error;
  }
}

/** Joins the queues of NATS and the office's pauses (null: no coordinator answered). Pure. */
export function viewCapabilities(
  prefix: string,
  consumers: readonly Pick<
    QueueConsumerInfo,
    "name" | "filter" | "pending" | "ackPending" | "pausedUntilMs"
  >[],
  pauses: readonly Pause[] | null,
): CapabilityView[] {
  const queues = Map.groupBy(
    consumers.filter(({ filter }) => isQueueFilter(prefix, filter)),
    ({ name }) => capabilityOfConsumer(name),
  );
  const paused = new Map((pauses ?? []).map((pause) => [pause.capability, pause]));
  return [...new Set([...queues.keys(), ...paused.keys()])].sort().map((capability) => {
    const own = queues.get(capability) ?? [];
    const pause = paused.get(capability);
    const ours = own.filter(({ pausedUntilMs }) => pausedUntilMs === PAUSED_UNTIL_MS).length;
    const isHeld = own.some(
      ({ pausedUntilMs }) => pausedUntilMs !== null && pausedUntilMs !== PAUSED_UNTIL_MS,
    );
    const isWanted = pauses === null ? ours > 0 : pause !== undefined;
    return {
      capability,
      state: stateOf({ isWanted, ours, queues: own.length, isHeld }),
      waiting: own.reduce((sum, { pending }) => sum + pending, 0),
      inFlight: own.reduce((sum, { ackPending }) => sum + ackPending, 0),
      since: pause === undefined ? null : new Date(pause.sinceMs).toISOString(),
      by: pause?.by ?? null,
    };
  });
}

function stateOf({
  isWanted,
  ours,
  queues,
  isHeld,
}: {
  isWanted: boolean;
  ours: number;
  queues: number;
  isHeld: boolean;
}): CapabilityView["state"] {
  if (isWanted) return ours > 0 && ours === queues ? "paused" : "pausing";
  if (ours > 0) return "resuming";
  return isHeld ? "held" : "open";
}
