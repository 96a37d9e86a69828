// The shared log of the simulator: stores an entry when the expectation holds, as a JetStream stream does, and
// checks what may ever be stored. Owns the log only; delays and lost answers are the wire's (log-wire.ts).
//
// I1  At most one office-taken for each term, and terms never fall.
// I2  Only the holder of the office gets an entry stored, and only under its own term.
// I3  What a client was told never to be stored is never stored.
// I4  Log time may stand still but never runs faster than real time, so that no lease is shorter than was said.
// I5  Nothing is stored behind an entry that its author has not read: a log that lost entries is no place to go on for
//     whoever has seen more of it.

import { assert } from "../../../src/base/index.ts";
import { genesisChain } from "../../../src/consensus/index.ts";
import type { SealedEntry } from "./lines.ts";
import type { Model } from "./workload.ts";

/** A tick may come right after an entry was stamped: leases are longer by this than was said. */
const PHASE_TICKS = 1;

/** An append on its way. */
export interface Append {
  readonly node: string;
  readonly incarnation: number;
  readonly request: number;
  /** null only from a broken node: then there is no fence. */
  readonly expectedLastSeq: number | null;
  readonly entry: SealedEntry;
  /** The history that its author has read. */
  readonly lineage: Lineage;
  /** The step at which this entry was first asked for. */
  readonly stampedAt: number;
  readonly askedAt: number;
  /** Set when a client was told that this will never be stored. */
  denied: string | null;
  /** The history in which it is stored; null while it is in none. */
  storedIn: Lineage | null;
}

/** Where a history begins. */
export interface Origin {
  readonly logId: string;
  readonly epoch: number;
  /** The sequence of genesis. */
  readonly seq: number;
}

/** What a history goes on from after a recovery: another one up to `seq`, with counters moved on by `skip`. */
interface Past {
  readonly lineage: Lineage;
  readonly seq: number;
  readonly term: number;
  readonly skip: number;
  readonly lead: number;
}

interface Placed {
  readonly entry: SealedEntry;
  /** Who holds the office from here on, and of which term. */
  readonly term: number;
  readonly leader: string | null;
  /** The least by which log time has been ahead of steps up to here. */
  readonly lead: number;
}

/**
 * One history: the entries that were stored one behind the other, and what they mean. A log that loses entries goes on
 * with another one.
 */
export class Lineage {
  readonly origin: Origin;
  readonly model: Model;
  /** The state hash that was seen first at each sequence. */
  readonly hashes = new Map<number, string>();
  /** The text of the fold that was seen first at each checkpoint. */
  readonly folds = new Map<number, string>();
  /** The first answer to each key, for those that the model does not know. */
  readonly firstAnswers = new Map<string, string>();
  readonly #createModel: () => Model;
  readonly #isTimeReal: boolean;
  readonly #past: Past | null;
  readonly #placed: Placed[] = [];

  constructor(options: {
    origin: Origin;
    createModel: () => Model;
    /** Whether nodes count only ticks that passed (I4). */
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

  /** The entry that stands at `seq`; undefined for genesis and for what is not there. */
  entryAt(seq: number): SealedEntry | undefined {
    return this.#placed[seq - this.origin.seq - 1]?.entry;
  }

  /** The chain hash that stands at `seq`. */
  chainAt(seq: number): string | undefined {
    const { logId, epoch } = this.origin;
    return seq === this.origin.seq ? genesisChain(logId, epoch) : this.entryAt(seq)?.chain;
  }

  /** True when what stands at `seq` of `other` stands in this history as well. */
  keeps(seq: number, other: Lineage): boolean {
    if (other === this) return true;
    if (seq >= this.origin.seq)
      return this.chainAt(seq) !== undefined && this.chainAt(seq) === other.chainAt(seq);
    return this.#past !== null && seq <= this.#past.seq && this.#past.lineage.keeps(seq, other);
  }

  /** Who held the office, and of which term, once `seq` was stored. */
  officeAt(seq: number): { readonly term: number; readonly leader: string | null } {
    return this.#placed[seq - this.origin.seq - 1] ?? { term: this.#past?.term ?? 0, leader: null };
  }

  /** How many times the office was taken. */
  get terms(): number {
    const own = this.#placed.filter(({ entry }) => entry.type === "office-taken").length;
    return own + (this.#past?.lineage.terms ?? 0);
  }

  /** Stores the next entry, having checked that it may stand there. */
  store({ entry, node, denied, stampedAt }: Append): number {
    const seq = this.lastSeq + 1;
    const { term, leader } = this.officeAt(this.lastSeq);
    assert(denied === null, `entry ${seq} holds ${denied}, of which ${node} had said it never will`); // I3
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

  /** The entry that a recovery writes behind genesis: nobody holds the office yet. */
  begin(entry: SealedEntry): void {
    const { term, leader } = this.officeAt(this.lastSeq);
    this.#placed.push({ entry, term, leader, lead: this.#lead });
    this.model.apply(this.lastSeq, entry);
  }

  /** The same history as it was when it ended with `seq`. */
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

  /** A new epoch behind what this history means at `seq`. */
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

/** How the log answers a repeated append that it holds already: one replica refuses, three say "duplicate". */
export type LogKind = "refuses repeats" | "recognises repeats";

/** What the log made of an append. `gone`: there is no log, and no answer. */
export type AppendOutcome = { readonly accepted: number } | { readonly refused: number } | "gone";

/** The log as it stands: a history, of which the beginning may be trimmed, or nothing at all. */
export class SharedLog {
  readonly #kind: LogKind;
  lineage: Lineage;
  /** The first sequence that can still be read. */
  firstSeq: number;
  /** False while somebody has deleted it. */
  exists = true;
  /** Since when it is this log: what was on its way to the one before does not arrive. */
  changedAt = 0;

  constructor(kind: LogKind, lineage: Lineage) {
    this.#kind = kind;
    this.lineage = lineage;
    this.firstSeq = lineage.origin.seq;
  }

  get lastSeq(): number {
    return this.lineage.lastSeq;
  }

  /** Reads one entry; undefined when it is trimmed, not there yet, or genesis. */
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
    assert(isBehindRead, `${append.node} appends behind entry ${lastSeq}, which is another than it has read`); // I5
    append.storedIn = lineage;
    return { accepted: lineage.store(append) };
  }

  /** Removes the entries before `seq`. */
  trim(seq: number): void {
    this.firstSeq = Math.max(this.firstSeq, seq);
  }
}
