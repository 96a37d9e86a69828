import { expect, test, vi } from "vitest";
import { foundOffice, type RequestInput, type WriteName } from "../../../src/coordinator/index.ts";
import { createSubjects, encode } from "../../../src/protocol/index.ts";
import { type Coordinator, SOON, setupOffice } from "../support.ts";

const three = ["c1", "c2", "c3"];

function holderOf(coordinators: readonly Coordinator[]): Coordinator {
  const holders = coordinators.filter(({ office }) => office.tenure !== null);
  expect(holders).toHaveLength(1);
  return holders[0]!;
}

test("a log gets its genesis once; a second process leaves it alone", async () => {
  const { transport } = await setupOffice();
  expect(await foundOffice(transport)).toBe(false);
  expect((await transport.log("office").info()).messages).toBe(1);
});

test("an emptied log gets no new genesis", async () => {
  const { transport } = await setupOffice();
  await transport.log("office").purge();
  await expect(foundOffice(transport)).rejects.toMatchObject({ code: "conflict" });
});

test("a coordinator alone takes the office and answers", async () => {
  const { start, client } = await setupOffice();
  const { office } = await start("c1", ["c1"]);
  expect(await client.tenure()).toMatchObject({
    leader: "c1",
    leaderPid: process.pid,
    term: 1,
    members: ["c1"],
  });
  expect(office.findProblem()).toBeNull();
  expect((await client.listCoordinators()).map(({ id, role }) => [id, role])).toEqual([["c1", "leader"]]);
});

