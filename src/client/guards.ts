// Type guards for errors and results. They look at shapes and not at classes, so that they also hold for an error of another
// copy of this package, and load nothing.
import type { ErrorCode, Result, SwarmError } from "../protocol/index.ts";
import type { TaskResult } from "./types.ts";

/**
 * True for an error of Murmur; with `codes`, only for one of these codes.
 *
 *   catch (error) { if (isSwarmError(error, "timeout")) … }
 */
export function isSwarmError<Code extends ErrorCode = ErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is SwarmError & { readonly code: Code } {
  if (!(error instanceof Error)) return false;
  const { code, retryable, toWire } = error as Partial<SwarmError>;
  if (typeof code !== "string" || typeof retryable !== "boolean" || typeof toWire !== "function")
    return false;
  return codes.length === 0 || (codes as readonly string[]).includes(code);
}

/** True for the result of a task that completed: it may have an `output`. */
export function isCompleted<Output>(
  result: TaskResult<Output>,
): result is TaskResult<Output> & { readonly status: "completed" } {
  return result.status === "completed";
}

/** True for the result of a task that failed: it has an `error`. */
export function isFailed<Output>(result: TaskResult<Output>): result is TaskResult<Output> & {
  readonly status: "failed";
  readonly error: NonNullable<Result["error"]>;
} {
  return result.status === "failed";
}

/** True for the result of a task that was cancelled. */
export function isCancelled<Output>(
  result: TaskResult<Output>,
): result is TaskResult<Output> & { readonly status: "cancelled" } {
  return result.status === "cancelled";
}

/**
 * The output of a completed task.
 * @throws Error for a task that failed or was cancelled, with the code and the message of its error, and the result as
 *   `cause`.
 */
export function outputOf<Output>(result: TaskResult<Output>): Output {
  if (isCompleted(result)) return result.output as Output;
  const { taskId, status, error } = result;
  const reason = error === undefined ? "" : `: ${error.code}: ${error.message}`;
  throw new Error(`task ${taskId} ${status === "failed" ? "failed" : "was cancelled"}${reason}`, {
    cause: result,
  });
}
