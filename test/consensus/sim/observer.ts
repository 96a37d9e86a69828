// Checks every line to a node and every reply of the node against the invariants. One observer watches one node through
// all its incarnations. Owns the checks of one node; shared-log.ts checks the log.

import { assert } from "../../../src/base/index.ts";
import { canonicalJson, type Json } from "../../../src/protocol/index.ts";
import type { CommandAnswer, Line, NodeState, Reply } from "./lines.ts";
import type { Append, Lineage } from "./shared-log.ts";
import type { Stage } from "./stage.ts";
import type { Workload } from "./workload.ts";

/** The objects that all nodes share. */
export interface Shared {
  readonly stage: Stage;
  readonly members: readonly string[];
  readonly electionTicks: number;
  readonly workload: Workload;
}

interface PendingCommand {
  readonly isRead: boolean;
  /** The number of appends that this node had requested when the command arrived. */
  readonly askedBefore: number;
}

/** Watches one node. */
export class Observer {
  readonly node: string;
  readonly shared: Shared;
  incarnation = 0;
  state: NodeState | null = null;
  /** The history that the current incarnation reads. */
  lineage: Lineage;
  /** True after an event of the log that allows this incarnation to halt. */
  mayHalt = false;
  /** The reason why the current incarnation has halted; null while it runs. */
  halted: string | null = null;
  /** All appends of the current incarnation, in order. */
  appends: Append[] = [];
  /** The commands without an answer, by key. */
  readonly pending = new Map<string, PendingCommand[]>();
  #ticks = 0;
  #startedAtTick = 0;
  #heardAtTick = new Map<string, number>();
  #leadingSinceTick = 0;
  /** The members that granted a vote, by term. */
  #grants = new Map<number, Set<string>>();
  /** The entries (by chain hash) with an unknown append, and the entries that the log refused for certain. */
  #unknown = new Set<string>();
  #refused = new Set<string>();
  /** The step at which each entry was first requested, by chain hash. */
  #stamps = new Map<string, number>();

  constructor(node: string, shared: Shared, lineage: Lineage) {
    this.node = node;
    this.shared = shared;
    this.lineage = lineage;
  }

  /** Records the line before the node gets it. */
  before(line: Line): void {
    if (line.op === "init" || line.op === "restart") {
      this.incarnation++;
      this.appends = [];
      this.pending.clear();
      this.#startedAtTick = this.#ticks;
      this.#heardAtTick.clear();
      this.#grants.clear();
      this.#unknown.clear();
      this.#refused.clear();
      this.#stamps.clear();
      this.state = null;
      this.halted = null;
    }
    if (line.op === "tick") this.#ticks += line.n as number;
    if (line.op === "receive") this.#heardAtTick.set(line.from as string, this.#ticks);
    if (line.op === "receive") this.#noteGrant(line);
    if (line.op === "log") this.#noteLogAnswer(line);
    if (line.op === "command") {
      const isRead = this.shared.workload.isRead(line.command as Parameters<Workload["isRead"]>[0]);
      this.#await(line.key as string, isRead);
    }
    if (line.op === "read") this.#await(line.ticket as string, true);
  }

