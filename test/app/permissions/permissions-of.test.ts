import { expect, test } from "vitest";
import {
  findGrant,
  findRole,
  parsePermissions,
  permissionsOf,
  rolesOf,
  usersOf,
} from "../../../src/app/permissions/index.ts";

const FILE = await parsePermissions(
  `version: 1
publishers: [{ name: web, capabilities: [echo] }]
classes:
  - { name: default, capabilities: [echo] }
  - { name: review, capabilities: [docs], asks: [echo] }
coordinators: [c1, c2, c3]
operators: [{ name: anna, access: read }]
`,
  "p.yaml",
);
const ROLES = rolesOf(FILE);
const rightsOfRole = (title: string) => permissionsOf(findRole(title, FILE), FILE);
const may = (title: string, operation: "publish" | "subscribe", subject: string) =>
  findGrant(rightsOfRole(title), operation, subject) !== null;

test("a role is named by its kind and its name in the file", () => {
  expect(ROLES.map(({ title }) => title)).toEqual([
    "publisher/web",
    "agent/default",
    "agent/review",
    "coordinator/c1",
    "coordinator/c2",
    "coordinator/c3",
    "operator/anna",
    "api",
    "engine",
    "init",
    "system",
  ]);
  expect(usersOf(FILE).slice(0, 3)).toEqual(["web", "agent-default", "agent-review"]);
  expect(() => findRole("agent/reviews", FILE)).toThrow(
    'role "agent/reviews" is not in the permissions; known: publisher/web, agent/default',
  );
});

test("a publisher may submit tasks of its capabilities, hear their results and call operations, and nothing else", () => {
  const { publish, subscribe } = rightsOfRole("publisher/web");
  expect(publish.allow.map(({ subject }) => subject)).toEqual([
    "murmur.task.echo.*.*.*",
    "murmur.operate.web.*",
    "murmur.operate.web.-.*",
  ]);
  expect(subscribe.allow.map(({ subject }) => subject)).toEqual(["_INBOX.web.>", "murmur.done.echo.*.*"]);
});

test("a person calls operations at the front door, and touches no other subject", () => {
  const { publish, subscribe } = rightsOfRole("operator/anna");
  expect(publish.allow.map(({ subject }) => subject)).toEqual([
    "murmur.operate.anna.*",
    "murmur.operate.anna.-.*",
  ]);
  expect(subscribe.allow.map(({ subject }) => subject)).toEqual(["_INBOX.anna.>"]);
});

test("no role may publish stored results, read the inboxes of others, or answer by allow_responses", () => {
  for (const { title, user } of ROLES) {
    expect(may(title, "publish", "murmur.done.echo.-.t")).toBe(false);
    const others = usersOf(FILE).filter((other) => other !== user);
    expect(others.filter((other) => may(title, "subscribe", `_INBOX.${other}.>`))).toEqual([]);
    expect(may(title, "subscribe", "_INBOX.>")).toBe(false);
    expect(may(title, "publish", "$JS.API.STREAM.DELETE.MURMUR_TASKS")).toBe(false);
    expect(may(title, "subscribe", ">")).toBe(false);
  }
});

test("the election has one user for each coordinator", () => {
  expect(may("coordinator/c1", "publish", "murmur.election.c2.c1")).toBe(true);
  expect(may("coordinator/c1", "publish", "murmur.election.c2.c3")).toBe(false);
  expect(may("coordinator/c1", "subscribe", "murmur.election.c1.*")).toBe(true);
  expect(may("coordinator/c1", "subscribe", "murmur.election.c2.*")).toBe(false);
  expect(
    ROLES.filter(({ title }) => may(title, "publish", "murmur.log.office")).map(({ title }) => title),
  ).toEqual(["coordinator/c1", "coordinator/c2", "coordinator/c3", "init"]);
});

test("agents store results of their capabilities alone, and ask the capabilities that the file names", () => {
  expect(may("agent/default", "publish", "murmur.result.echo.-.t")).toBe(true);
  expect(may("agent/default", "publish", "murmur.result.docs.-.t")).toBe(false);
  expect(may("agent/review", "publish", "murmur.ask.echo")).toBe(true);
  expect(may("agent/default", "publish", "murmur.ask.docs")).toBe(false);
  expect(may("agent/default", "publish", "murmur.office.config-set")).toBe(false);
});

test("only init creates streams", () => {
  const creators = ROLES.filter(({ title }) => may(title, "publish", "$JS.API.STREAM.CREATE.MURMUR_TASKS"));
  expect(creators.map(({ title }) => title)).toEqual(["init"]);
});

test("a wildcard is allowed only where every subject that it stands for is allowed", () => {
  expect(may("publisher/web", "subscribe", "murmur.done.echo.*.*")).toBe(true);
  expect(may("publisher/web", "subscribe", "murmur.done.echo.>")).toBe(false);
  expect(may("publisher/web", "subscribe", "murmur.done.*.*.*")).toBe(false);
  expect(may("publisher/web", "subscribe", "_INBOX.web.a.>")).toBe(true);
});
