// Dead letters: lists, shows, replays and removes them.
// I1: the replay of a task has an id that derives from the task and its end. So a replay that is sent twice, at the same time
//     or after a crash between the submission and the removal of the letter, is one task.
import { createHash } from "node:crypto";
import {
  type DeadLetter,
  deadLetterSchema,
  decode,
  parse,
  parseTask,
  type Subjects,
  type SubmitReply,
  SwarmError,
  type TaskInput,
} from "../../protocol/index.ts";
import type { Stored, Transport } from "../../transport/index.ts";
import { isBlobRef, unpackBlob, unpackStored } from "../stores/bodies.ts";
import { DeadGrouper, type DeadGroups } from "./dead-groups.ts";
import { fingerprintOf } from "./fingerprint.ts";
import { selects, type TaskFacts, type TaskFilter } from "./task-filter.ts";

/** How many letters `list` shows when the caller names no limit. */
const DEFAULT_LETTERS = 50;
/** The label of a replayed task; its value is the id of the original task. */
export const REPLAY_LABEL = "replayOf";

/** The characters of the task's id that begin the id of its replay. With `-r` and the digest it stays below 64. */
const REPLAY_ID_HEAD = 38;
/** The hexadecimal digits of the digest in the id of a replay: 48 bits tell the replays of one head apart. */
const REPLAY_ID_DIGEST = 12;

/**
 * The id of the replay of a task that ended at this time (I1). The result and the dead letter of a task have the same time, so
 * both `task retry` and `dead replay` find the replay, also when the letter is gone. A later failure under the same id has
 * another time, and so another replay.
 */
export function replayIdOf(taskId: string, endedAt: string): string {
  const digest = createHash("sha256").update(`${taskId} ${endedAt}`).digest("hex");
  return `${taskId.slice(0, REPLAY_ID_HEAD)}-r${digest.slice(0, REPLAY_ID_DIGEST)}`;
}

/** The most letters that one selection reads: their ids take some 10 MB of memory. */
const MAX_SELECTED = 100_000;

/** A letter that a filter selected. */
export interface SelectedLetter {
  readonly taskId: string;
  readonly seq: number;
}

/** The most letters that one page looks at: a second of work. The next page goes on behind them. */
const MAX_LETTERS_SEEN = 10_000;

/** One page of letters, the oldest first. Each letter that the page looked at is in `dead`, or counted in `hidden`. */
export interface LetterPage {
  dead: DeadLetter[];
  /** The cursor of the next page; null when nothing is left. A page may be empty and have a next one. */
  next: string | null;
  /** The letters that the page looked at. */
  seen: number;
  /** `filter`: they do not match; `unknown`: their payload cannot be read, although the filter names a label. */
  hidden: { filter: number; unknown: number };
}

/** The dead letters of the swarm. */
export interface DeadLetters {
  /** Lists letters, the oldest first; 50 by default. */
  list(options?: { capability?: string | undefined; limit?: number | undefined }): Promise<DeadLetter[]>;
  /**
   * One page of the letters that a filter selects; 50 by default. `after` is the `next` of the page before.
   * @throws SwarmError `invalid_input` for another `after`.
   */
  page(
    filter: TaskFilter,
    options?: { limit?: number | undefined; after?: string | undefined },
  ): Promise<LetterPage>;
  /**
   * The letters that a filter selects, the oldest first, of the oldest {@link MAX_SELECTED} letters. `unseen`: further letters;
   * `unknown`: letters whose payload cannot be read, although the filter names a label.
   */
  select(filter: TaskFilter): Promise<{ found: SelectedLetter[]; unseen: number; unknown: number }>;
  /** Removes one selected letter; false when another call removed it first. */
  remove(letter: SelectedLetter): Promise<boolean>;
  /** Reads one letter. @throws SwarmError `not_found`. */
  show(taskId: string): Promise<DeadLetter>;
  /** The trace of one letter; undefined when there is no letter, or it has no trace. */
  trace(taskId: string): Promise<string | undefined>;
  /** The scope and the labels of one letter's task; null when there is no letter. `labels` is undefined when it never was a task. */
  facts(taskId: string): Promise<Pick<TaskFacts, "scope" | "labels"> | null>;
  /**
   * Submits the task again under the id of {@link replayIdOf}, with the label `replayOf: <id>`, then removes the letter. The
   * old result stays. A deadline that has passed is left out. A second call answers with the same
   * id and `duplicate: true`.
   * @throws SwarmError `not_found`; `invalid_input` when the letter's payload never was a valid task.
   */
  replay(taskId: string): Promise<SubmitReply>;
  /** Removes one letter, all letters of a capability, or all letters. Resolves to the number of removed letters. */
  purge(options?: { taskId?: string | undefined; capability?: string | undefined }): Promise<number>;
  /** The number of letters of each capability. */
  counts(): Promise<Map<string, number>>;
  /** The letters by capability, code and fingerprint. @throws SwarmError `unavailable`. */
  groups(): Promise<DeadGroups>;
}

