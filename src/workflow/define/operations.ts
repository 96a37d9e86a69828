// The operations that a workflow yields, as data. primitives.ts makes them for authors; decide/fibers.ts performs them.
// Pure.
import type { z } from "zod";
import type { TaskInput } from "../../protocol/index.ts";

/** A part of a workflow: a generator that yields operations and returns a value. `yield*` waits for it. */
export type Flow<T> = Generator<Operation, T, unknown>;

/** The value that a flow returns. */
export type FlowValue<F> = F extends Generator<Operation, infer T, unknown> ? T : never;

/** The compensation of a step: a task that undoes the effect of the step. */
export interface Undo {
  /** The capability of the compensation. */
  call: string;
  /** The `input` that the compensation gets; default: the input of the step. */
  with?: unknown;
}

/** The options of a step that become fields of its task. */
type TaskOptions = Pick<TaskInput, "priority" | "timeoutMs" | "retry" | "route" | "ballot" | "labels">;

/** The options of `step`. */
export interface StepOptions<Out extends z.ZodType = z.ZodUnknown> extends TaskOptions {
  /** The schema of the output. An output that does not fit fails the step with `internal`, and names the field. */
  output?: Out;
  /** The compensation, if the run fails or is cancelled after this step completed or may have had its effect. */
  undo?: Undo;
  /** True: once this step has completed, nothing is undone any more, and later steps are retried for longer. */
  pivot?: boolean;
}

/** The options of `child`. */
export interface ChildOptions<Out extends z.ZodType = z.ZodUnknown> {
  /** The schema of the output. */
  output?: Out;
  /** The version of the child's definition; default: the newest version that the engine knows. */
  version?: number;
  /** `cancel`, the default: the child is cancelled with its parent. `leave`: the child goes on. */
  onParentEnd?: "cancel" | "leave";
  /** The compensation, as for a step. */
  undo?: Undo;
}

/** The options of `approval`. */
export interface ApprovalOptions {
  /** The users and groups that may decide. */
  by: readonly string[];
  /** The wait in ms; default: no limit. */
  expiresMs?: number;
  /** The decision when the wait ends; default `fail`: the approval throws `timeout`. */
  onExpiry?: "fail" | "approve" | "reject";
}

/** The decision of a person. */
export interface Approval {
  /** The user that decided; `-` when the wait ended and `onExpiry` approved. */
  by: string;
  /** True if NATS permissions or a token prove the name. */
  proven: boolean;
  note?: string;
}

/** The options of `signal`. */
export interface SignalOptions {
  /** The declared signal; default: the name of the wait. Give it where one signal is awaited more than once. */
  of?: string;
  /** The wait in ms; default: no limit. After it, the wait throws `timeout`. */
  expiresMs?: number;
}

/** The options of `map`. */
export interface MapOptions {
  /** The most items in progress; default 16. */
  concurrency?: number;
  /** The failed items that the map accepts: a number, or a part such as `"5%"`; default 0. */
  tolerate?: number | `${number}%`;
}

/** The end of one item of a map that tolerates failures. */
export type Settled<T> = { ok: true; value: T } | { ok: false; error: Error };

/** The options of `shared`. */
export interface SharedOptions {
  /** Sets the value, plain data of at most 64 KiB of JSON. Without it, the value is read. */
  set?: unknown;
  /** Sets it only if it still has this revision; 0: only if it was never set. Otherwise the wait throws `conflict`. */
  revision?: number;
}

/** Waits that the log records under their name. */
export type NamedOperation =
  | {
      kind: "step";
      name: string;
      call: string;
      input: unknown;
      options: StepOptions<z.ZodType>;
    }
  | {
      kind: "child";
      name: string;
      call: string;
      input: unknown;
      options: ChildOptions<z.ZodType>;
    }
  | { kind: "sleep"; name: string; ms: number }
  | { kind: "signal"; name: string; options: SignalOptions }
  | { kind: "approval"; name: string; options: ApprovalOptions }
  /** `call` is the name of the value; `input` the new one, undefined for a read. */
  | { kind: "shared"; name: string; call: string; input: unknown; options: SharedOptions };

/** A thing that a workflow can ask for. */
export type Operation = { readonly [WORKFLOW_OPERATION]: true } & (
  | NamedOperation
  | { kind: "all"; flows: readonly Flow<unknown>[]; settle: "fast" | "all" }
  | { kind: "race"; flows: readonly Flow<unknown>[] }
  | {
      kind: "map";
      name: string;
      items: readonly unknown[];
      options: MapOptions;
      each: (item: never, index: number) => unknown;
    }
  | { kind: "now" }
  | { kind: "random" }
  | { kind: "patched"; id: string }
  | { kind: "status"; progress: number | undefined; note: string | undefined }
  | { kind: "continueAs"; input: unknown }
);

/** The mark of an operation. Another copy of this package makes the same mark. */
export const WORKFLOW_OPERATION: unique symbol = Symbol.for("murmur.workflow-operation") as never;

type Unmarked<T> = T extends unknown ? Omit<T, typeof WORKFLOW_OPERATION> : never;

/** Marks an operation. */
export function operation(fields: Unmarked<Operation>): Operation {
  return { [WORKFLOW_OPERATION]: true, ...fields } as Operation;
}

/** True for a value that a primitive made. */
export function isOperation(value: unknown): value is Operation {
  return typeof value === "object" && value !== null && WORKFLOW_OPERATION in value;
}
