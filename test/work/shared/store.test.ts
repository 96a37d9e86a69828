// The shared values of workflows, on both transports.
import { afterAll, beforeAll, describe, expect, it, onTestFinished, test } from "vitest";
import { createSubjects, encode } from "../../../src/protocol/index.ts";
import { MemoryServer, type Transport } from "../../../src/transport/index.ts";
import { MAX_SHARED_BYTES, SharedStore } from "../../../src/work/index.ts";
import { MAX_SHARED_NAMES } from "../../../src/work/shared/store.ts";
import { type NatsServer, startNatsServer } from "../../support/nats-server.ts";
import { TestSwarm } from "../support.ts";

let server: NatsServer;
beforeAll(async () => {
  server = await startNatsServer();
});
afterAll(() => server.stop());

const ada = { user: "ada", proven: true };
const bob = { user: "bob", proven: false };

async function setup(on: string | MemoryServer, limits: { taskBytes?: number } = {}) {
  const swarm = new TestSwarm(on, limits);
  onTestFinished(() => swarm.stop());
  const transport: Transport = await swarm.connect();
  const subjects = createSubjects(transport.prefix);
  await transport.log("workflows").append(subjects.workflow("w1"), encode({}));
  return { store: new SharedStore({ transport, subjects }), transport, subjects };
}

describe.each(["nats", "memory"])("shared values on %s", (kind) => {
  const begin = () => setup(kind === "nats" ? server.url : new MemoryServer());
  const at = { workflowId: "w1", name: "limits" };

  it("have a revision that only rises, and compare-and-set refuses a stale one", async () => {
    const { store } = await begin();
    expect(await store.get(at)).toBeNull();
    const first = await store.set({ ...at, value: 1, by: ada, revision: 0 });
    const second = await store.set({ ...at, value: { two: [2] }, by: bob, revision: first.revision });
    expect(second.revision).toBeGreaterThan(first.revision);
    expect(await store.get(at)).toMatchObject({ value: { two: [2] }, by: bob, ...second });
    for (const revision of [0, first.revision])
      await expect(store.set({ ...at, value: 3, by: ada, revision })).rejects.toMatchObject({
        code: "conflict",
        field: "revision",
        retryable: true,
      });
    expect(await store.get(at)).toMatchObject({ value: { two: [2] } });
  });

  it("keep the last 16 changes with their authors, and one of many concurrent writers wins each revision", async () => {
    const { store } = await begin();
    for (let count = 1; count <= 18; count++)
      await store.set({ ...at, value: count, by: count % 2 === 0 ? ada : bob });
    const changes = await store.history(at);
    expect(changes.map(({ value }) => value)).toEqual(Array.from({ length: 16 }, (_, index) => index + 3));
    expect(changes.at(-1)).toMatchObject({ by: ada, atMs: expect.any(Number) });
    const { revision } = changes.at(-1)!;
    const writes = [1, 2, 3].map((value) => store.set({ ...at, value, by: ada, revision }));
    const ends = await Promise.allSettled(writes);
    expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    await store.set({ ...at, name: "other", value: null, by: ada });
    expect((await store.list("w1")).map(({ name }) => name)).toEqual(["limits", "other"]);
  });

  it("make a change with a key once", async () => {
    const { store } = await begin();
    const made = await store.set({ ...at, value: 1, by: ada, revision: 0, key: "w1/raise" });
    expect(await store.set({ ...at, value: 1, by: ada, revision: 0, key: "w1/raise" })).toEqual(made);
    expect(await store.history(at)).toHaveLength(1);
  });
});

test("a value that is too large, of a run that is not there, or one too many is refused by name", async () => {
  const { store } = await setup(new MemoryServer());
  const at = { workflowId: "w1", name: "v", by: ada };
  const big = "x".repeat(MAX_SHARED_BYTES);
  await expect(store.set({ ...at, value: big })).rejects.toMatchObject({
    code: "payload_too_large",
    field: "value",
  });
  await store.set({ ...at, value: big.slice(2) });
  await expect(store.set({ ...at, workflowId: "w2", value: 1 })).rejects.toMatchObject({ code: "not_found" });
  await expect(store.set({ ...at, name: "a.b", value: 1 })).rejects.toMatchObject({ field: "name" });
  for (let count = 1; count < MAX_SHARED_NAMES; count++)
    await store.set({ ...at, name: `v${count}`, value: count });
  await expect(store.set({ ...at, name: "more", value: 1 })).rejects.toMatchObject({ code: "rate_limited" });
  await store.set({ ...at, value: 2 });
});

test("while the stream is full, a new value is refused with the next step, and the code of a run gets the error", async () => {
  const { store } = await setup(new MemoryServer(), { taskBytes: 80_000 }); // an eighth for the shared values
  await store.set({ workflowId: "w1", name: "v", value: "x".repeat(9_000), by: ada });
  await expect(
    store.set({ workflowId: "w1", name: "w", value: "x".repeat(2_000), by: ada }),
  ).rejects.toMatchObject({
    code: "rate_limited",
    message: expect.stringMatching(/so w is not changed: give the stream more bytes, or let runs end/),
  });
  expect((await store.list("w1")).map(({ name }) => name)).toEqual(["v"]);
});

test("a host without rights on the stream reads and sets values through the front door, with its task", async () => {
  const calls: unknown[] = [];
  const answers: Record<string, object> = {
    "workflow-shared-show": { value: { a: 1 }, revision: 7 },
    "workflow-shared-set": { revision: 8 },
  };
  const { createDoorShared } = await import("../../../src/work/door/shared.ts");
  const shared = createDoorShared({
    call: async (operation: string, input: unknown) => {
      calls.push([operation, input]);
      return answers[operation];
    },
  } as never);
  const at = { workflowId: "w1", name: "limits", task: "w1-2" };
  expect(await shared.get(at)).toEqual({ value: { a: 1 }, revision: 7 });
  expect(await shared.set({ ...at, value: 2, revision: 7 })).toEqual({ revision: 8 });
  expect(calls).toEqual([
    ["workflow-shared-show", { id: "w1", name: "limits", task: "w1-2" }],
    ["workflow-shared-set", { id: "w1", name: "limits", value: 2, task: "w1-2", revision: 7 }],
  ]);
});
