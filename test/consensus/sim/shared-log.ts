// The shared log of the simulator. It stores an entry when its expected sequence is right, as a JetStream stream does,
// and checks that the entry may be stored. Owns the log only; log-wire.ts adds delays and lost answers.
//
// I1  Each term has at most one office-taken entry, and terms never fall.
// I2  Only the holder of the office gets an entry stored, and only with its own term.
// I3  A command that a member declared as never stored is never stored.
// I4  Log time may stop but never runs faster than real time, so that no lease is shorter than promised.
// I5  No entry is stored after an entry that its author has not read. A member that has read lost entries must not
//     continue with the shorter log.

import { assert } from "../../../src/base/index.ts";
import { genesisChain } from "../../../src/consensus/index.ts";
import type { SealedEntry } from "./lines.ts";
import type { Model } from "./workload.ts";

/** A tick may follow right after an entry got its time. Leases are longer than promised by this many ticks. */
const PHASE_TICKS = 1;

/** An append in flight. */
export interface Append {
  readonly node: string;
  readonly incarnation: number;
  readonly request: number;
  /** Null only from a broken node: a write without a fence. */
  readonly expectedLastSeq: number | null;
  readonly entry: SealedEntry;
  /** The history that its author has read. */
  readonly lineage: Lineage;
  /** The step at which this entry was first requested. */
  readonly stampedAt: number;
  readonly askedAt: number;
  /** The key of a command in this append that a member declared as never stored; null without one. */
  denied: string | null;
  /** The history that contains the stored entry; null before it is stored. */
  storedIn: Lineage | null;
}

/** The start of a history. */
export interface Origin {
  readonly logId: string;
  readonly epoch: number;
  /** The sequence of genesis. */
  readonly seq: number;
}

/** The past of a recovered history: an earlier history up to `seq`, with `skip` added to its counters. */
interface Past {
  readonly lineage: Lineage;
  readonly seq: number;
  readonly term: number;
  readonly skip: number;
  readonly lead: number;
}

interface Placed {
  readonly entry: SealedEntry;
  /** The term and the holder of the office from this entry on. */
  readonly term: number;
  readonly leader: string | null;
  /** The smallest lead of log time over steps up to this entry. */
  readonly lead: number;
}

/**
 * One history: the stored entries in order, and the model's state after them. A log that loses entries continues with
 * another history.
 */
export class Lineage {
  readonly origin: Origin;
  readonly model: Model;
  /** The first state hash that a member reported at each sequence. */
  readonly hashes = new Map<number, string>();
  /** The first text of a fold that a member saved at each checkpoint. */
  readonly folds = new Map<number, string>();
  /** The first answer to each key that the model does not cover. */
  readonly firstAnswers = new Map<string, string>();
  readonly #createModel: () => Model;
  readonly #isTimeReal: boolean;
  readonly #past: Past | null;
  readonly #placed: Placed[] = [];

  constructor(options: {
    origin: Origin;
    createModel: () => Model;
    /** Whether log time counts only ticks that passed (I4). */
    isTimeReal: boolean;
    past?: Past | null;
  }) {
    this.origin = options.origin;
    this.#createModel = options.createModel;
    this.#isTimeReal = options.isTimeReal;
    this.#past = options.past ?? null;
    this.model = options.createModel();
    this.#replayPast(this.model);
  }

  get lastSeq(): number {
    return this.origin.seq + this.#placed.length;
  }

  /** The entry at `seq`; undefined for genesis and for a missing entry. */
  entryAt(seq: number): SealedEntry | undefined {
    return this.#placed[seq - this.origin.seq - 1]?.entry;
  }

  /** The chain hash at `seq`. */
  chainAt(seq: number): string | undefined {
    const { logId, epoch } = this.origin;
    return seq === this.origin.seq ? genesisChain(logId, epoch) : this.entryAt(seq)?.chain;
  }

  /** True when this history has the same entry at `seq` as `other`. */
  keeps(seq: number, other: Lineage): boolean {
    if (other === this) return true;
    if (seq >= this.origin.seq)
      return this.chainAt(seq) !== undefined && this.chainAt(seq) === other.chainAt(seq);
    return this.#past !== null && seq <= this.#past.seq && this.#past.lineage.keeps(seq, other);
  }

  /** The term and the holder of the office after the entry at `seq`. */
  officeAt(seq: number): { readonly term: number; readonly leader: string | null } {
    return this.#placed[seq - this.origin.seq - 1] ?? { term: this.#past?.term ?? 0, leader: null };
  }

