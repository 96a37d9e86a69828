import { expect, test } from "vitest";
import {
  isAckSubject,
  isFlowSubject,
  isInboxPrefix,
  isReplySubject,
  RefusedReplies,
} from "../../src/transport/reply-subjects.ts";

test.each(["_INBOX.a", "_INBOX.anna.x.1", "_INBOX.4K2M9X7Q1Z.7"])("%s takes replies", (subject) => {
  expect(isReplySubject(subject)).toBe(true);
});

test.each([
  "",
  "_INBOX",
  "_INBOX.",
  "_INBOX_anna.x",
  "_INBOXES.x",
  "_inbox.x",
  "_INBOX.*",
  "_INBOX.a.>",
  "_INBOX..a",
  "_INBOX.a.",
  "murmur.result.echo.-.victim",
  "murmur._INBOX.a",
  "_GR_.cluster.server._INBOX.a",
  "_R_.abc.def",
  "$JS.API.STREAM.DELETE.MURMUR_TASKS",
  "$JS.ACK.MURMUR_TASKS.echo-normal.1.2.3.4.5",
])("%j takes no replies", (subject) => {
  expect(isReplySubject(subject)).toBe(false);
});

test.each([
  ["$JS.ACK.MURMUR_TASKS.echo-normal.1.2.3.4.5", true],
  ["$JS.ACK.hub.ACCOUNT.MURMUR_TASKS.echo-normal.1.2.3.4.5", true],
  ["$JS.ACK.hub.ACCOUNT.MURMUR_TASKS.echo-normal.1.2.3.4.5.random", true],
  ["$JS.ACK.MURMUR_TASKS.other.1.2.3.4.5", false],
  ["$JS.ACK.MURMUR_LATER.echo-normal.1.2.3.4.5", false],
  ["$JS.ACK.x.y.MURMUR_TASKS.echo-normal", false],
  ["$JS.API.STREAM.PURGE.MURMUR_TASKS", false],
  ["murmur.result.echo.-.victim", false],
  ["", false],
])("a delivery of echo-normal with the ack subject %j is own: %s", (subject, isOwn) => {
  expect(isAckSubject(subject, "MURMUR_TASKS", "echo-normal")).toBe(isOwn);
});

test("flow control is answered in its own space only", () => {
  expect(isFlowSubject("$JS.FC.MURMUR_OFFICE_LOG.follow-1.abc")).toBe(true);
  expect(isFlowSubject("$JS.FC.")).toBe(false);
  expect(isFlowSubject("murmur.result.echo.-.victim")).toBe(false);
});

test("an inbox prefix is _INBOX or lies below it", () => {
  expect(["_INBOX", "_INBOX.anna"].map(isInboxPrefix)).toEqual([true, true]);
  expect(["", "_INBOX_anna", "anna", "_INBOX.", "_INBOX.>"].map(isInboxPrefix)).toEqual(Array(5).fill(false));
});

test("a report is cut, and a closed listener gets none", () => {
  const replies = new RefusedReplies();
  const seen: number[] = [];
  const listening = replies.onRefused(({ subject, reply }) => seen.push(subject.length, reply.length));
  replies.report({ kind: "reply", subject: "s".repeat(5_000), reply: "r".repeat(5_000) });
  listening.close();
  replies.report({ kind: "reply", subject: "s", reply: "r" });
  expect(seen).toEqual([256, 256]);
});
