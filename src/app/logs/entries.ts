// The lines of log files as entries: time, level and the text, from the JSON lines of Murmur's processes and the text lines of
// nats-server. A line without a time (a stack, a bare `console.log`) belongs to the entry before it. Pure.

/** The levels by their severity. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
/** A level. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** One entry of one log. */
export interface LogEntry {
  /** The process, for example `echo-1`. */
  readonly name: string;
  /** Unix ms; 0 when neither the line nor one before it has a time. */
  readonly timeMs: number;
  readonly level: LogLevel;
  /** The line as it is in the file, and the lines without a time behind it. */
  readonly lines: readonly string[];
}

/** The first line of an entry. */
export interface Head {
  readonly timeMs: number;
  readonly level: LogLevel;
}

/** `[4711] 2026/11/30 05:00:00.123456 [INF] text`, in local time: the format of nats-server. */
const NATS_LINE = /^\[\d+\] (\d{4})\/(\d\d)\/(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{3})\d* \[(\w+)\]/;
const NATS_LEVELS: Readonly<Record<string, LogLevel>> = {
  TRC: "trace",
  DBG: "debug",
  INF: "info",
  WRN: "warn",
  ERR: "error",
  FTL: "fatal",
};

/** Reads time and level of a line; null for a line without a time. */
export function readHead(line: string): Head | null {
  if (line.startsWith("{")) return readJsonHead(line);
  const nats = NATS_LINE.exec(line);
  if (nats === null) return null;
  const [year, month, day, hour, minute, second, ms] = nats.slice(1, 8).map(Number) as number[];
  const at = new Date(year!, month! - 1, day!, hour!, minute!, second!, ms!);
  return { timeMs: at.getTime(), level: NATS_LEVELS[nats[8]!] ?? "info" };
}

function readJsonHead(line: string): Head | null {
  try {
    const { time, level } = JSON.parse(line) as { time?: unknown; level?: unknown };
    if (typeof time !== "number") return null;
    // The numbers of pino: 10 trace, 20 debug, … 60 fatal.
    const index = Math.min(LOG_LEVELS.length, Math.max(1, Math.floor(Number(level) / 10)));
    return { timeMs: time, level: LOG_LEVELS[index - 1] ?? "info" };
  } catch {
    return null;
  }
}

/** The entries that a person asked for. */
export interface LogFilter {
  /** This level and the more severe ones. */
  readonly level?: LogLevel | undefined;
  /** The id of a task. */
  readonly task?: string | undefined;
  /** Unix ms. */
  readonly sinceMs?: number | undefined;
}

/** True when the entry passes the filter. */
export function passes({ level, task, sinceMs }: LogFilter, entry: LogEntry): boolean {
  if (level !== undefined && LOG_LEVELS.indexOf(entry.level) < LOG_LEVELS.indexOf(level)) return false;
  if (sinceMs !== undefined && entry.timeMs < sinceMs) return false;
  return task === undefined || entry.lines.some((line) => namesTask(line, task));
}

/** A JSON line names a task in a field; another line names it as a word. */
function namesTask(line: string, task: string): boolean {
  if (!line.includes(task)) return false;
  try {
    const fields = JSON.parse(line) as Record<string, unknown>;
    if (Object.values(fields).includes(task)) return true;
    return typeof fields.msg === "string" && asWords(fields.msg).includes(task);
  } catch {
    return asWords(line).includes(task);
  }
}

function asWords(text: string): string[] {
  return text.split(/[^A-Za-z0-9_-]+/);
}

/** Sorts the entries of several logs by time; entries of one log keep their order. */
export function mergeByTime(entries: readonly LogEntry[]): LogEntry[] {
  return [...entries].sort((a, b) => a.timeMs - b.timeMs);
}

/** The raw lines of an entry as JSON lines: a line that is no JSON object is wrapped into one. */
export function toJsonLines({ name, timeMs, level, lines }: LogEntry): string[] {
  return lines.map((line) => {
    if (isJsonObject(line)) return line;
    const number = (LOG_LEVELS.indexOf(level) + 1) * 10;
    return JSON.stringify({ level: number, time: timeMs, process: name, msg: line });
  });
}

function isJsonObject(line: string): boolean {
  if (!line.startsWith("{")) return false;
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
