import { expect, test } from "vitest";
import { adviceFor, createAdvisor, parseLocated } from "../../../src/app/permissions/index.ts";

const FILE = await parseLocated(
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
  [publish("web", "murmur.task.pay.high.-.x1"), "p.yaml:2: publishers[web].capabilities needs pay"],
  [subscribe("web", "murmur.done.pay.*.*"), "p.yaml:2: publishers[web].capabilities needs pay"],
  [
    publish("agent-default", "$JS.API.CONSUMER.MSG.NEXT.MURMUR_TASKS.pay-high"),
    "p.yaml:3: classes[default].capabilities needs pay",
  ],
  [publish("agent-default", "murmur.ask.pay"), "p.yaml:3: classes[default].asks needs pay"],
  [publish("agent-default", "murmur.result.pay.-.x1"), "p.yaml:3: classes[default].capabilities needs pay"],
  [publish("web", "other.task.echo.high.-.x1"), "p.yaml:1: prefix needs other, and is murmur"],
  [
    publish("web", "murmur.task.echo.high.-.x1"),
    "p.yaml permits it to publisher/web: let the servers read the present file (murmur permissions render, reload)",
  ],
  [
    publish("anna", "murmur.task.echo.high.-.x1"),
    /^no line of p\.yaml permits it to operator\/anna; it is the right of: publisher, .*api/,
  ],
  [publish("web", "murmur.done.echo.-.x1"), "no line of p.yaml permits it to publisher/web"],
  [publish("carla", "murmur.task.echo.high.-.x1"), /^p\.yaml has no user carla: add it to/],
])("the advice for %o names the key that permits it, or why none does", (refused, advice) => {
  const found = adviceFor(refused, FILE, "murmur");
  if (typeof advice === "string") expect(found).toBe(advice);
  else expect(found).toMatch(advice);
});

test("without a file the key is named by the user's name", () => {
  expect(adviceFor(publish("agent-review", "murmur.result.pay.-.x1"), null, "murmur")).toBe(
    "permissions.yaml of the api process (its setting permissionsFile): classes[review].capabilities needs pay",
  );
  expect(adviceFor(publish("web", "swarm.task.pay.high.-.x1"), null, "swarm")).toBe(
    "permissions.yaml of the api process (its setting permissionsFile): publishers[web].capabilities needs pay",
  );
});

test("an advisor takes the user from the inbox prefix, and follows a file that changes", async () => {
  expect(createAdvisor({ prefix: "murmur" }, () => FILE)).toBeUndefined();
  let file = FILE;
  const advise = createAdvisor({ inboxPrefix: "_INBOX.web", prefix: "murmur" }, () => file)!.advise;
  const refused = publish("web", "murmur.task.pay.high.-.x1");
  expect(advise(refused)).toContain("publishers[web].capabilities needs pay");
  file = await parseLocated("version: 1\npublishers: [{ name: web, capabilities: [pay] }]\n", "p.yaml");
  expect(advise(refused)).toContain("permits it to publisher/web");
});

test("an advisor without a file asks the front door, and gives its answer from then on; without an answer the guess stays", async () => {
  const asked: string[] = [];
  const ask =
    (user: string) =>
    async ({ subject }: { subject: string }) => {
      asked.push(`${user} ${subject}`);
      if (subject.includes("lost")) throw new Error("no api process");
      return "p.yaml:2: publishers[web].capabilities needs pay";
    };
  const advisor = createAdvisor({ inboxPrefix: "_INBOX.web", prefix: "murmur" }, () => null, ask)!;
  const pay = publish("web", "murmur.task.pay.high.-.x1");
  const guess = advisor.advise(pay);
  expect(guess).toContain("publishers[web].capabilities needs pay");
  expect(advisor.guessIn(`refused: ${guess}`)).toBe(guess);
  expect(advisor.guessIn("refused")).toBeUndefined();
  expect(await advisor.better(guess)).toMatch(/^p\.yaml:2/);
  expect(advisor.advise(pay)).toMatch(/^p\.yaml:2/);
  const lost = advisor.advise(publish("web", "murmur.task.lost.high.-.x1"));
  expect(await advisor.better(lost)).toBe(lost);
  // A refused question would ask again.
  advisor.advise(publish("web", "murmur.operate.web.task-list"));
  expect(asked).toEqual(["web murmur.task.pay.high.-.x1", "web murmur.task.lost.high.-.x1"]);
  const fixed = createAdvisor({ inboxPrefix: "_INBOX.init", prefix: "murmur" }, () => null, ask)!;
  fixed.advise(publish("init", "murmur.task.pay.high.-.x1"));
  expect(asked).toHaveLength(2);
});
