// The simulated world: nodes, network, shared log and clients in one thread, with all chance from one seed. It causes
// faults for a while, then heals everything and expects that all requests are answered. It uses only lines to talk to
// the nodes, as a test harness outside would. A driver connects a node with its log (line-driver.ts, member-driver.ts).
//
// W1  One seed gives one run, byte for byte. The digest of all lines shows it.
// W2  The node's observer checks every line and every reply. The first broken invariant ends the run.

import { createHash } from "node:crypto";
import { AssertionError, assert } from "../../../src/base/index.ts";
import type { RunReport } from "../../support/sim/report.ts";
import { Clients, type Place } from "./clients.ts";
import type { CommandAnswer, Line, LineNode, Reply } from "./lines.ts";
import { type AppendReply, LogWire, WIRE_FAULTS } from "./log-wire.ts";
import { NETWORK_FAULTS, Network } from "./network.ts";
import { Observer, type Shared } from "./observer.ts";
import { type Append, Lineage, type LogKind, type Origin, SharedLog } from "./shared-log.ts";
import { Stage } from "./stage.ts";
import type { CreateWorkload } from "./workload.ts";

/** The faults of every world. Each is counted when it really happens. */
const WORLD_FAULTS = [
  ...NETWORK_FAULTS,
  ...WIRE_FAULTS,
  "node partitioned",
  "node paused",
  "clock slow",
  "node restarted",
  "node replaced, whole log read",
  "node replaced, part of the log read",
  "append of the office refused",
  "log read from a stale replica",
  "stored entry out of order",
  "stored entry repeated",
  "stored before accepted",
  "transfer requested",
  "campaign requested",
  "command repeated after its answer",
] as const;

/** The kind of simulated node, with its workload and its driver. */
export interface Bench {
  /** Creates the node under test, once for each member. */
  readonly createNode: () => LineNode;
  readonly createWorkload: CreateWorkload;
  readonly createDriver: (parts: DriverParts) => Driver;
  /** The start of the first history. */
  readonly origin: Origin;
  /** Whether log time counts only ticks that really passed. */
  readonly isTimeReal: boolean;
  /** The faults of this bench, beside the faults of every world. */
  readonly faults: readonly string[];
}

/** The objects and functions that a driver uses. */
export interface DriverParts {
  readonly stage: Stage;
  readonly log: SharedLog;
  readonly shared: Shared;
  readonly clients: Clients;
  readonly nodes: readonly SimulatedNode[];
  /** Sends a line to the node now. */
  readonly say: (node: SimulatedNode, line: Line) => Reply;
  /** Sends a line to the node now or when its pause ends, if it is still the same incarnation. */
  readonly reach: (node: SimulatedNode, line: () => Line | null) => void;
}

/** The driver around a decider: it starts nodes, and performs the effects that the world itself does not. */
export interface Driver {
  /**
   * Starts the node as a new process, at once or as soon as it can. A lagging node reads from a replica with fewer
   * entries.
   */
  start(node: SimulatedNode, kind: "current" | "lagging"): void;
  /** Handles a log that was trimmed beyond the entries that the node has read. */
  fallBehind(node: SimulatedNode): void;
  /** Sends ticks to a node that was paused for `missed` steps. Its inbox is handled before or after the ticks. */
  wake(node: SimulatedNode, missed: number, doInbox: () => void): void;
  /**
   * Sends the append with `way.ask`, or withholds it with `way.holdBack`, which reports it as unknown. The driver may
   * first check the log.
   */
  append(node: SimulatedNode, append: Append, way: { ask(): void; holdBack(): void }): void;
  /** Handles a reply of the node. */
  after(node: SimulatedNode, reply: Reply): void;
  /** Runs one step of time. */
  step(): void;
  /** Runs asynchronous work, such as starting nodes that are down. Null when there is none. */
  settle(): Promise<void> | null;
  /** Ends all faults, and repairs permanent damage. */
  heal(): void;
  /** Checks the driver's own invariants at the end. */
  check(): void;
}

/** One node, with its state in the world. */
export interface SimulatedNode {
  readonly id: string;
  readonly index: number;
  readonly node: LineNode;
  readonly observer: Observer;
  /** False while the node cannot start; `problem` has the reason. */
  isUp: boolean;
  problem: string | null;
  pausedUntil: number;
  missedTicks: number;
  /** The work that arrived during a pause. */
  readonly inbox: (() => void)[];
  /** The next sequence that the log delivers to the node. */
  nextSeq: number;
  staleUntil: number;
  slowClockUntil: number;
  /** True while clients keep sending requests to it although its clock is slow. */
  isTrusted: boolean;
}