/** Makes the reader of dead letters; `submit` submits a replayed task. */
export function createDeadLetters(parts: {
  transport: Transport;
  subjects: Subjects;
  submit: (task: TaskInput) => Promise<SubmitReply>;
  /** The replay of a task whose letter is gone, as the reply to a repeated submission; null when there is none (I1). */
  findReplay: (taskId: string) => Promise<SubmitReply | null>;
}): DeadLetters {
  const { transport, subjects } = parts;
  const { filters } = subjects;
  const log = transport.log("dead");

  async function read(stored: Stored): Promise<DeadLetter> {
    return parse(deadLetterSchema, (await unpackStored(stored, transport.blobs)).value, "dead letter");
  }

  async function find(taskId: string): Promise<Stored> {
    const stored = await log.last(filters.deadById(taskId), { fresh: true });
    if (stored === null) throw noLetter(taskId);
    return stored;
  }

  async function readPayload(letter: DeadLetter): Promise<unknown> {
    const body = Buffer.from(letter.payload, "base64");
    const { value, encoding } = decode(body, letter.contentType ?? undefined);
    return isBlobRef(value) ? unpackBlob(value, encoding, transport.blobs) : value;
  }

  /** The labels of the letter's task; undefined when its payload never was a task. */
  async function readLabels(letter: DeadLetter): Promise<Record<string, string> | undefined> {
    try {
      return parseTask(await readPayload(letter)).labels ?? {};
    } catch (error) {
      if (error instanceof SwarmError && error.code === "unavailable") throw error;
      return undefined;
    }
  }

  const subjectOf = ({ capability }: Pick<TaskFilter, "capability">) =>
    capability === undefined ? filters.allDead : filters.deadOfCapability(capability);

  /** True for a letter that the filter selects; null when a fact that it needs is not stored. */
  async function judge(filter: TaskFilter, letter: DeadLetter): Promise<boolean | null> {
    return selects(filter, {
      ...letter,
      atMs: Date.parse(letter.diedAt),
      code: letter.reason.code,
      fingerprint: filter.fingerprint === undefined ? undefined : fingerprintOf(letter.reason.message),
      labels: filter.labels === undefined ? undefined : await readLabels(letter),
    });
  }

  const grouper = new DeadGrouper({ log, subjects, readLetter: read });

  return {
    groups: () => grouper.look(),
    async page(filter, { limit = DEFAULT_LETTERS, after } = {}) {
      const page: LetterPage = { dead: [], next: null, seen: 0, hidden: { filter: 0, unknown: 0 } };
      const fromSeq = readCursor(after) + 1;
      for await (const stored of log.read({ filter: subjectOf(filter), fromSeq, limit: MAX_LETTERS_SEEN })) {
        const letter = await read(stored);
        const answer = await judge(filter, letter);
        page.seen++;
        if (answer === true) page.dead.push(letter);
        else page.hidden[answer === null ? "unknown" : "filter"]++;
        if (page.dead.length >= limit || page.seen >= MAX_LETTERS_SEEN) {
          return { ...page, next: String(stored.seq) };
        }
      }
      return page;
    },
    async list(options = {}) {
      const filter = subjectOf(options);
      const letters: DeadLetter[] = [];
      for await (const stored of log.read({ filter, limit: options.limit ?? DEFAULT_LETTERS }))
        letters.push(await read(stored));
      return letters;
    },
    async select(filter) {
      const subject = subjectOf(filter);
      const { messages } = await log.info();
      const found: SelectedLetter[] = [];
      let seen = 0;
      let unknown = 0;
      for await (const stored of log.read({ filter: subject, limit: MAX_SELECTED })) {
        seen++;
        const letter = await read(stored);
        const answer = await judge(filter, letter);
        if (answer === true) found.push({ taskId: letter.taskId, seq: stored.seq });
        if (answer === null) unknown++;
      }
      return { found, unseen: seen < MAX_SELECTED ? 0 : Math.max(0, messages - seen), unknown };
    },
    remove: ({ seq }) => log.delete(seq),
    show: async (taskId) => read(await find(taskId)),
    async trace(taskId) {
      const stored = await log.last(filters.deadById(taskId));
      return stored === null ? undefined : (await read(stored)).trace;
    },
    async facts(taskId) {
      const stored = await log.last(filters.deadById(taskId));
      if (stored === null) return null;
      const letter = await read(stored);
      return { scope: letter.scope, labels: await readLabels(letter) };
    },
    async replay(taskId) {
      const stored = await log.last(filters.deadById(taskId), { fresh: true });
      if (stored === null) {
        const replay = await parts.findReplay(taskId);
        if (replay !== null) return replay;
        throw noLetter(taskId);
      }
      const letter = await read(stored);
      const value = await readPayload(letter);
      const { id: _id, notBefore: _notBefore, deadline, ...task } = parseTask(value);
      const reply = await parts.submit({
        ...task,
        id: replayIdOf(taskId, letter.diedAt),
        capability: letter.capability,
        priority: letter.priority,
        scope: letter.scope,
        labels: { ...task.labels, [REPLAY_LABEL]: taskId },
        ...(deadline === undefined || Date.parse(deadline) <= transport.clock.now() ? {} : { deadline }),
      });
      await log.delete(stored.seq);
      return reply;
    },
    purge(options = {}) {
      if (options.taskId !== undefined) return log.purge({ filter: filters.deadById(options.taskId) });
      if (options.capability !== undefined)
        return log.purge({ filter: filters.deadOfCapability(options.capability) });
      return log.purge({ filter: filters.allDead });
    },
    async counts() {
      const counts = new Map<string, number>();
      for (const [subject, count] of await log.subjects(filters.allDead)) {
        const capability = subjects.readTaskIdentity(subject)?.capability;
        if (capability !== undefined) counts.set(capability, (counts.get(capability) ?? 0) + count);
      }
      return counts;
    },
  };
}

/** The sequence of the last letter of the page before. */
function readCursor(after: string | undefined): number {
  if (after === undefined) return 0;
  if (/^\d{1,15}$/.test(after)) return Number(after);
  throw new SwarmError(
    "invalid_input",
    `after must be the "next" of an earlier page, such as 120, got ${JSON.stringify(after.slice(0, 80))}`,
    { field: "after" },
  );
}

function noLetter(taskId: string): SwarmError {
  return new SwarmError(
    "not_found",
    `no dead letter of task ${taskId}: it was replayed or removed, or the task did not fail; see murmur dead ls`,
  );
}
