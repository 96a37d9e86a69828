import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { identify, isAlive, signalProcess } from "../../../src/app/supervisor/identity.ts";
import { endProcess, reapSurvivors } from "../../../src/app/supervisor/reap.ts";
import {
  dataFiles,
  readLockHolder,
  readRunningSwarm,
  readState,
  type SwarmState,
  takeLock,
  writeState,
} from "../../../src/app/supervisor/state.ts";

function setup() {
  const dataDir = mkdtempSync(join(tmpdir(), "murmur-state-"));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  return dataDir;
}

function startSleeper() {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
    detached: true,
    stdio: "ignore",
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return { child, identity: identify(child.pid!)! };
}

const DEAD = { pid: 2_000_000_000, started: "never" };

function stateOf(record: { pid: number; started: string }): SwarmState {
  const facts = {
    role: "echo",
    name: "echo-1",
    metrics: null,
    startedAtMs: null,
    restarts: 0,
    lastExit: null,
  };
  return {
    version: 1,
    supervisor: DEAD,
    program: "0.0.0",
    control: null,
    ready: true,
    prefix: "murmur",
    server: "nats://127.0.0.1:1",
    permissions: null,
    http: "http://127.0.0.1:2",
    processes: [{ ...facts, ...record, status: "running" }],
  };
}

test("an identity matches its own process, and no other process with the same pid", () => {
  const me = identify(process.pid)!;
  expect(isAlive(me)).toBe(true);
  expect(isAlive({ pid: process.pid, started: "another boot" })).toBe(false);
  expect(identify(DEAD.pid)).toBeNull();
});

test("a process that only reuses the pid is never signalled", async () => {
  const { child, identity } = startSleeper();
  signalProcess({ pid: identity.pid, started: "before" }, "SIGKILL", true);
  await reapSurvivors(stateOf({ pid: identity.pid, started: "before" }));
  expect(child.exitCode).toBeNull();
  expect(isAlive(identity)).toBe(true);
});

test("the processes of a dead supervisor are ended", async () => {
  const { child, identity } = startSleeper();
  const exited = once(child, "exit");
  expect(await reapSurvivors(stateOf(identity))).toBe(1);
  await exited;
  expect(isAlive(identity)).toBe(false);
});

test("a process that ignores SIGTERM is killed after its grace", async () => {
  const child = spawn(process.execPath, [
    "-e",
    "process.on('SIGTERM', () => {}); console.log(1); setInterval(() => {}, 1000)",
  ]);
  await once(child.stdout, "data");
  const exited = once(child, "exit");
  await endProcess(identify(child.pid!)!, { graceMs: 50, group: false });
  expect(await exited).toEqual([null, "SIGKILL"]);
});

test("a second supervisor of a directory learns the holder of the lock, and can take the lock after its release", () => {
  const dataDir = setup();
  const first = takeLock(dataDir);
  expect(takeLock(dataDir)).toMatchObject({ holder: { pid: process.pid } });
  if ("release" in first) first.release();
  expect(readLockHolder(dataDir)).toBeNull();
  expect(takeLock(dataDir)).toHaveProperty("release");
});

test.each([JSON.stringify(DEAD), "", "garbage"])("the lock of a dead holder is taken over: %j", (content) => {
  const dataDir = setup();
  writeFileSync(dataFiles(dataDir).lock, content);
  const lock = takeLock(dataDir);
  expect("isHeld" in lock && lock.isHeld()).toBe(true);
});

test("a holder notices that it lost its lock, and does not release the lock of another process", () => {
  const dataDir = setup();
  const lock = takeLock(dataDir);
  if (!("release" in lock)) throw new Error("the lock is free");
  writeFileSync(dataFiles(dataDir).lock, "another's");
  expect(lock.isHeld()).toBe(false);
  lock.release();
  expect(takeLock(dataDir)).toHaveProperty("release");
});

test("a swarm counts as running only while its supervisor lives", () => {
  const dataDir = setup();
  const state = stateOf(DEAD);
  writeState(dataDir, state);
  expect(readState(dataDir)).toEqual(state);
  expect(readRunningSwarm(dataDir)).toBeNull();
  writeState(dataDir, { ...state, supervisor: identify(process.pid)! });
  expect(readRunningSwarm(dataDir)?.server).toBe(state.server);
});

test("a state file of another version is an error that names the file", () => {
  const dataDir = setup();
  writeFileSync(dataFiles(dataDir).state, '{"version":2}');
  expect(() => readState(dataDir)).toThrow(dataFiles(dataDir).state);
});
