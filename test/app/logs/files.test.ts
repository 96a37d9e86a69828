import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { LogEntry } from "../../../src/app/logs/entries.ts";
import { findLogs, LogFollower, readLast } from "../../../src/app/logs/files.ts";
import { openLogFile } from "../../../src/app/supervisor/log-file.ts";

function setup() {
  const folder = mkdtempSync(join(tmpdir(), "murmur-logs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return {
    folder,
    write: (file: string, text: string) => writeFileSync(join(folder, file), text),
    follow: (fromStart = false) => new LogFollower({ folder, name: "echo-1", fromStart }),
  };
}

const line = (time: number, text = "x") => `{"level":30,"time":${time},"msg":${JSON.stringify(text)}}`;
const timesOf = (entries: readonly LogEntry[]) => entries.map(({ timeMs }) => timeMs);

test("the logs of a folder are named after their processes, with rotated files before the current one", () => {
  const { folder, write } = setup();
  expect(findLogs(join(folder, "nothing"))).toEqual([]);
  for (const file of ["echo-1.log.1", "nats-1.out.log", "nats-1.log.2026.11.30.05.00.00.1", "notes.txt"])
    write(file, "");
  write("echo-1.log", "");
  write("review-docs-12.log", "");
  expect(findLogs(folder).map(({ name, role }) => [name, role])).toEqual([
    ["echo-1", "echo"],
    ["nats-1", "nats"],
    ["review-docs-12", "review-docs"],
  ]);
  expect(findLogs(folder)[0]?.files.map((file) => file.slice(folder.length + 1))).toEqual([
    "echo-1.log.1",
    "echo-1.log",
  ]);
});

test("the last entries come from the end, over the rotated file, with the lines that belong to them", () => {
  const { folder, write } = setup();
  write("echo-1.log.1", `${line(1)}\n${line(2)}\n`);
  write("echo-1.log", `${line(3)}\n    at run\n    at main\n${line(4)}\n`);
  const [log] = findLogs(folder);
  const last = readLast(log!, {}, 3);
  expect(timesOf(last.entries)).toEqual([2, 3, 4]);
  expect(last.isCut).toBe(true);
  expect(last.entries[1]?.lines).toEqual([line(3), "    at run", "    at main"]);
  expect(readLast(log!, { sinceMs: 3 }, 100)).toMatchObject({
    isCut: false,
    entries: [{ timeMs: 3 }, { timeMs: 4 }],
  });
});

test("a file of many chunks is read whole, also a line longer than a chunk and letters of several bytes", () => {
  const { folder, write } = setup();
  const texts = [
    "ö".repeat(200_000),
    ...Array.from({ length: 5_000 }, (_, index) => `line ${index} – ü`),
    "x".repeat(600_000),
  ];
  write("echo-1.log", texts.map((text, index) => `${line(index + 1, text)}\n`).join(""));
  const { entries } = readLast(findLogs(folder)[0]!, {}, 10_000);
  expect(entries.map(({ lines }) => (JSON.parse(lines[0]!) as { msg: string }).msg)).toEqual(texts);
});

test("a follower shows each line once, over a rotation, and waits for the end of a line", () => {
  const { folder, follow } = setup();
  const log = openLogFile(join(folder, "echo-1.log"), 100);
  log.write(`${line(1)}\n`);
  const follower = follow();
  expect(follower.read()).toEqual({ entries: [], isSkipped: false });
  const seen: number[] = [];
  for (let time = 2; time < 40; time++) {
    const text = `${line(time)}\n`;
    log.write(text.slice(0, 10));
    expect(timesOf(follower.read().entries)).toEqual([]);
    log.write(text.slice(10));
    seen.push(...timesOf(follower.read().entries));
  }
  expect(seen).toEqual(Array.from({ length: 38 }, (_, index) => index + 2));
});

test("a follower tells when a log was rotated twice between two looks, and starts again after a truncation", () => {
  const { folder, write, follow } = setup();
  write("echo-1.log", `${line(1)}\n${line(2)}\n`);
  const follower = follow();
  write("echo-1.log", `${line(3)}\n`);
  expect(timesOf(follower.read().entries)).toEqual([3]);
  for (const time of [4, 5]) {
    renameSync(join(folder, "echo-1.log"), join(folder, "echo-1.log.1"));
    write("echo-1.log", `${line(time)}\n`);
  }
  expect(follower.read()).toMatchObject({ isSkipped: true, entries: [{ timeMs: 5 }] });
});

test("a log that appears later is followed from its beginning", () => {
  const { write, follow } = setup();
  const follower = follow(true);
  expect(follower.read().entries).toEqual([]);
  write("echo-1.log", `${line(1)}\n`);
  expect(timesOf(follower.read().entries)).toEqual([1]);
});
