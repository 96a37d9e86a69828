// The simulated world: election nodes, network, shared log and clients in one thread, all chance from one seed.
// It breaks things for a while, then heals everything and demands that all work gets done. Speaks to the nodes
// in lines only, as any outside harness does.
//
// W1  One seed gives one run, byte for byte (the digest of all lines shows it).
// W2  Every line and reply passes the node's observer; the first broken invariant ends the run.

import { createHash } from "node:crypto";
import {
  AssertionError,
  assert,
  type Chance,
  integerBetween,
  seededChance,
} from "../../../src/base/index.ts";
import { type Command, findOutOfOrder, type Operation } from "./model.ts";
import { type Line, Observer, type Reply, type Shared } from "./observer.ts";
import { type Append, type AppendOutcome, createSharedLog, type LogKind } from "./shared-log.ts";

/** Anything that answers lines as the election node does. */
export interface LineNode {
  handleLine(line: string): string;
}

/** Everything that can go wrong here; each is counted when it really happens. */
export const FAULTS = [
  "message lost",
  "message duplicated",
  "message reordered",
  "direction cut",
  "node cut off",
  "node paused",
  "clock slow",
  "node restarted",
  "node replaced, log read anew",
  "node replaced by a lagging one",
  "unknown append stored",
  "unknown append stored late",
  "unknown append never stored",
  "append refused",
  "append of the office refused",
  "log slow",
  "log read from a stale replica",
  "stored entry out of order",
  "stored entry repeated",
  "stored before accepted",
  "transfer asked",
  "campaign asked",
  "command repeated after its answer",
] as const;

/** One kind of fault. */
export type Fault = (typeof FAULTS)[number];

/** What a run was like. */
export interface RunReport {
  readonly seed: number;
  /** Why the run failed; null when every invariant held. */
  readonly failure: string | null;
  /** SHA-256 over all lines and replies. */
  readonly digest: string;
  readonly lines: number;
  readonly terms: number;
  readonly answered: number;
  readonly faults: ReadonlyMap<Fault, number>;
  /** The last lines and replies before a failure. */
  readonly tail: readonly string[];
}

const ELECTION_TICKS = 10;
const HEARTBEAT_TICKS = 3;
const CHAOS_STEPS = 500;
/** Healing must be over by then: several elections, each at most 4 × electionTicks with abstention. */
const HEAL_STEPS = 400;
const CLIENTS = 4;
const CLIENT_TIMEOUT_STEPS = 25;
const SIZES = [1, 3, 3, 3, 5, 5, 7];
const TAIL_LINES = 30;
const SWARM = "simulated";

interface Simulated {
  readonly id: string;
  readonly index: number;
  readonly node: LineNode;
  readonly observer: Observer;
  pausedUntil: number;
  missedTicks: number;
  /** Work that arrived while paused. */
  readonly inbox: Work[];
  /** The next sequence that the log delivers to it. */
  nextSeq: number;
  staleUntil: number;
  slowClockUntil: number;
  /** Clients go on asking it while its clock is slow. */
  isTrusted: boolean;
}

interface Client {
  readonly id: number;
  asked: number;
  waiting: { key: string; command: Command; askedAt: number; retryAt: number; target: number } | null;
}

interface FaultRates {
  readonly loss: number;
  readonly duplication: number;
  readonly delayMax: number;
  readonly unknown: number;
  readonly logDelayMax: number;
  /** How likely a node reads nothing in one step. */
  readonly readLag: number;
}

type Work = () => void;

/** Runs one seed. `createNode` makes the node under test, once for each member. */
export function runSeed(seed: number, createNode: (id: string) => LineNode): RunReport {
  const world = new World(seed, createNode);
  let failure: string | null = null;
  try {
    world.run();
  } catch (error) {
    if (!(error instanceof AssertionError)) throw error;
    failure = error.message;
  }
  return world.report(failure);
}