test.each([
  ["two ids", ["c1", "c2"], /1, 3, 5, 7 ids, got 2/],
  ["ids twice", ["c1", "c1", "c2"], /must differ/],
  ["no own id", ["c2"], /must include this coordinator's id c1/],
])("a membership of %s is refused", async (_what, members, message) => {
  const { start } = await setupOffice();
  await expect(start("c1", members)).rejects.toThrow(message);
});

test("three coordinators elect one, decide alike, and replace it when it is gone", async () => {
  const { startAll, client } = await setupOffice();
  const all = await startAll(three);
  await client.write("config-set", { name: "a", value: 1 }, { timeoutMs: 60_000 });
  const first = holderOf(all);
  await first.stop();
  await client.write("config-set", { name: "b", value: 2 }, { timeoutMs: 60_000 });
  const rest = all.filter((each) => each !== first);
  expect(holderOf(rest).office.tenure?.term).toBeGreaterThan(1);
  const { values } = await client.read("config");
  expect(values).toMatchObject([{ name: "a" }, { name: "b" }]);
  await vi.waitFor(() => {
    const [one, other] = rest.map(({ office }) => office.status());
    expect(one?.appliedSeq).toBe(other?.appliedSeq);
    expect(one?.stateHash).toBe(other?.stateHash);
  }, SOON);
});

test("a transfer moves the office to the named member", async () => {
  const { startAll, client } = await setupOffice();
  const all = await startAll(three);
  const before = await client.tenure({ timeoutMs: 60_000 });
  const to = three.find((id) => id !== before.leader)!;
  expect(await client.transfer(to)).toMatchObject({ from: before.leader, to });
  await vi.waitFor(() => expect(holderOf(all).id).toBe(to), SOON);
  expect(await client.tenure()).toMatchObject({ leader: to });
});

test("a repeated transfer moves the office once", async () => {
  const { startAll, client } = await setupOffice();
  await startAll(three);
  const { leader, term } = await client.tenure({ timeoutMs: 60_000 });
  await client.transfer(undefined, { term });
  await vi.waitFor(async () => expect((await client.tenure()).leader).not.toBe(leader), SOON);
  const after = await client.tenure();
  await expect(client.transfer(undefined, { term })).rejects.toMatchObject({
    code: "conflict",
    field: "term",
  });
  expect(await client.tenure()).toMatchObject({ leader: after.leader, term: after.term });
});

test("a transfer without another member, to the holder itself or to an unknown id is refused", async () => {
  const { start, client } = await setupOffice();
  await start("c1", ["c1"]);
  await client.tenure({ timeoutMs: 60_000 });
  // The client repeats it until the timeout, and reports the last error.
  await expect(client.transfer(undefined, { timeoutMs: 1_000 })).rejects.toThrow(
    /no member can take the office over/,
  );
  await expect(client.transfer("c1")).rejects.toMatchObject({ code: "invalid_input", field: "to" });
  await expect(client.transfer("stranger")).rejects.toMatchObject({ code: "invalid_input", field: "to" });
});

test("without a coordinator the office is unavailable when the caller's timeout has passed", async () => {
  const { client } = await setupOffice();
  await expect(client.tenure({ timeoutMs: 100 })).rejects.toMatchObject({ code: "unavailable" });
});

test("one key is decided once: at once, later, and after a restart of the coordinator", async () => {
  const { start, client } = await setupOffice();
  const coordinator = await start("c1", ["c1"]);
  const write = (value: number) => client.write("config-set", { name: "a", value }, { key: "k" });
  const both = await Promise.all([write(1), write(2)]);
  expect(both[0]).toEqual(both[1]);
  await coordinator.stop();
  await start("c1", ["c1"]);
  expect(await write(3)).toEqual(both[0]);
  expect(await client.read("config")).toEqual({ values: [{ ...both[0], value: 1 }] });
});

test("a restarted coordinator folds the same state", async () => {
  const { start, client } = await setupOffice();
  const first = await start("c1", ["c1"]);
  await client.write("lock-acquire", { name: "l", owner: "o", ttlMs: 60_000, patienceMs: 0 });
  await client.write("config-set", { name: "a.b", value: { deep: [1, null, "ü"] } });
  const before = first.office.status();
  await first.stop();
  const { office } = await start("c1", ["c1"]);
  await client.tenure();
  expect(office.status().term).toBe(before.term + 1);
  expect((await client.read("locks")).locks).toMatchObject([{ name: "l", owner: "o", token: 1 }]);
});

test.each([
  ["config-set", { value: 1 }, "name"],
  ["config-set", { name: "bad name!", value: 1 }, "name"],
  ["lock-acquire", { name: "a.b", owner: "o", ttlMs: 1, patienceMs: 0 }, "name"],
  ["lock-acquire", { name: "a", owner: "o", ttlMs: 0, patienceMs: 0 }, "ttlMs"],
] as const)("a %s of %j is refused at the border and never reaches the log", async (name, body, field) => {
  const { start, client, transport } = await setupOffice();
  await start("c1", ["c1"]);
  await client.tenure();
  const { lastSeq } = await transport.log("office").info();
  const message = expect.stringContaining(", got ");
  await expect(client.write<WriteName>(name, body as RequestInput<WriteName>)).rejects.toMatchObject({
    code: "invalid_input",
    field,
    message,
  });
  expect((await transport.log("office").info()).lastSeq).toBe(lastSeq);
});

test("a write without a key, an unknown command and unreadable bytes are refused", async () => {
  const { start, transport, client } = await setupOffice();
  await start("c1", ["c1"]);
  await client.tenure();
  const subjects = createSubjects("murmur");
  const ask = async (command: string, data: Uint8Array) => {
    const reply = await transport.bus.request(subjects.office(command), data, { timeoutMs: 60_000 });
    return JSON.parse(new TextDecoder().decode(reply.data)).error;
  };
  expect(await ask("config-set", encode({ value: 1 }))).toMatchObject({
    code: "invalid_input",
    field: "key",
  });
  expect(await ask("nonsense", encode({}))).toMatchObject({ code: "not_found" });
  expect(await ask("config-set", new Uint8Array([0xc1]))).toMatchObject({ code: "invalid_input" });
  expect(await ask("config-set", new Uint8Array(70_000))).toMatchObject({ code: "payload_too_large" });
});

test("election messages from unknown members, other logs and random bytes are counted and change nothing", async () => {
  const { start, transport } = await setupOffice();
  const { office } = await start("c1", three);
  const subjects = createSubjects("murmur");
  const { term, logId } = office.status();
  const beat = (more: object) => encode({ v: 1, swarm: logId, term: term + 1, type: "heartbeat", ...more });
  transport.bus.publish(subjects.election("c1", "stranger"), beat({}));
  transport.bus.publish(subjects.election("c1", "c2"), beat({ swarm: "other" }));
  transport.bus.publish(subjects.election("c1", "c2"), beat({ v: 9 }));
  transport.bus.publish(subjects.election("c1", "c2"), new Uint8Array([1, 2, 3]));
  transport.bus.publish(subjects.election("c1", "c2"), new Uint8Array(9_000));
  await vi.waitFor(() => expect(office.status().refusedMessages).toBe(5), SOON);
  expect(office.status()).toMatchObject({ term, leader: null });
});

test("a log that ends below the entries read halts the coordinator after the time of doubt", async () => {
  const { start, transport, client } = await setupOffice({ nats: true });
  const { office } = await start("c1", ["c1"], { doubtMs: 0 });
  await client.write("config-set", { name: "a", value: 1 });
  await transport.log("office").purge();
  await vi.waitFor(() => expect(office.status().halted).toMatch(/entries from 1 on are gone/), SOON);
  expect(office.status().role).toBe("halted");
  expect(office.findProblem()).toContain("docs/coordinator.md");
  await expect(client.tenure({ timeoutMs: 100 })).rejects.toMatchObject({ code: "unavailable" });
});

test("the office is not taken while the entry before it cannot be read", async () => {
  const { start, connect } = await setupOffice();
  const own = await connect();
  const inner = own.log("office");
  let isAway = false;
  let refusedReads = 0;
  const log: typeof inner = {
    ...inner,
    get(seq) {
      if (!isAway) return inner.get(seq);
      refusedReads++;
      return Promise.reject(new Error("away"));
    },
    tail(options) {
      isAway = true; // the entry of its start point is read already
      return inner.tail(options);
    },
  };
  const { office } = await start("c1", ["c1"], {
    transport: { ...own, log: (name) => (name === "office" ? log : own.log(name)) },
  });
  await vi.waitFor(() => expect(refusedReads).toBeGreaterThan(3), SOON);
  expect([office.tenure, (await inner.info()).lastSeq]).toEqual([null, 1]);
  isAway = false;
  await vi.waitFor(() => expect(office.tenure).toMatchObject({ term: 1 }), SOON);
});

test("an outage of the server leaves the office with its holder; waiting commands are decided once", {
  timeout: 120_000,
}, async () => {
  const { server, start, client } = await setupOffice({ nats: true });
  const { office } = await start("c1", ["c1"]);
  await client.write("config-set", { name: "a", value: 1 });
  await server!.kill();
  const waiting = client.write("config-set", { name: "a", value: 2 }, { key: "k", timeoutMs: 40_000 });
  await expect(client.tenure({ timeoutMs: 300 })).rejects.toMatchObject({ code: "unavailable" });
  await server!.restart();
  expect(await waiting).toEqual({ name: "a", revision: 2 });
  expect(await client.write("config-set", { name: "a", value: 3 }, { key: "k" })).toMatchObject({
    revision: 2,
  });
  expect(office.tenure?.term).toBe(1);
});
