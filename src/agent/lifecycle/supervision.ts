// Decides whether a failure ends the attempt or the whole agent. Pure. Leaves the restart decision to `decideRestart`.
import { redactText } from "../../base/index.ts";
import { SwarmError } from "../../protocol/index.ts";

/**
 * True for a failed assertion, Murmur's or Node's: the agent's own state can no longer be trusted. All other errors fail
 * the attempt only. The error is recognised by its name, because another copy of this package may have thrown it.
 */
export function requiresRestart(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === "AssertionError";
}

/**
 * Returns the error of an attempt that threw. After an abort this is the abort's reason, even if the code threw another
 * error. A foreign error becomes `internal`, retryable; credentials in its text are redacted, because the text is
 * published on the bus.
 */
export function attemptError(thrown: unknown, abortReason: unknown): SwarmError {
  if (abortReason instanceof SwarmError) return abortReason;
  if (thrown instanceof SwarmError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const message = text === "" ? "the agent threw an error without a message" : redactText(text);
  return new SwarmError("internal", message, { cause: thrown });
}
