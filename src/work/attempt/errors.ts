// The errors of an attempt that no code of an agent throws. Pure. delivery.ts chooses between them.
import { SwarmError, type Task, TerminalError } from "../../protocol/index.ts";

/** The error of an attempt that ran too long: past the task's deadline, or past the limit of one attempt. */
export function timeoutErrorOf(task: Task, isPastDeadline: boolean): SwarmError {
  if (isPastDeadline)
    return new SwarmError("deadline", `the deadline ${task.deadline} passed while the task ran`);
  return new SwarmError("timeout", `the attempt ran longer than its ${task.timeoutMs} ms`, {
    field: "timeoutMs",
  });
}

/** The same error, but not retryable: the message and its blobs stay as they are, so a retry would fail the same way. */
export function asTerminal(error: SwarmError): SwarmError {
  return error.retryable
    ? new TerminalError(error.message, { code: error.code, field: error.field, cause: error })
    : error;
}
