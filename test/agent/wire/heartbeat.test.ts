import { expect, test } from "vitest";
import { HEARTBEAT_LIMIT_BYTES, heartbeatMessages } from "../../../src/agent/internal.ts";
import { type AgentStatus, decode, heartbeatSchema } from "../../../src/protocol/index.ts";

const head = { host: "h1", pid: 7, role: "echo", at: "2026-01-01T00:00:00.000Z" };

function statuses(count: number, capabilities = ["echo"]): AgentStatus[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `echo-${index}`,
    role: "echo",
    capabilities,
    state: "idle",
    waiting: null,
    slots: { used: 0, total: 8 },
    loop: 0,
    host: "h1",
    pid: 7,
    since: head.at,
    version: "1",
  }));
}

const read = (body: Uint8Array) => heartbeatSchema.parse(decode(body).value);

test("the agents of a host share one message", () => {
  const messages = heartbeatMessages(head, statuses(16));
  expect(messages.map(read)).toEqual([{ ...head, agents: statuses(16) }]);
  expect(heartbeatMessages(head, [])).toEqual([]);
});

test("many agents share few messages, each below the size limit", () => {
  const messages = heartbeatMessages(head, statuses(10_000));
  expect(messages.length).toBeLessThanOrEqual(20);
  for (const body of messages) expect(body.length).toBeLessThanOrEqual(HEARTBEAT_LIMIT_BYTES);
  expect(messages.flatMap((body) => read(body).agents)).toEqual(statuses(10_000));
});

test("agents with long statuses are split into smaller messages", () => {
  const long = Array.from({ length: 32 }, (_, index) => `capability-${index}-${"x".repeat(40)}`);
  const messages = heartbeatMessages(head, statuses(600, long));
  for (const body of messages) expect(body.length).toBeLessThanOrEqual(HEARTBEAT_LIMIT_BYTES);
  expect(messages.flatMap((body) => read(body).agents)).toHaveLength(600);
});