/** The election timeout of every simulated node, in ticks. */
export const ELECTION_TICKS = 10;
const HEARTBEAT_TICKS = 3;
/** The number of steps with faults. */
export const CHAOS_STEPS = 500;
/** The most steps until everything has healed: several elections, each at most 4 × electionTicks with abstention. */
const HEAL_STEPS = 400;
const SIZES = [1, 3, 3, 3, 5, 5, 7];
const TAIL_LINES = 30;

/** All faults of a bench. */
export function listFaults(bench: Bench): readonly string[] {
  return [...WORLD_FAULTS, ...bench.faults];
}

/** Runs one seed. `onLine` gets every line and reply, with its step and member in front. */
export async function runSeed(
  seed: number,
  bench: Bench,
  onLine?: (text: string) => void,
): Promise<RunReport> {
  const world = new World(seed, bench, onLine);
  let failure: string | null = null;
  try {
    await world.run();
  } catch (error) {
    const { message, stack } = error as Error;
    failure = error instanceof AssertionError ? message : `${stack}`;
  }
  return world.report(failure);
}

class World {
  readonly #stage: Stage;
  readonly #network: Network;
  readonly #wire: LogWire;
  readonly #log: SharedLog;
  readonly #clients: Clients;
  readonly #driver: Driver;
  readonly #nodes: SimulatedNode[];
  readonly #shared: Shared;
  readonly #digest = createHash("sha256");
  readonly #tail: string[] = [];
  /** The probability that a node reads nothing in one step. */
  readonly #readLag: number;
  readonly #onLine: ((text: string) => void) | undefined;

