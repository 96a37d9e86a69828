// The facts of a workflow's log. One entry holds the facts of one decision, in their order. Owns their
// shapes and their version; fold.ts gives them their meaning. Pure.
import type { Json, JsonObject, Result } from "../../protocol/index.ts";

/** The newest version of entries. A reader halts at an unknown version; it never skips an entry. */
export const WORKFLOW_ENTRY_VERSION = 1;
/** The functions that convert an entry of version n (the key) to n + 1. */
export const ENTRY_UPCASTERS: Readonly<Record<number, (value: JsonObject) => JsonObject>> = {};

/** The error of a failed step or run. */
export type Failure = NonNullable<Result["error"]>;

/** The end of a step, a child or a wait. */
export type Outcome =
  | { readonly status: "completed"; readonly output?: Json }
  | { readonly status: "failed"; readonly error: Failure }
  | {
      readonly status: "cancelled";
      readonly error: Failure;
      /** True only if it is proven that no agent ever began it. Then it has no effect to undo. */
      readonly neverStarted?: true;
    };

/** The person or program behind a command. */
export interface Author {
  readonly user: string;
  /** The groups of the user, for approvals. */
  readonly groups?: readonly string[];
  /** True if NATS permissions or a token prove the name. */
  readonly proven: boolean;
}

/** The compensation of a step, as the log keeps it. */
export interface UndoOrder {
  readonly call: string;
  readonly with?: Json;
}

/** The kinds of things that the log orders under a path. */
export type OrderKind = "step" | "child" | "sleep" | "signal" | "approval" | "undo" | "shared";

/** An order: a task, a child, or a wait, under a path that is unique in the run. */
export interface Ordered {
  readonly type: "ordered";
  readonly kind: OrderKind;
  /** The path: the names of the enclosing maps and items, and the name. An undo has the path of its step, and `~undo`. */
  readonly path: string;
  /** The number of the task or child: its id is `<workflowId>-<n>`. Waits have none. */
  readonly n?: number;
  /** The capability, the name of the child's workflow, or the name of the shared value. */
  readonly call?: string;
  /** Of a shared value: the new value; absent for a read. */
  readonly input?: Json;
  /** The revision that a shared value must have. */
  readonly revision?: number;
  /** The options of a task that are not the default: priority, timeoutMs, retry, route, ballot, labels. */
  readonly task?: { readonly [name: string]: Json };
  readonly undo?: UndoOrder;
  readonly pivot?: true;
  /** The version of a child. */
  readonly version?: number;
  /** True for a child that outlives its parent. */
  readonly leave?: true;
  /** The deadline of a wait, in log time. */
  readonly dueMs?: number;
  /** The declared signal of a wait. */
  readonly signal?: string;
  /** The users and groups that may decide an approval, and the decision at its deadline. */
  readonly by?: readonly string[];
  readonly onExpiry?: "fail" | "approve" | "reject";
}

/** The beginning of a log: the first start, or a continuation. It holds everything that later entries build on. */
export interface Begun {
  readonly type: "begun";
  readonly name: string;
  readonly version: number;
  readonly input: Json;
  /** 1, plus 1 for each `continueAs`. */
  readonly generation: number;
  readonly labels?: { readonly [name: string]: string };
  /** The id of the parent, and the number of the order in it. */
  readonly parent?: { readonly id: string; readonly n: number };
  /** 1 for a run without a parent. */
  readonly depth: number;
  /** The deadline of the run, in ms since 1970. */
  readonly deadlineMs?: number;
  /** The context of the trace that the run belongs to (W3C Trace Context). */
  readonly traceparent?: string;
  readonly by?: Author;
  /** The definition, where it is data: a run keeps it although the file changes. */
  readonly definition?: Json;
  /** How long the log is kept after the end, in ms, where the definition says it. */
  readonly keepMs?: number;
  /** For a continuation: the counter of tasks, the last command, and the signals that were not taken. */
  readonly n?: number;
  readonly lastCommand?: number;
  readonly signals?: readonly { readonly name: string; readonly value: Json }[];
}

/** The reason why a run cannot go on, with the view of the log and the view of the code. */
export interface Blocked {
  readonly type: "blocked";
  readonly cause:
    | "version"
    | "changed"
    | "unasked"
    | "repeated-name"
    | "foreign-yield"
    | "code"
    | "endless"
    | "crashes"
    | "limit";
  /** One sentence for people. */
  readonly message: string;
  readonly path?: string;
  /** The recorded side and the side of the code, where they differ. */
  readonly log?: string;
  readonly code?: string;
}

/** One fact. */
export type Fact =
  | Begun
  | Ordered
  | { readonly type: "mapped"; readonly path: string; readonly items: number }
  | { readonly type: "settled"; readonly path: string; readonly outcome: Outcome }
  /** A wait or a child that the run no longer needs: it has no end. */
  | { readonly type: "dropped"; readonly path: string }
  /** The code no longer needs this step or child: its host is told, and its end is awaited. */
  | { readonly type: "cancelling"; readonly path: string }
  | { readonly type: "signalled"; readonly name: string; readonly value: Json; readonly by?: Author }
  /** The wait on this path took the oldest kept value of its signal, and is settled with it. */
  | { readonly type: "signal-taken"; readonly path: string }
  | { readonly type: "patched"; readonly id: string }
  | { readonly type: "status"; readonly progress?: number; readonly note?: string }
  | { readonly type: "finished"; readonly how: "returned"; readonly output?: Json }
  | { readonly type: "finished"; readonly how: "failed"; readonly error: Failure; readonly path?: string }
  | { readonly type: "finished"; readonly how: "cancelled"; readonly undo: boolean; readonly by?: Author }
  | { readonly type: "finished"; readonly how: "continued"; readonly input: Json }
  | { readonly type: "ended"; readonly state: EndState }
  | { readonly type: "paused"; readonly by?: Author }
  | { readonly type: "resumed"; readonly by?: Author }
  | { readonly type: "retried"; readonly from?: string; readonly by?: Author }
  | { readonly type: "skipped"; readonly path: string; readonly note: string; readonly by?: Author }
  | { readonly type: "armed"; readonly n: number; readonly atMs: number }
  | { readonly type: "warned"; readonly share: number }
  | Blocked
  | { readonly type: "unblocked" }
  /** An engine takes a trigger that came again without an entry: it may end or hang the engine. `trigger` is as `tryKey` names it. */
  | { readonly type: "tried"; readonly trigger: string; readonly engine: string };

/** The names of all facts that this version knows. */
export const FACT_TYPES: ReadonlySet<string> = new Set<Fact["type"]>([
  "begun",
  "ordered",
  "mapped",
  "settled",
  "dropped",
  "cancelling",
  "signalled",
  "signal-taken",
  "patched",
  "status",
  "finished",
  "ended",
  "paused",
  "resumed",
  "retried",
  "skipped",
  "armed",
  "warned",
  "blocked",
  "unblocked",
  "tried",
]);

/** The states of a run that has its result. */
export type EndState = "completed" | "failed" | "cancelled" | "compensated";
