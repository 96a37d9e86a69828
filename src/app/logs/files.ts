// The log files of a data directory: finds them, reads their last entries, and follows them over rotations. Leaves the choice and
// the rendering of entries to the command.
import {
  closeSync,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  readSync,
  type Stats,
  statSync,
} from "node:fs";
import { join } from "node:path";
import { type LogEntry, type LogFilter, passes, readHead } from "./entries.ts";

/** The bytes of one read from the end of a file. */
const CHUNK_BYTES = 256 * 1024;
/** The most entries of one look back, so that a day of logs does not fill the memory. */
export const MAX_ENTRIES = 100_000;
/** The most lines without a time that belong to one entry: a longer block is split. */
const MAX_LINES_OF_ENTRY = 1_000;

/** `echo-1.log`, its rotated `echo-1.log.1`, and those of nats-server: `nats-1.log.2026.11.30.05.00.00.123456789`. */
const LOG_NAME = /^(.+?)(?:\.out)?\.log(?:\.[\d.]+)?$/;
/** The current file of a log, which comes after its rotated files. */
const CURRENT = /(?<!\.out)\.log$/;

/** The log of one process: its files, the oldest first. */
export interface ProcessLog {
  readonly name: string;
  /** `echo` for `echo-1`. */
  readonly role: string;
  readonly files: readonly string[];
}

