import { describe, expect, it } from "vitest";
import type { Clock } from "../../../src/base/index.ts";
import { LogWatch } from "../../../src/coordinator/office/log-watch.ts";
import type { Place } from "../../../src/coordinator/office/start-point.ts";
import type { Log, Stored } from "../../../src/transport/index.ts";

const DOUBT_MS = 45_000;

/** A watch over a log of entries `firstSeq` to `lastSeq`, and its reports. */
function setup() {
  const log = { firstSeq: 1, lastSeq: 9, logId: "a", isAway: false };
  const own = { nowMs: 0, place: { logId: "a", seq: 9, chain: "9" } as Place, floorSeq: 1 };
  const lost: string[] = [];
  const onInfo: (() => void)[] = [];
  const reading: Pick<Log, "info" | "get"> = {
    async info() {
      if (log.isAway) throw new Error("no answer");
      for (const run of onInfo.splice(0)) run();
      const { firstSeq, lastSeq } = log;
      return { messages: lastSeq - firstSeq + 1, bytes: 0, firstSeq, lastSeq, limitBytes: null };
    },
    get: async (seq) => (seq < log.firstSeq || seq > log.lastSeq ? null : entryAt(seq, log.logId)),
  };
  const clock: Pick<Clock, "now" | "after"> = { now: () => own.nowMs, after: () => () => undefined };
  const watch = new LogWatch({
    log: reading as Log,
    epoch: 1,
    place: () => own.place,
    floorSeq: () => own.floorSeq,
    clock: clock as Clock,
    doubtMs: DOUBT_MS,
    onLost: (reason) => lost.push(reason),
  });
  const lookAfter = async (ms: number) => {
    own.nowMs += ms;
    await watch.check();
  };
  return { log, own, lost, onInfo, watch, lookAfter };
}

function entryAt(seq: number, logId: string): Stored {
  const data = new TextEncoder().encode(JSON.stringify({ logId, chain: `${seq}` }));
  return { seq, storedAtMs: 0, subject: "log.office", data, header: () => undefined };
}

describe("a watched log", () => {
  it("is sound when it has all entries that were read", async () => {
    const { watch, lost } = setup();
    await watch.check();
    expect({ problem: watch.problem, lastSeq: watch.lastSeq, lost }).toEqual({
      problem: null,
      lastSeq: 9,
      lost: [],
    });
  });

  it("is lost when it ends below the entries read for longer than a stale server may report that", async () => {
    const { log, lost, lookAfter } = setup();
    log.lastSeq = 8;
    await lookAfter(0);
    await lookAfter(DOUBT_MS - 1);
    expect(lost).toEqual([]);
    await lookAfter(1);
    expect(lost).toEqual(["the log ends at 8, below 9 that was read"]);
  });

  it("is doubted from the start again after a check that found it sound", async () => {
    const { log, lost, lookAfter } = setup();
    log.lastSeq = 8;
    await lookAfter(0);
    log.lastSeq = 9;
    await lookAfter(DOUBT_MS);
    log.lastSeq = 8;
    await lookAfter(1);
    expect(lost).toEqual([]);
  });

  it("is lost at once when it has another identity", async () => {
    const { log, lost, lookAfter } = setup();
    log.logId = "b";
    await lookAfter(0);
    expect(lost).toEqual(["the log was replaced: it is b, and was a"]);
  });

  it("is not doubted when it does not answer", async () => {
    const { log, lost, watch, lookAfter } = setup();
    log.isAway = true;
    await lookAfter(0);
    await lookAfter(2 * DOUBT_MS);
    expect({ lost, problem: watch.problem }).toEqual({ lost: [], problem: "no answer" });
  });

  it("is lost when it begins after the newest known snapshot and no newer one becomes known", async () => {
    const { log, lost, lookAfter } = setup();
    log.firstSeq = 5;
    await lookAfter(0);
    await lookAfter(DOUBT_MS);
    expect(lost).toEqual(["the log begins at 5: entries from 1 on are gone"]);
  });

  it("is sound when a snapshot after its beginning becomes known during the check", async () => {
    const { log, own, lost, onInfo, lookAfter } = setup();
    log.firstSeq = 5;
    await lookAfter(0);
    onInfo.push(() => {
      own.floorSeq = 8;
    });
    await lookAfter(DOUBT_MS);
    expect(lost).toEqual([]);
  });
});
