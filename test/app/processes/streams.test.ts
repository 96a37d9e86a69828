import { expect, onTestFinished, test, vi } from "vitest";
import {
  awaitStreams,
  placedCheck,
  waitForPlacedStream,
  waitForStreams,
} from "../../../src/app/processes/streams.ts";
import { createMeter } from "../../../src/base/index.ts";
import { connectMemory, connectNats, MemoryServer } from "../../../src/transport/index.ts";
import { collectLines } from "../../coordinator/log-lines.ts";
import { SOON } from "../../coordinator/support.ts";
import { startNatsServer } from "../../support/nats-server.ts";

const tell = () => undefined;

async function setup() {
  const server = new MemoryServer();
  const transport = connectMemory({ prefix: "murmur", server });
  await transport.init();
  const { log, lines } = collectLines();
  let isThere = false;
  const wait = async () => {
    await waitForStreams({ transport, log, signal: new AbortController().signal, tell });
    isThere = true;
  };
  return { server, transport, lines, wait, isThere: () => isThere };
}

test.each(["limits", "cancelled", "blobs"])(
  "a process waits for the bucket %s, and says so once",
  async (bucket) => {
    const { server, transport, lines, wait, isThere } = await setup();
    server.buckets.delete(`MURMUR_${bucket.toUpperCase()}`);
    server.blobs.delete(`MURMUR_${bucket.toUpperCase()}`);
    const waiting = wait();
    await vi.waitFor(
      () => expect(lines).toMatchObject([{ level: "warn", stream: `MURMUR_${bucket.toUpperCase()}` }]),
      SOON,
    );
    expect(isThere()).toBe(false);
    await transport.init();
    await waiting;
    expect(lines).toHaveLength(1);
  },
);

test("a process that finds all streams on a server does not wait", async () => {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const { log, lines } = collectLines();
  const facts = { servers: server.url, name: "test", prefix: "murmur", log, meter: createMeter() };
  const transport = await connectNats(facts);
  onTestFinished(() => transport.close());
  const parts = { transport, log, signal: new AbortController().signal, tell };
  const waiting = waitForStreams(parts);
  await vi.waitFor(
    () => expect(lines.map(({ message }) => message)).toContainEqual(expect.stringMatching(/^waiting/)),
    SOON,
  );
  await transport.init();
  await waiting;
  await waitForStreams(parts);
});

test("a stream that changes while the process runs is a warning, and a missing one makes it unready", async () => {
  const { transport } = await setup();
  const found = await transport.inspect();
  let answer = found;
  const [streams, settings] = awaitStreams.checks({ ...transport, inspect: async () => answer });
  if (streams === undefined || !("ask" in streams)) throw new Error("streams must be a question");
  if (settings === undefined || !("look" in settings)) throw new Error("stream-settings must be a look");
  const change = (facts: object) =>
    found.map((each) => (each.key === "tasks" ? { ...each, ...facts } : each));
  expect([await streams.ask(), settings.look(), settings.isWarning]).toEqual([null, null, true]);
  answer = change({ problem: "stream MURMUR_TASKS: discard must be new" });
  expect([await streams.ask(), settings.look()]).toEqual([null, "stream MURMUR_TASKS: discard must be new"]);
  answer = change({ exists: false, problem: "does not exist" });
  expect(await streams.ask()).toBe("MURMUR_TASKS does not exist; murmur init creates it");
  answer = found;
  expect([await streams.ask(), settings.look()]).toEqual([null, null]);
});

test("a process does not wait for streams that only coordinators need", async () => {
  const { server, wait } = await setup();
  server.streams.delete("MURMUR_OFFICE_LOG");
  server.blobs.delete("MURMUR_SNAPSHOTS");
  await wait();
});

test("a process that must stop ends its wait", async () => {
  const { server, transport } = await setup();
  server.streams.delete("MURMUR_TASKS");
  const stopping = new AbortController();
  const { log } = collectLines();
  const waiting = waitForStreams({ transport, log, signal: stopping.signal, tell });
  stopping.abort(new Error("stop"));
  await expect(waiting).rejects.toThrow("stop");
});

test("a host of a class without a stream waits for it, says what to do, and starts when it is there", async () => {
  const { transport } = await setup();
  const { log, lines } = collectLines();
  const told: string[] = [];
  const host = { agentClass: "gpu", hostId: "h1", log, signal: new AbortController().signal };
  const waiting = waitForPlacedStream(transport, host, (problem) => told.push(problem));
  await vi.waitFor(() => expect(told.length).toBeGreaterThan(1), SOON);
  expect(told[0]).toBe(
    "the stream MURMUR_PLACED-GPU of the class gpu is missing; MURMUR_AGENT_CLASS=gpu murmur init creates it",
  );
  await transport.init({ classes: ["gpu"] });
  await waiting;
  expect(lines).toMatchObject([{ level: "warn", stream: "MURMUR_PLACED-GPU" }]);
});

test("a host without its consumer of placed tasks is ready, with a warning", () => {
  let takesPlaced = false;
  const check = placedCheck({ takesPlaced: () => takesPlaced });
  const look = () => ("look" in check ? check.look() : undefined);
  expect(check.isWarning).toBe(true);
  expect(look()).toMatch(/a coordinator in office makes it/);
  takesPlaced = true;
  expect(look()).toBeNull();
});
