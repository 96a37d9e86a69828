import { expect, test } from "vitest";
import { createTerminal } from "../../../../src/app/cli/terminal.ts";
import { renderStatus } from "../../../../src/app/commands/views/task.ts";
import type { TaskStatus } from "../../../../src/protocol/index.ts";

const terminal = createTerminal({ quiet: true, environment: { NO_COLOR: "1" } });
const status: TaskStatus = {
  taskId: "t1",
  capability: "code",
  state: "pending",
  attempt: 0,
  progress: null,
  agent: "coder-1",
  queuedMs: 12,
  dueAt: null,
  placement: {
    host: "host-1",
    agent: "coder-1",
    score: 5.25,
    reasons: [
      { what: "expertise", value: "backend", weight: 4 },
      { what: "exploration", value: -0.05, weight: -0.1 },
      { what: "agents that could take it", value: 3 },
      { what: "trigger", value: "\u001b[2Jred" },
    ],
    capability: "code",
    priority: "normal",
    placedAt: "2026-01-31T12:00:00.000Z",
  },
};

test("a placed task shows its agent and the part of each reason, and no control characters", () => {
  const text = renderStatus(status, terminal);
  expect(text).toContain("placed      on coder-1 of host-1, 2026-01-31T12:00:00.000Z, score 5.25");
  expect(text).toContain(" +4.00  expertise: backend");
  expect(text).toContain(" -0.10  exploration: -0.05");
  expect(text).toContain("agents that could take it: 3");
  expect(text).not.toContain("\u001b");
});

test("a task of the queue shows no placement", () => {
  const { placement: _placement, ...queued } = status;
  expect(renderStatus(queued, terminal)).not.toContain("placed");
});
