// The errors of workflows: a failed step, as the author's code catches it, and a fault of the code itself. Pure.
import { type Result, SwarmError } from "../../protocol/index.ts";

/** The error of a result. */
export type FailureFacts = NonNullable<Result["error"]>;

/** A step, a child or a wait that failed. Code that does not catch it fails the run. */
export class StepFailure extends SwarmError {
  override readonly name = "StepFailure";
  /** The path of the step, such as `label/3/print`. */
  readonly path: string;

  constructor(path: string, { code, message, field, retryable }: FailureFacts) {
    super(code, message, { field, retryable });
    this.path = path;
  }
}

/** A fault of the author's code. The run is blocked and goes on when other code is loaded. */
export class DefinitionFault extends Error {
  override readonly name = "DefinitionFault";
}
