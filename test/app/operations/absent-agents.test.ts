import { expect, test } from "vitest";
import { describeAbsence } from "../../../src/app/operations/absent-agents.ts";
import type { AgentState, AgentStatus } from "../../../src/protocol/index.ts";

const agent = (id: string, state: AgentState, capabilities = ["echo"]) =>
  ({ id, state, capabilities }) as AgentStatus;

test("a capability without a living agent is named", () => {
  const others = [agent("a", "idle", ["greet"]), agent("b", "failed"), agent("c", "stopped")];
  expect(describeAbsence(others, "echo")).toMatch(/^no agent of echo runs now; the task waits/);
});

test("agents that are all paused or draining are listed, and a long list is cut with a count", () => {
  const agents = [agent("a", "paused"), agent("b", "draining")];
  expect(describeAbsence(agents, "echo")).toContain("(a is paused, b is draining)");
  const many = Array.from({ length: 10 }, (_, index) => agent(`a${index}`, "paused"));
  expect(describeAbsence(many, "echo")).toContain("(a0 is paused, a1 is paused, a2 is paused and 7 more)");
});

test("one agent that takes work, though busy or still starting, is no absence", () => {
  for (const state of ["starting", "idle", "working", "waiting"] as const) {
    expect(describeAbsence([agent("a", "paused"), agent("b", state)], "echo")).toBeUndefined();
  }
});
