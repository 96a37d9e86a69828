// A recorded step of a task: its name, its entry in the journal, its line for people, and the bounds. Owns the schemas; the work
// room records the steps (work/steps).
import { z } from "zod";
import { SwarmError } from "../wire/errors.ts";
import { showValue } from "../wire/subjects.ts";
import { resultErrorSchema } from "./result.ts";
import { blobSchema } from "./task.ts";

/** The most recorded steps of a task, over all its attempts: a later attempt keeps them in memory. */
export const MAX_STEPS = 10_000;
/** The most bytes of all recorded results of a task, encoded: a later attempt reads them before its first step. */
export const STEPS_LIMIT_BYTES = 16 * 1024 * 1024;
/** The longest name of a step with its key, in characters: with a usual key it stays below the 255 characters that services take. */
export const MAX_STEP_NAME_LENGTH = 128;

const CONTROL_CHARACTERS = /\p{Cc}/u;

/**
 * The recorded name of a step: `name`, or `name:key`.
 * @throws SwarmError `internal`, not retryable, field `step`: the name is empty, too long, or has control characters.
 */
export function stepName(name: string, key?: string | number): string {
  const whole: unknown = key === undefined ? name : `${name}:${key}`;
  const isGood =
    typeof whole === "string" &&
    name !== "" &&
    whole.length <= MAX_STEP_NAME_LENGTH &&
    whole.isWellFormed() &&
    !CONTROL_CHARACTERS.test(whole);
  if (isGood) return whole;
  throw new SwarmError(
    "internal",
    `a step's name, with its key, must be 1 to ${MAX_STEP_NAME_LENGTH} characters without control characters, got ${showValue(whole)}`,
    { field: "step", retryable: false },
  );
}

/** The effect key of a step: the task's key, a slash, and the name with every character that is no visible ASCII encoded as in URLs. */
export function stepEffectKey(taskKey: string, step: string): string {
  return `${taskKey}/${step.replace(/[^!-$&-~]/gu, (character) => encodeURIComponent(character))}`;
}

/** The facts that the code of a step gets. */
export interface StepFacts {
  /** The recorded name: `name`, or `name:key`. */
  readonly name: string;
  /**
   * The same text in every attempt of the task. Give it to the system that the step touches, as the idempotency key: a step runs
   * again when its process died before the record.
   */
  readonly effectKey: string;
}

/**
 * One entry of a record of steps. `began`: a step with `once` is about to run. `done` and `failed`: its end. A result above 512 KiB
 * is a blob; a missing result is undefined.
 */
export const stepEntrySchema = z.object({
  step: z.string(),
  state: z.enum(["began", "done", "failed"]),
  at: z.string(),
  /** The running time of the step, in ms. */
  ms: z.number().optional(),
  /** The size of the result, encoded. */
  bytes: z.int().optional(),
  output: z.unknown().optional(),
  blob: blobSchema.optional(),
  error: resultErrorSchema.optional(),
});
/** One entry of a record of steps. */
export type StepEntry = z.output<typeof stepEntrySchema>;

/** The states of a step. `began`: the journal has its begin and no end: it runs now, or it waits for a person. */
export const STEP_STATES = ["began", "done", "failed"] as const;

/** One recorded step as `task show` lists it, without its result. */
export const stepLineSchema = z.object({
  step: z.string(),
  state: z.enum(STEP_STATES),
  attempt: z.int(),
  agent: z.string(),
  at: z.string(),
  ms: z.number().optional(),
  bytes: z.int().optional(),
  error: resultErrorSchema.optional(),
  /** The person that settled the step. */
  settledBy: z.string().optional(),
});
/** One recorded step as `task show` lists it. */
export type StepLine = z.output<typeof stepLineSchema>;

/** Ends an attempt that reached a step with `once` that began and never settled: the task waits for a person. */
export class StepWait extends SwarmError {
  override readonly name = "StepWait";
  readonly step: string;
  constructor(step: string) {
    super(
      "conflict",
      `the step ${showValue(step)} began in an earlier attempt and never settled; a person must settle it`,
      {
        field: "step",
      },
    );
    this.step = step;
  }
}
