// The primitives of workflows: an author waits for each with `yield*`. They only make operations; decide/ performs them.
// Pure.
//
//   const labels = yield* map("label", items, { concurrency: 20 }, (item) => step("print", "label-print", item));
import type { z } from "zod";
import {
  type Approval,
  type ApprovalOptions,
  type ChildOptions,
  type Flow,
  type FlowValue,
  type MapOptions,
  operation,
  type Settled,
  type SharedOptions,
  type SignalOptions,
  type StepOptions,
} from "./operations.ts";

/**
 * Performs a task and returns its output. The name is unique in its scope (the workflow, or one item of a map), and is the identity of
 * the step in the log.
 * @param call the capability.
 * @throws StepFailure when the task failed or was cancelled.
 */
export function* step<Out extends z.ZodType = z.ZodUnknown>(
  name: string,
  call: string,
  input?: unknown,
  options: StepOptions<Out> = {},
): Flow<z.output<Out>> {
  return (yield operation({ kind: "step", name, call, input, options })) as z.output<Out>;
}

/**
 * Runs flows side by side and returns their values. The first failure cancels the others and is thrown at once.
 * @param options.settle `all`: the others go on, and the first failure is thrown when all have ended. Default `fast`.
 */
export function* all<const Flows extends readonly Flow<unknown>[]>(
  flows: Flows,
  { settle = "fast" }: { settle?: "fast" | "all" } = {},
): Flow<{ -readonly [Index in keyof Flows]: FlowValue<Flows[Index]> }> {
  return (yield operation({ kind: "all", flows, settle })) as never;
}

/** Runs flows side by side. The first end, a value or a failure, is the end of the race; the others are cancelled. */
export function* race<const Flows extends readonly Flow<unknown>[]>(
  flows: Flows,
): Flow<FlowValue<Flows[number]>> {
  return (yield operation({ kind: "race", flows })) as never;
}

/** As {@link map} with `tolerate`: the end of each item, in the order of the items. */
export function map<Item, T>(
  name: string,
  items: readonly Item[],
  options: MapOptions & { tolerate: number | `${number}%` },
  each: (item: Item, index: number) => Flow<T> | T,
): Flow<Settled<T>[]>;
/**
 * Runs a flow for each item, at most `concurrency` at a time, and returns the values in the order of the items. A failure cancels the
 * other items and is thrown. The steps of an item have the path `<name>/<index>/<step>`.
 * @throws SwarmError `invalid_input` for a value that is no list, and for more than 10,000 items.
 */
export function map<Item, T>(
  name: string,
  items: readonly Item[],
  options: MapOptions,
  each: (item: Item, index: number) => Flow<T> | T,
): Flow<T[]>;
export function* map<Item, T>(
  name: string,
  items: readonly Item[],
  options: MapOptions,
  each: (item: Item, index: number) => Flow<T> | T,
): Flow<T[] | Settled<T>[]> {
  return (yield operation({ kind: "map", name, items, options, each: each as never })) as T[];
}

/** Waits for a time in ms, also over restarts. */
export function* sleep(name: string, ms: number): Flow<void> {
  yield operation({ kind: "sleep", name, ms });
}

/**
 * Waits for a signal that the definition declares, and returns its value. Signals that came before are taken first, in their order.
 * @throws SwarmError `timeout` after `expiresMs`.
 */
export function* signal<T = unknown>(name: string, options: SignalOptions = {}): Flow<T> {
  return (yield operation({ kind: "signal", name, options })) as T;
}

/**
 * Waits until a person approves.
 * @throws SwarmError `not_permitted` when the person rejects, `timeout` when the wait ends.
 */
export function* approval(name: string, options: ApprovalOptions): Flow<Approval> {
  return (yield operation({ kind: "approval", name, options })) as Approval;
}

/** Runs another workflow and returns its output. @throws StepFailure when it failed or was cancelled. */
export function* child<Out extends z.ZodType = z.ZodUnknown>(
  name: string,
  workflow: string,
  input?: unknown,
  options: ChildOptions<Out> = {},
): Flow<z.output<Out>> {
  return (yield operation({ kind: "child", name, call: workflow, input, options })) as z.output<Out>;
}

/**
 * Reads or sets a shared value of the run, which agents (`ctx.shared`) and people change too. The log records the answer, so a replay
 * gives the same one. A read gives `{ value, revision }`, or null for a value that was never set; `set` gives `{ revision }`.
 * @param key the name of the value.
 * @throws SwarmError `conflict` when the value has another revision; `payload_too_large` over 64 KiB; `rate_limited` over 100 names.
 */
export function shared(
  name: string,
  key: string,
  options: SharedOptions & { set: unknown },
): Flow<{ revision: number }>;
export function shared<T = unknown>(name: string, key: string): Flow<{ value: T; revision: number } | null>;
export function* shared(name: string, key: string, options: SharedOptions = {}): Flow<unknown> {
  return yield operation({ kind: "shared", name, call: key, input: options.set, options });
}

/**
 * True in a run that reached this place for the first time with this code; false in a run that had passed it before. Use it around a
 * change of the order of steps. The log records a true.
 */
export function* patched(id: string): Flow<boolean> {
  return (yield operation({ kind: "patched", id })) as boolean;
}

/** The time of the entry that woke the code, in ms since 1970. A replay gives the same value. */
export function* now(): Flow<number> {
  return (yield operation({ kind: "now" })) as number;
}

/** A number in [0, 1), seeded by the id of the run. A replay gives the same value. Not for secrets. */
export function* random(): Flow<number> {
  return (yield operation({ kind: "random" })) as number;
}

/** Shows a progress from 0 to 1 and a note of at most 256 characters in lists. */
export function* status({ progress, note }: { progress?: number; note?: string }): Flow<void> {
  yield operation({ kind: "status", progress, note });
}

/**
 * Ends this log and starts the workflow again under the same id, with a new input and an empty log. Waiters, the parent and signals
 * that were not taken stay. The steps so far are no longer undone.
 */
export function* continueAs(input: unknown): Flow<never> {
  yield operation({ kind: "continueAs", input });
  throw new Error("a continued run does not go on here");
}
