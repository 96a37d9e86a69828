import { expect, test } from "vitest";
import { readAckSubject } from "../../../src/transport/nats/ack-subject.ts";

// The forms of ADR-15.
test.each([
  ["the short form", "$JS.ACK.TASKS.echo-normal.2.15.7.1790000000123456789.4"],
  ["the form with domain and account", "$JS.ACK.hub.ACCOUNT.TASKS.echo-normal.2.15.7.1790000000123456789.4"],
  [
    "the form with a random token at the end",
    "$JS.ACK._.ACCOUNT.TASKS.echo-normal.2.15.7.1790000000123456789.4.x9",
  ],
])("%s of an ack subject gives the facts of the delivery", (_form, subject) => {
  expect(readAckSubject(subject)).toEqual({
    deliveryCount: 2,
    seq: 15,
    consumerSeq: 7,
    storedAtMs: 1_790_000_000_123,
    pending: 4,
  });
});

test("a message without an ack subject has no facts: all numbers are 0", () => {
  expect(readAckSubject("")).toEqual({ deliveryCount: 0, seq: 0, consumerSeq: 0, storedAtMs: 0, pending: 0 });
});
