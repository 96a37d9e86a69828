import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import {
  createSubjects,
  isLaneOf,
  LANES,
  laneOf,
  SUBJECT_FACTS,
  type SubjectName,
} from "../../../src/protocol/index.ts";

const subjects = createSubjects("p");
const task = { capability: "echo", priority: "high", scope: "s1", taskId: "t-1" } as const;

/** A subject of each builder, made from plain tokens. */
const built: Record<SubjectName, string> = {
  submit: subjects.submit,
  operate: subjects.operate("anna", "task-list"),
  operateReceipt: subjects.operateReceipt("anna", "r-1"),
  task: subjects.task(task),
  later: subjects.later("s1", "t-1"),
  due: subjects.due(task),
  placed: subjects.placed({ class: "gpu", host: "h-1", agent: "a-1", scope: "s1", taskId: "t-1" }),
  where: subjects.where("t-1"),
  cancel: subjects.cancel("s1", "t-1"),
  cancelScope: subjects.cancelScope("s1"),
  journal: subjects.journal("echo", "t-1"),
  result: subjects.result("echo", "s1", "t-1"),
  doneOf: subjects.doneOf(subjects.result("echo", "s1", "t-1")),
  dead: subjects.dead("echo", "t-1"),
  ask: subjects.ask("echo"),
  agent: subjects.agent({ class: "gpu", agent: "a-1" }, "ping"),
  everyAgent: subjects.everyAgent,
  topic: subjects.topic("news"),
  heartbeat: subjects.heartbeat({ class: "gpu", host: "h-1" }),
  gone: subjects.gone("h-1"),
  event: subjects.event("task", "t-1", "started"),
  office: subjects.office("place"),
  stale: subjects.stale("locks"),
  coordinators: subjects.coordinators,
  election: subjects.election("a", "b"),
  officeLog: subjects.officeLog,
  audit: subjects.audit("api", "api-1"),
  workflow: subjects.workflow("order-81"),
  flow: subjects.flow("order-81", "start"),
  wake: subjects.wake("order-81", "1"),
  shared: subjects.shared("order-81", "limits"),
  engine: subjects.engine("engine-1"),
  engines: subjects.engines("check"),
};

test.each(Object.entries(SUBJECT_FACTS))(
  "the form of %s describes the subject that its builder makes",
  (name, facts) => {
    const form = facts.form.split(".").map((token) => (token.startsWith("<") ? "[\\w-]+" : token));
    expect(built[name as SubjectName]).toMatch(new RegExp(`^p\\.${form.join("\\.")}$`));
  },
);

test("the placeholder - names no task, capability, agent or host, and no scope that could be cancelled", () => {
  const refused = { code: "invalid_input", message: expect.stringContaining('must not be "-"') };
  const builders: Record<string, () => string> = {
    "a task's id": () => subjects.task({ ...task, taskId: "-" }),
    "a task's capability": () => subjects.task({ ...task, capability: "-" }),
    "a cancelled task": () => subjects.cancel("s1", "-"),
    "a cancelled scope": () => subjects.cancelScope("-"),
    "a placed task's host": () =>
      subjects.placed({ class: "c", host: "-", agent: "a", scope: "s", taskId: "t" }),
    "a placed task's agent": () =>
      subjects.placed({ class: "c", host: "h", agent: "-", scope: "s", taskId: "t" }),
    "a mailbox": () => subjects.agent({ class: "c", agent: "-" }, "ping"),
    "a heartbeat": () => subjects.heartbeat({ class: "c", host: "-" }),
    "a dead host": () => subjects.gone("-"),
    "a look-up": () => subjects.where("-"),
    "an ask": () => subjects.ask("-"),
    "a user": () => subjects.operate("-", "task-list"),
    "an operation": () => subjects.operate("anna", "-"),
  };
  for (const [name, build] of Object.entries(builders)) {
    expect(build, name).toThrow(expect.objectContaining(refused));
  }
  expect(subjects.task({ ...task, scope: "-" })).toBe("p.task.echo.high.-.t-1");
  expect(subjects.readTask("p.task.echo.high.s1.-")).toBeNull();
  expect(subjects.readTask("p.task.-.high.s1.t")).toBeNull();
  expect(subjects.readPlaced("p.placed.c.h.-.s1.t")).toBeNull();
  expect(subjects.readPlaced("p.placed.-.h.a.s1.t")).toBeNull();
  expect(subjects.readPlaced("p.placed.h.a.s1.t")).toBeNull();
  expect(subjects.readPlaced("p.placed.c.h.a.s1.t")).toEqual({
    class: "c",
    host: "h",
    agent: "a",
    scope: "s1",
    taskId: "t",
  });
  expect(subjects.readHeartbeat("p.heartbeat.c.h")).toEqual({ class: "c", host: "h" });
  expect(subjects.readHeartbeat("p.heartbeat.C.h")).toBeNull();
  expect(subjects.readHeartbeat("p.heartbeat.h")).toBeNull();
});

test("the subject of an operation names its user and its operation, and no other subject does", () => {
  const read = (subject: string) => subjects.readOperate(subject);
  expect(read("p.operate.anna.task-list")).toEqual({ user: "anna", operation: "task-list" });
  const receipt = subjects.operateReceipt("anna", "r-1");
  expect(subjects.readOperateReceipt(receipt)).toEqual({ user: "anna", requestId: "r-1" });
  for (const other of [
    receipt,
    "p.operate.anna",
    "p.operate.-.task-list",
    "p.operate.an na.x",
    "q.operate.a.b",
  ])
    expect(read(other), other).toBeNull();
  for (const other of ["p.operate.anna.-", "p.operate.anna.x.r-1", "p.operate.anna.-.r.1", "p.office.a.-.r"])
    expect(subjects.readOperateReceipt(other), other).toBeNull();
});

test("every builder has a row of facts", () => {
  const builders = Object.keys(subjects).filter(
    (name) => name !== "prefix" && name !== "filters" && !name.startsWith("read"),
  );
  expect(Object.keys(SUBJECT_FACTS).sort()).toEqual(builders.sort());
});

test("the lane of a scope is one of eight, and the same in every version of the program", () => {
  expect(LANES).toEqual(["w00", "w01", "w02", "w03", "w04", "w05", "w06", "w07"]);
  // crc32, modulo 8, by Python's zlib.
  expect(["s1", "order-81", "a"].map(laneOf)).toEqual(["w00", "w00", "w03"]);
  expect(laneOf("-")).toBe("-");
  expect(subjects.result("echo", "order-81", "t-1")).toBe(`p.result.echo.${laneOf("order-81")}.t-1`);
});

test("a stored result on one of the 32 lanes of earlier versions still belongs to its scope", () => {
  for (const scope of ["s1", "order-81", "a", "b", "c"]) {
    const earlier = `w${String(crc32(scope) % 32).padStart(2, "0")}`;
    expect(isLaneOf(earlier, scope), scope).toBe(true);
    expect(isLaneOf(laneOf(scope), scope), scope).toBe(true);
    expect(isLaneOf(`w${String((crc32(scope) + 1) % 32).padStart(2, "0")}`, scope), scope).toBe(false);
    expect(isLaneOf("-", scope), scope).toBe(false);
  }
  expect(isLaneOf("-", "-")).toBe(true);
  expect(isLaneOf("w00", "-")).toBe(false);
});
