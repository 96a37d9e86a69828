import { expect, test } from "vitest";
import { authorise, checkTask } from "../../../src/app/door/authorise.ts";
import { OPERATIONS } from "../../../src/app/operations/index.ts";
import { ACCESS_LEVELS, type Access } from "../../../src/app/operations/operation.ts";
import type { UserRights } from "../../../src/app/permissions/index.ts";

const user = (access: Access | null, capabilities: readonly string[] | null = null): UserRights => ({
  ...{ user: "u", role: "operator/u", access, capabilities },
});
const operation = (name: string) => OPERATIONS.find((each) => each.name === name)!;
const ask = (rights: UserRights, name: string, input: object) =>
  authorise(rights, operation(name), operation(name).input.parse(input));
const refused = (message: string) =>
  expect.objectContaining({ code: "not_permitted", message: expect.stringContaining(message) });

/** The least input of each operation that needs its whole access. */
const task = { task: "t" };
const INPUTS: Readonly<Record<string, object>> = {
  "task-submit": { capability: "echo" },
  "task-submit-batch": { tasks: [{ capability: "echo" }] },
  "task-run": { capability: "echo" },
  "task-cancel": { scope: "s" },
  "task-settle": { ...task, step: "charge", notDone: true },
  "task-move": { ...task, capability: "echo" },
  "task-reprioritise": { ...task, priority: "low" },
  "task-purge": { all: true },
  "dead-replay": { all: true },
  "dead-purge": { all: true },
  "ballot-show": { id: "b" },
  "ballot-decide": { id: "b", choice: 1 },
  "ballot-correct": { id: "b", value: 1 },
  "scaling-show": { group: "g" },
  "blob-put": { data: new Uint8Array(1) },
  "blob-get": { $blob: "a".repeat(64), bytes: 1 },
  "journal-read": { capability: "echo", task: "t" },
  "journal-trim": { capability: "echo", task: "t" },
  "task-delay": {
    ...{ capability: "echo", task: "t", dueAt: "2026-01-01T00:00:00Z" },
    ...{ headers: {}, data: new Uint8Array(1) },
  },
  "permission-advise": { operation: "publish", subject: "s" },
  "lock-acquire": { name: "l" },
  "lock-release": { name: "l", owner: "o", token: 1 },
  "config-set": { name: "n", value: 1 },
  "schedule-set": { id: "s", when: { everyMs: 1_000 }, task: { capability: "echo", input: 1 } },
  "schedule-remove": { id: "s" },
  "schedule-backfill": { id: "s", from: "1h" },
  "budget-set": { name: "b", calls: 1 },
  "budget-remove": { name: "b" },
  "workflow-plan": { objective: "o" },
  "workflow-start": { workflow: "w" },
  "workflow-run": { workflow: "w" },
  "workflow-signal": { id: "r", name: "s" },
  "workflow-shared-show": { id: "r", name: "s", task: "r-1" },
  "workflow-shared-set": { id: "r", name: "s", value: 1, task: "r-1" },
  "workflow-approve": { id: "r", approval: "a" },
  "workflow-reject": { id: "r", approval: "a" },
  ...Object.fromEntries(
    ["show", "watch", "graph", "shared-list", "verify", "export", "pause", "resume", "cancel", "retry"].map(
      (verb) => [`workflow-${verb}`, { id: "r" }],
    ),
  ),
  "capability-pause": { capability: "echo" },
  "capability-resume": { capability: "echo" },
};
const inputOf = (name: string): object => {
  if (INPUTS[name] !== undefined) return INPUTS[name];
  if (operation(name).input.safeParse({}).success) return {};
  return operation(name).input.safeParse(task).success ? task : { agent: "a" };
};

test.each(OPERATIONS)(
  "$name is for users with its access, and refused to those with less",
  ({ name, access }) => {
    const needed = operation(name).accessOf?.(operation(name).input.parse(inputOf(name))) ?? access;
    for (const held of ACCESS_LEVELS) {
      const call = () => ask(user(held), name, inputOf(name));
      if (ACCESS_LEVELS.indexOf(held) >= ACCESS_LEVELS.indexOf(needed)) expect(call, held).not.toThrow();
      else expect(call, held).toThrow(refused(`needs the access ${needed}`));
    }
  },
);

test.each(OPERATIONS)("$name of another capability is refused to a user with capabilities", ({ name }) => {
  const rights = user("admin", ["other", "third"]);
  const decide = () => ask(rights, name, inputOf(name));
  // An input that names a task is decided by the task's capability; a blob and an advice belong to none.
  if (name.startsWith("blob-") || name === "permission-advise")
    expect(decide()).toMatchObject({ task: null });
  else if (
    name === "ballot-show" ||
    (name !== "schedule-set" && "task" in inputOf(name) && !("capability" in inputOf(name)))
  ) {
    expect(decide().task).toEqual(expect.any(String));
    expect(() => checkTask(rights, "t", "echo")).toThrow(refused("belongs to none of the capabilities"));
    expect(() => checkTask(rights, "t", null)).toThrow(refused("belongs to none"));
    expect(() => checkTask(rights, "t", "third")).not.toThrow();
  } else expect(decide).toThrow(refused("capabilit"));
});

test("a publisher submits, cancels and lists within its capabilities, also with a ballot", () => {
  const web = user("submit", ["echo"]);
  expect(ask(web, "task-submit", { capability: "echo" }).task).toBeNull();
  expect(ask(web, "task-cancel", { task: "t" }).task).toBe("t");
  expect(ask(web, "task-retry", { task: "t" }).task).toBe("t");
  expect(() => ask(web, "task-cancel", { scope: "s" })).toThrow(refused("needs the access operate"));
  for (const asked of [
    { panel: ["echo", "code"], seats: 2 },
    { judge: "code", strategy: "judge" },
  ]) {
    const ballot = { seats: 2, strategy: "majority", ...asked };
    expect(() => ask(web, "task-run", { capability: "echo", ballot })).toThrow(refused("code is none"));
  }
});

test("a list of a user with one capability is narrowed to it; one with several must name it", () => {
  expect(ask(user("read", ["echo"]), "task-list", {}).input).toMatchObject({ capability: "echo" });
  const two = user("read", ["echo", "code"]);
  expect(() => ask(two, "task-list", {})).toThrow(refused("must name one capability: echo, code"));
  expect(ask(two, "dead-list", { capability: "code" }).input).toMatchObject({ capability: "code" });
});

test("a refusal names the file and the line of the caller's entry", () => {
  const rights = { ...user("read", ["echo"]), place: "p.yaml:7" };
  expect(() => ask(rights, "task-submit", { capability: "echo" })).toThrow(
    refused("p.yaml:7: operators[u].access needs submit, and is read"),
  );
  expect(() => ask(rights, "dead-list", { capability: "pay" })).toThrow(
    refused("p.yaml:7: operators[u].capabilities needs it"),
  );
});

test("an agent class reads the journals of its own capabilities only", () => {
  const read = (capability: string) => ask(user(null, ["echo"]), "journal-read", { capability, task: "t" });
  expect(read("echo").task).toBeNull();
  expect(() => read("other")).toThrow(refused("other is none"));
});

test("an agent class calls only the operations for agents", () => {
  const agent = user(null, ["echo"]);
  for (const { name, isForAgents = false } of OPERATIONS) {
    if (!isForAgents) expect(() => ask(agent, name, inputOf(name)), name).toThrow(refused("has none"));
  }
});
