// Applies commands and results to a run: the facts that they make, or the reason why they change nothing. Pure.
import type { ErrorCode } from "../../protocol/index.ts";
import type { WorkflowDefinition } from "../define/define.ts";
import type { Author, Failure, Outcome } from "../log/facts.ts";
import { type Fold, type Op, stateOf } from "../log/fold.ts";
import { type Apply, listUndo } from "./finish.ts";
import type { Command, StartCommand } from "./triggers.ts";

/** The deepest workflow that can be a child; a run without a parent has depth 1. */
export const MAX_CHILD_DEPTH = 4;
/** The most values of one signal that wait for the code. */
export const MAX_KEPT_SIGNALS = 1_000;

/** The reason why a command changes nothing; null when it was applied. */
export type Answer = { readonly code: ErrorCode; readonly message: string } | null;

interface Scene {
  readonly fold: Fold;
  readonly definition: WorkflowDefinition | null;
  readonly apply: Apply;
  readonly by: Author | undefined;
}

/** Applies one command. */
export function applyCommand(command: Command, scene: Scene): Answer {
  const { fold, apply, by } = scene;
  const state = stateOf(fold);
  const author = by === undefined ? {} : { by };
  if (command.type === "start") return applyStart(command, scene);
  if (command.type === "wake") return null;
  if (fold.begun === null) return refuse("not_found", `workflow ${fold.id} was never started`);
  if (fold.end !== null && command.type !== "retry") {
    return refuse("conflict", `workflow ${fold.id} has ended (${state}); ${command.type} comes too late`);
  }
  switch (command.type) {
    case "signal":
      return applySignal(command, scene);
    case "approve":
    case "reject":
      return applyDecision(command, scene);
    case "pause":
      if (fold.isPaused) return refuse("conflict", `workflow ${fold.id} is paused already`);
      apply({ type: "paused", ...author });
      return null;
    case "resume":
      return applyResume(command, scene);
    case "cancel":
      if (fold.finish !== null) return refuse("conflict", `workflow ${fold.id} is ending already (${state})`);
      apply({ type: "finished", how: "cancelled", undo: command.undo ?? true, ...author });
      return null;
    case "retry": {
      if (fold.end !== "failed") {
        const next = fold.end === "compensated" ? "; its steps were undone: start a new run" : "";
        return refuse("conflict", `retry expects a failed workflow, got ${state}${next}`);
      }
      const { from } = command;
      if (from !== undefined && !fold.ops.has(from)) {
        return refuse("not_found", `workflow ${fold.id} has no step ${from}`);
      }
      apply({ type: "retried", ...(from === undefined ? {} : { from }), ...author });
      return null;
    }
    default:
      command satisfies never;
      return null;
  }
}

function applyStart(command: StartCommand, { fold, apply, by }: Scene): Answer {
  if (fold.begun !== null) return refuse("conflict", `workflow ${fold.id} was started before`);
  const { type: _type, ...begun } = command;
  apply({
    type: "begun",
    generation: 1,
    ...begun,
    depth: command.depth ?? 1,
    ...(by === undefined ? {} : { by }),
  });
  return null;
}

function applySignal(
  { name, value }: Extract<Command, { type: "signal" }>,
  { fold, definition, apply, by }: Scene,
): Answer {
  if (fold.finish !== null && fold.finish.how !== "continued") {
    return refuse("conflict", `workflow ${fold.id} is ending; the signal ${name} comes too late`);
  }
  if (definition !== null) {
    const schema = definition.signals.get(name);
    if (schema === undefined) {
      const known = [...definition.signals.keys()].join(", ") || "none";
      return refuse(
        "not_found",
        `workflow ${definition.name} declares no signal ${name}; declared: ${known}`,
      );
    }
    const issue = schema.safeParse(value).error?.issues[0];
    if (issue !== undefined) {
      const field = ["value", ...issue.path.map(String)].join(".");
      return refuse("invalid_input", `signal ${name}: ${field}: ${issue.message}`);
    }
  }
  if ((fold.signals.get(name)?.length ?? 0) >= MAX_KEPT_SIGNALS) {
    return refuse(
      "rate_limited",
      `${MAX_KEPT_SIGNALS} values of the signal ${name} wait already; send it again later`,
    );
  }
  apply({ type: "signalled", name, value, ...(by === undefined ? {} : { by }) });
  return null;
}

function applyDecision(
  { type, path, note }: Extract<Command, { type: "approve" | "reject" }>,
  { fold, apply, by }: Scene,
): Answer {
  const op = fold.ops.get(path);
  if (op?.kind !== "approval") {
    const open = [...fold.open.approval].join(", ") || "none";
    return refuse("not_found", `workflow ${fold.id} asks for no approval ${path}; open: ${open}`);
  }
  if (!fold.open.approval.has(path))
    return refuse("conflict", `the approval ${path} is decided already, or no longer needed`);
  const user = by?.user ?? "-";
  const names = [user, ...(by?.groups ?? [])];
  if (!(op.by ?? []).some((name) => names.includes(name))) {
    return refuse(
      "not_permitted",
      `the approval ${path} expects one of ${(op.by ?? []).join(", ")}, got ${user}`,
    );
  }
  const decision = { by: user, proven: by?.proven ?? false, ...(note === undefined ? {} : { note }) };
  apply({
    type: "settled",
    path,
    outcome: type === "approve" ? { status: "completed", output: decision } : rejection(path, user, note),
  });
  return null;
}

function applyResume(
  { skip, note }: Extract<Command, { type: "resume" }>,
  { fold, apply, by }: Scene,
): Answer {
  const author = by === undefined ? {} : { by };
  if (skip !== undefined) {
    if (fold.stuck === null)
      return refuse(
        "conflict",
        `resume with \`skip\` expects the state compensation_failed, got ${stateOf(fold)}`,
      );
    const left = [...listUndo(fold)];
    if (!left.includes(skip))
      return refuse("not_found", `${skip} is no step that is left to undo; left: ${left.join(", ")}`);
    if (note === undefined || note === "")
      return refuse("invalid_input", "a skipped compensation expects a note that says why");
    apply({ type: "skipped", path: skip, note, ...author });
  }
  const wasCrashing = fold.blocked?.cause === "crashes";
  if (!fold.isPaused && fold.stuck === null && !wasCrashing) {
    return refuse("conflict", `workflow ${fold.id} is not paused, got ${stateOf(fold)}`);
  }
  apply({ type: "resumed", ...author });
  if (wasCrashing) apply({ type: "unblocked" });
  return null;
}

/** The outcome of a wait whose time is over. */
export function expire(op: Op): Outcome {
  if (op.kind === "sleep") return { status: "completed" };
  if (op.kind === "approval" && op.onExpiry === "approve") {
    return { status: "completed", output: { by: "-", proven: false, note: "its time ended" } };
  }
  if (op.kind === "approval" && op.onExpiry === "reject") return rejection(op.path, "-", "its time ended");
  const message = `${op.path}: the ${op.kind} did not come in time`;
  return { status: "failed", error: { code: "timeout", message, retryable: false } };
}

function rejection(path: string, user: string, note: string | undefined): Outcome {
  const error: Failure = {
    code: "not_permitted",
    message: `${path}: ${user === "-" ? "the approval" : `${user} rejected`}${user === "-" ? " was rejected" : ""}${note === undefined ? "" : `: ${note}`}`,
    retryable: false,
  };
  return { status: "failed", error };
}

function refuse(code: ErrorCode, message: string): Answer {
  return { code, message };
}