/** The logs of a folder, sorted by name; empty when there is no folder. */
export function findLogs(folder: string): ProcessLog[] {
  if (!existsSync(folder)) return [];
  const files = new Map<string, { path: string; changedMs: number }[]>();
  for (const file of readdirSync(folder)) {
    const [, name] = LOG_NAME.exec(file) ?? [];
    const path = join(folder, file);
    const found = statSync(path, { throwIfNoEntry: false });
    if (name === undefined || found === undefined) continue;
    files.set(name, [...(files.get(name) ?? []), { path, changedMs: found.mtimeMs }]);
  }
  return [...files]
    .map(([name, each]) => ({
      name,
      role: name.replace(/-\d+$/, ""),
      files: each
        .sort((a, b) => rank(a.path) - rank(b.path) || a.changedMs - b.changedMs)
        .map(({ path }) => path),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function rank(path: string): number {
  return CURRENT.test(path) ? 1 : 0;
}

/** The last `max` entries of a log that pass the filter, the oldest first. `isCut`: there are more of them. */
export function readLast(
  log: ProcessLog,
  filter: LogFilter,
  max: number,
): { entries: LogEntry[]; isCut: boolean } {
  const found: LogEntry[] = [];
  for (const file of [...log.files].reverse()) {
    for (const entry of entriesBackwards(log.name, file)) {
      if (filter.sinceMs !== undefined && entry.timeMs !== 0 && entry.timeMs < filter.sinceMs) {
        return { entries: found.reverse(), isCut: false };
      }
      if (!passes(filter, entry)) continue;
      if (found.length === max) return { entries: found.reverse(), isCut: true };
      found.push(entry);
    }
  }
  return { entries: found.reverse(), isCut: false };
}

function* entriesBackwards(name: string, file: string): Generator<LogEntry> {
  let tail: string[] = [];
  for (const line of linesBackwards(file)) {
    const head = readHead(line);
    if (head === null && tail.length < MAX_LINES_OF_ENTRY) tail.push(line);
    else {
      yield { name, ...(head ?? { timeMs: 0, level: "info" as const }), lines: [line, ...tail.reverse()] };
      tail = [];
    }
  }
  if (tail.length > 0) yield { name, timeMs: 0, level: "info", lines: tail.reverse() };
}

function* linesBackwards(file: string): Generator<string> {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch {
    return; // rotated away between the listing and this read
  }
  try {
    let rest: Buffer = Buffer.alloc(0);
    for (let end = fstatSync(descriptor).size; end > 0; ) {
      const start = Math.max(0, end - CHUNK_BYTES);
      const chunk = Buffer.alloc(end - start);
      readSync(descriptor, chunk, 0, chunk.length, start);
      const bytes = Buffer.concat([chunk, rest]);
      // The first line of the chunk may begin in the chunk before.
      const first = start === 0 ? 0 : bytes.indexOf(10) + 1;
      rest = start === 0 ? Buffer.alloc(0) : bytes.subarray(0, first);
      end = start;
      if (first === 0 && start > 0) {
        rest = bytes; // no line end in this chunk
        continue;
      }
      const lines = bytes.subarray(first).toString("utf8").split("\n").reverse();
      for (const line of lines) if (line !== "") yield line;
    }
  } finally {
    closeSync(descriptor);
  }
}

/** Reads on in one log, over rotations. */
export class LogFollower {
  readonly #name: string;
  readonly #folder: string;
  /** The file that was read last; null: none yet. */
  #file: string | null = null;
  #offset = 0;
  #rest: Buffer = Buffer.alloc(0);
  #last: { timeMs: number; level: LogEntry["level"] } = { timeMs: 0, level: "info" };

  /** @param options.fromStart true for a log that appeared after the look back. */
  constructor(options: { folder: string; name: string; fromStart: boolean }) {
    this.#folder = options.folder;
    this.#name = options.name;
    if (options.fromStart) return;
    const now = this.#stat();
    this.#file = identityOf(now);
    this.#offset = now?.size ?? 0;
  }

  /** The entries since the last call. `isSkipped`: the file was rotated twice meanwhile, and entries are lost. */
  read(): { entries: LogEntry[]; isSkipped: boolean } {
    const now = this.#stat();
    let isSkipped = false;
    let bytes: Buffer = Buffer.alloc(0);
    if (this.#file !== null && identityOf(now) !== this.#file) {
      const rotated = this.#rotatedFile();
      if (rotated === undefined) isSkipped = true;
      else bytes = readFrom(rotated, this.#offset);
      this.#offset = 0;
    } else if (now !== undefined && now.size < this.#offset) this.#offset = 0; // truncated
    this.#file = identityOf(now);
    if (now !== undefined && now.size > this.#offset) {
      const fresh = readFrom(this.#path, this.#offset);
      this.#offset += fresh.length;
      bytes = Buffer.concat([bytes, fresh]);
    }
    return { entries: this.#toEntries(bytes), isSkipped };
  }

  get #path(): string {
    return join(this.#folder, `${this.#name}.log`);
  }

  #stat() {
    return statSync(this.#path, { throwIfNoEntry: false });
  }

  #rotatedFile(): string | undefined {
    return readdirSync(this.#folder)
      .filter((file) => file.startsWith(`${this.#name}.log.`))
      .map((file) => join(this.#folder, file))
      .find((file) => identityOf(statSync(file, { throwIfNoEntry: false })) === this.#file);
  }

  #toEntries(bytes: Buffer): LogEntry[] {
    const all = Buffer.concat([this.#rest, bytes]);
    const end = all.lastIndexOf(10) + 1;
    this.#rest = all.subarray(end);
    const entries: { name: string; timeMs: number; level: LogEntry["level"]; lines: string[] }[] = [];
    for (const line of all.subarray(0, end).toString("utf8").split("\n")) {
      if (line === "") continue;
      const head = readHead(line);
      const before = entries.at(-1);
      if (head === null && before !== undefined) before.lines.push(line);
      else {
        this.#last = head ?? this.#last;
        entries.push({ name: this.#name, ...this.#last, lines: [line] });
      }
    }
    return entries;
  }
}

/** An inode alone is not enough: the system gives the number of a removed file to the next new one. */
function identityOf(found: Stats | undefined): string | null {
  return found === undefined ? null : `${found.ino}:${found.birthtimeMs}`;
}

function readFrom(file: string, offset: number): Buffer {
  const descriptor = openSync(file, "r");
  try {
    const size = fstatSync(descriptor).size;
    const bytes = Buffer.alloc(Math.max(0, size - offset));
    const read = readSync(descriptor, bytes, 0, bytes.length, offset);
    return bytes.subarray(0, read);
  } finally {
    closeSync(descriptor);
  }
}
