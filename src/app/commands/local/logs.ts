// `logs`: the logs of a local swarm, merged by time; follows them on demand.
import { resolve } from "node:path";
import { z } from "zod";
import { sleep } from "../../../base/index.ts";
import { SwarmError } from "../../../protocol/index.ts";
import { defineCommand, type Ports } from "../../cli/command.ts";
import { readDurationMs } from "../../cli/duration.ts";
import { showLogLine } from "../../cli/log-lines.ts";
import { createTerminal, printable, type Terminal } from "../../cli/terminal.ts";
import {
  LOG_LEVELS,
  type LogEntry,
  type LogFilter,
  mergeByTime,
  passes,
  toJsonLines,
} from "../../logs/entries.ts";
import { findLogs, LogFollower, MAX_ENTRIES, type ProcessLog, readLast } from "../../logs/files.ts";
import { dataFiles } from "../../supervisor/state.ts";

/** The entries that are shown without --lines and --since. */
const DEFAULT_ENTRIES = 100;
/** The time between two looks of --follow, in ms. */
const FOLLOW_INTERVAL_MS = 200;

export const command = defineCommand({
  handlesInterrupts: true,
  printsLines: true,
  input: z.strictObject({
    roles: z.array(z.string().min(1)).default([]).meta({
      positional: true,
      value: "ROLE",
      description: "roles or processes: echo, echo-2, nats, supervisor (default: all)",
    }),
    follow: z.boolean().default(false).meta({ short: "-f", description: "show new entries until Ctrl-C" }),
    lines: z
      .int()
      .min(0)
      .max(MAX_ENTRIES)
      .optional()
      .meta({
        short: "-n",
        value: "N",
        description: `the last N entries, at most ${MAX_ENTRIES} (default: ${DEFAULT_ENTRIES}; with --since: all)`,
      }),
    level: z.enum(LOG_LEVELS).optional().meta({ description: "this level and the more severe ones" }),
    task: z.string().min(1).optional().meta({ value: "ID", description: "only entries that name this task" }),
    since: z
      .string()
      .optional()
      .meta({ value: "TIME", description: "not older than 30s, 10m or 2h, or an ISO time" }),
  }),
  output: z.object({ shown: z.int(), cut: z.boolean(), skipped: z.int() }),
  examples: [
    "logs",
    "logs -f echo",
    "logs --level warn --since 10m",
    "logs --task 01M8ND0ZKSMS7TZNE44RA9TSKZ -n 1000",
    "logs api --json | jq .msg",
  ],
  details:
    "The logs of all processes of the data directory, merged by time, the oldest first. Lines without a time belong to the entry\nbefore them. --json prints the raw JSON lines and no further document; a line that is no JSON is wrapped into one.",
  async run(ports, input) {
    const folder = dataFiles(resolve(ports.directory, ports.config.data)).logs;
    const chosen = choose(folder, findLogs(folder), input.roles);
    const filter: LogFilter = {
      level: input.level,
      task: input.task,
      sinceMs: input.since === undefined ? undefined : readSince(input.since, Date.now()),
    };
    const max = input.lines ?? (input.since === undefined ? DEFAULT_ENTRIES : MAX_ENTRIES);
    // Before the look back: an entry that is written meanwhile is shown.
    const followers = new Map(
      chosen.map(({ name }) => [name, new LogFollower({ folder, name, fromStart: false })]),
    );
    const parts = chosen.map((log) => readLast(log, filter, max));
    const merged = mergeByTime(parts.flatMap(({ entries }) => entries));
    const entries = max === 0 ? [] : merged.slice(-max);
    const cut = input.lines === undefined && (merged.length > max || parts.some(({ isCut }) => isCut));
    if (cut) ports.terminal.say(`older entries are not shown; --lines N or --since 1h shows more`);
    const print = printer(ports);
    for (const entry of entries) print(entry);
    const counts = { shown: entries.length, cut, skipped: 0 };
    while (input.follow && !ports.signal.aborted) {
      await sleep(FOLLOW_INTERVAL_MS, { signal: ports.signal }).catch(() => undefined);
      for (const { name } of select(findLogs(folder), input.roles)) {
        if (!followers.has(name)) followers.set(name, new LogFollower({ folder, name, fromStart: true }));
      }
      const fresh: LogEntry[] = [];
      for (const [name, follower] of followers) {
        const { entries: read, isSkipped } = follower.read();
        fresh.push(...read.filter((entry) => passes(filter, entry)));
        if (!isSkipped) continue;
        counts.skipped++;
        ports.terminal.say(
          `the log of ${name} was rotated faster than it was read; some entries are not shown`,
        );
      }
      for (const entry of mergeByTime(fresh)) print(entry);
      counts.shown += fresh.length;
    }
    return counts;
  },
  render: () => "",
});

/** @throws SwarmError `not_found` when there are no logs, or none of a named role. */
function choose(folder: string, logs: readonly ProcessLog[], names: readonly string[]): ProcessLog[] {
  if (logs.length === 0) {
    throw new SwarmError(
      "not_found",
      `no logs in ${folder}; murmur up starts a swarm there, --data names another directory (pods: kubectl logs)`,
    );
  }
  const unknown = names.find((name) => select(logs, [name]).length === 0);
  if (unknown === undefined) return select(logs, names);
  const known = [...new Set(logs.flatMap(({ role, name }) => [role, name]))];
  throw new SwarmError("not_found", `no log of ${unknown}; known: ${known.join(", ")}`, { field: "roles" });
}

function select(logs: readonly ProcessLog[], names: readonly string[]): ProcessLog[] {
  return logs.filter(({ role, name }) => names.length === 0 || names.includes(role) || names.includes(name));
}

/** @throws SwarmError `invalid_input`. */
function readSince(text: string, nowMs: number): number {
  const spanMs = readDurationMs(text);
  const atMs = spanMs === null ? Date.parse(text) : nowMs - spanMs;
  if (Number.isFinite(atMs) && /\D/.test(text)) return atMs;
  throw new SwarmError(
    "invalid_input",
    `--since must be a duration such as 30s, 10m or 2h, or an ISO time such as 2026-11-30T05:00:00Z, got ${JSON.stringify(text.slice(0, 80))}`,
    { field: "since" },
  );
}

function printer(ports: Ports): (entry: LogEntry) => void {
  const { colors } = createTerminal({
    quiet: true,
    stream: process.stdout,
    environment: ports.environment,
  });
  return (entry) => {
    const lines = ports.json ? toJsonLines(entry) : showEntry(entry, colors);
    for (const line of lines) ports.print(line);
  };
}

function showEntry({ name, timeMs, level, lines }: LogEntry, colors: Terminal["colors"]): string[] {
  return lines.map((line, index) => {
    if (line.startsWith("{")) return showLogLine(line, name, colors);
    const isHead = index === 0 && timeMs > 0;
    const at = isHead ? new Date(timeMs).toISOString().slice(11, 23) : "";
    const text = printable(line.replace(NATS_HEAD, ""));
    return `${colors.dim(at.padEnd(12))} ${(isHead ? level : "").padEnd(5)} ${colors.cyan(name)}  ${text}`;
  });
}

/** The head of a line of nats-server; its time and level are shown as those of the other lines. */
const NATS_HEAD = /^\[\d+\] [\d/]+ [\d:.]+ \[\w+\] /;
