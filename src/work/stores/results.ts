// Stores the end of a task: its one result, and a dead letter when the task failed. Hosts (settlement.ts) and coordinators
// call it. The order is fixed: first the result, then the dead letter, then the caller acks the delivery. A caller that finds
// a stored result repeats the later steps, because a crash may have interrupted them.
// I1: a task's first result stays. The stream rejects a second result, and the store reports that to the second writer.
// I2: when the outcome of an append is unknown, the store repeats the same append. It never assumes an outcome.
import { backoffDelayMs, type Chance, type Clock, type Meter, sleep } from "../../base/index.ts";
import {
  type DeadLetter,
  type Encoding,
  encode,
  HEADERS,
  isName,
  isToken,
  NO_SCOPE,
  PRIORITIES,
  parse,
  type Result,
  type ResultStatus,
  readPlainResult,
  resultSchema,
  type Subjects,
  SwarmError,
  showValue,
  type TaskAddress,
} from "../../protocol/index.ts";
import type { Blobs, Headers, Incoming, Log, Stored, Transport } from "../../transport/index.ts";
import { blobsOfLetter, renewBlobs } from "./blob-refs.ts";
import { bodyHeaders, isLarge, packLarge, unpackResult, unpackStored } from "./bodies.ts";
import { UNREADABLE, unreadableId } from "./messages.ts";

/** The waits between the retries of an append with an unknown outcome. */
const SETTLE_BACKOFF = { backoffMs: 200, factor: 2, maxBackoffMs: 5_000, jitter: 0.2 };
/** The most tries of such an append, about a minute in all; then the caller leaves the task to its redelivery. */
const SETTLE_TRIES = 15;

/** The headers of a result's message for a ballot and for a trace. `traceparent`: the context of the span that made it. */
export interface ResultMarks {
  readonly ballotId?: string | undefined;
  readonly traceparent?: string | undefined;
}

const NO_MARKS: ResultMarks = {};

/** Stores and reads results and dead letters. */
export interface ResultStore {
  /**
   * Stores the result; false when the task has a result already (I1). `ballotId`: the task asks a seat of this ballot, so
   * the metrics count an answer of a ballot and not a task. @throws SwarmError `unavailable` after {@link SETTLE_TRIES} tries.
   */
  store(at: TaskAddress, result: Result, encoding: Encoding, marks?: ResultMarks): Promise<boolean>;
  /** As `store`, with encoded bytes: of the result, or of a blob reference to it. */
  storeBytes(at: TaskAddress, status: ResultStatus, bytes: Uint8Array, encoding: Encoding): Promise<boolean>;
  /**
   * The stored result of a task; null when there is none. With `capability`, a reader needs only the permission for the
   * results of that capability.
   */
  read(taskId: string, capability?: string): Promise<{ result: Result; capability: string } | null>;
  /** As `read`, for a task whose whole address is known: the request names the one subject, so a permission can bind it. */
  readAt(at: TaskAddress): Promise<Result | null>;
  /** Stores a dead letter; does nothing when the task has a dead letter already. */
  bury(at: TaskAddress, letter: DeadLetter): Promise<void>;
}

/** Makes the store of the result stream and the dead-letter stream. */
export function createResultStore(parts: {
  transport: Transport;
  subjects: Subjects;
  meter: Meter;
  clock: Clock;
  chance: Chance;
}): ResultStore {
  const { transport, subjects, meter } = parts;
  const results = transport.log("results");
  const dead = transport.log("dead");

  /** Appends until the server acknowledges or rejects the message (I2); false when it rejects it. */
  async function appendSettled(
    log: Log,
    subject: string,
    data: Uint8Array,
    headers: Headers,
  ): Promise<boolean> {
    for (let tries = 1; ; tries++) {
      try {
        await log.append(subject, data, { headers });
        return true;
      } catch (error) {
        if (!(error instanceof SwarmError)) throw error;
        if (error.code === "conflict") return false;
        if (error.code !== "unavailable" || tries >= SETTLE_TRIES) throw error;
        await sleep(backoffDelayMs(SETTLE_BACKOFF, tries, parts.chance), { clock: parts.clock });
      }
    }
  }

  async function storeBytes(
    at: TaskAddress,
    status: ResultStatus,
    bytes: Uint8Array,
    encoding: Encoding,
    { ballotId, traceparent }: ResultMarks = NO_MARKS,
  ): Promise<boolean> {
    const { capability, scope, taskId } = at;
    const headers = bodyHeaders(encoding);
    const subject = subjects.result(capability, scope, taskId);
    const seated = ballotId === undefined ? headers : { ...headers, [HEADERS.ballot]: ballotId };
    const marked = traceparent === undefined ? seated : { ...seated, [HEADERS.traceparent]: traceparent };
    const stored = await appendSettled(results, subject, bytes, marked);
    if (stored)
      (ballotId === undefined ? meter.tasksFinished : meter.ballotAnswers).inc({ capability, status });
    else meter.fencedWrites.inc({ kind: "result" });
    return stored;
  }

  async function readFrom(filter: string): Promise<{ result: Result; capability: string } | null> {
    const stored = await results.last(filter);
    if (stored === null) return null;
    const { value } = await unpackStored(stored, transport.blobs);
    const result = readResult(value);
    return { result, capability: subjects.readTaskIdentity(stored.subject)?.capability ?? "" };
  }

  return {
    async store(at, result, encoding, marks = NO_MARKS) {
      let bytes = encode(result, encoding);
      if (isLarge(bytes)) bytes = await packLarge(bytes, encoding, transport.blobs);
      const storing = storeBytes(at, result.status, bytes, encoding, marks);
      if (result.status !== "failed" || marks.ballotId !== undefined) return storing;
      const stored = await storing;
      if (stored) countFailure(meter, at, result);
      return stored;
    },
    storeBytes,
    read(taskId, capability) {
      const { resultOfTask, resultById } = subjects.filters;
      return readFrom(capability === undefined ? resultById(taskId) : resultOfTask(capability, taskId));
    },
    readAt: async ({ capability, scope, taskId }) =>
      (await readFrom(subjects.result(capability, scope, taskId)))?.result ?? null,
    async bury(at, letter) {
      const subject = subjects.dead(at.capability, at.taskId);
      // A replica that lags makes the host store the same letter again, in the place of the first.
      if ((await dead.last(subject)) !== null) return;
      let bytes = encode(letter);
      await renewBlobs(blobsOfLetter(letter), transport.blobs);
      if (isLarge(bytes)) bytes = await packLarge(bytes, "json", transport.blobs);
      if (await appendSettled(dead, subject, bytes, bodyHeaders("json")))
        meter.tasksDeadLettered.inc({ capability: at.capability, code: letter.reason.code });
    },
  };
}

