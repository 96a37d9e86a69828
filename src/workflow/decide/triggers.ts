// The triggers of a decision: results, commands and wake-ups, and the answers to commands that change nothing. Pure.
import type { ErrorCode, Json } from "../../protocol/index.ts";
import type { Author, Outcome } from "../log/facts.ts";

/** The first command of a run. */
export interface StartCommand {
  readonly type: "start";
  readonly name: string;
  readonly version: number;
  readonly input: Json;
  readonly labels?: { readonly [name: string]: string };
  readonly parent?: { readonly id: string; readonly n: number };
  /** 1, the default, for a run without a parent. */
  readonly depth?: number;
  readonly deadlineMs?: number;
  /** The definition, where it is data, and the time for which it keeps the log: the engine that judges the start adds them. */
  readonly definition?: Json;
  readonly keepMs?: number;
  /** The context of the trace that the run belongs to; default: a trace of its own. */
  readonly traceparent?: string;
  /** Signals that are there from the first. */
  readonly signals?: readonly { readonly name: string; readonly value: Json }[];
}

/** A command, as the front door stored it. */
export type Command =
  | StartCommand
  | { readonly type: "signal"; readonly name: string; readonly value: Json }
  /** `path` names the approval. */
  | { readonly type: "approve" | "reject"; readonly path: string; readonly note?: string }
  | { readonly type: "pause" }
  /** Ends a pause; goes on after `compensation_failed`, without the step `skip` if it is given; unblocks after crashes. */
  | { readonly type: "resume"; readonly skip?: string; readonly note?: string }
  | { readonly type: "cancel"; readonly undo?: boolean }
  /** Goes on after `failed`: from the failed step, or from the named one and everything ordered after it. */
  | { readonly type: "retry"; readonly from?: string }
  /** The wake-up `n` came due. */
  | { readonly type: "wake"; readonly n: number };

/** A thing that asks for a decision. */
export type Trigger =
  /** A command with its sequence in the stream of commands. */
  | { readonly type: "command"; readonly seq: number; readonly command: Command; readonly by?: Author }
  /** The end of a task or child of the run, by its number. */
  | { readonly type: "result"; readonly n: number; readonly outcome: Outcome };

/** The name of a trigger in the notes of its tries. */
export function tryKey(trigger: Trigger): string {
  return trigger.type === "result" ? `result ${trigger.n}` : `command ${trigger.seq}`;
}

/** The answer to a command that changed nothing. */
export interface Refusal {
  readonly trigger: Trigger;
  readonly code: ErrorCode;
  readonly message: string;
}