class World {
  readonly #seed: number;
  readonly #chance: Chance;
  readonly #rates: FaultRates;
  readonly #shared: Shared;
  readonly #log: ReturnType<typeof createSharedLog>;
  readonly #nodes: Simulated[];
  readonly #clients: Client[];
  readonly #agenda = new Map<number, Work[]>();
  readonly #cuts = new Map<string, number>();
  readonly #operations: Operation[] = [];
  readonly #finished: { key: string; command: Command }[] = [];
  readonly #faults = new Map<Fault, number>(FAULTS.map((fault) => [fault, 0]));
  readonly #digest = createHash("sha256");
  readonly #tail: string[] = [];
  #slowUntil = 0;
  #now = 0;
  #lines = 0;
  #isHealed = false;

  constructor(seed: number, createNode: (id: string) => LineNode) {
    this.#seed = seed;
    this.#chance = seededChance(seed);
    const size = this.#pick(SIZES);
    const members = Array.from({ length: size }, (_, index) => `${index + 1}`);
    const kind: LogKind = this.#happens(0.5) ? "refuses repeats" : "recognises repeats";
    this.#log = createSharedLog(kind);
    this.#shared = {
      members,
      electionTicks: ELECTION_TICKS,
      entries: this.#log.entries,
      decisions: this.#log.model.decisions,
      hashes: new Map(),
    };
    this.#rates = {
      loss: this.#pick([0, 0.02, 0.1, 0.3]),
      duplication: this.#pick([0, 0.05, 0.2]),
      delayMax: this.#pick([1, 3, 12]),
      unknown: this.#pick([0, 0.1, 0.3, 0.6]),
      logDelayMax: this.#pick([1, 3, 8]),
      readLag: this.#pick([0.1, 0.5, 0.9]),
    };
    this.#nodes = members.map((id, index) => ({
      id,
      index,
      node: createNode(id),
      observer: new Observer(id, this.#shared),
      pausedUntil: 0,
      missedTicks: 0,
      inbox: [],
      nextSeq: 1,
      staleUntil: 0,
      slowClockUntil: 0,
      isTrusted: false,
    }));
    this.#clients = Array.from({ length: CLIENTS }, (_, id) => ({ id, asked: 0, waiting: null }));
  }

  run(): void {
    for (const node of this.#nodes) this.#init(node, 0);
    while (this.#now < CHAOS_STEPS) this.#step();
    this.#heal();
    const end = this.#now + HEAL_STEPS;
    while (this.#now < end && !this.#isDone()) this.#step();
    this.#checkDone();
    const pair = findOutOfOrder(this.#operations, this.#log.model.decisions);
    assert(
      pair === undefined,
      `${pair?.[1].key} was asked after ${pair?.[0].key} was answered, but stands before it`,
    );
  }

  report(failure: string | null): RunReport {
    return {
      seed: this.#seed,
      failure,
      digest: this.#digest.digest("hex"),
      lines: this.#lines,
      terms: this.#log.entries.filter(({ type }) => type === "office-taken").length,
      answered: this.#operations.length,
      faults: this.#faults,
      tail: failure === null ? [] : this.#tail,
    };
  }

  // One step of time

  #step(): void {
    this.#now++;
    if (!this.#isHealed) for (const node of this.#nodes) this.#breakSomething(node);
    const due = this.#agenda.get(this.#now) ?? [];
    this.#agenda.delete(this.#now);
    for (const work of due) work();
    for (const node of this.#nodes) this.#pass(node);
    for (const node of this.#nodes) this.#readLog(node);
    for (const client of this.#clients) this.#drive(client);
    if (this.#finished.length > 0 && this.#happens(0.05)) this.#repeatFinished();
  }

  /** A tick for a node that runs; the burst of missed ones when it wakes, before or after its inbox. A slow clock loses
   * ticks. */
  #pass(node: Simulated): void {
    if (node.pausedUntil > this.#now) {
      node.missedTicks++;
      return;
    }
    const inbox = node.inbox.splice(0);
    const ticksFirst = this.#happens(0.5);
    if (!ticksFirst) for (const work of inbox) work();
    const isSlow = node.slowClockUntil > this.#now && this.#happens(0.9);
    if (isSlow) this.#count("clock slow");
    else this.#say(node, { op: "tick", n: node.missedTicks + 1 });
    node.missedTicks = 0;
    if (ticksFirst) for (const work of inbox) work();
  }

  /** Has the node take the line now, or when it wakes. */
  #reach(node: Simulated, line: () => Line | null): void {
    const work = () => {
      const ready = line();
      if (ready !== null) this.#say(node, ready);
    };
    if (node.pausedUntil > this.#now) node.inbox.push(work);
    else work();
  }

  #say(node: Simulated, line: Line): Reply {
    this.#lines++;
    const { id: _, ...known } = { id: 0, ...line };
    const text = JSON.stringify({ id: this.#lines, ...known });
    node.observer.before(line);
    const answer = node.node.handleLine(text);
    this.#digest.update(`${node.id}<${text}\n${node.id}>${answer}\n`);
    this.#tail.push(`${this.#now} ${node.id} < ${text}`, `${this.#now} ${node.id} > ${answer}`);
    if (this.#tail.length > TAIL_LINES) this.#tail.splice(0, this.#tail.length - TAIL_LINES);
    const reply = JSON.parse(answer) as Reply;
    assert(reply.id === this.#lines, `reply to line ${this.#lines} has id ${reply.id}`);
    const appends = node.observer.after(line, reply);
    for (const { to, message } of reply.send) this.#post(node, to, message);
    for (const append of appends) this.#ask(node, append);
    for (const answered of reply.answers) this.#hear(node, answered);
    return reply;
  }

  // Network

  #post(from: Simulated, to: string, message: object): void {
    const target = this.#nodes.find(({ id }) => id === to);
    assert(target !== undefined, `${from.id} sends to ${to}, who is no member`);
    const isCut = (this.#cuts.get(`${from.id}>${to}`) ?? 0) > this.#now;
    if (isCut || this.#strikes(this.#rates.loss)) {
      this.#count(isCut ? "direction cut" : "message lost");
      return;
    }
    this.#carry(from, target, message);
    if (this.#strikes(this.#rates.duplication)) {
      this.#count("message duplicated");
      this.#carry(from, target, message);
    }
  }

  #carry(from: Simulated, target: Simulated, message: object): void {
    const delay = this.#isHealed ? 1 : integerBetween(this.#chance, 1, this.#rates.delayMax);
    if (delay > 3) this.#count("message reordered");
    this.#at(delay, () => this.#reach(target, () => ({ op: "receive", from: from.id, message })));
  }

  // The log

  #ask(node: Simulated, append: Append): void {
    const isUnknown = this.#strikes(this.#rates.unknown);
    if (!isUnknown) {
      this.#at(this.#logDelay(), () => {
        const outcome = this.#store(append);
        this.#at(this.#logDelay(), () => this.#tell(node, append, outcome));
      });
      return;
    }
    const fate = integerBetween(this.#chance, 1, 3);
    this.#at(this.#logDelay(), () => {
      const isStored = fate === 1 && "accepted" in this.#store(append);
      if (isStored) this.#count("unknown append stored");
      if (fate === 2) this.#count("unknown append never stored");
      this.#at(1, () => this.#tell(node, append, "unknown"));
    });
    if (fate !== 3) return;
    this.#at(this.#logDelay() + integerBetween(this.#chance, 1, 30), () => {
      if ("accepted" in this.#store(append)) this.#count("unknown append stored late");
    });
  }

  #store(append: Append): AppendOutcome {
    const outcome = this.#log.append(append);
    if ("refused" in outcome) this.#count("append refused");
    return outcome;
  }

  #tell(node: Simulated, append: Append, outcome: AppendOutcome | "unknown"): void {
    const { request, incarnation } = append;
    this.#reach(node, () => {
      if (node.observer.incarnation !== incarnation) return null;
      if (outcome === "unknown") return { op: "log", event: "unknown", request };
      if ("refused" in outcome && node.observer.state?.inOffice === true)
        this.#count("append of the office refused");
      if ("refused" in outcome) return { op: "log", event: "refused", request, lastSeq: outcome.refused };
      if ((node.observer.state?.appliedSeq ?? 0) >= outcome.accepted) this.#count("stored before accepted");
      return { op: "log", event: "accepted", request, seq: outcome.accepted };
    });
  }

  #logDelay(): number {
    if (this.#isHealed) return 1;
    const isSlow = this.#slowUntil > this.#now;
    if (isSlow) this.#count("log slow");
    return integerBetween(this.#chance, 1, isSlow ? 40 : this.#rates.logDelayMax);
  }

  /** Delivers the next entries to a node, unless it reads from a replica that lags. */
  #readLog(node: Simulated): void {
    if (node.pausedUntil > this.#now) return;
    const { entries } = this.#log;
    if (node.staleUntil > this.#now) {
      if (node.nextSeq <= entries.length) this.#count("log read from a stale replica");
      return;
    }
    if (this.#strikes(this.#rates.readLag)) return;
    if (node.nextSeq < entries.length && this.#strikes(0.1)) this.#deliverEarly(node);
    while (node.nextSeq <= entries.length) {
      const reply = this.#deliver(node, node.nextSeq++);
      assert(reply.ok, `${node.id} refuses an entry in order: ${reply.error}`);
    }
    if (node.nextSeq > 2 && this.#strikes(0.05)) {
      this.#count("stored entry repeated");
      this.#deliver(node, integerBetween(this.#chance, 1, node.nextSeq - 1));
    }
  }

  #deliverEarly(node: Simulated): void {
    const seq = node.nextSeq + 1;
    const appliedSeq = node.observer.state?.appliedSeq ?? 0;
    if (seq <= appliedSeq + 1) return;
    this.#count("stored entry out of order");
    const reply = this.#deliver(node, seq);
    assert(reply.error === "gap", `${node.id} takes entry ${seq} after ${appliedSeq}`);
  }

  #deliver(node: Simulated, seq: number): Reply {
    return this.#say(node, { op: "log", event: "stored", seq, entry: this.#log.entries[seq - 1] });
  }

  // Clients

  #drive(client: Client): void {
    if (client.waiting === null) {
      if (this.#isHealed || !this.#happens(0.4)) return;
      const key = `c${client.id}:${++client.asked}`;
      const command = this.#newCommand(client);
      client.waiting = { key, command, askedAt: this.#lines, retryAt: 0, target: this.#anyNode().index };
    }
    const { waiting } = client;
    if (waiting.retryAt > this.#now) return;
    waiting.retryAt = this.#now + CLIENT_TIMEOUT_STEPS;
    const trusted = this.#nodes.find((node) => node.isTrusted && node.slowClockUntil > this.#now);
    const node = this.#happens(0.5) ? (trusted ?? this.#target(waiting)) : this.#target(waiting);
    waiting.target = this.#anyNode().index;
    this.#reach(node, () => ({ op: "command", key: waiting.key, command: waiting.command }));
  }

  #target({ target }: { target: number }): Simulated {
    return this.#nodes[target] as Simulated;
  }

  #hear(node: Simulated, answer: Reply["answers"][number]): void {
    const client = this.#clients.find(({ waiting }) => waiting?.key === answer.key);
    if (client?.waiting == null) return;
    if (!answer.ok) {
      const hint = this.#nodes.findIndex(({ id }) => id === answer.leader);
      if (hint >= 0 && hint !== node.index) client.waiting.target = hint;
      client.waiting.retryAt = this.#now + integerBetween(this.#chance, 1, 4);
      return;
    }
    const { key, command, askedAt } = client.waiting;
    this.#operations.push({ key, askedAt, answeredAt: this.#lines });
    this.#finished.push({ key, command });
    client.waiting = null;
  }

  /** A client that lost its answer asks again long after; its observer compares the answer with the first one. */
  #repeatFinished(): void {
    const { key, command } = this.#pick(this.#finished);
    this.#count("command repeated after its answer");
    this.#reach(this.#anyNode(), () => ({ op: "command", key, command }));
  }

  #newCommand(client: Client): Command {
    const name = this.#pick(["x", "y"]);
    const lock = this.#pick(["l", "m"]);
    const owner = `c${client.id}`;
    const value = integerBetween(this.#chance, 0, 3);
    return this.#pick<Command>([
      { type: "set", name, value },
      { type: "get", name },
      { type: "get", name },
      { type: "cas", name, expect: this.#pick([null, 0, 1, 2, 3]), value },
      { type: "lock", name: lock, owner, ttl: integerBetween(this.#chance, 3, 40) },
      { type: "lock", name: lock, owner },
      { type: "unlock", name: lock, owner, token: integerBetween(this.#chance, 1, 6) },
      { type: "unlock", name: lock, owner, token: this.#lastToken(lock) },
    ]);
  }

  #lastToken(name: string): number {
    let token = 1;
    for (const { key, command } of this.#finished) {
      if (command.type !== "lock" || command.name !== name) continue;
      const granted = this.#log.model.decisions.get(key)?.value as { token: number } | null | undefined;
      token = Math.max(token, granted?.token ?? 0);
    }
    return token;
  }

  // Faults

  #breakSomething(node: Simulated): void {
    if (node.pausedUntil > this.#now) return;
    if (this.#happens(0.006)) {
      this.#count("node paused");
      node.pausedUntil = this.#now + integerBetween(this.#chance, 2, 60);
      return;
    }
    if (this.#happens(0.004)) this.#restart(node);
    if (this.#happens(0.01)) node.staleUntil = this.#now + integerBetween(this.#chance, 5, 50);
    if (this.#happens(node.observer.state?.inOffice === true ? 0.012 : 0.003)) this.#cutOff(node);
    if (this.#happens(0.006)) node.slowClockUntil = this.#now + integerBetween(this.#chance, 10, 80);
    if (this.#happens(0.004)) this.#slowUntil = this.#now + integerBetween(this.#chance, 5, 40);
    if (this.#happens(0.02)) {
      this.#cuts.set(`${node.id}>${this.#anyNode().id}`, this.#now + integerBetween(this.#chance, 5, 60));
    }
    if (this.#happens(0.004)) {
      this.#count("campaign asked");
      this.#say(node, { op: "campaign" });
    }
    if (this.#happens(0.01) && node.observer.state?.role === "leader") {
      this.#askTransfer(node);
    }
  }

  /** Whoever holds the office here goes on believing so, and clients believe it too: only the fence stops it. */
  #leaveInTheDark(node: Simulated, until: number): void {
    node.staleUntil = until;
    node.slowClockUntil = until;
    node.isTrusted = true;
  }

  /** The node hears nobody and nobody hears it, but both sides still reach the log. */
  #cutOff(node: Simulated): void {
    this.#count("node cut off");
    const until = this.#now + integerBetween(this.#chance, 10, 100);
    if (this.#happens(0.5)) this.#leaveInTheDark(node, until);
    for (const { id } of this.#nodes) {
      this.#cuts.set(`${id}>${node.id}`, until);
      this.#cuts.set(`${node.id}>${id}`, until);
    }
  }

  /** Half of the time the old leader will hear nothing of its successor: only the log can tell it. */
  #askTransfer(node: Simulated): void {
    this.#count("transfer asked");
    const target = this.#anyNode();
    if (this.#happens(0.5)) {
      for (const { id } of this.#nodes) this.#cuts.set(`${id}>${node.id}`, this.#now + ELECTION_TICKS);
      node.staleUntil = this.#now + ELECTION_TICKS;
    }
    this.#say(node, { op: "transfer", to: target.id });
  }

  #restart(node: Simulated): void {
    const kind = integerBetween(this.#chance, 1, 3);
    if (kind === 1) {
      this.#count("node restarted");
      const { state } = this.#say(node, { op: "restart" });
      node.nextSeq = state.appliedSeq + 1;
      return;
    }
    const { length } = this.#log.entries;
    this.#count(kind === 2 ? "node replaced, log read anew" : "node replaced by a lagging one");
    this.#init(node, kind === 2 ? length : integerBetween(this.#chance, 0, length));
  }

  #init(node: Simulated, prefix: number): void {
    const reply = this.#say(node, {
      op: "init",
      node: node.id,
      peers: this.#shared.members,
      electionTicks: ELECTION_TICKS,
      heartbeatTicks: HEARTBEAT_TICKS,
      seed: this.#seed,
      preVote: this.#seed % 5 !== 0,
      checkQuorum: true,
      swarm: SWARM,
      log: this.#log.entries.slice(0, prefix).map((entry, index) => ({ seq: index + 1, entry })),
    });
    assert(reply.ok && reply.state.appliedSeq === prefix, `${node.id} starts with ${reply.error}`);
    node.nextSeq = prefix + 1;
  }

  // Healing

  #heal(): void {
    this.#isHealed = true;
    this.#cuts.clear();
    for (const node of this.#nodes) {
      node.pausedUntil = 0;
      node.staleUntil = 0;
      node.slowClockUntil = 0;
      node.isTrusted = false;
    }
  }

  #isDone(): boolean {
    const states = this.#nodes.map(({ observer }) => observer.state);
    const hasHolder = states.filter((state) => state?.inOffice).length === 1;
    const isEven = states.every((state) => state?.appliedSeq === this.#log.entries.length);
    const isAnswered = this.#nodes.every(({ observer }) => observer.pending.size === 0);
    return hasHolder && isEven && isAnswered && this.#clients.every(({ waiting }) => waiting === null);
  }

  #checkDone(): void {
    const waiting = this.#clients.flatMap(({ waiting }) => waiting?.key ?? []);
    assert(waiting.length === 0, `after healing nobody answers ${waiting.join(", ")}`);
    const states = this.#nodes.map(({ id, observer: { state, pending } }) => ({
      id,
      role: state?.role,
      inOffice: state?.inOffice,
      term: state?.term,
      appliedSeq: state?.appliedSeq,
      pending: pending.size,
    }));
    assert(this.#isDone(), `after healing the swarm does not settle: ${JSON.stringify(states)}`);
  }

  // Small parts

  #at(delay: number, work: Work): void {
    const due = this.#now + delay;
    const works = this.#agenda.get(due);
    if (works === undefined) this.#agenda.set(due, [work]);
    else works.push(work);
  }

  #count(fault: Fault): void {
    this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1);
  }

  #happens(probability: number): boolean {
    return this.#chance.next() < probability;
  }

  /** As happens, but never once the world is healed. */
  #strikes(probability: number): boolean {
    return !this.#isHealed && this.#happens(probability);
  }

  #pick<T>(items: readonly T[]): T {
    return items[integerBetween(this.#chance, 0, items.length - 1)] as T;
  }

  #anyNode(): Simulated {
    return this.#pick(this.#nodes);
  }
}

/** Adds up the faults of several runs. */
export function sumFaults(reports: readonly RunReport[]): Map<Fault, number> {
  const sums = new Map<Fault, number>();
  for (const fault of FAULTS) {
    sums.set(
      fault,
      reports.reduce((sum, { faults }) => sum + (faults.get(fault) ?? 0), 0),
    );
  }
  return sums;
}

/** A failed run as text: the seed, what broke, and the last lines. */
export function describeFailure(report: RunReport): string {
  return [`seed ${report.seed} failed: ${report.failure}`, `digest ${report.digest}`, ...report.tail].join(
    "\n",
  );
}
