// Looks at every line that goes into a node and every reply that comes out, and knows what may not be. One
// observer watches one node through all its incarnations; what all nodes share is given to it.

import { assert } from "../../../src/base/index.ts";
import type { Decision } from "./model.ts";
import type { Append } from "./shared-log.ts";

/** A reply of the node, as far as the simulator reads it. */
export interface Reply {
  readonly id: number;
  readonly ok: boolean;
  readonly error?: string;
  readonly send: readonly { to: string; message: { type: string; term: number; granted?: boolean } }[];
  readonly append: readonly { request: number; expectedLastSeq: number | null; entry: Append["entry"] }[];
  readonly answers: readonly { key: string; ok: boolean; value?: unknown; error?: string; leader?: string }[];
  readonly state: {
    readonly role: string;
    readonly inOffice: boolean;
    readonly term: number;
    readonly vote: string | null;
    readonly leader: string | null;
    readonly appliedSeq: number;
    readonly hash: string;
  };
}

/** A line as the simulator writes it. */
export type Line = { readonly op: string } & Record<string, unknown>;

/** What all nodes share. */
export interface Shared {
  readonly members: readonly string[];
  readonly electionTicks: number;
  readonly entries: readonly { readonly type: string; readonly term: number; readonly leader?: string }[];
  readonly decisions: ReadonlyMap<string, Decision>;
  /** The state hash that was seen first at each sequence. */
  readonly hashes: Map<number, string>;
}

interface PendingCommand {
  readonly isGet: boolean;
  /** The appends of this node that had been asked when the command arrived. */
  readonly askedBefore: number;
}

/** Watches one node. */
export class Observer {
  readonly node: string;
  readonly shared: Shared;
  incarnation = 0;
  state: Reply["state"] | null = null;
  /** Every append of the running incarnation, in order. */
  appends: Append[] = [];
  /** Commands that have not been answered yet, by key. */
  readonly pending = new Map<string, PendingCommand[]>();
  #ticks = 0;
  #startedAtTick = 0;
  #heardAtTick = new Map<string, number>();
  #leadingSinceTick = 0;
  /** Who granted a vote, by term. */
  #grants = new Map<number, Set<string>>();
  /** Entries (by chain hash) whose append was once answered unknown, and those that were refused for certain. */
  #unknown = new Set<string>();
  #refused = new Set<string>();

  constructor(node: string, shared: Shared) {
    this.node = node;
    this.shared = shared;
  }

