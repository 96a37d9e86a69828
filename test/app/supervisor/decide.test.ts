import { expect, test } from "vitest";
import { EXIT } from "../../../src/app/exit-codes.ts";
import {
  chooseMessengers,
  forgiveStandstill,
  isSilent,
  noteDeath,
  noteHeard,
  noteStarted,
  START_LIMIT_MS,
  watch,
} from "../../../src/app/supervisor/decide.ts";

const SILENCE_MS = 15_000;
const running = (nowMs: number) => noteHeard(watch("echo-1", true, nowMs), nowMs, true);

test("the first restart happens at once, later restarts wait up to a second", () => {
  let watched = running(0);
  const delays: (number | null)[] = [];
  for (let death = 0; death < 10; death++) {
    const decided = noteDeath(watched, death * 100);
    delays.push(decided.restartInMs);
    watched = noteStarted(decided.watched, death * 100);
  }
  expect(delays.slice(0, 6)).toEqual([0, 50, 100, 200, 400, 800]);
  expect(Math.max(...delays.map((delay) => delay ?? 0))).toBe(1_000);
});

test("a process that dies more than thirty times in a minute has failed and stays down", () => {
  let watched = running(0);
  for (let death = 0; death < 30; death++) watched = noteDeath(watched, death).watched;
  const last = noteDeath(watched, 31);
  expect(last).toMatchObject({ restartInMs: null, watched: { status: "failed", restarts: 30 } });
});

test("a process that ends with the exit code for wrong usage before it was ready is not started again", () => {
  const starting = watch("echo-1", true, 0);
  const died = noteDeath(starting, 1, { exitCode: EXIT.usage });
  expect(died).toMatchObject({ restartInMs: null, watched: { status: "failed", restarts: 0 } });
  const again = noteStarted(noteDeath(running(0), 1).watched, 2);
  expect(noteDeath(again, 3, { exitCode: EXIT.usage }).restartInMs).toBeNull();
});

test("a process that was ready is restarted after any exit code; a starting process, after every other code", () => {
  expect(noteDeath(running(0), 1, { exitCode: EXIT.usage }).restartInMs).toBe(0);
  for (const exitCode of [EXIT.done, EXIT.failed, EXIT.unavailable, 13, null]) {
    expect(noteDeath(watch("echo-1", true, 0), 1, { exitCode }).restartInMs, String(exitCode)).toBe(0);
  }
});

test("a running process counts as silent after three missed messages, not before", () => {
  expect(isSilent(running(0), SILENCE_MS, SILENCE_MS)).toBe(false);
  expect(isSilent(running(0), SILENCE_MS + 1, SILENCE_MS)).toBe(true);
});

test("a starting process has more time, but not without limit", () => {
  const starting = watch("echo-1", true, 0);
  expect(isSilent(starting, START_LIMIT_MS, SILENCE_MS)).toBe(false);
  expect(isSilent(starting, START_LIMIT_MS + 1, SILENCE_MS)).toBe(true);
});

test("nats-server, and a process that waits for its restart, never count as silent", () => {
  expect(isSilent(watch("nats-1", false, 0), 1e9, SILENCE_MS)).toBe(false);
  expect(isSilent(noteDeath(running(0), 0).watched, 1e9, SILENCE_MS)).toBe(false);
});

test("after a pause of the supervisor itself, no process counts as silent", () => {
  const all = [running(0)];
  const tick = { lastMs: 0, everyMs: 2_500 };
  expect(forgiveStandstill(all, { ...tick, nowMs: 3_600_000 })[0]?.heardAtMs).toBe(3_600_000);
  expect(forgiveStandstill(all, { ...tick, nowMs: 2_600 })[0]?.heardAtMs).toBe(0);
});

test("two ready processes report a death, and none of them is the dead one, nats-server or a starting one", () => {
  const kept = (name: string, options: { isRunning?: boolean; speaks?: boolean; isReady?: boolean } = {}) => {
    const { isRunning = true, speaks = true, isReady = true } = options;
    return { isRunning, watched: noteHeard(watch(name, speaks, 0), 0, isReady) };
  };
  const all = [
    kept("nats-1", { speaks: false }),
    kept("api-1", { isRunning: false }),
    kept("coordinator-1"),
    kept("echo-1", { isReady: false }),
    kept("echo-2"),
    kept("echo-3"),
  ];
  const names = (of: typeof all) => chooseMessengers(of).map(({ watched }) => watched.name);
  expect(names(all)).toEqual(["coordinator-1", "echo-2"]);
  expect(names(all.slice(0, 2))).toEqual([]);
});
