// The error of a start that only a person can mend: a role, an agent's file or a setting does not fit.
import { SwarmError, toSwarmError } from "../protocol/index.ts";

/** Ends the program with exit code `EXIT.usage`, whatever its code is, so that the supervisor does not repeat the start. */
export class SetupError extends SwarmError {
  override readonly name = "SetupError";

  /** Marks an error: another start cannot mend it. */
  static from(error: unknown): SetupError {
    const { code, message, field } = toSwarmError(error);
    return new SetupError(code, message, { field, cause: error });
  }
}
