import { expect, test } from "vitest";
import {
  capabilitiesOf,
  classNamesOf,
  findIdle,
  groupsOf,
  parsePermissions,
  rightsOf,
} from "../../../src/app/permissions/index.ts";

const FILE = await parsePermissions(
  `version: 1
publishers: [{ name: web, capabilities: [echo] }]
classes:
  - { name: review, capabilities: [docs, tests], asks: [lookup], groups: [{ name: docs, slots: 2, capabilities: [docs] }] }
  - { name: default, capabilities: [echo], groups: [{ name: echo, slots: 4 }] }
operators: [{ name: anna, access: admin }, { name: ben, access: read, capabilities: [echo] }]
`,
  "p.yaml",
);

test("each user has the access and the capabilities of its entry", () => {
  const rights = (user: string) => rightsOf(user, FILE);
  expect(rights("web")).toEqual({
    user: "web",
    role: "publisher/web",
    access: "submit",
    capabilities: ["echo"],
  });
  expect(rights("anna")).toMatchObject({ role: "operator/anna", access: "admin", capabilities: null });
  expect(rights("ben")).toMatchObject({ access: "read", capabilities: ["echo"] });
  expect(rights("agent-review")).toMatchObject({
    role: "agent/review",
    access: null,
    capabilities: ["docs", "tests"],
  });
});

test("a user that the file does not name, and the processes of the swarm, have no rights at the front door", () => {
  expect(["nobody", "review", "coordinator-1", "api", "init"].map((user) => rightsOf(user, FILE))).toEqual([
    null,
    null,
    null,
    null,
    null,
  ]);
});

test("groups, classes and capabilities are those of the whole file, hand-offs and asks too", () => {
  expect(groupsOf(FILE)).toEqual([
    { name: "docs", class: "review", capabilities: ["docs"], slots: 2 },
    { name: "echo", class: "default", capabilities: ["echo"], slots: 4 },
  ]);
  expect(classNamesOf(FILE)).toEqual(["default", "review"]);
  expect(capabilitiesOf(FILE)).toEqual(["docs", "echo", "lookup", "tests"]);
});

test("agents are idle by the file when a user submits tasks, and none those of their capability", async () => {
  const idle = async (text: string) =>
    findIdle(
      await parsePermissions(
        `version: 1\nclasses: [{ name: a, capabilities: [x, y] }, { name: b, capabilities: [z], asks: [y] }]\n${text}`,
        "p",
      ),
    );
  expect(await idle("")).toEqual([]);
  expect(await idle("publishers: [{ name: web, capabilities: [x] }]")).toEqual([
    { class: "b", capability: "z" },
  ]);
  expect(await idle("operators: [{ name: anna, access: read }]")).toEqual([]);
  expect(await idle("operators: [{ name: anna, access: submit }]")).toEqual([]);
  expect(await idle("operators: [{ name: anna, access: submit, capabilities: [z] }]")).toEqual([
    { class: "a", capability: "x" },
  ]);
});
