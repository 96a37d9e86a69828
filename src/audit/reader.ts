// Reads the audit log: lists its newest entries, and verifies all of it. Owns the reading, in pieces of bounded size;
// chain.ts finds the faults.
import { createSubjects, SwarmError } from "../protocol/index.ts";
import type { Log, Stored, Transport } from "../transport/index.ts";
import { type AuditCheck, beginCheck, checkMessage, MAX_WRITERS, readEntry } from "./chain.ts";

/** The number of sequences in the first piece, read from the end of the log. Each further piece has twice as many. */
const FIRST_PIECE = 1_024;
/** The most sequences in one piece. Only one piece is in memory at a time. */
const MAX_PIECE = 65_536;
/** The number of messages between two reports of progress. */
const PROGRESS_MESSAGES = 1_000;

/** Selects the writers of the entries. Without both fields: all writers. */
export interface AuditFilter {
  readonly role?: string | undefined;
  readonly processId?: string | undefined;
}

/** An entry in a list. */
export interface AuditLine {
  /** The sequence of the message in the stream. */
  readonly streamSeq: number;
  /** `<role>.<processId>`. */
  readonly writer: string;
  /** The number of the entry in its writer's chain. Null for an unreadable message. */
  readonly seq: number | null;
  /** The time of the note. For an unreadable message: the time at which it was stored. */
  readonly at: string;
  /** The kind of the entry, or `unreadable` for a message that is not an entry. */
  readonly kind: string;
  readonly facts: Readonly<Record<string, unknown>>;
}

/** Receives the progress of a read: the messages seen so far, and about how many there are. */
export type OnProgress = (seen: number, of: number) => void;

/**
 * Lists the newest entries that match, up to `limit`, in the order of the stream. Does not verify them.
 * @throws SwarmError `unavailable`: no stream, or no answer; `invalid_input`: a filter is not a token.
 */
export async function listAudit(
  transport: Transport,
  options: AuditFilter & {
    readonly kind?: string | undefined;
    /** Only entries about this caller: its name is the fact `by`. */
    readonly by?: string | undefined;
    /** Only entries stored at this time or later, in ms since 1970. */
    readonly sinceMs?: number | undefined;
    readonly limit: number;
    readonly onProgress?: OnProgress | undefined;
  },
): Promise<AuditLine[]> {
  const { kind, by, sinceMs, limit, onProgress } = options;
  const { log, filter, toLine } = openLog(transport, options);
  const { firstSeq, lastSeq } = await log.info();
  const beginSeq = sinceMs === undefined ? firstSeq : await findSince(log, sinceMs, { firstSeq, lastSeq });
  const found: AuditLine[] = [];
  let piece = FIRST_PIECE;
  for (let end = lastSeq; end >= beginSeq && found.length < limit; piece = Math.min(MAX_PIECE, 2 * piece)) {
    const begin = Math.max(beginSeq, end - piece + 1);
    const lines: AuditLine[] = [];
    for await (const stored of log.read({ filter, fromSeq: begin })) {
      if (stored.seq > end) break;
      const line = toLine(stored);
      const isOfKind = kind === undefined || line.kind === kind;
      if (isOfKind && (by === undefined || line.facts.by === by)) lines.push(line);
      if (lines.length > limit) lines.shift();
    }
    found.unshift(...lines.slice(Math.max(0, lines.length - (limit - found.length))));
    end = begin - 1;
    onProgress?.(lastSeq - end, lastSeq - beginSeq + 1);
  }
  return found;
}

/**
 * Verifies the log, message by message. It needs memory only for the list of writers.
 * @throws SwarmError `unavailable`: no stream, or no answer; `invalid_input`: a filter is not a token, or there are more than
 *   100,000 writers.
 */
export async function verifyAudit(
  transport: Transport,
  options: AuditFilter & { readonly onProgress?: OnProgress | undefined } = {},
): Promise<AuditCheck> {
  const { log, filter, subjects } = openLog(transport, options);
  const { firstSeq, messages } = await log.info();
  const isWhole = options.role === undefined && options.processId === undefined;
  const check = beginCheck({ isWhole, isTrimmed: firstSeq > 1 });
  for await (const { seq, subject, data } of log.read({ filter, fromSeq: firstSeq })) {
    const message = { streamSeq: seq, writer: subjects.readAudit(subject), data };
    if (!checkMessage(check, message)) {
      throw new SwarmError(
        "invalid_input",
        `a check may have at most ${MAX_WRITERS} writers, and this log has more; verify one role at a time (\`role\`)`,
        { field: "role" },
      );
    }
    if (check.messages % PROGRESS_MESSAGES === 0) options.onProgress?.(check.messages, messages);
  }
  return check;
}

function openLog(transport: Transport, { role, processId }: AuditFilter) {
  const subjects = createSubjects(transport.prefix);
  const toLine = ({ seq: streamSeq, subject, data, storedAtMs }: Stored): AuditLine => {
    const writer = subjects.readAudit(subject) ?? subject;
    const entry = readEntry(data)?.entry;
    if (entry === undefined) {
      const at = new Date(storedAtMs).toISOString();
      return { streamSeq, writer, seq: null, at, kind: "unreadable", facts: {} };
    }
    const { seq, at, kind, facts } = entry;
    return { streamSeq, writer, seq, at, kind, facts };
  };
  const filter = subjects.filters.audits({ role, processId });
  return { log: transport.log("audit"), subjects, filter, toLine };
}

/** Finds the first message stored at `sinceMs` or later, by bisection: the stream is in the order of time. */
async function findSince(
  log: Log,
  sinceMs: number,
  { firstSeq, lastSeq }: { firstSeq: number; lastSeq: number },
): Promise<number> {
  let [low, high] = [firstSeq, lastSeq + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    let storedAtMs = Number.POSITIVE_INFINITY;
    for await (const stored of log.read({ fromSeq: middle, limit: 1 })) storedAtMs = stored.storedAtMs;
    if (storedAtMs < sinceMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
