// Every field from outside that decides where a process publishes, with hostile values: docs/transport.md lists the fields.
import { describe, expect, test } from "vitest";
import {
  agentStatusSchema,
  createSubjects,
  deadLetterSchema,
  heartbeatSchema,
  type Priority,
} from "../../../src/protocol/index.ts";
import { handOffRequestSchema } from "../../../src/protocol/task/hand-off.ts";
import { placementSchema, placeRequestSchema, routeSchema } from "../../../src/protocol/task/placement.ts";
import { blobSchema, taskSchema } from "../../../src/protocol/task/task.ts";

/** Values that are more, or less, than one token of a subject. */
const HOSTILE = [
  "",
  "a.b",
  "*",
  ">",
  "a b",
  "a\r\nPUB murmur.submit 0",
  "\u0000",
  "ä",
  "x".repeat(65),
  "..",
  "$JS",
];

const subjects = createSubjects("murmur");
const at = { capability: "echo", priority: "normal" as Priority, scope: "-", taskId: "t1" };
const placed = { class: "gpu", host: "h1", agent: "a1", scope: "-", taskId: "t1" };

describe.each(HOSTILE)("the value %j", (value) => {
  test.each<[string, () => string]>([
    ["the capability of a task", () => subjects.task({ ...at, capability: value })],
    ["the priority of a task", () => subjects.task({ ...at, priority: value as Priority })],
    ["the scope of a task", () => subjects.task({ ...at, scope: value })],
    ["the id of a task", () => subjects.task({ ...at, taskId: value })],
    ["the priority of a due task", () => subjects.due({ ...at, priority: value as Priority })],
    ["the host of a placed task", () => subjects.placed({ ...placed, host: value })],
    ["the agent of a placed task", () => subjects.placed({ ...placed, agent: value })],
    ["the class of a placed task", () => subjects.placed({ ...placed, class: value })],
    ["the scope of a delayed task", () => subjects.later(value, "t1")],
    ["the id of a result", () => subjects.result("echo", "-", value)],
    ["the capability of a result", () => subjects.result(value, "-", "t1")],
    ["the capability of a dead letter", () => subjects.dead(value, "t1")],
    ["the id of a journal", () => subjects.journal("echo", value)],
    ["the id of an event", () => subjects.event("task", value, "started")],
    ["the scope of a cancelled task", () => subjects.cancel(value, "t1")],
    ["the agent of a command", () => subjects.agent({ class: "gpu", agent: value }, "status")],
    ["the class of a command", () => subjects.agent({ class: value, agent: "a1" }, "status")],
    ["the host of a heartbeat", () => subjects.heartbeat({ class: "gpu", host: value })],
    ["the class of a heartbeat", () => subjects.heartbeat({ class: value, host: "h1" })],
    ["the host of a death notice", () => subjects.gone(value)],
    ["the receiver of an election message", () => subjects.election(value, "c1")],
    ["an office command", () => subjects.office(value)],
    ["the filter of a purge", () => subjects.filters.taskById(value)],
  ])("is no subject as %s", (_, build) => {
    expect(build).toThrow(expect.objectContaining({ code: "invalid_input" }));
  });

  test("is no part of a topic", () => {
    // A topic has tokens: dots join them.
    const build = () => subjects.topic(`news.${value}`);
    if (value === "a.b") expect(build()).toBe("murmur.topic.news.a.b");
    else expect(build).toThrow(expect.objectContaining({ code: "invalid_input" }));
  });

  test.each([
    ["a submitted task's id", taskSchema, { capability: "echo", id: value }],
    ["a submitted task's capability", taskSchema, { capability: value }],
    ["a submitted task's scope", taskSchema, { capability: "echo", scope: value }],
    ["a submitted task's priority", taskSchema, { capability: "echo", priority: value }],
    ["a route", routeSchema, { agent: value }],
    ["a hand-off", handOffRequestSchema, { to: { agent: value } }],
    ["a blob", blobSchema, { $blob: value, bytes: 1 }],
  ])("is refused in %s", (_, schema, body) => {
    expect(schema.safeParse(body).success).toBe(false);
  });

  test.each([
    ["Murmur-Placement, capability", placementSchema, { capability: value }],
    ["Murmur-Placement, priority", placementSchema, { priority: value }],
    ["Murmur-Placement, agent", placementSchema, { agent: value }],
    ["a request for a place, capability", placeRequestSchema, { capability: value }],
    ["a dead letter, capability", deadLetterSchema, { capability: value }],
    ["a dead letter, priority", deadLetterSchema, { priority: value }],
    ["a status, id", agentStatusSchema, { id: value }],
    ["a status, host", agentStatusSchema, { host: value }],
    ["a heartbeat, host", heartbeatSchema, { host: value }],
  ])("is named as the fault of %s", (where, schema, body) => {
    const outcome = schema.safeParse(body);
    const field = Object.keys(body)[0];
    expect(
      outcome.error?.issues.map(({ path }) => path[0]),
      where,
    ).toContain(field);
  });
});
