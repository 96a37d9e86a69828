// Makes the order of a wish of the code, as the log keeps it. Pure.
import type { z } from "zod";
import type { Json } from "../../protocol/index.ts";
import type { StepOptions, Undo } from "../define/operations.ts";
import type { Ordered, UndoOrder } from "../log/facts.ts";
import { TASK_FIELDS } from "./check.ts";
import type { Draft } from "./fiber.ts";
import { plainJson } from "./values.ts";

/** The order of a wish. */
export function orderOf(
  { path, operation, input }: Draft & { type: "order" },
  n: number,
  atMs: number,
): Ordered {
  const { kind } = operation;
  const given = input === undefined ? {} : { input };
  switch (operation.kind) {
    case "step": {
      const { undo, pivot } = operation.options;
      const task = taskOptions(operation.options);
      return {
        type: "ordered",
        kind,
        path,
        n,
        call: operation.call,
        ...given,
        ...(task === null ? {} : { task }),
        ...(undo === undefined ? {} : { undo: undoOrder(undo, path) }),
        ...(pivot === true ? { pivot: true } : {}),
      };
    }
    case "child": {
      const { undo, version, onParentEnd } = operation.options;
      return {
        type: "ordered",
        kind,
        path,
        n,
        call: operation.call,
        ...given,
        ...(undo === undefined ? {} : { undo: undoOrder(undo, path) }),
        ...(version === undefined ? {} : { version }),
        ...(onParentEnd === "leave" ? { leave: true } : {}),
      };
    }
    case "shared": {
      const { revision } = operation.options;
      return {
        type: "ordered",
        kind,
        path,
        n,
        call: operation.call,
        ...given,
        ...(revision === undefined ? {} : { revision }),
      };
    }
    case "sleep":
      return { type: "ordered", kind, path, dueMs: Math.ceil(atMs + operation.ms) };
    case "signal": {
      const { of, expiresMs } = operation.options;
      return { type: "ordered", kind, path, signal: of ?? operation.name, ...dueOf(expiresMs, atMs) };
    }
    case "approval": {
      const { by, expiresMs, onExpiry } = operation.options;
      return {
        type: "ordered",
        kind,
        path,
        by: [...by],
        onExpiry: onExpiry ?? "fail",
        ...dueOf(expiresMs, atMs),
      };
    }
  }
}

function dueOf(expiresMs: number | undefined, atMs: number): { dueMs?: number } {
  return expiresMs === undefined ? {} : { dueMs: Math.ceil(atMs + expiresMs) };
}

function undoOrder(undo: Undo, path: string): UndoOrder {
  return {
    call: undo.call,
    ...(undo.with === undefined ? {} : { with: plainJson(undo.with, `undo of ${path}`) }),
  };
}

/** The options of a step that are fields of its task; null when it has none. */
function taskOptions(options: StepOptions<z.ZodType>): { [name: string]: Json } | null {
  let task: { [name: string]: Json } | null = null;
  for (const field of TASK_FIELDS) {
    const value = options[field];
    if (value === undefined) continue;
    task ??= {};
    task[field] = plainJson(value, field);
  }
  return task;
}