  /** The number of office-taken entries. */
  get terms(): number {
    const own = this.#placed.filter(({ entry }) => entry.type === "office-taken").length;
    return own + (this.#past?.lineage.terms ?? 0);
  }

  /** Checks that the entry may be stored next, and stores it. */
  store({ entry, node, denied, stampedAt }: Append): number {
    const seq = this.lastSeq + 1;
    const { term, leader } = this.officeAt(this.lastSeq);
    assert(
      denied === null,
      `entry ${seq} has the command ${denied}, which ${node} had declared as never stored`,
    ); // I3
    const isTaking = entry.type === "office-taken";
    if (isTaking) {
      assert(entry.term > term, `office-taken of term ${entry.term} is stored in term ${term}`); // I1
      assert(entry.leader === node, `${node} takes the office for ${entry.leader}`);
    } else {
      assert(entry.term === term, `entry ${seq} of term ${entry.term} is stored in term ${term}`); // I2
      assert(leader === node, `entry ${seq} of ${node} is stored while ${leader} holds the office`);
    }
    const lead = entry.at - stampedAt;
    const before = this.#lead;
    const isTrue = !this.#isTimeReal || lead <= before + PHASE_TICKS;
    assert(isTrue, `log time of entry ${seq} is ahead of real time by ${lead - before} ticks`); // I4
    this.#placed.push({ entry, term: entry.term, leader: node, lead: Math.min(lead, before) });
    this.model.apply(seq, entry);
    return seq;
  }

  get #lead(): number {
    return this.#placed.at(-1)?.lead ?? this.#past?.lead ?? Number.POSITIVE_INFINITY;
  }

  /** Stores the entry that a recovery writes after genesis. No member holds the office yet. */
  begin(entry: SealedEntry): void {
    const { term, leader } = this.officeAt(this.lastSeq);
    this.#placed.push({ entry, term, leader, lead: this.#lead });
    this.model.apply(this.lastSeq, entry);
  }

  /** A copy of this history up to `seq`. */
  cut(seq: number): Lineage {
    const { origin, hashes, folds } = this;
    const cut = new Lineage({
      origin,
      createModel: this.#createModel,
      isTimeReal: this.#isTimeReal,
      past: this.#past,
    });
    for (const placed of this.#placed.slice(0, seq - origin.seq)) {
      cut.#placed.push(placed);
      cut.model.apply(cut.lastSeq, placed.entry);
    }
    for (const [at, hash] of hashes) if (at <= seq) cut.hashes.set(at, hash);
    for (const [at, text] of folds) if (at <= seq) cut.folds.set(at, text);
    cut.#keepAnswers(this);
    return cut;
  }

  /** A new epoch that continues from the state of this history at `seq`. */
  renew(seq: number, renewal: { origin: Origin; term: number; skip: number }): Lineage {
    const { origin, term, skip } = renewal;
    const renewed = new Lineage({
      origin,
      createModel: this.#createModel,
      isTimeReal: this.#isTimeReal,
      past: { lineage: this, seq, term, skip, lead: this.cut(seq).#lead },
    });
    renewed.#keepAnswers(this);
    return renewed;
  }

  #keepAnswers({ firstAnswers }: Lineage): void {
    for (const [key, text] of firstAnswers)
      if (this.model.decisions.has(key)) this.firstAnswers.set(key, text);
  }

  #replayPast(model: Model): void {
    if (this.#past === null) return;
    this.#past.lineage.#replay(model, this.#past.seq);
    model.skipAhead(this.#past.skip);
  }

  #replay(model: Model, upTo: number): void {
    this.#replayPast(model);
    for (const [index, { entry }] of this.#placed.entries()) {
      const seq = this.origin.seq + index + 1;
      if (seq <= upTo) model.apply(seq, entry);
    }
  }
}

/** The answer of the log to a repeated append that is stored already: one replica refuses, three answer "duplicate". */
export type LogKind = "refuses repeats" | "recognises repeats";

/** The outcome of an append. `gone`: there is no log, and no answer. */
export type AppendOutcome = { readonly accepted: number } | { readonly refused: number } | "gone";

/** The log: a history with a first part that may be trimmed, or no log at all. */
export class SharedLog {
  readonly #kind: LogKind;
  lineage: Lineage;
  /** The first sequence that can still be read. */
  firstSeq: number;
  /** False while the log is deleted. */
  exists = true;
  /** The step at which this log replaced an earlier one. Appends sent before this step do not arrive. */
  changedAt = 0;

  constructor(kind: LogKind, lineage: Lineage) {
    this.#kind = kind;
    this.lineage = lineage;
    this.firstSeq = lineage.origin.seq;
  }

  get lastSeq(): number {
    return this.lineage.lastSeq;
  }

  /** Reads one entry; undefined when it is trimmed, not stored yet, or genesis. */
  read(seq: number): SealedEntry | undefined {
    return this.exists && seq >= this.firstSeq ? this.lineage.entryAt(seq) : undefined;
  }

  append(append: Append): AppendOutcome {
    if (!this.exists || append.askedAt < this.changedAt) return "gone";
    const { expectedLastSeq, entry } = append;
    const { lineage, lastSeq } = this;
    if (expectedLastSeq !== null && expectedLastSeq !== lastSeq) {
      const isRepeat = lineage.entryAt(expectedLastSeq + 1)?.chain === entry.chain;
      if (isRepeat) append.storedIn = lineage;
      if (isRepeat && this.#kind === "recognises repeats") return { accepted: expectedLastSeq + 1 };
      return { refused: lastSeq };
    }
    const isBehindRead = append.lineage.chainAt(lastSeq) === lineage.chainAt(lastSeq);
    assert(
      isBehindRead,
      `${append.node} appends after entry ${lastSeq}, which differs from the entry that it has read`,
    ); // I5
    append.storedIn = lineage;
    return { accepted: lineage.store(append) };
  }

  /** Removes the entries before `seq`. */
  trim(seq: number): void {
    this.firstSeq = Math.max(this.firstSeq, seq);
  }
}
