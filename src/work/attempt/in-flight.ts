// A task in flight: one delivery on this host, from its arrival to its ack or nak. One object carries everything that
// the steps need (admission.ts, delivery.ts, hand-over.ts, settlement.ts); delivery.ts makes it.
// I1: only this object changes its journal tip. So every append to the journal is fenced by the newest record that this
//     host knows.
import { assert, type Logger } from "../../base/index.ts";
import {
  type CancelledError,
  type Encoding,
  effectKeyOf,
  HEADERS,
  type JournalRecord,
  type Placement,
  replyEncodingOf,
  type StepsRecord,
  type Task,
  type TaskAddress,
} from "../../protocol/index.ts";
import type { Delivery } from "../../transport/index.ts";
import type { TrailRecord } from "../ports.ts";
import type { FoundTip } from "../steps/decide.ts";
import type { StepLedger } from "../steps/recorder.ts";
import { closeQuietly } from "../stores/close-journal.ts";
import { HistoryFold, type LastAttempt } from "../stores/history.ts";
import { type Journal, type JournalTip, NO_RECORDS, nextAttempt } from "../stores/journal.ts";
import { ballotIdOf } from "../stores/messages.ts";
import type { RunningAttempt } from "./attempt.ts";

/** A parsed task with its id. */
export type KnownTask = Task & { id: string };

/** A task that has just arrived at this host. */
export interface Arrival {
  readonly delivery: Delivery;
  readonly at: TaskAddress;
  /** The coordinator's placement of the task on this host; undefined when the task came from its queue. */
  readonly placement: Placement | undefined;
}

/** A task whose delivery this host holds and has not answered yet. */
export class InFlightTask implements Arrival, StepLedger {
  readonly delivery: Delivery;
  readonly at: TaskAddress;
  readonly placement: Placement | undefined;
  /** The encoding of the task's body, and so of its result. */
  readonly encoding: Encoding;
  /** The id of the ballot, when the task is a ballot's question to one seat; undefined for every other task. */
  readonly ballotId: string | undefined;
  /** True when the journal or the results may know this task already: a redelivery, or a retry from the later stream. */
  readonly isRepeated: boolean;
  /** The attempt; null before it starts. It stays set after the attempt has ended. */
  attempt: RunningAttempt | null = null;
  /** The context of the attempt's span, for its result; undefined without a sampled trace. */
  traceparent: string | undefined;
  /** True after the hand-over began. The task's placed message may then arrive at any moment, even at this host. */
  isHandingOver = false;
  readonly #journal: Journal;
  readonly #log: Logger;
  #task: KnownTask | undefined;
  #tip: JournalTip = NO_RECORDS;
  /** The history from the records of this host: null before the first one, undefined when the journal had records before. */
  #history: HistoryFold | null | undefined = null;
  #cancelled: CancelledError | undefined;

  constructor({ delivery, at, placement }: Arrival, { journal, log }: { journal: Journal; log: Logger }) {
    this.delivery = delivery;
    this.at = at;
    this.placement = placement;
    this.encoding = replyEncodingOf(delivery.data, delivery.header(HEADERS.contentType));
    this.ballotId = ballotIdOf(delivery);
    this.isRepeated = delivery.deliveryCount > 1 || delivery.header(HEADERS.attempt) !== undefined;
    this.#journal = journal;
    this.#log = log;
  }

  /**
   * True when the task is a ballot's question to one seat. Such a task stays with its agent, and the verdict reports its end:
   * it gets no dead letter, and its result has no placement.
   */
  get isBallotQuestion(): boolean {
    return this.ballotId !== undefined;
  }

  /** The parsed task. Admission parses it; a step before admission must not read this field. */
  get task(): KnownTask {
    assert(this.#task !== undefined, "a task is read before a step uses it");
    return this.#task;
  }

  set task(task: KnownTask) {
    this.#task = task;
  }

  /** The task's effect key. @throws SwarmError `invalid_input` for a header that is no key. */
  get effectKey(): string {
    return effectKeyOf(this.delivery.header(HEADERS.effectKey), this.at.taskId);
  }

  /** True for a step of a workflow, and for any other task that was published with an effect key. */
  get isStep(): boolean {
    return this.delivery.header(HEADERS.effectKey) !== undefined;
  }

  /**
   * True when the task may have a cancel mark of its own: engines mark steps that they cancel while a host has them, so a first delivery
   * from the queue has none.
   */
  get mayBeMarked(): boolean {
    return this.isStep && (this.isRepeated || this.placement !== undefined);
  }

  /** The journal's last record of the task, as this host knows it; {@link NO_RECORDS} until it is read. */
  get tip(): JournalTip {
    return this.#tip;
  }

  /** The reason why the task was cancelled before its attempt started; undefined when it was not cancelled. */
  get cancelled(): CancelledError | undefined {
    return this.#cancelled;
  }

  /** Cancels the task, whether its attempt runs or is about to start. */
  cancel(reason: CancelledError): void {
    if (this.attempt === null) this.#cancelled = reason;
    else this.attempt.abort(reason);
  }

  /** The number of the next attempt, from the journal. `died`: the process of the previous attempt died. */
  nextAttempt(): { number: number; died: boolean } {
    return nextAttempt(this.#tip.record);
  }

  /** Reads the journal's last record of the task. @throws SwarmError `unavailable`. */
  async readJournal(): Promise<void> {
    this.#tip = await this.#journal.tip(this.at.capability, this.at.taskId);
    if (this.#tip.seq > 0) this.#history = undefined;
  }

  /** Appends a record to the task's journal (I1). @throws SwarmError `conflict` when another process wrote first. */
  async record(record: JournalRecord, encoding?: Encoding): Promise<void> {
    const { capability, taskId } = this.at;
    this.#tip = await this.#journal.append(capability, taskId, record, this.#tip, encoding);
    this.#addToHistory(record);
  }

  /** Most tasks have no record, so the history is made with the first one. */
  #addToHistory(record: JournalRecord): void {
    if (this.#history === null) this.#history = new HistoryFold();
    this.#history?.add(record);
  }

  get tipSeq(): number {
    return this.#tip.seq;
  }

  append(record: StepsRecord): Promise<void> {
    return this.record(record, this.encoding);
  }

  async readTip(isOwn: (tip: FoundTip) => boolean): Promise<FoundTip | null> {
    const tip = await this.#journal.tip(this.at.capability, this.at.taskId);
    const { record, seq } = tip;
    if (record === null) return null;
    const found = { seq, ...this.#describe(record) };
    if (!isOwn(found)) return found;
    if (seq > this.#tip.seq && record.type === "steps") this.#addToHistory(record);
    this.#tip = tip;
    return found;
  }

  #describe(record: JournalRecord): Omit<FoundTip, "seq"> {
    if (record.type === "steps") return { run: record.run, batch: record.batch };
    const isEarlier = record.type === "finished" && Date.parse(record.at) < this.delivery.storedAtMs;
    return { isEarlier };
  }

  records(): Promise<readonly TrailRecord[]> {
    return this.#journal.records(this.at.capability, this.at.taskId);
  }

  /** Closes the task's journal. Never rejects: see {@link closeQuietly}. */
  closeJournal(last: LastAttempt, finishedAtMs: number): Promise<void> {
    const parts = { journal: this.#journal, log: this.#log };
    return closeQuietly(parts, this.at, last, finishedAtMs, this.#history ?? undefined);
  }
}
