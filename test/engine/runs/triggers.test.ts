import { describe, expect, it } from "vitest";
import { orderOf } from "../../../src/engine/lanes/lane.ts";
import { hasCrashed, isSuspect, outcomeOf } from "../../../src/engine/runs/triggers.ts";
import { laneOf, type Result } from "../../../src/protocol/index.ts";
import type { Trigger } from "../../../src/workflow/index.ts";

const result: Result = {
  taskId: "order-81-3",
  status: "cancelled",
  attempt: 0,
  agent: "-",
  startedAt: "2026-01-01T00:00:00.000Z",
  finishedAt: "2026-01-01T00:00:00.000Z",
  queuedMs: 0,
  ranMs: 0,
};

describe("the outcome of a step", () => {
  it("says that it never started only where the engine has proven it", () => {
    expect(outcomeOf(result, false)).not.toHaveProperty("neverStarted");
    expect(outcomeOf(result, true)).toMatchObject({ status: "cancelled", neverStarted: true });
  });

  it("keeps the error of a failed task", () => {
    const error = { code: "timeout" as const, message: "late", retryable: true };
    expect(outcomeOf({ ...result, status: "failed", error }, false)).toEqual({ status: "failed", error });
  });
});

describe("a trigger", () => {
  const trigger: Trigger = { type: "result", n: 1, outcome: { status: "completed" } };
  const foldWith = (engines: readonly string[]) => ({ tries: new Map([["result 1", new Set(engines)]]) });

  it("that came again after an ack-wait is suspect; a trigger that engines gave back in a moment is not", () => {
    expect(isSuspect({ deliveryCount: 2, storedAtMs: 0 }, 2_000)).toBe(true);
    expect(isSuspect({ deliveryCount: 5, storedAtMs: 0 }, 500)).toBe(false);
    expect(isSuspect({ deliveryCount: 1, storedAtMs: 0 }, 60_000)).toBe(false);
  });

  it("has ended its engines when two others took it and made no decision, however often it was delivered", () => {
    expect(hasCrashed(foldWith([]), trigger, "three")).toBe(false);
    expect(hasCrashed(foldWith(["one"]), trigger, "three")).toBe(false);
    expect(hasCrashed(foldWith(["one", "three"]), trigger, "three")).toBe(false);
    expect(hasCrashed(foldWith(["one", "two"]), trigger, "three")).toBe(true);
    expect(hasCrashed(foldWith(["one", "two"]), { ...trigger, n: 2 }, "three")).toBe(false);
  });
});

describe("a result in a lane", () => {
  const lane = laneOf("order-81");
  const message = (subject: string, parent?: string) => ({
    subject,
    header: (name: string) => (name === "Murmur-Parent" ? parent : undefined),
  });

  it("belongs to the workflow and number in the id of its task", () => {
    expect(orderOf(message(`m.result.charge.${lane}.order-81-12`), lane)).toEqual({
      workflowId: "order-81",
      n: 12,
    });
  });

  it("of a child belongs to the parent that its header names", () => {
    expect(orderOf(message(`m.result.workflow.${lane}.c-12ab`, "order-81/4"), lane)).toEqual({
      workflowId: "order-81",
      n: 4,
    });
  });

  it("of another scope, or without a number, belongs to no workflow", () => {
    expect(orderOf(message(`m.result.charge.${lane}.task`), lane)).toBeNull();
    const other = lane === "w00" ? "w01" : "w00";
    expect(orderOf(message(`m.result.charge.${other}.order-81-12`), other)).toBeNull();
  });
});
