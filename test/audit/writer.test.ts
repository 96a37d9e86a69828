// The writer on two logs: in memory, where a test can make appends fail in every way, and on a real server.
import { expect, it, onTestFinished, vi } from "vitest";
import { createAuditWriter, listAudit, verifyAudit } from "../../src/audit/index.ts";
import { MAX_WAITING_NOTES } from "../../src/audit/internal.ts";
import { createMeter, silentLogger } from "../../src/base/index.ts";
import { createSubjects, SwarmError } from "../../src/protocol/index.ts";
import {
  connectMemory,
  connectNats,
  type Log,
  MemoryServer,
  type Transport,
} from "../../src/transport/index.ts";
import { startNatsServer } from "../support/nats-server.ts";

const SOON = { timeout: 60_000, interval: 5 };
const ROLE = "coordinator";
const subject = createSubjects("murmur").audit(ROLE, "c-1");

/**
 * The fate of one append. `done`: stored. `unheard`: stored, but the acknowledgement is lost. `lost`: the message is lost.
 * `delayed`: the acknowledgement is lost and the message is stored later.
 */
type Fate = "done" | "unheard" | "lost" | "delayed";

/** Makes a writer. Its appends meet the given fates in order; all further appends are stored. No append passes `gate` early. */
async function setup(options: { fates?: readonly Fate[]; gate?: Promise<void>; nats?: boolean } = {}) {
  const server = options.nats === true ? await startNatsServer() : undefined;
  if (server !== undefined) onTestFinished(() => server.stop());
  const memory = new MemoryServer();
  const connect = async (): Promise<Transport> => {
    const transport =
      server === undefined
        ? connectMemory({ prefix: "murmur", server: memory })
        : await connectNats({
            servers: server.url,
            name: "test",
            prefix: "murmur",
            log: silentLogger,
            meter: createMeter(),
          });
    onTestFinished(() => transport.close());
    return transport;
  };
  const transport = await connect();
  await transport.init();
  const fates = [...(options.fates ?? [])];
  const meter = createMeter();
  let delayed: (() => Promise<unknown>) | undefined;
  const unknown = new SwarmError("unavailable", "no acknowledgement in time");
  const log: Log = {
    ...transport.log("audit"),
    async append(...append) {
      const arrive = () => transport.log("audit").append(...append);
      await options.gate;
      const late = delayed;
      delayed = undefined;
      switch (fates.shift() ?? "done") {
        case "lost":
          throw unknown;
        case "unheard":
          await arrive();
          throw unknown;
        case "delayed":
          delayed = arrive;
          throw unknown;
        case "done": {
          const stored = await arrive();
          await late?.().catch(() => undefined); // the delayed copy arrives after its retry
          return stored;
        }
      }
    },
  };
  const writer = createAuditWriter({
    transport: { ...transport, log: (stream) => (stream === "audit" ? log : transport.log(stream)) },
    role: ROLE,
    processId: "c-1",
    version: "1.0.0",
    log: silentLogger,
    meter,
  });
  onTestFinished(() => writer.service.stop());
  const note = (index: number) =>
    writer.audit({ kind: "office-command", facts: { command: `c${index}`, outcome: "done" } });
  return {
    server,
    transport,
    connect,
    meter,
    writer,
    note,
    list: () => listAudit(transport, { limit: 10_000 }),
    commands: async () =>
      (await listAudit(transport, { limit: 10_000, kind: "office-command" })).map(
        ({ facts }) => facts.command,
      ),
    check: () => verifyAudit(transport),
  };
}

it.each([false, true])(
  "the writer stores nothing before the first note, then a chain (nats: %s)",
  async (nats) => {
    const { writer, note, list, check } = await setup({ nats });
    expect(await list()).toEqual([]);
    for (let index = 0; index < 20; index++) note(index);
    await writer.service.stop();
    const lines = await list();
    expect(lines.map(({ seq }) => seq)).toEqual(Array.from({ length: 22 }, (_, index) => index + 1));
    expect(lines[0]).toMatchObject({ kind: "writer-started", facts: { pid: process.pid, version: "1.0.0" } });
    expect(lines.at(-1)).toMatchObject({ kind: "writer-ended", writer: "coordinator.c-1" });
    const { faultCount, writers } = await check();
    expect(faultCount).toBe(0);
    expect(writers.get("coordinator.c-1")).toMatchObject({ entries: 22, isEnded: true });
  },
);

it.each<readonly Fate[]>([
  ["unheard", "unheard", "unheard"],
  ["lost", "lost", "unheard"],
  ["delayed", "unheard", "delayed", "delayed"],
  ["delayed", "done", "delayed", "lost", "unheard"],
])("the writer stores each entry once if its appends end as %s, %s, %s", async (...fates) => {
  const { writer, note, commands, check } = await setup({ fates });
  for (let index = 0; index < 4; index++) note(index);
  expect(await writer.flush(SOON.timeout)).toBe(true);
  expect(await commands()).toEqual(["c0", "c1", "c2", "c3"]);
  expect((await check()).faultCount).toBe(0);
});

