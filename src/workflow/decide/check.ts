// Checks the options of an operation before it becomes an order. A wrong option is a fault of the code. Pure.

import { nearest } from "../../base/index.ts";
import { isName, MAX_DELAY_MS, showValue, taskSchema } from "../../protocol/index.ts";
import type { WorkflowDefinition } from "../define/define.ts";
import { DefinitionFault } from "../define/failure.ts";
import type { NamedOperation } from "../define/operations.ts";

/** The options of a step that are fields of its task. */
export const TASK_FIELDS = ["priority", "timeoutMs", "retry", "route", "ballot", "labels"] as const;

const KNOWN = {
  step: ["output", "undo", "pivot", ...TASK_FIELDS],
  child: ["output", "version", "onParentEnd", "undo"],
  signal: ["of", "expiresMs"],
  approval: ["by", "expiresMs", "onExpiry"],
  sleep: [],
  shared: ["set", "revision"],
} as const;

const taskOptionsSchema = taskSchema.pick({
  priority: true,
  timeoutMs: true,
  retry: true,
  route: true,
  ballot: true,
  labels: true,
});

/** @throws DefinitionFault naming the step and the option. */
export function checkNamed(operation: NamedOperation, definition: WorkflowDefinition): void {
  const { kind, name } = operation;
  if (kind === "sleep") {
    if (!isDelay(operation.ms))
      fault(`sleep ${name} expects 0 to ${MAX_DELAY_MS} ms, got ${showValue(operation.ms)}`);
    return;
  }
  const { options } = operation;
  if (kind === "step" || kind === "child") {
    if (!isName(operation.call))
      fault(
        `${kind} ${name} expects the name of a ${kind === "step" ? "capability" : "workflow"}, got ${showValue(operation.call)}`,
      );
  }
  if (kind === "shared") checkShared(operation);
  let hasTaskOptions = false;
  for (const key in options) {
    const known: readonly string[] = KNOWN[kind];
    if (!known.includes(key)) {
      const meant = nearest(key, known);
      fault(
        `${kind} ${name} has the unknown option ${key}; ${meant === undefined ? `known: ${known.join(", ")}` : `did you mean ${meant}?`}`,
      );
    }
    hasTaskOptions ||= (TASK_FIELDS as readonly string[]).includes(key);
  }
  if ("undo" in options && options.undo !== undefined) {
    if (!isName(options.undo.call))
      fault(`${kind} ${name}: undo.call must name a capability, got ${showValue(options.undo.call)}`);
    if ("pivot" in options && options.pivot === true)
      fault(`step ${name} cannot have both undo and pivot: after a pivot nothing is undone`);
  }
  if (hasTaskOptions) {
    const { output: _output, undo: _undo, pivot: _pivot, ...task } = options as Record<string, unknown>;
    const issue = taskOptionsSchema.safeParse(task).error?.issues[0];
    if (issue !== undefined) fault(`step ${name}: ${issue.path.join(".")}: ${issue.message}`);
  }
  if (kind === "approval" && !(Array.isArray(operation.options.by) && operation.options.by.length > 0)) {
    fault(`approval ${name} expects at least one user or group in by`);
  }
  if ((kind === "approval" || kind === "signal") && operation.options.expiresMs !== undefined) {
    if (!isDelay(operation.options.expiresMs))
      fault(
        `${kind} ${name}: expiresMs must be 0 to ${MAX_DELAY_MS}, got ${showValue(operation.options.expiresMs)}`,
      );
  }
  if (kind === "signal" && !definition.signals.has(operation.options.of ?? name)) {
    const known = [...definition.signals.keys()];
    fault(
      `signal ${name}: the definition declares no signal "${operation.options.of ?? name}"; declared: ${known.join(", ") || "none"}`,
    );
  }
}

function checkShared({ name, call, options }: Extract<NamedOperation, { kind: "shared" }>): void {
  if (!isName(call)) fault(`shared ${name} expects the name of a value, got ${showValue(call)}`);
  if ("set" in options && options.set === undefined)
    fault(`shared ${name}: set must be a value, got undefined; leave it out to read the value`);
  const { revision } = options;
  if (revision === undefined) return;
  if (!Number.isSafeInteger(revision) || revision < 0)
    fault(`shared ${name}: revision must be a whole number from 0, got ${showValue(revision)}`);
  if (!("set" in options)) fault(`shared ${name}: revision belongs to set`);
}

function isDelay(ms: unknown): boolean {
  return typeof ms === "number" && ms >= 0 && ms <= MAX_DELAY_MS;
}

function fault(message: string): never {
  throw new DefinitionFault(message);
}
