// The bounds of a recorder, and the journals that it does not trust.
import { expect, it } from "vitest";
import { createMeter, ManualClock, seededChance } from "../../../src/base/index.ts";
import {
  type JournalRecord,
  MAX_STEPS,
  type StepsRecord,
  type SwarmError,
  toSwarmError,
} from "../../../src/protocol/index.ts";
import { type StepLedger, StepRecorder } from "../../../src/work/steps/recorder.ts";

const at = "2026-01-01T00:00:00.000Z";
const facts = { attempt: 1, agent: "a", at, run: "earlier" };

/** A recorder whose task has these records, the last of them at `tipSeq`. */
function setup(records: readonly JournalRecord[], tipSeq = records.length) {
  const appended: StepsRecord[] = [];
  let seq = tipSeq;
  const ledger: StepLedger = {
    get tipSeq() {
      return seq;
    },
    append: async (record) => {
      appended.push(record);
      seq++;
    },
    readTip: async () => null,
    records: async () => records.map((record, index) => ({ seq: index + 1, record })),
  };
  const recorder = new StepRecorder({
    ledger,
    attempt: { number: 2, agentId: "a", key: "t1" },
    encoding: "json",
    blobs: {
      put: () => expect.unreachable("no blob"),
      get: () => expect.unreachable("no blob"),
    },
    meter: createMeter(),
    clock: new ManualClock(),
    chance: seededChance(1),
    wireError: ({ code, message, retryable }) => ({ code, message, retryable }),
    isAborted: () => false,
    onStale: () => undefined,
  });
  return { recorder, appended };
}

/** Records of `count` steps that are done. */
function recordsOf(count: number): JournalRecord[] {
  const perRecord = 200;
  return Array.from({ length: Math.ceil(count / perRecord) }, (_, batch): JournalRecord => {
    const length = Math.min(perRecord, count - batch * perRecord);
    const steps = Array.from({ length }, (__, index) => ({
      step: `s:${batch * perRecord + index}`,
      state: "done" as const,
      at,
      bytes: 1,
      output: 1,
    }));
    return { type: "steps", ...facts, batch: batch + 1, steps };
  });
}

it("a task takes its last step, and one step more fails it without running", async () => {
  const { recorder, appended } = setup(recordsOf(MAX_STEPS - 1));
  expect(await recorder.perform("last", { once: false }, () => "ran")).toBe("ran");
  const more = recorder.perform("one more", { once: false }, () => expect.unreachable("it runs"));
  await expect(more).rejects.toMatchObject({ code: "internal", field: "step", retryable: false });
  await expect(more).rejects.toThrow(`at most ${MAX_STEPS} recorded steps`);
  // A recorded step is still replayed.
  expect(await recorder.perform("s:0", { once: false }, () => expect.unreachable("it runs"))).toBe(1);
  expect(appended.flatMap(({ steps }) => steps.map(({ step }) => step))).toEqual(["last"]);
});

it("a journal without the record that started the attempt is not replayed, because a recorded step would run again", async () => {
  const { recorder } = setup(recordsOf(1), 3);
  const step = recorder.perform("s:1", { once: false }, () => expect.unreachable("it runs"));
  await expect(step).rejects.toMatchObject({ code: "unavailable" });
});

/** The records of steps that failed with a retryable error in an attempt whose process died. */
const failedOf = (...names: string[]): JournalRecord[] => [
  {
    type: "steps",
    ...facts,
    batch: 1,
    steps: names.map((step) => ({
      step,
      state: "failed" as const,
      at,
      error: { code: "internal" as const, message: `${step} fails`, retryable: true },
    })),
  },
];
const replay = (recorder: StepRecorder, name: string): Promise<unknown> =>
  recorder.perform(name, { once: false }, () => expect.unreachable("it runs"));
const errorOf = (step: Promise<unknown>): Promise<SwarmError> =>
  step.then(() => expect.unreachable("no error"), toSwarmError);

it("a recorded error that the code caught stays recorded when a later recorded error ends the attempt", async () => {
  const { recorder } = setup(failedOf("caught", "last"));
  await errorOf(replay(recorder, "caught"));
  expect(recorder.reopenedBy(await errorOf(replay(recorder, "last")))).toEqual(["last"]);
});

it.each([
  ["the first steps", false],
  ["later steps", true],
])(
  "recorded errors of parallel steps are reopened together when they are %s of the attempt",
  async (_when, isLoaded) => {
    const { recorder } = setup(failedOf("before", "a", "b"));
    if (isLoaded) await errorOf(replay(recorder, "before"));
    const [error] = await Promise.all([errorOf(replay(recorder, "a")), errorOf(replay(recorder, "b"))]);
    expect(recorder.reopenedBy(error)).toEqual(["a", "b"]);
  },
);
