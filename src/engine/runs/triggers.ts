// Reads the messages of a lane as triggers of the decider. Pure, but for large bodies, which are read from the blobs.
import { HEADERS, type Json, type Result } from "../../protocol/index.ts";
import type { Delivery, Transport } from "../../transport/index.ts";
import { bodyBytes, readResultMessage } from "../../work/index.ts";
import { type Fold, type Outcome, type Trigger, tryKey } from "../../workflow/index.ts";
import { LANE_ACK_WAIT_MS } from "../lanes/held.ts";

/** The engines that a trigger has ended or hung before the run is blocked; the engine of its first delivery left no note. */
const CRASHED_ENGINES = 2;

/**
 * The largest result of a step or child that a run takes, in bytes: a log has 64 MiB, so a few such outputs leave room for the rest. A map of 10,000
 * items with outputs of 1 KiB has 10 MiB.
 */
export const MAX_OUTCOME_BYTES = 16 * 1024 * 1024;

/** Reads the end of a task or child. A result over {@link MAX_OUTCOME_BYTES} is a failure of its step. @throws SwarmError `invalid_input` for a body that is no result; `unavailable`, `not_found`. */
export async function readOutcome(
  message: Pick<Delivery, "data" | "subject" | "header" | "seq" | "storedAtMs">,
  blobs: Transport["blobs"],
): Promise<Outcome> {
  const bytes = bodyBytes(message as Delivery);
  if (bytes > MAX_OUTCOME_BYTES) return tooLarge(bytes);
  const result = await readResultMessage(message as Delivery, blobs);
  return outcomeOf(result, message.header(HEADERS.neverStarted) === "1");
}

function tooLarge(bytes: number): Outcome {
  const message = `the result has ${bytes} bytes, and a run takes at most ${MAX_OUTCOME_BYTES}: store the output elsewhere, and return its name`;
  return {
    status: "failed",
    error: { code: "payload_too_large", message, retryable: false, field: "output" },
  };
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
 * True when a trigger may have ended or hung the engine that had it: it came again after an ack-wait. A slow handover looks the same, so
 * the engine that takes such a trigger notes it in the log first.
 */
export function isSuspect(
  { deliveryCount, storedAtMs }: Pick<Delivery, "deliveryCount" | "storedAtMs">,
  nowMs: number,
): boolean {
  return deliveryCount > 1 && nowMs - storedAtMs >= LANE_ACK_WAIT_MS;
}

/** True when a trigger has ended or hung other engines, by their notes in the log. An engine that lives to decide is no proof. */
export function hasCrashed(fold: Pick<Fold, "tries">, trigger: Trigger, engine: string): boolean {
  const others = [...(fold.tries.get(tryKey(trigger)) ?? [])].filter((each) => each !== engine);
  return others.length >= CRASHED_ENGINES;
}
