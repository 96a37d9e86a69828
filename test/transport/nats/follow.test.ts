import { jetstreamManager } from "@nats-io/jetstream";
import { connect as connectAdmin } from "@nats-io/transport-node";
import { expect, onTestFinished, test, vi } from "vitest";
import { follow } from "../../../src/transport/nats/follow.ts";
import type { Link } from "../../../src/transport/nats/link.ts";
import { bounce, SOON, startSwarm, TEST_TIMEOUT_MS, text } from "../support.ts";

test("a watcher gets the changes that were made during its outage", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport, connect } = await startSwarm();
  const other = await connect();
  const bucket = transport.bucket("cancelled");
  await bucket.put("before", text("1"));
  const seen = new Map<string, string | null>();
  let calls = 0;
  const watch = await bucket.watch((key, value) => {
    calls++;
    seen.set(key, value === null ? null : new TextDecoder().decode(value));
  });
  for (let round = 0; round < 2; round++) {
    await bounce(server, other);
    await other.bucket("cancelled").put(`away${round}`, text("2"));
    await vi.waitFor(() => expect(seen.get(`away${round}`)).toBe("2"), SOON);
  }
  await other.bucket("cancelled").delete("before");
  await vi.waitFor(() => expect(seen.get("before")).toBeNull(), SOON);
  expect(calls).toBe(4); // each change once
  watch.close();
});

test("a watcher creates a new consumer when the server's consumer is deleted", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport } = await startSwarm();
  const admin = await connectAdmin({ servers: server.url });
  const manager = await jetstreamManager(admin);
  const seen: string[] = [];
  await transport.bucket("limits").watch((key) => seen.push(key));
  for await (const consumer of manager.consumers.list("KV_MURMUR_LIMITS"))
    await manager.consumers.delete("KV_MURMUR_LIMITS", consumer.name);
  await transport.bucket("limits").put("after", text("1"));
  await vi.waitFor(() => expect(seen).toEqual(["after"]), SOON);
  await admin.close();
});

test("a watcher of a bucket that was deleted and created again gets all keys of the new bucket", {
  timeout: TEST_TIMEOUT_MS,
}, async () => {
  const { server, transport, connect } = await startSwarm();
  const bucket = transport.bucket("cancelled");
  for (const key of ["a", "b", "c"]) await bucket.put(key, text("old"));
  const seen: string[] = [];
  await bucket.watch((key, value) =>
    seen.push(`${key} ${value === null ? "" : new TextDecoder().decode(value)}`),
  );
  const admin = await connectAdmin({ servers: server.url });
  await (await jetstreamManager(admin)).streams.delete("KV_MURMUR_CANCELLED");
  await admin.close();
  const other = await connect();
  await other.init();
  await other.bucket("cancelled").put("a", text("new"));
  await vi.waitFor(() => expect(seen).toContain("a new"), SOON);
});

test("a failed attempt to follow starts no further attempt when a newer attempt has replaced it", async () => {
  const attempts: PromiseWithResolvers<unknown>[] = [];
  let setState: (state: "connected") => void = () => undefined;
  const link = {
    state: "connected",
    inboxPrefix: undefined,
    subscribe: () => ({ unsubscribe: () => undefined }),
    onState(listener: typeof setState) {
      setState = listener;
      return { close: () => undefined };
    },
    api() {
      attempts.push(Promise.withResolvers());
      return attempts.at(-1)!.promise;
    },
  } as unknown as Link;
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const following = follow(link, { stream: "S", filter: ">", onMessage: () => undefined });
  attempts[0]!.resolve({ num_pending: 0 });
  const follower = await following;
  setState("connected");
  setState("connected");
  attempts[2]!.resolve({ num_pending: 0 });
  attempts[1]!.reject(new Error("too late"));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(attempts).toHaveLength(3);
  follower.close();
});