/** Counts the failure of a task whose result was just stored. */
export function countFailure(
  { taskFailures }: Pick<Meter, "taskFailures">,
  { capability }: Pick<TaskAddress, "capability">,
  { status, error }: Pick<Result, "status" | "error">,
): void {
  if (status === "failed") taskFailures.inc({ capability, code: error?.code ?? "internal" });
}

/**
 * Reads the message of a stored result, and fetches its blob if it is a reference: returns a promise only then. Most results need none,
 * and a coordinator reads one for each seat. @throws SwarmError as {@link unpackResult}.
 */
export function readResultMessage(message: Incoming, blobs: Pick<Blobs, "get">): Result | Promise<Result> {
  const body = unpackResult(message, blobs);
  return body instanceof Promise ? body.then(readResult) : readResult(body);
}

/** Parses a stored result. @throws SwarmError `invalid_input`. */
export function readResult(value: unknown): Result {
  return readPlainResult(value) ?? parse(resultSchema, value, "stored result");
}

/**
 * Stores a dead letter for a message that cannot have a result and must not be lost: its subject is no task address (a
 * direct publish with an id of 300 characters, for example), or it is a placed message without a readable placement. The
 * letter's id is derived from the subject.
 */
export async function buryUnreadable(
  results: ResultStore,
  delivery: Stored,
  nowMs: number,
): Promise<{ taskId: string; error: SwarmError }> {
  const [, kind, capability = "", priority = "", scope = ""] = delivery.subject.split(".");
  const isPlaced = kind === "placed";
  const at: TaskAddress = {
    capability: isName(capability) && !isPlaced ? capability : UNREADABLE,
    priority: PRIORITIES.find((known) => known === priority) ?? "normal",
    scope: isToken(scope) ? scope : NO_SCOPE,
    taskId: unreadableId(delivery.subject),
  };
  const error = isPlaced ? unreadablePlacement(delivery) : unreadableSubject(delivery);
  const now = new Date(nowMs).toISOString();
  const result: Result = {
    taskId: at.taskId,
    status: "failed",
    error: { code: error.code, message: error.message, field: error.field, retryable: false },
    attempt: 0,
    agent: "-",
    startedAt: now,
    finishedAt: now,
    queuedMs: Math.max(0, nowMs - delivery.storedAtMs),
    ranMs: 0,
  };
  await results.bury(at, deadLetterOf(at, delivery, result));
  return { taskId: at.taskId, error };
}

function unreadableSubject({ subject }: Stored): SwarmError {
  return new SwarmError(
    "invalid_input",
    `a task's subject must end in <capability>.<priority>.<scope>.<id>, each 1–64 of A–Z a–z 0–9 _ -, got ${showValue(subject)}`,
    { field: "subject" },
  );
}

function unreadablePlacement({ subject }: Stored): SwarmError {
  return new SwarmError(
    "invalid_input",
    `a placed task's subject must end in <host>.<agent>.<scope>.<id> and its ${HEADERS.placement} header must name the same host and agent, got ${showValue(subject)}`,
    { field: HEADERS.placement },
  );
}

/** The dead letter of a failed task: its message, and the reason from its result. */
export function deadLetterOf(at: TaskAddress, delivery: Stored, result: Result): DeadLetter {
  return {
    taskId: at.taskId,
    capability: at.capability,
    priority: at.priority,
    scope: at.scope,
    subject: delivery.subject,
    reason: result.error ?? { code: "internal", message: "failed without a reason", retryable: false },
    attempts: result.attempt,
    agent: result.agent,
    diedAt: result.finishedAt,
    payload: Buffer.from(delivery.data).toString("base64"),
    contentType: delivery.header("Content-Type") ?? null,
  };
}
