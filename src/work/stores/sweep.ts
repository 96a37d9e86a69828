// The sweep: removes the journals of ended tasks that no closing record replaced, because the process that should have closed
// them died. The journal of a task that has not ended stays, however old it is. The decisions are pure functions.
//
// S1: a journal goes only when its last record is old, and when its task has a result, or is in no stream and no open ballot.
// S2: a purge names the last record that the sweep has read. A record that is newer stays, with the numbers of its task.
// S3: a look at the streams may miss a task that moves between two of them, so a second look must agree.
// S4: each run is bounded, and continues after the record where the previous one ended. Several processes may sweep at once,
//     and a process may die at any point: the next run decides anew.
import {
  type Chance,
  type Clock,
  createService,
  type Logger,
  type Meter,
  type Service,
  systemChance,
} from "../../base/index.ts";
import {
  createSubjects,
  isName,
  type JournalRecord,
  type Subjects,
  SwarmError,
} from "../../protocol/index.ts";
import type { Log, Stored, Transport } from "../../transport/index.ts";
import { lastPlaced } from "./placed-streams.ts";
import { readJournalRecord } from "./records.ts";

/** How long a journal without a closing record is kept after its last record, in ms: 30 days. The setting replaces it. */
export const LEFT_JOURNAL_MS = 30 * 86_400_000;
/** The first run begins within this time after the start, in ms, so that processes that start together do not sweep together. */
const FIRST_WITHIN_MS = 60_000;
/** The pause after a run that reached the newest old record, in ms. Journals are left behind by crashes, which are rare. */
const SWEEP_EVERY_MS = 6 * 3_600_000;
/** The pause after a run that reached its bound, in ms. */
const CONTINUE_AFTER_MS = 60_000;
/** The most records that one run reads. A record has at most some KiB, so a run reads some MiB. */
const MAX_RECORDS = 1_000;
/** A run asks about no further open ballot after this many questions that the office did not answer. */
const MAX_UNANSWERED = 3;

/** The age of a journal: `young` and `closed` ones expire or end by themselves. */
export type JournalAge = "young" | "closed" | "left";

/** Judges a journal by its last record. `type` is null for a record that this version cannot read. */
export function judgeLastRecord(
  last: { type: JournalRecord["type"] | null; storedAtMs: number },
  { nowMs, keptMs }: { nowMs: number; keptMs: number },
): JournalAge {
  if (nowMs - last.storedAtMs < keptMs) return "young";
  return last.type === "finished" ? "closed" : "left";
}

/** The facts about the task of a left journal, as far as they are known. */
export interface TaskFacts {
  hasResult: boolean;
  /** How often two streams were looked through, and whether a look found a message of the task. */
  looks: number;
  isStored: boolean;
  /** Undefined: not asked yet; `unknown`: the office did not answer. */
  ballot: "open" | "none" | "unknown" | undefined;
}

/** The next step for a left journal: the fact that is missing, or the decision. */
export type SweepStep = "look" | "ask-office" | "ended" | "absent" | "live" | "undecided";

/** Decides about a left journal (S1, S3). `ended` and `absent` journals are removed. */
export function judgeTask({ hasResult, looks, isStored, ballot }: TaskFacts): SweepStep {
  if (hasResult) return "ended";
  if (isStored) return "live";
  if (looks < 2) return "look";
  if (ballot === undefined) return "ask-office";
  if (ballot === "open") return "live";
  return ballot === "none" ? "absent" : "undecided";
}

/** The counts of one run, in journals. `foreign`: messages on a subject that no task can have. */
export interface SweepReport {
  ended: number;
  absent: number;
  live: number;
  undecided: number;
  foreign: number;
  /** True when the run reached its bound, so that older records may be left. */
  isCut: boolean;
}

interface SweeperParts {
  transport: Transport;
  meter: Meter;
  log: Logger;
  /** True when the task is an open ballot. @throws SwarmError, for example `unavailable` while no coordinator holds the office. */
  isOpenBallot(taskId: string): Promise<boolean>;
  clock?: Clock;
  chance?: Chance;
  /** The most records that one run reads; default {@link MAX_RECORDS}. */
  maxRecords?: number;
}

/** Makes one process's sweeper: it runs soon after the start, then every six hours. `sweep` runs once. */
export function createJournalSweeper(parts: SweeperParts): Service & { sweep(): Promise<SweepReport> } {
  const sweeper = new JournalSweeper(parts);
  return {
    ...createService({
      name: "journal sweeper",
      start: () => sweeper.start(),
      stop: () => sweeper.stop(),
    }),
    sweep: () => sweeper.sweep(),
  };
}

