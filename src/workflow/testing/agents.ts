// The agents of a test: functions in the place of hosts. Owns the rules of one attempt; world.ts owns the queue of tasks.
import { type BackoffPolicy, backoffDelayMs, type Chance } from "../../base/index.ts";
import { type Json, retrySchema, type TaskInput, toSwarmError } from "../../protocol/index.ts";
import { plainJson } from "../decide/values.ts";
import type { Failure, Outcome } from "../log/facts.ts";
import type { TestSharedValue } from "./shared.ts";

/** The facts of one call of an agent. */
export interface AgentCall {
  readonly taskId: string;
  /** The effect key: the same for each attempt and after `retry`. */
  readonly key: string;
  /** From 1. */
  readonly attempt: number;
  readonly nowMs: number;
  /** The shared values of the run, as `ctx.shared` gives them. */
  readonly shared: {
    get(name: string): TestSharedValue | null;
    set(name: string, value: Json, options?: { revision?: number }): TestSharedValue;
  };
}

/**
 * An agent. It returns its output, or throws: a `TerminalError` fails the task, any other error fails the attempt, which is retried by
 * the policy of the task.
 */
export type AgentFunction = (input: never, call: AgentCall) => unknown;

const LATER: unique symbol = Symbol("later");

/** An output that comes later. */
export interface Later {
  readonly [LATER]: true;
  readonly afterMs: number;
  readonly value: unknown;
}

/** The output `value` of an attempt that takes `afterMs` of the test's time. */
export function takes(afterMs: number, value?: unknown): Later {
  return { [LATER]: true, afterMs, value };
}

function isLater(value: unknown): value is Later {
  return typeof value === "object" && value !== null && LATER in value;
}

/** The end of an attempt: an outcome after a time, or a retry after a time. */
export type AttemptEnd =
  | { readonly afterMs: number; readonly outcome: Outcome }
  | { readonly afterMs: number; readonly outcome: null };

/** Calls an agent for one attempt. */
export async function attemptTask(
  agent: AgentFunction | undefined,
  task: TaskInput,
  call: AgentCall,
  chance: Chance,
): Promise<AttemptEnd> {
  let afterMs = 0;
  let error: Failure;
  try {
    if (agent === undefined) throw new RangeError(`the test has no agent for ${task.capability}`);
    const returned = await agent((task.input ?? null) as never, call);
    afterMs = isLater(returned) ? returned.afterMs : 0;
    const value = isLater(returned) ? returned.value : returned;
    if (task.timeoutMs === undefined || afterMs <= task.timeoutMs) {
      const output: { output?: Json } = value === undefined ? {} : { output: plainJson(value, "output") };
      return { afterMs, outcome: { status: "completed", ...output } };
    }
    afterMs = task.timeoutMs;
    error = {
      code: "timeout",
      message: `the attempt took longer than ${task.timeoutMs} ms`,
      retryable: true,
    };
  } catch (thrown) {
    const { code, message, retryable, field } = toSwarmError(thrown);
    const isMissing = agent === undefined;
    error = { code, message, retryable: retryable && !isMissing, ...(field === undefined ? {} : { field }) };
  }
  const policy = retrySchema.parse(task.retry ?? {});
  if (!error.retryable || call.attempt > policy.max) return { afterMs, outcome: { status: "failed", error } };
  const backoff: BackoffPolicy = policy;
  return { afterMs: afterMs + backoffDelayMs(backoff, call.attempt, chance), outcome: null };
}