  constructor(seed: number, bench: Bench, onLine?: (text: string) => void) {
    this.#onLine = onLine;
    const stage = new Stage(seed);
    this.#stage = stage;
    const members = Array.from({ length: stage.pick(SIZES) }, (_, index) => `${index + 1}`);
    const workload = bench.createWorkload(stage);
    const { createModel } = workload;
    const { origin, isTimeReal } = bench;
    const lineage = new Lineage({ origin, createModel, isTimeReal });
    const kind: LogKind = stage.happens(0.5) ? "refuses repeats" : "recognises repeats";
    this.#log = new SharedLog(kind, lineage);
    this.#shared = { stage, members, electionTicks: ELECTION_TICKS, workload };
    this.#network = new Network(stage);
    this.#wire = new LogWire(stage, this.#log);
    this.#readLag = stage.pick([0.1, 0.5, 0.9]);
    this.#clients = new Clients(stage, workload, members.length);
    this.#nodes = members.map((id, index) => ({
      id,
      index,
      node: bench.createNode(),
      observer: new Observer(id, this.#shared, lineage),
      isUp: false,
      problem: null,
      pausedUntil: 0,
      missedTicks: 0,
      inbox: [],
      nextSeq: 0,
      staleUntil: 0,
      slowClockUntil: 0,
      isTrusted: false,
    }));
    this.#driver = bench.createDriver({
      stage,
      log: this.#log,
      shared: this.#shared,
      clients: this.#clients,
      nodes: this.#nodes,
      say: (node, line) => this.#say(node, line),
      reach: (node, line) => this.#reach(node, line),
    });
  }

  async run(): Promise<void> {
    const stage = this.#stage;
    for (const node of this.#nodes) this.#driver.start(node, "current");
    await this.#driver.settle();
    while (stage.now < CHAOS_STEPS) await this.#step();
    this.#heal();
    const end = stage.now + HEAL_STEPS;
    while (stage.now < end && !this.#isDone()) await this.#step();
    this.#checkDone();
    this.#clients.check();
    this.#driver.check();
  }

  report(failure: string | null): RunReport {
    return {
      seed: this.#stage.seed,
      failure,
      digest: this.#digest.digest("hex"),
      figures: {
        terms: this.#log.lineage.terms,
        commands: this.#clients.answered,
        lines: this.#stage.lines,
      },
      faults: this.#stage.faults,
      tail: failure === null ? [] : this.#tail,
    };
  }

  // One step of time

  /** Runs one step. Returns a promise only if there is asynchronous work; most steps have none. */
  #step(): Promise<void> | null {
    const stage = this.#stage;
    stage.now++;
    if (!stage.isHealed) for (const node of this.#nodes) this.#breakSomething(node);
    for (const node of this.#nodes) this.#pass(node);
    this.#driver.step();
    stage.runDue();
    for (const node of this.#nodes) this.#readLog(node);
    this.#clients.drive((target, line) => this.#ask(target, line));
    return this.#driver.settle();
  }

  /** Sends a tick to a running node. A slow clock loses ticks. */
  #pass(node: SimulatedNode): void {
    if (!node.isUp) return;
    if (node.pausedUntil > this.#stage.now) {
      node.missedTicks++;
      return;
    }
    if (node.missedTicks > 0) {
      const missed = node.missedTicks;
      node.missedTicks = 0;
      this.#driver.wake(node, missed, () => {
        for (const work of node.inbox.splice(0)) work();
      });
      return;
    }
    const isSlow = node.slowClockUntil > this.#stage.now && this.#stage.happens(0.9);
    if (isSlow) this.#stage.count("clock slow");
    else this.#say(node, { op: "tick", n: 1 });
  }

  /** Sends the line to the node now or when its pause ends, unless it is a new incarnation by then. */
  #reach(node: SimulatedNode, line: () => Line | null): void {
    const { incarnation } = node.observer;
    const work = () => {
      if (!node.isUp || node.observer.incarnation !== incarnation) return;
      const ready = line();
      if (ready !== null) this.#say(node, ready);
    };
    if (node.pausedUntil > this.#stage.now) node.inbox.push(work);
    else work();
  }

  #say(node: SimulatedNode, line: Line): Reply {
    const id = ++this.#stage.lines;
    const text = JSON.stringify({ id, ...line });
    node.observer.before(line);
    const answer = node.node.handleLine(text);
    this.#digest.update(`${node.id}<${text}\n${node.id}>${answer}\n`);
    const said = [`${this.#stage.now} ${node.id} < ${text}`, `${this.#stage.now} ${node.id} > ${answer}`];
    for (const line of said) this.#onLine?.(line);
    this.#tail.push(...said);
    if (this.#tail.length > TAIL_LINES) this.#tail.splice(0, this.#tail.length - TAIL_LINES);
    const reply = JSON.parse(answer) as Reply;
    assert(reply.id === id, `reply to line ${id} has id ${reply.id}`);
    const appends = node.observer.after(line, reply);
    for (const { to, message } of reply.send) this.#post(node, to, message);
    for (const append of appends) this.#append(node, append);
    for (const answered of reply.answers) this.#hear(node, answered);
    for (const read of reply.reads ?? []) this.#hearRead(node, read, reply.state.appliedSeq);
    this.#driver.after(node, reply);
    return reply;
  }

  #post(from: SimulatedNode, to: string, message: object): void {
    const target = this.#nodes.find(({ id }) => id === to);
    assert(target !== undefined, `${from.id} sends to ${to}, which is not a member`);
    this.#network.post(from.id, to, () =>
      this.#reachAnyway(target, { op: "receive", from: from.id, message }),
    );
  }

  /** As reach, for lines that every incarnation accepts. */
  #reachAnyway(node: SimulatedNode, line: Line): void {
    const work = () => {
      if (node.isUp) this.#say(node, line);
    };
    if (node.pausedUntil > this.#stage.now) node.inbox.push(work);
    else work();
  }

  // The log

  #append(node: SimulatedNode, append: Append): void {
    const { request, incarnation } = append;
    const tell = (reply: AppendReply) => {
      if (node.observer.incarnation !== incarnation) return;
      this.#reach(node, () => this.#toLine(node, request, reply));
    };
    this.#driver.append(node, append, {
      ask: () => this.#wire.ask(append, tell),
      holdBack: () => this.#stage.at(1, () => tell("unknown")),
    });
  }

  #toLine({ observer: { state } }: SimulatedNode, request: number, reply: AppendReply): Line {
    if (reply === "unknown") return { op: "log", event: "unknown", request };
    if ("refused" in reply) {
      if (state?.inOffice === true) this.#stage.count("append of the office refused");
      return { op: "log", event: "refused", request, lastSeq: reply.refused };
    }
    if ((state?.appliedSeq ?? 0) >= reply.accepted) this.#stage.count("stored before accepted");
    return { op: "log", event: "accepted", request, seq: reply.accepted };
  }

  /** Delivers the next entries to a node, unless its replica is stale. */
  #readLog(node: SimulatedNode): void {
    const stage = this.#stage;
    if (!node.isUp || node.pausedUntil > stage.now) return;
    const log = this.#log;
    const isBehind = log.exists && node.nextSeq <= log.lastSeq;
    if (node.staleUntil > stage.now) {
      if (isBehind) stage.count("log read from a stale replica");
      return;
    }
    if (stage.strikes(this.#readLag) || !log.exists) return;
    if (isBehind && node.nextSeq < log.firstSeq) {
      if (log.firstSeq > (node.observer.state?.appliedSeq ?? 0) + 1) {
        this.#driver.fallBehind(node);
        return;
      }
      node.nextSeq = log.firstSeq; // The trimmed entries are its own; it knows them from acknowledgements.
    }
    if (node.nextSeq < log.lastSeq && stage.strikes(0.1)) this.#deliverEarly(node);
    while (node.isUp && log.read(node.nextSeq) !== undefined) {
      const reply = this.#deliver(node, node.nextSeq++);
      const isExcused = node.observer.halted !== null;
      assert(reply.ok || isExcused, `${node.id} refuses an entry in order: ${reply.error}`);
    }
    if (stage.strikes(0.05)) this.#deliverAgain(node);
  }

  #deliverEarly(node: SimulatedNode): void {
    const seq = node.nextSeq + 1;
    const appliedSeq = node.observer.state?.appliedSeq ?? 0;
    if (seq <= appliedSeq + 1 || node.observer.halted !== null) return;
    this.#stage.count("stored entry out of order");
    const reply = this.#deliver(node, seq);
    assert(reply.error === "gap", `${node.id} takes entry ${seq} after ${appliedSeq}`);
  }

  #deliverAgain(node: SimulatedNode): void {
    const first = Math.max(this.#log.firstSeq, this.#log.lineage.origin.seq + 1);
    const seq = this.#stage.between(first, node.nextSeq - 1);
    if (seq >= node.nextSeq || this.#log.read(seq) === undefined) return;
    this.#stage.count("stored entry repeated");
    this.#deliver(node, seq);
  }

  #deliver(node: SimulatedNode, seq: number): Reply {
    node.observer.follow(this.#log.lineage);
    return this.#say(node, { op: "log", event: "stored", seq, entry: this.#log.read(seq) });
  }

  // Clients

  #ask(target: number, line: Line): void {
    const { now } = this.#stage;
    const trusted = this.#nodes.find((node) => node.isTrusted && node.slowClockUntil > now);
    const likely = this.#nodes[target] as SimulatedNode;
    const node = this.#stage.happens(0.5) ? (trusted ?? likely) : likely;
    if (node.isUp && node.observer.halted === null) this.#reachAnyway(node, line);
  }

  #hear(node: SimulatedNode, answer: CommandAnswer): void {
    const place = node.observer.lineage.model.decisions.get(answer.key) ?? null;
    this.#clients.hear(answer, this.#hint(node, answer.leader), this.#ifKept(node, place));
  }

  #hearRead(node: SimulatedNode, read: { ticket: string; ok: boolean }, seq: number): void {
    const place = this.#ifKept(node, { seq, index: Number.POSITIVE_INFINITY });
    this.#clients.hearRead(read, this.#hint(node, undefined), place);
  }

  /** The place, or null if the log has lost it since. */
  #ifKept({ observer: { lineage } }: SimulatedNode, place: Place | null): Place | null {
    return place !== null && this.#log.lineage.keeps(place.seq, lineage) ? place : null;
  }

  #hint({ index }: SimulatedNode, leader: string | undefined): { index: number; leader: number } {
    return { index, leader: this.#nodes.findIndex(({ id }) => id === leader) };
  }

  // Faults

  #breakSomething(node: SimulatedNode): void {
    const stage = this.#stage;
    const { now } = stage;
    if (!node.isUp || node.pausedUntil > now) return;
    if (stage.happens(0.006)) {
      stage.count("node paused");
      node.pausedUntil = now + stage.between(2, 60);
      return;
    }
    if (stage.happens(0.004)) this.#restart(node);
    if (stage.happens(0.01)) node.staleUntil = now + stage.between(5, 50);
    if (stage.happens(node.observer.state?.inOffice === true ? 0.012 : 0.003)) this.#partition(node);
    if (stage.happens(0.006)) node.slowClockUntil = now + stage.between(10, 80);
    if (stage.happens(0.004)) this.#wire.slowDown(now + stage.between(5, 40));
    if (stage.happens(0.02)) {
      this.#network.cut(node.id, stage.pick(this.#nodes).id, now + stage.between(5, 60));
    }
    if (!node.isUp || node.observer.halted !== null) return;
    if (stage.happens(0.004)) {
      stage.count("campaign requested");
      this.#say(node, { op: "campaign" });
    }
    if (stage.happens(0.01) && node.observer.state?.role === "leader") this.#askTransfer(node);
  }

  /** Hides a new holder from this node and its clients, so that only the fenced write stops an old holder. */
  #hideSuccessor(node: SimulatedNode, until: number): void {
    node.staleUntil = until;
    node.slowClockUntil = until;
    node.isTrusted = true;
  }

  /** Partitions the node from all others. Both sides still reach the log. */
  #partition(node: SimulatedNode): void {
    this.#stage.count("node partitioned");
    const until = this.#stage.now + this.#stage.between(10, 100);
    if (this.#stage.happens(0.5)) this.#hideSuccessor(node, until);
    for (const { id } of this.#nodes) {
      this.#network.cut(id, node.id, until);
      this.#network.cut(node.id, id, until);
    }
  }

  /**
   * Requests a transfer. In half of the cases the old leader gets no message of its successor and learns of it from the
   * log.
   */
  #askTransfer(node: SimulatedNode): void {
    const stage = this.#stage;
    stage.count("transfer requested");
    const target = stage.pick(this.#nodes);
    if (stage.happens(0.5)) {
      for (const { id } of this.#nodes) this.#network.cut(id, node.id, stage.now + ELECTION_TICKS);
      node.staleUntil = stage.now + ELECTION_TICKS;
    }
    this.#say(node, { op: "transfer", to: target.id });
  }

  /** Restarts a node, which keeps its entries, or replaces it by a new process, perhaps with fewer entries. */
  #restart(node: SimulatedNode): void {
    const kind = this.#stage.between(1, 3);
    if (kind === 1) {
      this.#stage.count("node restarted");
      const { state } = this.#say(node, { op: "restart" });
      node.nextSeq = state.appliedSeq + 1;
      return;
    }
    this.#stage.count(kind === 2 ? "node replaced, whole log read" : "node replaced, part of the log read");
    this.#driver.start(node, kind === 2 ? "current" : "lagging");
  }

  // Healing

  #heal(): void {
    this.#stage.isHealed = true;
    this.#network.heal();
    for (const node of this.#nodes) {
      node.pausedUntil = 0;
      node.staleUntil = 0;
      node.slowClockUntil = 0;
      node.isTrusted = false;
    }
    this.#driver.heal();
  }

  #isDone(): boolean {
    const states = this.#nodes.map(({ observer }) => observer.state);
    const hasHolder = states.filter((state) => state?.inOffice).length === 1;
    const isEven = states.every((state) => state?.appliedSeq === this.#log.lastSeq);
    const isAnswered = this.#nodes.every(({ observer }) => observer.pending.size === 0);
    return hasHolder && isEven && isAnswered && this.#clients.waiting.length === 0;
  }

  #checkDone(): void {
    const { waiting } = this.#clients;
    assert(waiting.length === 0, `after healing these requests stay unanswered: ${waiting.join(", ")}`);
    const states = this.#nodes.map(({ id, isUp, problem, observer: { state, halted, pending } }) => ({
      id,
      isUp,
      problem,
      halted,
      role: state?.role,
      inOffice: state?.inOffice,
      term: state?.term,
      appliedSeq: state?.appliedSeq,
      pending: pending.size,
    }));
    assert(this.#isDone(), `after healing the swarm does not settle: ${JSON.stringify(states)}`);
  }
}

/** The configuration of a node in every world. */
export function electionLine(node: SimulatedNode, { members, stage }: Shared) {
  return {
    node: node.id,
    peers: members,
    electionTicks: ELECTION_TICKS,
    heartbeatTicks: HEARTBEAT_TICKS,
    seed: stage.seed,
    preVote: stage.seed % 5 !== 0,
    checkQuorum: true,
  };
}
