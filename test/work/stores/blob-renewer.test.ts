// The renewer of blobs, on a real server that drops a blob four seconds after it was stored.
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type Logger, ManualClock, silentLogger, sleep, systemChance } from "../../../src/base/index.ts";
import {
  createSubjects,
  type DeadLetter,
  encode,
  HEADERS,
  type SwarmError,
} from "../../../src/protocol/index.ts";
import { MemoryServer } from "../../../src/transport/index.ts";
import { createBlobRenewer, isOld } from "../../../src/work/stores/blob-renewer.ts";
import { storeLater } from "../../../src/work/stores/later.ts";
import { createResultStore } from "../../../src/work/stores/results.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { TestSwarm } from "../support.ts";

/** How long the server keeps a blob, in ms. */
const TTL_MS = 4_000;
const NONE = { renewed: 0, fresh: 0, missing: 0, failed: 0, isCut: false };

let server: NatsServer;
let swarm: TestSwarm;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());
afterEach(() => swarm.stop());

async function setup() {
  swarm = new TestSwarm(server.url, { blobAgeMs: TTL_MS });
  const transport = await swarm.connect();
  const subjects = createSubjects(transport.prefix);
  const at = (taskId: string) => ({ capability: "echo", priority: "normal" as const, scope: "-", taskId });
  const warned: unknown[] = [];
  const log: Logger = { ...silentLogger, warn: (facts: unknown) => void warned.push(facts) } as Logger;
  const renewer = (more: Partial<Parameters<typeof createBlobRenewer>[0]> = {}) =>
    createBlobRenewer({ transport, meter: swarm.meter, log, ...more });
  /** Whether the server has dropped the blob. While it drops the parts of a blob one after the other, a read gets no answer. */
  const isDropped = (ref: { $blob: string; bytes: number }) =>
    Promise.race([
      transport.blobs.get(ref).then(
        () => false,
        (error: SwarmError) => error.code === "not_found",
      ),
      sleep(1_000).then(() => false),
    ]);
  const put = (text: string) => transport.blobs.put(new TextEncoder().encode(text));
  return { transport, subjects, at, renewer, warned, isDropped, put };
}

it("a blob lives as long as a waiting, delayed or dead task names it", async () => {
  const { transport, subjects, at, renewer, isDropped, put } = await setup();
  const [queued, asked, delayed, dead, unnamed] = await Promise.all(
    ["queued", "asked", "delayed", "dead", "unnamed"].map(put),
  );
  const [tasks, later] = [transport.log("tasks"), transport.log("later")];
  await tasks.append(subjects.task(at("queued")), encode(queued));
  const place = { class: "default", host: "host", agent: "agent", scope: "-", taskId: "asked" };
  await tasks.append(subjects.placed(place), encode({ capability: "echo", inputRef: asked }, "msgpack"), {
    headers: { [HEADERS.contentType]: "application/msgpack" },
  });
  await later.append(subjects.later("-", "delayed"), encode(delayed), {
    headers: {
      [HEADERS.schedule]: `@at ${new Date(Date.now() + 3_600_000).toISOString()}`,
      [HEADERS.scheduleTarget]: subjects.due(at("delayed")),
    },
  });
  await transport.log("dead").append(subjects.dead("echo", "dead"), encode(letterOf(encode(dead))));
  const { renew } = renewer();
  const seen = { ...NONE };
  // The blob that nothing names is as old as the others: when it is gone, only the renewer can have kept them.
  do {
    const report = await renew();
    for (const outcome of ["renewed", "missing", "failed"] as const) seen[outcome] += report[outcome];
    await sleep(TTL_MS / 16);
  } while (!(await isDropped(unnamed!)));
  expect(seen).toMatchObject({ missing: 0, failed: 0 });
  expect(seen.renewed).toBeGreaterThanOrEqual(4);
  for (const ref of [queued, asked, delayed, dead]) await transport.blobs.get(ref!);
});

it("a run is bounded, the next one continues after it, and a blob that is gone is told with its task", async () => {
  const { transport, subjects, at, renewer, warned } = await setup();
  const gone = { $blob: "0".repeat(64), bytes: 1 };
  for (const id of ["t1", "t2", "t3"])
    await transport
      .log("tasks")
      .append(subjects.task(at(id)), encode(id === "t3" ? gone : { input: "$blob" }));
  const { renew } = renewer({
    maxMessages: 2,
    clock: { now: () => Date.now() + TTL_MS, after: () => () => undefined },
  });
  expect(await renew()).toEqual({ ...NONE, isCut: true });
  expect(await renew()).toEqual({ ...NONE, missing: 1 });
  expect(warned).toEqual([{ ...NONE, missing: 1, subjects: [subjects.task(at("t3"))] }]);
  const { values } = await swarm.meter.blobsRenewed.get();
  expect(values).toMatchObject([{ labels: { outcome: "missing" }, value: 1 }]);
});

it("young messages are not read", () => {
  const at = { nowMs: 1_000, ttlMs: 400 };
  expect(isOld({ storedAtMs: 901 }, at)).toBe(false);
  expect(isOld({ storedAtMs: 900 }, at)).toBe(true);
});

it("a step that stores a task in another stream, and its dead letter, renew a blob in the second half of its time", async () => {
  const clock = new ManualClock();
  const memory = new MemoryServer({ clock });
  swarm = new TestSwarm(memory, { blobAgeMs: TTL_MS });
  const transport = await swarm.connect();
  const subjects = createSubjects(transport.prefix);
  const at = { capability: "echo", priority: "normal" as const, scope: "-", taskId: "t1" };
  const ref = await transport.blobs.put(new TextEncoder().encode("body"));
  const message = { data: encode(ref), header: () => undefined };
  clock.advance(0.6 * TTL_MS);
  await storeLater({ transport, subjects }, at, message, clock.now() + 1);
  clock.advance(0.6 * TTL_MS);
  await createResultStore({ transport, subjects, meter: swarm.meter, clock, chance: systemChance }).bury(
    at,
    letterOf(message.data),
  );
  clock.advance(0.6 * TTL_MS);
  expect(await transport.blobs.get(ref)).toHaveLength(4);
  clock.advance(0.5 * TTL_MS);
  await expect(transport.blobs.get(ref)).rejects.toMatchObject({ code: "not_found" });
});

function letterOf(payload: Uint8Array): DeadLetter {
  return {
    taskId: "dead",
    capability: "echo",
    priority: "normal",
    scope: "-",
    subject: "murmur.task.echo.normal.-.dead",
    reason: { code: "internal", message: "no", retryable: false },
    attempts: 1,
    agent: "a1",
    diedAt: new Date(0).toISOString(),
    payload: Buffer.from(payload).toString("base64"),
    contentType: "application/json",
  };
}
