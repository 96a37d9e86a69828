// The port through which an agent reads and changes the shared values of its workflow. agent/run/shared.ts calls it, the work room implements
// it, and the app connects the two.
import type { Json } from "../../protocol/index.ts";

/** A value as an agent gets it. */
export interface SharedEntry {
  readonly value: Json;
  /** It rises with every change. */
  readonly revision: number;
}

/** A value of the run that a task belongs to. */
export interface SharedPlace {
  readonly workflowId: string;
  readonly name: string;
  /** The task of the agent. */
  readonly task: string;
}

/** Reads and changes shared values. */
export interface SharedPort {
  /** The value; null when it was never set. @throws SwarmError `unavailable`, `not_permitted`. */
  get(at: SharedPlace): Promise<SharedEntry | null>;
  /**
   * Changes a value, and resolves with its new revision. `revision`: only if the value still has it; 0: only if it was never set.
   * @throws SwarmError `conflict`, `payload_too_large`, `not_found`, `rate_limited`, `not_permitted`, `unavailable`.
   */
  set(
    write: SharedPlace & { value: Json; revision?: number | undefined; agent: string },
  ): Promise<{ revision: number }>;
}
