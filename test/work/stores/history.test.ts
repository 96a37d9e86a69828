import { expect, it } from "vitest";
import type { JournalRecord } from "../../../src/protocol/index.ts";
import {
  endHistory,
  HistoryFold,
  historyOfResult,
  MAX_HISTORY_LINES,
} from "../../../src/work/stores/history.ts";

const at = (second: number) => new Date(second * 1_000).toISOString();
const error = { code: "internal" as const, message: "kaboom", retryable: true };
const failed = (attempt: number, more: object = {}): JournalRecord => ({
  type: "failed",
  attempt,
  agent: "a1",
  at: at(attempt),
  startedAt: at(attempt - 1),
  retryAt: at(attempt + 1),
  error,
  ...more,
});
const started = (attempt: number, agent = "a1"): JournalRecord => ({
  type: "started",
  attempt,
  agent,
  at: at(attempt),
});

function foldOf(...records: JournalRecord[]): HistoryFold {
  const fold = new HistoryFold();
  for (const record of records) fold.add(record);
  return fold;
}

it("a failed record without a start is one line, and a start with its end is one line", () => {
  const { attempts } = foldOf(failed(1), started(2), failed(2)).history();
  expect(attempts).toEqual([
    { attempt: 1, agent: "a1", outcome: "failed", startedAt: at(0), endedAt: at(1), retryAt: at(2), error },
    { attempt: 2, agent: "a1", outcome: "failed", startedAt: at(2), endedAt: at(2), retryAt: at(3), error },
  ]);
});

it("an attempt whose process died keeps its agent and says so", () => {
  const { attempts } = foldOf(started(2, "a2"), failed(2, { agent: "-", startedAt: undefined })).history();
  expect(attempts).toMatchObject([
    { attempt: 2, agent: "a2", outcome: "died", startedAt: at(2), endedAt: at(2) },
  ]);
});

it("an attempt that was given back does not hide the next one of the same number", () => {
  const returned: JournalRecord = { type: "returned", attempt: 2, agent: "a1", at: at(3) };
  const { attempts } = foldOf(started(2), returned, started(2, "a2")).history();
  expect(attempts).toMatchObject([
    { attempt: 2, agent: "a1", outcome: "returned", endedAt: at(3) },
    { attempt: 2, agent: "a2", outcome: "running" },
  ]);
});

it("the end closes the running attempt; an end without an attempt adds no line", () => {
  const end = { attempt: 2, agent: "-", outcome: "cancelled" as const, endedAt: at(9) };
  expect(foldOf(failed(1), started(2)).close({ ...end, attempt: 0 }).attempts).toMatchObject([
    { outcome: "failed" },
    { attempt: 2, agent: "a1", outcome: "cancelled", endedAt: at(9) },
  ]);
  expect(foldOf(failed(1)).close(end).attempts).toMatchObject([{ attempt: 1 }]);
});

it("a stored history is bounded, and counts what it dropped", () => {
  const trace = "t".repeat(8 * 1024);
  const records = Array.from({ length: 170 }, (_, each) =>
    failed(each + 1, { trace, error: { ...error, message: "m".repeat(4_000) } }),
  );
  const history = foldOf(...records).close({
    attempt: 171,
    agent: "a1",
    outcome: "completed",
    startedAt: at(1),
  });
  expect(history.attempts.length).toBe(MAX_HISTORY_LINES);
  expect(history.droppedAttempts).toBe(171 - MAX_HISTORY_LINES);
  const kept = history.attempts.filter((line) => line.trace !== undefined);
  expect(kept.length + history.droppedTraces).toBe(MAX_HISTORY_LINES - 1);
  expect(kept.at(-1)?.attempt).toBe(170);
  expect(Buffer.byteLength(JSON.stringify(history))).toBeLessThan(512 * 1024);
});

it("the history of a task without records has its last attempt and counts the others as dropped", () => {
  const result = {
    taskId: "t1",
    status: "failed" as const,
    error,
    attempt: 3,
    agent: "a1",
    startedAt: at(1),
    finishedAt: at(2),
    queuedMs: 0,
    ranMs: 1_000,
  };
  expect(historyOfResult(result, "the stack")).toEqual({
    attempts: [
      {
        attempt: 3,
        agent: "a1",
        outcome: "failed",
        startedAt: at(1),
        endedAt: at(2),
        error,
        trace: "the stack",
      },
    ],
    droppedAttempts: 2,
    droppedTraces: 0,
  });
  expect(historyOfResult({ ...result, attempt: 0 }, undefined).attempts).toEqual([]);
});

it("a result that is stored before the journal is closed ends the history, and a closed history stays as it is", () => {
  const result = {
    taskId: "t1",
    status: "completed" as const,
    attempt: 2,
    agent: "a2",
    startedAt: at(5),
    finishedAt: at(6),
    queuedMs: 0,
    ranMs: 1_000,
  };
  const ended = { attempt: 2, agent: "a2", outcome: "completed", endedAt: at(6) };
  const open = foldOf(failed(1), started(2, "a2")).history();
  expect(endHistory(open, result, undefined).attempts).toMatchObject([
    { outcome: "failed" },
    { ...ended, startedAt: at(2) },
  ]);
  const unrecorded = foldOf(failed(1)).history();
  expect(endHistory(unrecorded, result, undefined).attempts).toMatchObject([{ outcome: "failed" }, ended]);
  const closed = {
    attempts: endHistory(open, result, undefined).attempts,
    droppedAttempts: 0,
    droppedTraces: 0,
  };
  expect(endHistory(closed, result, undefined)).toEqual(closed);
});
