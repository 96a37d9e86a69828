import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Objm } from "@nats-io/obj";
import { connect } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { read, startSwarm, text } from "../support.ts";

async function setup() {
  const swarm = await startSwarm();
  const admin = await connect({ servers: swarm.server.url });
  onTestFinished(() => admin.close());
  const store = await new Objm(jetstream(admin)).open("MURMUR_SNAPSHOTS");
  return { ...swarm, store, manager: await jetstreamManager(admin), objects: swarm.transport.snapshots };
}

test("an object without its chunks is reported as damaged at once", async () => {
  const { objects, manager } = await setup();
  await objects.put("a", new Uint8Array(1_000_000));
  await manager.streams.purge("OBJ_MURMUR_SNAPSHOTS", { filter: "$O.MURMUR_SNAPSHOTS.C.>" });
  await expect(objects.get("a")).rejects.toMatchObject({
    code: "internal",
    message: expect.stringContaining("chunk 1 of 3 is missing"),
  });
  await objects.delete("a");
  expect(await objects.get("a")).toBeNull();
});

test("an object whose digest does not match its bytes is damaged", async () => {
  const { objects, manager } = await setup();
  await objects.put("a", text("body"));
  const { config } = await manager.streams.info("OBJ_MURMUR_SNAPSHOTS");
  expect(config.max_age).toBe(0);
  const subject = "$O.MURMUR_SNAPSHOTS.M.YQ==";
  const meta = await manager.streams.getMessage("OBJ_MURMUR_SNAPSHOTS", { last_by_subj: subject });
  const { digest, ...info } = meta!.json<{ digest: string }>();
  const forged = digest.replace(/.=/, digest.includes("A=") ? "B=" : "A=");
  await manager.jetstream().publish(subject, JSON.stringify({ ...info, digest: forged }));
  await expect(objects.get("a")).rejects.toMatchObject({ code: "internal" });
});

test("the official client can read, write and delete our objects", async () => {
  const { objects, store } = await setup();
  await objects.put("ours", text("one"));
  expect(read({ data: (await store.getBlob("ours"))! })).toBe("one");
  await store.putBlob({ name: "theirs" }, text("two"));
  expect(read({ data: (await objects.get("theirs"))! })).toBe("two");
  await store.delete("ours");
  expect(await objects.get("ours")).toBeNull();
});

test("a deleted object leaves no message in the stream", async () => {
  const { objects, manager } = await setup();
  for (let round = 0; round < 3; round++) {
    await objects.put(`a${round}`, new Uint8Array(500_000));
    await objects.delete(`a${round}`);
  }
  expect((await manager.streams.info("OBJ_MURMUR_SNAPSHOTS")).state.messages).toBe(0);
});

test("a read beside writers of the same object gives one of their bodies whole", async () => {
  const { objects } = await setup();
  const body = (fill: number) => new Uint8Array(1_000_000).fill(fill);
  await objects.put("a", body(0));
  let isWriting = true;
  const writing = (async () => {
    for (let round = 1; round <= 15; round++) await objects.put("a", body(round));
    isWriting = false;
  })();
  while (isWriting) {
    const found = await objects.get("a");
    expect(found?.length).toBe(1_000_000);
    expect(found?.every((byte) => byte === found[0])).toBe(true);
  }
  await writing;
});
