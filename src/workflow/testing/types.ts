// The types of a workflow test. world.ts makes the objects.
import type { Json } from "../../protocol/index.ts";
import type { Refusal } from "../decide/triggers.ts";
import type { WorkflowDefinition } from "../define/define.ts";
import type { Author, EndState, Failure } from "../log/facts.ts";
import type { Fold, RunState } from "../log/fold.ts";
import type { RunSummary, Waiting } from "../log/summary.ts";
import type { AgentFunction } from "./agents.ts";
import type { TestShared } from "./shared.ts";

/** A kill of the engine at one entry. The next engine reads the log, and the triggers come again. */
export interface Kill {
  /** The id of the run; default: any. */
  readonly run?: string;
  /** The number of the entry, from 1. */
  readonly entry: number;
  /**
   * `decide`: the entry is lost. `append`: the entry is stored, its effects are lost. `effects`: the first half of the effects is there.
   * `ack`: everything is done, and the triggers come again.
   */
  readonly after: "decide" | "append" | "effects" | "ack";
}

/** The options of a test. */
export interface WorkflowTestOptions {
  /** The agents, by capability. */
  agents?: Readonly<Record<string, AgentFunction>>;
  /** The time at the start, in ms since 1970; default: 2026-01-01. */
  startMs?: number;
  /** The seed of the backoffs; default 1. */
  seed?: number;
  kills?: readonly Kill[];
}

/** The options of a start. */
export interface StartOptions {
  /** Default: `run-1`, `run-2`, … */
  id?: string;
  /** Default: the newest version of the name. */
  version?: number;
  labels?: Readonly<Record<string, string>>;
  /** The deadline in ms from now. */
  deadlineMs?: number;
  /** Signals that are there from the first. */
  signals?: readonly { readonly name: string; readonly value: Json }[];
}

/** One attempt of a task. */
export interface TestCall {
  readonly run: string;
  readonly taskId: string;
  readonly path: string;
  readonly capability: string;
  readonly input: unknown;
  readonly key: string;
  readonly attempt: number;
  readonly atMs: number;
}

/** The end of a run. */
export interface TestEnd {
  readonly state: EndState;
  readonly output?: Json;
  readonly error?: Failure;
}

/** One run of a workflow. Commands are decided before the returned promise resolves, and return their refusal or null. */
export interface TestRun {
  readonly id: string;
  readonly state: RunState;
  readonly summary: RunSummary;
  readonly fold: Fold;
  /** The stored log, one text for each entry. */
  readonly log: readonly string[];
  /** The shared values of the run. */
  readonly shared: Pick<TestShared, "get" | "set">;
  /** The attempts of the run's tasks, in their order. */
  readonly calls: readonly TestCall[];
  /**
   * Lets everything happen until the run has ended. The time jumps when nothing else can happen.
   * @throws Error when the run waits for something that only the test can give.
   */
  result(): Promise<TestEnd>;
  /** Lets everything happen until the run waits for a person or a signal, or has ended. The time does not jump over such a wait. */
  untilWaiting(): Promise<Waiting | undefined>;
  signal(name: string, value?: Json): Promise<Refusal | null>;
  approve(path: string, by: string | Author, note?: string): Promise<Refusal | null>;
  reject(path: string, by: string | Author, note?: string): Promise<Refusal | null>;
  pause(): Promise<Refusal | null>;
  resume(options?: { skip?: string; note?: string }): Promise<Refusal | null>;
  cancel(options?: { undo?: boolean }): Promise<Refusal | null>;
  retry(options?: { from?: string }): Promise<Refusal | null>;
}

/** A world of runs, agents and time in memory. */
export interface WorkflowTest {
  readonly nowMs: number;
  /** Starts a run. @throws SwarmError `invalid_input` when the input does not fit, `conflict` for a used id. */
  start(input: unknown, options?: StartOptions & { workflow?: string }): TestRun;
  /** A run by its id, for example a child. @throws RangeError when there is none. */
  run(id: string): TestRun;
  /** The ids of all runs, in the order of their start. */
  readonly runs: readonly string[];
  /** Replaces the loaded definitions, as a deployment does. Running code is dropped. */
  deploy(definitions: WorkflowDefinition | readonly WorkflowDefinition[]): Promise<void>;
  /** Lets the time pass, and everything that comes due with it. */
  pass(ms: number): Promise<void>;
}
