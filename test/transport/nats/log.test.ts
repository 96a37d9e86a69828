import { expect, onTestFinished, test } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { createSubjects } from "../../../src/protocol/index.ts";
import { connectNats, type Violation } from "../../../src/transport/index.ts";
import { read, startSwarm, text } from "../support.ts";

test("a permission of NATS can limit a user to the results of one capability", async () => {
  const { result } = createSubjects("murmur");
  const readEcho = `$JS.API.DIRECT.GET.MURMUR_RESULTS.murmur.result.echo.*.*`;
  const config = `
    authorization { users: [
      { user: "init", password: "i" }
      { user: "anna", password: "a", permissions: { publish: [ "${readEcho}" ], subscribe: [ "_INBOX.anna.>" ] } }
    ] }`;
  const { server, transport } = await startSwarm({
    server: { config },
    connect: { credentials: { user: "init", password: "i" } },
  });
  await transport.log("results").append(result("echo", "-", "mine"), text("mine"));
  await transport.log("results").append(result("pay", "-", "foreign"), text("foreign"));
  const anna = await connectNats({
    servers: server.url,
    credentials: { user: "anna", password: "a" },
    inboxPrefix: "_INBOX.anna",
    name: "test",
    prefix: "murmur",
    log: silentLogger,
    meter: createMeter(),
  });
  onTestFinished(() => anna.close());
  const results = anna.log("results");
  expect(read((await results.last(result("echo", "-", "mine")))!)).toBe("mine");
  expect(await results.last(result("echo", "-", "missing"))).toBeNull();
  const violations: Violation[] = [];
  anna.onViolation((violation) => violations.push(violation));
  const startedMs = performance.now();
  await expect(results.last(result("pay", "-", "foreign"))).rejects.toMatchObject({
    code: "not_permitted",
    message: expect.stringMatching(
      /NATS does not permit the user anna to publish to .*\.murmur\.result\.pay\./,
    ),
  });
  expect(performance.now() - startedMs).toBeLessThan(5_000); // at once: without the server's word it would be the timeout
  await expect(results.info()).rejects.toMatchObject({ code: "not_permitted" });
  await expect(results.read()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "not_permitted",
  });
  expect(violations.map(({ operation }) => operation)).toEqual(["publish", "publish", "publish"]);
  const consumer = { name: "echo-normal", filter: "murmur.task.echo.normal.*.*" };
  await expect(anna.queue("tasks").consumer(consumer)).rejects.toMatchObject({ code: "not_permitted" });
}, 30_000);
