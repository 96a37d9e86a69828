import { expect, test } from "vitest";
import { adviceFor, createAdvisor, parsePermissions } from "../../../src/app/permissions/index.ts";

const FILE = await parsePermissions(
  `version: 1
publishers: [{ name: web, capabilities: [echo] }]
classes: [{ name: default, capabilities: [echo] }]
operators: [{ name: anna, access: admin }]
`,
  "p.yaml",
);

const publish = (user: string, subject: string) => ({ user, operation: "publish" as const, subject });
const subscribe = (user: string, subject: string) => ({ user, operation: "subscribe" as const, subject });

test.each([
  [publish("web", "murmur.task.pay.high.-.x1"), "permissions.yaml: publishers[web].capabilities needs pay"],
  [subscribe("web", "murmur.done.pay.*.*"), "permissions.yaml: publishers[web].capabilities needs pay"],
  [
    publish("agent-default", "$JS.API.CONSUMER.MSG.NEXT.MURMUR_TASKS.pay-high"),
    "permissions.yaml: classes[default].capabilities needs pay",
  ],
  [publish("agent-default", "murmur.ask.pay"), "permissions.yaml: classes[default].asks needs pay"],
  [
    publish("agent-default", "murmur.result.pay.-.x1"),
    "permissions.yaml: classes[default].capabilities needs pay",
  ],
  [publish("web", "other.task.echo.high.-.x1"), "permissions.yaml: prefix needs other, and is murmur"],
  [
    publish("web", "murmur.task.echo.high.-.x1"),
    "permissions.yaml permits it to publisher/web: let the servers read the present file (murmur permissions render, reload)",
  ],
  [
    publish("anna", "murmur.task.echo.high.-.x1"),
    /^no line of permissions\.yaml permits it to operator\/anna; it is the right of: publisher, .*api/,
  ],
  [publish("web", "murmur.done.echo.-.x1"), "no line of permissions.yaml permits it to publisher/web"],
  [publish("carla", "murmur.task.echo.high.-.x1"), /^permissions\.yaml has no user carla: add it to/],
])("the advice for %o names the key that permits it, or why none does", (refused, advice) => {
  const found = adviceFor(refused, FILE, "murmur");
  if (typeof advice === "string") expect(found).toBe(advice);
  else expect(found).toMatch(advice);
});

test("without a file the key is named by the user's name", () => {
  expect(adviceFor(publish("agent-review", "murmur.result.pay.-.x1"), null, "murmur")).toBe(
    "permissions.yaml: classes[review].capabilities needs pay",
  );
  expect(adviceFor(publish("web", "swarm.task.pay.high.-.x1"), null, "swarm")).toBe(
    "permissions.yaml: publishers[web].capabilities needs pay",
  );
});

test("an advisor takes the user from the inbox prefix, and follows a file that changes", async () => {
  expect(createAdvisor({ prefix: "murmur" }, () => FILE)).toBeUndefined();
  let file = FILE;
  const advise = createAdvisor({ inboxPrefix: "_INBOX.web", prefix: "murmur" }, () => file)!;
  const refused = publish("web", "murmur.task.pay.high.-.x1");
  expect(advise(refused)).toContain("publishers[web].capabilities needs pay");
  file = await parsePermissions("version: 1\npublishers: [{ name: web, capabilities: [pay] }]\n", "p.yaml");
  expect(advise(refused)).toContain("permits it to publisher/web");
});
