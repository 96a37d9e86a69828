import type { NatsConnection } from "@nats-io/nats-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { silentLogger } from "../../../src/base/index.ts";
import { Link } from "../../../src/transport/nats/link.ts";

const LEAVE_AFTER_MS = 10_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A link to a server of a cluster. `append` reports the outcome of an append that took `tookMs`. */
function setup() {
  const reconnect = vi.fn(async () => undefined);
  const nc = {
    info: { cluster: "test", server_name: "n1" },
    subscribe: () => undefined,
    status: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) }),
    reconnect,
  } as unknown as NatsConnection;
  const link = new Link(nc, {
    dialer: { end: () => undefined, write: () => undefined },
    log: silentLogger,
    leaveAfterMs: LEAVE_AFTER_MS,
  });
  const append = (isAnswered: boolean, tookMs: number) => {
    const sentAtMs = performance.now();
    vi.advanceTimersByTime(tookMs);
    link.noteAppend(isAnswered, sentAtMs);
  };
  return { append, reconnect };
}

test("the link leaves a server that answers no append for long, once", () => {
  const { append, reconnect } = setup();
  for (let tookMs = 0; tookMs < LEAVE_AFTER_MS; tookMs += 2_000) append(false, 2_000);
  expect(reconnect).toHaveBeenCalledTimes(1);
  append(false, 2_000);
  expect(reconnect).toHaveBeenCalledTimes(1);
});

test("an answered append, accepted or rejected, restarts the count", () => {
  const { append, reconnect } = setup();
  append(false, 8_000);
  append(true, 10);
  append(false, 8_000);
  expect(reconnect).not.toHaveBeenCalled();
});

test("an unanswered append of an earlier outage does not count", () => {
  const { append, reconnect } = setup();
  append(false, 2_000);
  vi.advanceTimersByTime(60_000);
  append(false, 2_000);
  expect(reconnect).not.toHaveBeenCalled();
});