  #await(key: string, isRead: boolean): void {
    const waiting = this.pending.get(key) ?? [];
    waiting.push({ isRead, askedBefore: this.appends.length });
    this.pending.set(key, waiting);
  }

  #noteGrant(line: Line): void {
    const message = line.message as Reply["send"][number]["message"];
    if (message.type !== "vote-reply" || message.granted !== true) return;
    const voters = this.#grants.get(message.term) ?? new Set();
    this.#grants.set(message.term, voters.add(line.from as string));
  }

  #noteLogAnswer(line: Line): void {
    const chain = this.appends.find(({ request }) => request === line.request)?.entry.chain;
    if (chain === undefined) return;
    if (line.event === "unknown") this.#unknown.add(chain);
    if (line.event === "refused" && !this.#unknown.has(chain)) this.#refused.add(chain);
  }

  /** Checks the reply. Returns the appends that it requests. */
  after(line: Line, reply: Reply): Append[] {
    const isHalted = reply.error?.startsWith("halted") === true;
    assert(!isHalted || this.mayHalt, `${this.node} ${reply.error}`);
    if (isHalted) this.halted ??= reply.error ?? "";
    const before = this.state;
    this.#followAccepted(line, reply);
    const asked = reply.append.map((append) => this.#ask(append, reply));
    this.#checkState(before, reply.state);
    this.#checkTerm(line, reply);
    this.#checkAbstention(reply);
    this.#checkQuorum(before, reply);
    this.#checkElected(before, reply);
    this.#checkUnknown(line, reply, before);
    this.#checkRefused(line, reply, before);
    for (const answer of reply.answers) this.#checkAnswer(answer, reply.state.appliedSeq);
    for (const read of reply.reads ?? []) this.#checkRead(read, reply.state.appliedSeq);
    this.state = reply.state;
    return asked;
  }

  /** Switches to `lineage` if it contains everything that this incarnation has read. */
  follow(lineage: Lineage): void {
    if (lineage.keeps(this.state?.appliedSeq ?? 0, this.lineage)) this.lineage = lineage;
  }

  /**
   * Keeps the old history for a node that gets an acknowledgement from before the log was replaced: it has read lost
   * entries.
   */
  #followAccepted(line: Line, { state }: Reply): void {
    const isTaken = line.event === "accepted" && state.appliedSeq > (this.state?.appliedSeq ?? 0);
    if (!isTaken) return;
    this.lineage = this.appends.find(({ request }) => request === line.request)?.storedIn ?? this.lineage;
  }

  #ask({ request, expectedLastSeq, entry }: Reply["append"][number], reply: Reply): Append {
    const last = this.appends.at(-1)?.request ?? 0;
    assert(request > last, `${this.node} uses request ${request} after ${last}`);
    const mayAsk = entry.type === "office-taken" ? reply.state.role === "leader" : reply.state.inOffice;
    assert(mayAsk, `${this.node} requests ${entry.type} as ${reply.state.role}`);
    assert(
      entry.term === reply.state.term,
      `${this.node} requests an entry of term ${entry.term} in term ${reply.state.term}`,
    );
    const { node, incarnation, lineage } = this;
    const stampedAt = this.#stamps.get(entry.chain) ?? this.shared.stage.now;
    this.#stamps.set(entry.chain, stampedAt);
    const append = {
      ...{ node, incarnation, request, expectedLastSeq, entry, lineage, stampedAt },
      askedAt: this.shared.stage.now,
      denied: null,
      storedIn: null,
    };
    this.appends.push(append);
    return append;
  }

  #checkState(before: NodeState | null, after: NodeState): void {
    const { hashes, lastSeq } = this.lineage;
    if (before !== null) {
      assert(after.term >= before.term, `term of ${this.node} falls from ${before.term} to ${after.term}`);
      const isKept = after.term > before.term || before.vote === null || after.vote === before.vote;
      assert(isKept, `${this.node} votes for ${before.vote}, then ${after.vote}, in term ${after.term}`);
      assert(after.appliedSeq >= before.appliedSeq, `${this.node} forgets entries`);
    }
    assert(after.appliedSeq <= lastSeq, `${this.node} has applied ${after.appliedSeq} of ${lastSeq}`);
    if (after.inOffice) {
      assert(after.role === "leader", `${this.node} is in office as ${after.role}`);
      const { term, leader } = this.lineage.officeAt(after.appliedSeq);
      const isHolder = leader === this.node && term === after.term;
      assert(isHolder, `${this.node} claims the office of term ${after.term}, but does not hold it`);
    }
    const hash = hashes.get(after.appliedSeq);
    if (hash === undefined) hashes.set(after.appliedSeq, after.hash);
    else
      assert(
        hash === after.hash,
        `${this.node} has a different state at ${after.appliedSeq} than other members`,
      );
  }

  #checkTerm(line: Line, reply: Reply): void {
    if (line.op !== "receive" || !reply.ok) return;
    const { type, term } = line.message as { type: string; term: number };
    const teaches = type === "heartbeat" || type === "heartbeat-reply" || type === "vote-reply";
    assert(!teaches || reply.state.term >= term, `${this.node} ignores term ${term} of a ${type}`);
  }

  #checkAbstention(reply: Reply): void {
    if (this.shared.members.length === 1) return;
    if (this.#ticks - this.#startedAtTick >= 2 * this.shared.electionTicks) return;
    assert(reply.state.role === "follower", `${this.node} campaigns while it should abstain`);
    assert(reply.state.vote === null, `${this.node} votes while it should abstain`);
    for (const { message } of reply.send)
      assert(message.granted !== true, `${this.node} grants while it abstains`);
  }

  #checkQuorum(before: NodeState | null, { state }: Reply): void {
    if (state.role !== "leader") return;
    if (before?.role !== "leader") this.#leadingSinceTick = this.#ticks;
    const bound = 2 * this.shared.electionTicks;
    if (this.#ticks - this.#leadingSinceTick < bound) return;
    const heard = this.shared.members.filter(
      (member) => member === this.node || this.#ticks - (this.#heardAtTick.get(member) ?? 0) < bound,
    );
    const hasMajority = heard.length * 2 > this.shared.members.length;
    assert(hasMajority, `${this.node} leads, but has heard only from ${heard.join(", ")}`);
  }

  #checkElected(before: NodeState | null, { state }: Reply): void {
    if (state.role !== "leader" || (before?.role === "leader" && before.term === state.term)) return;
    const voters = (this.#grants.get(state.term)?.size ?? 0) + 1;
    const isElected = voters * 2 > this.shared.members.length;
    assert(isElected, `${this.node} leads term ${state.term} with ${voters} votes`);
  }

  /** Checks that a refusal without an earlier unknown try ends the office in the same reply. */
  #checkRefused(line: Line, reply: Reply, before: NodeState | null): void {
    if (line.event !== "refused" || before?.inOffice !== true) return;
    const append = this.appends.find(({ request }) => request === line.request);
    if (append === undefined || append.entry.term !== before.term) return;
    const isCertain = this.#refused.has(append.entry.chain) && append.expectedLastSeq === before.appliedSeq;
    assert(!isCertain || !reply.state.inOffice, `${this.node} keeps the office after a refused append`);
  }

  /** Checks that an append with the answer `unknown` is repeated at once and unchanged. */
  #checkUnknown(line: Line, reply: Reply, before: NodeState | null): void {
    if (line.event !== "unknown" || before?.role !== "leader") return;
    const append = this.appends.find(({ request }) => request === line.request);
    const isSettled = append === undefined || (append.expectedLastSeq ?? 0) < before.appliedSeq;
    if (isSettled || append.entry.term !== before.term) return;
    const again = reply.append[0];
    const isSame =
      again?.expectedLastSeq === append.expectedLastSeq && again?.entry.chain === append.entry.chain;
    assert(isSame, `${this.node} does not repeat an unknown append unchanged`);
    assert(before.inOffice === reply.state.inOffice, `${this.node} leaves the office over an unknown append`);
  }

  #checkAnswer({ key, ok, value, error }: CommandAnswer, appliedSeq: number): void {
    const command = this.#takePending(key);
    const { decisions } = this.lineage.model;
    const carriers = this.appends.filter(
      ({ entry }, index) =>
        index >= command.askedBefore && entry.commands?.some((keyed) => keyed.key === key),
    );
    if (ok) {
      const decision = decisions.get(key);
      const isKnown = decision !== undefined && decision.seq <= appliedSeq;
      assert(isKnown, `${this.node} answers ${key} before it is stored`);
      this.#checkValue(key, value, decision.value);
      const isBarred = !command.isRead || carriers.some(({ storedIn }) => storedIn !== null);
      assert(isBarred, `${this.node} answers the read ${key} without a later append`);
      return;
    }
    if (error === "unknown") return;
    const mayBeStored = this.appends.some(
      ({ expectedLastSeq, entry }) =>
        (expectedLastSeq ?? 0) >= appliedSeq &&
        !this.#refused.has(entry.chain) &&
        entry.commands?.some((keyed) => keyed.key === key),
    );
    assert(!mayBeStored, `${this.node} answers ${error} to ${key}, which may still be stored`);
    for (const append of carriers) {
      assert(append.storedIn === null, `${this.node} answers ${error} to ${key}, which is stored`);
      append.denied = key;
    }
  }

  /** Checks an answer against the model. If the model does not cover it, all answers to the key must equal the first. */
  #checkValue(key: string, value: unknown, modelled: unknown): void {
    const { workload } = this.shared;
    const { firstAnswers } = this.lineage;
    const text = canonicalJson(workload.simplify(value) as Json);
    const expected =
      modelled === undefined ? (firstAnswers.get(key) ?? text) : canonicalJson(modelled as Json);
    firstAnswers.set(key, text);
    assert(text === expected, `${key} is ${text}, should be ${expected}`);
  }

  #checkRead({ ticket, ok, value }: NonNullable<Reply["reads"]>[number], appliedSeq: number): void {
    const { askedBefore } = this.#takePending(ticket);
    if (!ok) return;
    const isBarred = this.appends.slice(askedBefore).some(({ storedIn }) => storedIn !== null);
    assert(isBarred, `${this.node} answers the read ${ticket} without a later append`);
    const expected = this.lineage.model.view(appliedSeq);
    assert(value === expected, `the read ${ticket} shows ${value}, should show ${expected}`);
  }

  #takePending(key: string): PendingCommand {
    const waiting = this.pending.get(key) ?? [];
    const command = waiting.shift();
    if (waiting.length === 0) this.pending.delete(key);
    assert(command !== undefined, `${this.node} answers ${key}, which no client sent`);
    return command;
  }
}
