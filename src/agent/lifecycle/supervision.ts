// What a failure hits: the attempt, or the whole agent. Pure. How often an agent comes back is `decideRestart`'s.
import { redactText } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";

/**
 * True when what was thrown says that the agent's own state can no longer be trusted: a broken assertion, ours or
 * Node's (told by name, because another copy of this package may have thrown it). Anything else is a failed attempt.
 */
export function breaksAgent(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "AssertionError";
}

/**
 * The error of an attempt that threw. After an abort it is the abort's reason, whatever the code made of it; a
 * foreign error becomes `internal`, retryable, with credentials in its text redacted, because it travels on the bus.
 */
export function attemptError(thrown: unknown, abortReason: unknown): SwarmError {
  if (abortReason instanceof SwarmError) return abortReason;
  if (thrown instanceof SwarmError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const message = text === "" ? "the agent threw an error without a message" : redactText(text);
  return new SwarmError("internal", message, { cause: thrown });
}