it("the writer keeps notes while the server is away, and stores them when it is back", async () => {
  const { server, writer, note, commands, check } = await setup({ nats: true });
  note(0);
  expect(await writer.flush(SOON.timeout)).toBe(true);
  await server!.kill();
  note(1);
  note(2);
  expect(await writer.flush(50)).toBe(false);
  await server!.restart();
  expect(await writer.flush(SOON.timeout)).toBe(true);
  expect(await commands()).toEqual(["c0", "c1", "c2"]);
  expect((await check()).faultCount).toBe(0);
});

it("the writer's queue is bounded, and an entry tells how many notes were dropped", async () => {
  const gate = Promise.withResolvers<void>();
  const { writer, note, list, commands, check, meter } = await setup({ gate: gate.promise });
  for (let index = 0; index < MAX_WAITING_NOTES + 49; index++) note(index);
  expect((await meter.auditWaiting.get()).values).toMatchObject([{ value: MAX_WAITING_NOTES }]);
  expect((await meter.auditDropped.get()).values).toMatchObject([{ value: 50 }]); // the first entry took one's room
  gate.resolve();
  expect(await writer.flush(SOON.timeout)).toBe(true);
  note(-1);
  expect(await writer.flush(SOON.timeout)).toBe(true);
  expect((await commands()).slice(-2)).toEqual([`c${MAX_WAITING_NOTES - 2}`, "c-1"]);
  expect((await list()).find(({ kind }) => kind === "entries-dropped")?.facts).toMatchObject({ count: 50 });
  expect((await check()).faultCount).toBe(0);
});

it("a writer that stops while its queue is full tells how many notes were dropped", async () => {
  const gate = Promise.withResolvers<void>();
  const { writer, note, list, check } = await setup({ gate: gate.promise });
  for (let index = 0; index < MAX_WAITING_NOTES + 49; index++) note(index);
  const stopped = writer.service.stop();
  gate.resolve();
  await stopped;
  const entries = await list();
  expect(entries.find(({ kind }) => kind === "entries-dropped")?.facts).toMatchObject({ count: 50 });
  expect(entries.some(({ kind }) => kind === "writer-ended")).toBe(true);
  expect((await check()).faultCount).toBe(0);
});

it("facts that are too large are replaced by their size and hash", async () => {
  const { writer, list } = await setup();
  const reason = "x".repeat(20_000);
  writer.audit({ kind: "office-command", facts: { command: "c", outcome: reason } });
  await writer.flush(SOON.timeout);
  expect((await list()).at(-1)).toMatchObject({
    kind: "office-command",
    facts: { tooLarge: { bytes: 20_028, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) } },
  });
});

it("a note that is not JSON is dropped without an error for the caller", async () => {
  const { writer, note, commands, meter } = await setup();
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  writer.audit({ kind: "office-command", facts: { command: "bad", outcome: "done", cyclic } });
  note(1);
  await writer.flush(SOON.timeout);
  expect(await commands()).toEqual(["c1"]);
  expect((await meter.auditDropped.get()).values).toMatchObject([{ value: 1 }]);
});

it("the writer continues after a foreign message on its subject and records it, and a check names it", async () => {
  const { writer, note, connect, list, commands, check } = await setup();
  note(0);
  await writer.flush(SOON.timeout);
  const [started] = await list();
  const stranger = await connect();
  const copied = (await stranger.log("audit").get(started!.streamSeq))!.data;
  for (const data of [Buffer.from("{}"), copied]) await stranger.log("audit").append(subject, data);
  note(1);
  await vi.waitFor(async () => expect((await list()).at(-1)?.kind).toBe("foreign-message"), SOON);
  expect(await commands()).toEqual(["c0", "c1"]);
  const { faults } = await check();
  expect(faults.map(({ fault, streamSeq }) => `${fault} ${streamSeq}`)).toEqual([
    "unreadable 3",
    "misplaced 4",
  ]);
});

it("the writer continues after the stream was created again, and a check names the missing entries", async () => {
  const memory = new MemoryServer();
  const transport = connectMemory({ prefix: "murmur", server: memory });
  onTestFinished(() => transport.close());
  await transport.init();
  const parts = { transport, role: ROLE, processId: "c-1", version: "1.0.0", log: silentLogger };
  const writer = createAuditWriter({ ...parts, meter: createMeter() });
  const note = () => writer.audit({ kind: "office-command", facts: { command: "c", outcome: "done" } });
  note();
  await writer.flush(SOON.timeout);
  memory.streams.delete("MURMUR_AUDIT");
  await transport.init();
  note();
  expect(await writer.flush(SOON.timeout)).toBe(true);
  const { faults } = await verifyAudit(transport);
  expect(faults).toMatchObject([{ fault: "missing", what: "entries 1 to 2 are missing" }]);
  await writer.service.stop();
});

it("the writer stops in bounded time if the log never answers", async () => {
  const { writer, note, commands } = await setup({ gate: new Promise(() => undefined) });
  note(0);
  await writer.service.stop();
  note(1); // too late, and harmless
  expect(await commands()).toEqual([]);
});
