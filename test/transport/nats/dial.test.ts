import { readdirSync, readlinkSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { createMeter, silentLogger } from "../../../src/base/index.ts";
import { type ConnectNatsOptions, connectNats } from "../../../src/transport/index.ts";
import { PEER_KINDS, type PeerKind, startFakePeer } from "../../support/fake-peer.ts";
import { startNatsServer } from "../../support/nats-server.ts";
import { SOON } from "../support.ts";

/** The time limit of one attempt in these tests, in ms. */
const ATTEMPT_MS = 200;
/** The peers that never let a client finish its handshake. */
const UNUSABLE: PeerKind[] = ["silent", "half", "http", "tls", "reset", "flood", "garbage"];

function open(servers: string, options: Partial<ConnectNatsOptions> = {}) {
  return connectNats({
    servers,
    name: "test",
    prefix: "murmur",
    log: silentLogger,
    meter: createMeter(),
    connectTimeoutMs: ATTEMPT_MS,
    ...options,
  });
}

async function startPeer(kind: PeerKind, port = 0) {
  const peer = await startFakePeer(kind, port);
  onTestFinished(() => peer.close());
  return peer;
}

/** The sockets among the descriptors of this process. */
function countSockets(): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith("socket:");
    } catch {
      return false; // closed meanwhile
    }
  }).length;
}

test.each(UNUSABLE)("a failed attempt at a peer that is %s leaves no socket", async (kind) => {
  const peer = await startPeer(kind);
  await expect(open(peer.url)).rejects.toMatchObject({ code: "unavailable" });
  expect(peer.accepted).toBeGreaterThan(0);
  await vi.waitFor(() => expect(peer.openConnections).toBe(0), SOON);
});

test("100 failed dials leave no descriptor", async () => {
  const peers = await Promise.all(UNUSABLE.map((kind) => startPeer(kind)));
  const before = countSockets();
  const dials = Array.from({ length: 100 }, (_, index) => open(peers[index % peers.length]!.url));
  const outcomes = await Promise.allSettled(dials);
  expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(100);
  await vi.waitFor(() => expect(countSockets()).toBe(before), SOON);
});

test("a daemon that waits for its first connection keeps no socket of its failed attempts", async () => {
  const peer = await startPeer("silent");
  const controller = new AbortController();
  const connecting = open(peer.url, { waitOnFirstConnect: true, signal: controller.signal });
  connecting.catch(() => undefined);
  await vi.waitFor(() => expect(peer.accepted).toBeGreaterThanOrEqual(3), SOON);
  expect(peer.openConnections).toBeLessThanOrEqual(1);
  controller.abort(new Error("shut down"));
  await expect(connecting).rejects.toThrow("shut down");
  await vi.waitFor(() => expect(peer.openConnections).toBe(0), SOON);
});

test("an abort ends an attempt at a silent peer at once, not after its time limit", async () => {
  const peer = await startPeer("silent");
  const controller = new AbortController();
  const connecting = open(peer.url, { connectTimeoutMs: 600_000, signal: controller.signal });
  connecting.catch(() => undefined);
  await vi.waitFor(() => expect(peer.openConnections).toBe(1), SOON);
  controller.abort(new Error("enough"));
  await expect(connecting).rejects.toThrow("enough");
  await vi.waitFor(() => expect(peer.openConnections).toBe(0), SOON);
});

test("close ends a reconnect at a peer that has fallen silent, and leaves no socket", async () => {
  const server = await startNatsServer();
  onTestFinished(() => server.stop());
  const transport = await open(server.url, { connectTimeoutMs: 600_000 });
  await server.kill();
  const peer = await startPeer("silent", server.port);
  await vi.waitFor(() => expect(peer.openConnections).toBe(1), SOON);
  const waiting = transport.bus.request("murmur.nobody", new Uint8Array(), { timeoutMs: 600_000 });
  waiting.catch(() => undefined);
  await transport.close();
  await expect(waiting).rejects.toMatchObject({ code: "unavailable" });
  await vi.waitFor(() => expect(peer.openConnections).toBe(0), SOON);
});

test("flush and close do not wait for a server that was stopped", async () => {
  const server = await startNatsServer();
  onTestFinished(async () => {
    process.kill(server.pid, "SIGCONT");
    await server.stop();
  });
  const transport = await open(server.url);
  await transport.bus.flush();
  const before = countSockets();
  process.kill(server.pid, "SIGSTOP");
  // More than the buffers of a socket: the client cannot hand it to the kernel.
  for (let index = 0; index < 64; index++) transport.bus.publish("murmur.x", new Uint8Array(512 * 1024));
  await expect(transport.bus.flush()).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("did not answer within 5000 ms"),
  });
  await transport.close();
  await vi.waitFor(() => expect(countSockets()).toBe(before - 1), SOON);
});

test("a connection leaves a server that was stopped, also with unsent messages", async () => {
  const server = await startNatsServer();
  onTestFinished(async () => {
    process.kill(server.pid, "SIGCONT");
    await server.stop();
  });
  const transport = await open(server.url, { pingIntervalMs: 100 });
  onTestFinished(() => transport.close());
  process.kill(server.pid, "SIGSTOP");
  for (let index = 0; index < 64; index++) transport.bus.publish("murmur.x", new Uint8Array(512 * 1024));
  await vi.waitFor(() => expect(transport.state).toBe("disconnected"), SOON);
  process.kill(server.pid, "SIGCONT");
  await vi.waitFor(() => expect(transport.state).toBe("connected"), SOON);
});

test("every kind of fake peer has a test here or in the scenarios of stopping", () => {
  expect(Object.keys(PEER_KINDS).sort()).toEqual([...UNUSABLE, "mute", "reset-later"].sort());
});
