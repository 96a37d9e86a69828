import { describe, expect, test } from "vitest";
import { ACK_WAIT_MS } from "../../../src/protocol/index.ts";
import type { Delivery } from "../../../src/transport/index.ts";
import { causeOf, type RedeliveryFacts, Returns } from "../../../src/work/attempt/redelivery.ts";

const at = "2026-01-01T00:00:00.000Z";
const late: RedeliveryFacts = {
  isReturned: false,
  record: null,
  isRouted: false,
  hasKey: false,
  ageMs: ACK_WAIT_MS,
};
const record = (type: "started" | "returned") => ({ type, attempt: 1, agent: "a", at });

describe("the cause of a redelivery", () => {
  test.each<[string, Partial<RedeliveryFacts>, string]>([
    ["nothing tells that a host gave it back", {}, "ack_wait"],
    ["this host gave it back", { isReturned: true }, "given_back"],
    ["this host gave it back after a death", { isReturned: true, record: record("started") }, "given_back"],
    ["the process of its attempt died", { record: record("started"), ageMs: 0 }, "ack_wait"],
    ["a process returned it at the end of its drain", { record: record("returned") }, "given_back"],
    ["a ballot or a route waits for the office", { isRouted: true }, "given_back"],
    ["a limit of its key may be full", { hasKey: true }, "given_back"],
    ["no ack-wait has passed since it was stored", { ageMs: ACK_WAIT_MS - 1 }, "given_back"],
  ])("when %s", (_, facts, cause) => expect(causeOf({ ...late, ...facts })).toBe(cause));
});

test("a host knows the deliveries that it gave back, each until its next one", () => {
  const make = (deliveryCount: number, seq = 1): Delivery => ({
    ...{ subject: "murmur.task.echo.normal.-.a", data: new Uint8Array(), seq, deliveryCount, pending: 0 },
    storedAtMs: 0,
    header: () => undefined,
    ack: () => undefined,
    nak: () => undefined,
    working: () => undefined,
  });
  const returns = new Returns();
  returns.note(make(1));
  expect(returns.has(make(2))).toBe(true);
  expect(returns.has(make(3))).toBe(false); // the second delivery lost its ack-wait
  expect(returns.has(make(2, 9))).toBe(false);
});