class JournalSweeper {
  readonly #parts: SweeperParts;
  readonly #clock: Clock;
  readonly #subjects: Subjects;
  readonly #journal: Log;
  /** The next run begins at this sequence (S4). */
  #nextSeq = 1;
  #isStopped = false;
  #cancelWait: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(parts: SweeperParts) {
    this.#parts = parts;
    this.#clock = parts.clock ?? parts.transport.clock;
    this.#subjects = createSubjects(parts.transport.prefix);
    this.#journal = parts.transport.log("journal");
  }

  start(): void {
    this.#runAfter((this.#parts.chance ?? systemChance).next() * FIRST_WITHIN_MS);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelWait?.();
    await this.#running;
  }

  #runAfter(delayMs: number): void {
    if (this.#isStopped) return;
    this.#cancelWait = this.#clock.after(delayMs, () => {
      this.#running = this.#run().then((nextInMs) => this.#runAfter(nextInMs));
    });
  }

  /** Resolves to the pause before the next run, in ms. */
  async #run(): Promise<number> {
    const { log } = this.#parts;
    try {
      const report = await this.sweep();
      const { isCut, ...counts } = report;
      if (Object.values(counts).some((count) => count > 0))
        log.info(report, "old journals swept; those of ended and absent tasks are removed, the others stay");
      return isCut ? CONTINUE_AFTER_MS : SWEEP_EVERY_MS;
    } catch (error) {
      if (!this.#isStopped) log.warn({ err: error }, "old journals not swept; retrying in six hours");
      return SWEEP_EVERY_MS;
    }
  }

  /** Sweeps once (S4). @throws SwarmError `unavailable`. */
  async sweep(): Promise<SweepReport> {
    const { transport, meter, maxRecords = MAX_RECORDS } = this.#parts;
    const report: SweepReport = { ended: 0, absent: 0, live: 0, undecided: 0, foreign: 0, isCut: false };
    const age = { nowMs: this.#clock.now(), keptMs: transport.journalAgeMs ?? LEFT_JOURNAL_MS };
    const seen = new Set<string>();
    let unanswered = 0;
    let records = 0;
    const fromSeq = this.#nextSeq;
    this.#nextSeq = 1;
    for await (const stored of this.#journal.read({ fromSeq, limit: maxRecords })) {
      if (this.#isStopped || age.nowMs - stored.storedAtMs < age.keptMs) break; // the log is in the order of time
      if (++records === maxRecords) {
        report.isCut = true;
        this.#nextSeq = stored.seq + 1;
      }
      if (seen.has(stored.subject)) continue;
      seen.add(stored.subject);
      const outcome = await this.#sweepJournal(stored, age, unanswered < MAX_UNANSWERED);
      if (outcome === null) continue;
      if (outcome === "undecided") unanswered++;
      report[outcome]++;
      meter.journalsSwept.inc({ outcome });
    }
    return report;
  }

  /** Decides about the journal of a record, and removes it; null when it expires or goes on by itself. */
  async #sweepJournal(
    stored: Stored,
    age: { nowMs: number; keptMs: number },
    mayAsk: boolean,
  ): Promise<"ended" | "absent" | "live" | "undecided" | "foreign" | null> {
    const identity = this.#subjects.readTaskIdentity(stored.subject);
    if (identity === null || !isName(identity.capability) || !isName(identity.taskId)) {
      // The subject may contain wildcards, so a purge could remove other journals.
      await this.#journal.delete(stored.seq);
      return "foreign";
    }
    const last = await this.#journal.last(stored.subject, { fresh: true });
    if (last === null) return null;
    const { storedAtMs } = last;
    if (stored.seq < last.seq && typeOf(last) === "finished") {
      // The process that closed the journal died before it removed the records, where the stream refuses roll-ups.
      await this.#journal.purge({ filter: stored.subject, beforeSeq: last.seq });
      return "ended";
    }
    if (judgeLastRecord({ type: typeOf(last), storedAtMs }, age) !== "left") return null;
    const outcome = await this.#decide(identity, mayAsk);
    if (outcome === "ended" || outcome === "absent") {
      await this.#journal.purge({ filter: stored.subject, beforeSeq: last.seq + 1 }); // S2
    }
    return outcome;
  }

  /** Collects the facts that the decision needs, one after the other. */
  async #decide(
    { capability, taskId }: { capability: string; taskId: string },
    mayAsk: boolean,
  ): Promise<"ended" | "absent" | "live" | "undecided"> {
    const result = await this.#parts.transport
      .log("results")
      .last(this.#subjects.filters.resultOfTask(capability, taskId));
    const facts: TaskFacts = { hasResult: result !== null, looks: 0, isStored: false, ballot: undefined };
    for (;;) {
      const step = judgeTask(facts);
      if (step === "look") {
        facts.isStored = await this.#isStored(taskId);
        facts.looks++;
      } else if (step === "ask-office") facts.ballot = mayAsk ? await this.#askOffice(taskId) : "unknown";
      else return step;
    }
  }

  async #isStored(taskId: string): Promise<boolean> {
    const { transport } = this.#parts;
    const { taskById, placedById, laterById, dueById } = this.#subjects.filters;
    const [tasks, later] = [transport.log("tasks"), transport.log("later")];
    const fresh = { fresh: true };
    const found = await Promise.all([
      tasks.last(taskById(taskId), fresh),
      later.last(laterById(taskId), fresh),
      later.last(dueById(taskId), fresh),
    ]);
    if (found.some((message) => message !== null)) return true;
    return (await lastPlaced(transport, placedById(taskId), fresh)).length > 0;
  }

  async #askOffice(taskId: string): Promise<"open" | "none" | "unknown"> {
    try {
      return (await this.#parts.isOpenBallot(taskId)) ? "open" : "none";
    } catch (error) {
      if (!(error instanceof SwarmError)) throw error;
      return "unknown";
    }
  }
}

function typeOf(stored: Stored): JournalRecord["type"] | null {
  try {
    return readJournalRecord(stored).type;
  } catch (error) {
    if (!(error instanceof SwarmError)) throw error;
    return null;
  }
}
