// Reads the messages of a lane as triggers of the decider. Pure, but for large bodies, which are read from the blobs.
import { HEADERS, type Json, type Result } from "../../protocol/index.ts";
import type { Delivery, Transport } from "../../transport/index.ts";
import { readResult, unpackResult } from "../../work/index.ts";
import type { Fold, Outcome, Trigger } from "../../workflow/index.ts";
import { LANE_ACK_WAIT_MS } from "../lanes/held.ts";

/** From this delivery on, a trigger is suspected to end or hang its engine. */
const CRASH_DELIVERIES = 3;

/** Reads the end of a task or child. @throws SwarmError `invalid_input` for a body that is no result; `unavailable`, `not_found`. */
export async function readOutcome(
  message: Pick<Delivery, "data" | "subject" | "header" | "seq" | "storedAtMs">,
  blobs: Transport["blobs"],
): Promise<Outcome> {
  const result = readResult(await unpackResult(message as Delivery, blobs));
  return outcomeOf(result, message.header(HEADERS.neverStarted) === "1");
}

/** The outcome of a step from its result. */
export function outcomeOf({ status, output, error }: Result, neverStarted: boolean): Outcome {
  if (status === "completed") return { status, ...(output === undefined ? {} : { output: output as Json }) };
  const failure = error ?? {
    code: status === "cancelled" ? ("cancelled" as const) : ("internal" as const),
    message: `the step was ${status}`,
    retryable: false,
  };
  return status === "failed"
    ? { status, error: failure }
    : { status, error: failure, ...(neverStarted ? { neverStarted } : {}) };
}

/** True when the log has taken a trigger. */
export function isKnown(fold: Fold, trigger: Trigger): boolean {
  if (trigger.type === "command") return trigger.seq <= fold.lastCommand;
  const path = fold.byNumber.get(trigger.n);
  const op = path === undefined ? undefined : fold.ops.get(path);
  return op === undefined ? trigger.n <= fold.n : op.outcome !== undefined;
}

/**
 * True when a trigger has probably ended or hung its engine: it came a third time, and so long after it was stored that two ack-waits
 * passed. Deliveries that engines give back come again at once, and do not count.
 */
export function hasCrashed(
  { deliveryCount, storedAtMs }: Pick<Delivery, "deliveryCount" | "storedAtMs">,
  nowMs: number,
): boolean {
  const waitedMs = (CRASH_DELIVERIES - 1) * LANE_ACK_WAIT_MS;
  return deliveryCount >= CRASH_DELIVERIES && nowMs - storedAtMs >= waitedMs;
}
