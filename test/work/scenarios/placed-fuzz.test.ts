// Random placed messages, most of them broken in some place: each ends with a result or a dead letter, no message stays in
// the queue, and the process still works.
import fc from "fast-check";
import { expect, test } from "vitest";
import { ERROR_CODES, encode, encodePlacement } from "../../../src/protocol/index.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import { scaled } from "../../support/scale.ts";
import { openOffice, placedLog } from "../office.ts";
import { TestSwarm, until } from "../support.ts";

const RUNS = scaled(1_000, 10_000);
/** The seed is fixed: a random message could name a missing agent, and its task would wait for that agent for ever. */
const SEED = 1;

test(`each of ${RUNS} placed messages ends with a result or a dead letter`, async () => {
  const swarm = new TestSwarm(new MemoryServer());
  const { workforce, hostId: host, transport } = await swarm.work(async ({ task }) => task.input);
  const agent = workforce.agentId;
  const client = await swarm.client();
  const token = fc.oneof(
    fc.constantFrom("-", "constructor", "__proto__"),
    fc.stringMatching(/^[!-)+,/-=?-~-]{1,8}$/), // no dot: the stream refuses subjects of another length
  );
  const facts = fc.record({
    // Never the id of another agent: such a task would wait for its agent, as it should.
    agent: fc.oneof({ weight: 20, arbitrary: fc.constant(agent) }, fc.anything()),
    host: fc.oneof({ weight: 20, arbitrary: fc.constant(host) }, fc.string()),
    score: fc.oneof({ weight: 20, arbitrary: fc.constant(1) }, fc.anything()),
    reasons: fc.oneof({ weight: 20, arbitrary: fc.constant([]) }, fc.anything()),
    capability: fc.oneof({ weight: 20, arbitrary: fc.constant("echo") }, fc.anything()),
    priority: fc.oneof({ weight: 20, arbitrary: fc.constantFrom("urgent", "low") }, fc.string()),
    placedAt: fc.oneof({ weight: 20, arbitrary: fc.constant("2026-01-31T12:00:00.000Z") }, fc.string()),
  });
  const shown = facts.map((placement) => {
    try {
      return encodePlacement(placement as never);
    } catch {
      return "{";
    }
  });
  const header = fc.oneof({ weight: 8, arbitrary: shown }, fc.string(), fc.constant(undefined));
  const task = fc.record(
    {
      capability: fc.oneof({ weight: 10, arbitrary: fc.constant("echo") }, fc.anything()),
      input: fc.jsonValue({ maxDepth: 2 }),
      scope: fc.string(),
      route: fc.oneof(fc.constantFrom("best", "queue"), fc.anything()),
      notBefore: fc.oneof(fc.nat(), fc.string()),
      deadline: fc.constantFrom("2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "soon"),
      $blob: fc.string(),
    },
    { requiredKeys: ["capability"] },
  );
  const json = fc.oneof({ weight: 4, arbitrary: task }, fc.jsonValue()).map((value) => {
    try {
      return encode(value);
    } catch {
      return new Uint8Array();
    }
  });
  const message = fc.record({
    at: fc.oneof(fc.constant(agent), token),
    scope: token,
    header,
    body: fc.oneof({ weight: 4, arbitrary: json }, fc.uint8Array({ maxLength: 64 })),
    type: fc.constantFrom(undefined, "application/json", "application/msgpack", "text/html"),
  });
  const log = placedLog(transport);
  let stored = 0;
  for (const { at, scope, header: placement, body, type } of fc.sample(message, {
    numRuns: RUNS,
    seed: SEED,
  })) {
    const headers: Record<string, string> = type === undefined ? {} : { "Content-Type": type };
    if (placement !== undefined && !/[\r\n]/.test(placement)) headers["Murmur-Placement"] = placement;
    await log.append(`${swarm.prefix}.placed.default.${host}.${at}.${scope}.t${stored++}`, body, { headers });
  }
  await until(async () => ((await log.info()).messages === 0 ? true : undefined), 60_000);
  const results = (await transport.log("results").info()).messages;
  const letters = (await transport.log("dead").info()).messages;
  expect(results + letters).toBeGreaterThanOrEqual(stored);
  expect(results).toBeGreaterThan(stored / 50);
  for (const { reason } of await client.dead.list({ limit: 1_000 })) {
    expect(ERROR_CODES).toContain(reason.code);
    expect(reason.code).not.toBe("internal");
  }
  await openOffice(transport, () => ({ host, agent }));
  expect(await client.run({ capability: "echo", route: "best" })).toMatchObject({ status: "completed" });
  await swarm.stop();
}, 240_000);