  /** Before the line goes in. */
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
      this.state = null;
    }
    if (line.op === "tick") this.#ticks += line.n as number;
    if (line.op === "receive") this.#heardAtTick.set(line.from as string, this.#ticks);
    if (line.op === "receive") this.#noteGrant(line);
    if (line.op === "log") this.#noteLogAnswer(line);
    if (line.op === "command") {
      const waiting = this.pending.get(line.key as string) ?? [];
      const isGet = (line.command as { type: string }).type === "get";
      waiting.push({ isGet, askedBefore: this.appends.length });
      this.pending.set(line.key as string, waiting);
    }
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

  /** After the reply came out. Gives the appends it asks for. */
  after(line: Line, reply: Reply): Append[] {
    assert(reply.ok || !reply.error?.startsWith("halted"), `${this.node} ${reply.error}`);
    const before = this.state;
    const asked = reply.append.map((append) => this.#ask(append, reply));
    this.#checkState(before, reply.state);
    this.#checkTerm(line, reply);
    this.#checkAbstention(reply);
    this.#checkQuorum(before, reply);
    this.#checkElected(before, reply);
    this.#checkUnknown(line, reply, before);
    this.#checkRefused(line, reply, before);
    for (const answer of reply.answers) this.#checkAnswer(answer, reply.state.appliedSeq);
    this.state = reply.state;
    return asked;
  }

  #ask({ request, expectedLastSeq, entry }: Reply["append"][number], reply: Reply): Append {
    const last = this.appends.at(-1)?.request ?? 0;
    assert(request > last, `${this.node} uses request ${request} after ${last}`);
    const mayAsk = entry.type === "office-taken" ? reply.state.role === "leader" : reply.state.inOffice;
    assert(mayAsk, `${this.node} asks for ${entry.type} as ${reply.state.role}`);
    assert(
      entry.term === reply.state.term,
      `${this.node} asks with term ${entry.term} in ${reply.state.term}`,
    );
    const { node, incarnation } = this;
    const append = { node, incarnation, request, expectedLastSeq, entry, denied: null, stored: false };
    this.appends.push(append);
    return append;
  }

  #checkState(before: Reply["state"] | null, after: Reply["state"]): void {
    const { entries, hashes } = this.shared;
    if (before !== null) {
      assert(after.term >= before.term, `term of ${this.node} falls from ${before.term} to ${after.term}`);
      const isKept = after.term > before.term || before.vote === null || after.vote === before.vote;
      assert(isKept, `${this.node} votes for ${before.vote}, then ${after.vote}, in term ${after.term}`);
      assert(after.appliedSeq >= before.appliedSeq, `${this.node} forgets entries`);
    }
    assert(
      after.appliedSeq <= entries.length,
      `${this.node} has applied ${after.appliedSeq} of ${entries.length}`,
    );
    if (after.inOffice) {
      assert(after.role === "leader", `${this.node} is in office as ${after.role}`);
      const taken = entries.slice(0, after.appliedSeq).findLast(({ type }) => type === "office-taken");
      const isHolder = taken?.leader === this.node && taken.term === after.term;
      assert(isHolder, `${this.node} says it holds the office of term ${after.term}, which it does not`);
    }
    const hash = hashes.get(after.appliedSeq);
    if (hash === undefined) hashes.set(after.appliedSeq, after.hash);
    else assert(hash === after.hash, `${this.node} has another state at ${after.appliedSeq} than others`);
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

  #checkQuorum(before: Reply["state"] | null, { state }: Reply): void {
    if (state.role !== "leader") return;
    if (before?.role !== "leader") this.#leadingSinceTick = this.#ticks;
    const bound = 2 * this.shared.electionTicks;
    if (this.#ticks - this.#leadingSinceTick < bound) return;
    const heard = this.shared.members.filter(
      (member) => member === this.node || this.#ticks - (this.#heardAtTick.get(member) ?? 0) < bound,
    );
    const hasMajority = heard.length * 2 > this.shared.members.length;
    assert(hasMajority, `${this.node} leads though it heard only ${heard.join(", ")}`);
  }

  #checkElected(before: Reply["state"] | null, { state }: Reply): void {
    if (state.role !== "leader" || (before?.role === "leader" && before.term === state.term)) return;
    const voters = (this.#grants.get(state.term)?.size ?? 0) + 1;
    const isElected = voters * 2 > this.shared.members.length;
    assert(isElected, `${this.node} leads term ${state.term} with ${voters} votes`);
  }

  /** A refusal with no unknown append before it ends the office in the same reply. */
  #checkRefused(line: Line, reply: Reply, before: Reply["state"] | null): void {
    if (line.event !== "refused" || before?.inOffice !== true) return;
    const append = this.appends.find(({ request }) => request === line.request);
    if (append === undefined || append.entry.term !== before.term) return;
    const isCertain = this.#refused.has(append.entry.chain) && append.expectedLastSeq === before.appliedSeq;
    assert(!isCertain || !reply.state.inOffice, `${this.node} keeps the office after a refused append`);
  }

  /** The append that an `unknown` speaks of is repeated at once, unchanged. */
  #checkUnknown(line: Line, reply: Reply, before: Reply["state"] | null): void {
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

  #checkAnswer({ key, ok, value, error }: Reply["answers"][number], appliedSeq: number): void {
    const waiting = this.pending.get(key) ?? [];
    const command = waiting.shift();
    if (waiting.length === 0) this.pending.delete(key);
    assert(command !== undefined, `${this.node} answers ${key}, which nobody asked`);
    const carriers = this.appends.filter(
      ({ entry }, index) =>
        index >= command.askedBefore && entry.commands?.some((keyed) => keyed.key === key),
    );
    if (ok) {
      const decision = this.shared.decisions.get(key);
      const isKnown = decision !== undefined && decision.seq <= appliedSeq;
      assert(isKnown, `${this.node} answers ${key} before it is stored`);
      const isRight = JSON.stringify(decision.value) === JSON.stringify(value);
      assert(isRight, `${key} is ${JSON.stringify(value)}, should be ${JSON.stringify(decision.value)}`);
      const isBarred = !command.isGet || carriers.some(({ stored }) => stored);
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
    assert(!mayBeStored, `${this.node} says ${error} to ${key}, which may still be stored`);
    for (const append of carriers) {
      assert(!append.stored, `${this.node} says ${error} to ${key}, which it has stored`);
      append.denied = key;
    }
  }
}
