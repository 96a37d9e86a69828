// The consumers of the lanes: one on the results and one on the commands of each.
import { createSubjects, type StreamKey } from "../../protocol/index.ts";
import type { ConsumerSpec, QueueConsumer, Transport } from "../../transport/index.ts";
import { LANE_ACK_WAIT_MS } from "./held.ts";

/** The two streams that a lane reads. */
export type LaneStream = Extract<StreamKey, "results" | "flow">;

/** The consumer of a lane on one stream. */
export function laneConsumer(prefix: string, stream: LaneStream, lane: string): ConsumerSpec {
  const { filters } = createSubjects(prefix);
  return {
    name: `engine-${lane}`,
    filter: stream === "results" ? filters.resultsInLane(lane) : filters.commandsInLane(lane),
    ackWaitMs: LANE_ACK_WAIT_MS,
  };
}

/** Finds the consumer of a lane, or makes it. @throws SwarmError `unavailable`. */
export function openLaneConsumer(
  transport: Pick<Transport, "prefix" | "queue">,
  stream: LaneStream,
  lane: string,
): Promise<QueueConsumer> {
  return transport.queue(stream).consumer(laneConsumer(transport.prefix, stream, lane));
}
