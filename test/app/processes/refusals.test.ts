import { expect, test } from "vitest";
import { auditRefusals, NOTE_PERIOD_MS } from "../../../src/app/processes/refusals.ts";
import { ManualClock, silentLogger } from "../../../src/base/index.ts";
import type { AuditNote } from "../../../src/protocol/index.ts";
import { Violations } from "../../../src/transport/nats/violations.ts";
import { RefusedReplies } from "../../../src/transport/reply-subjects.ts";

async function setup() {
  const clock = new ManualClock();
  const replies = new RefusedReplies();
  const violations = new Violations();
  const notes: AuditNote[] = [];
  const service = auditRefusals({
    transport: {
      onReplyRefused: (listener) => replies.onRefused(listener),
      onViolation: (listener) => violations.onViolation(listener),
    },
    audit: (note) => void notes.push(note),
    log: silentLogger,
    clock,
  });
  await service.start();
  const send = (count: number) => {
    for (let index = 0; index < count; index++)
      replies.report({ kind: "reply", subject: "murmur.submit", reply: `murmur.result.echo.-.v${index}` });
  };
  const counts = () => notes.map(({ facts }) => (facts as { count: number }).count);
  return { clock, service, notes, send, counts, violations };
}

test("the first refused reply subject is noted at once, with the message's subject and the reply subject", async () => {
  const { notes, send } = await setup();
  send(1);
  expect(notes).toMatchObject([
    {
      kind: "reply-refused",
      facts: { count: 1, kind: "reply", subject: "murmur.submit", reply: "murmur.result.echo.-.v0" },
    },
  ]);
});

test("a flood makes one note for each period, and the counts add up", async () => {
  const { clock, send, counts } = await setup();
  send(10_000);
  expect(counts()).toEqual([1]);
  clock.advance(NOTE_PERIOD_MS);
  expect(counts()).toEqual([1, 9_999]);
  clock.advance(10 * NOTE_PERIOD_MS);
  expect(counts()).toEqual([1, 9_999]);
  send(2);
  expect(counts()).toEqual([1, 9_999, 1]);
});

test("a stop writes the note of the messages that wait", async () => {
  const { service, send, counts } = await setup();
  send(5);
  await service.stop();
  send(5);
  expect(counts()).toEqual([1, 4]);
});

test("operations that NATS did not permit have notes of their own", async () => {
  const { notes, send, violations } = await setup();
  send(1);
  violations.report({ operation: "publish", subject: "murmur.task.pay.high.-.x" });
  violations.report({ operation: "subscribe", subject: "murmur.result.>" });
  expect(notes.map(({ kind }) => kind)).toEqual(["reply-refused", "not-permitted"]);
  expect(notes[1]).toMatchObject({
    facts: { count: 1, operation: "publish", subject: "murmur.task.pay.high.-.x" },
  });
});
