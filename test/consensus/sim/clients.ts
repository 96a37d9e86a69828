// The clients of the simulated swarm. Each has one operation at a time and repeats it until it gets an answer;
// sometimes it repeats an old command much later. Owns their history, and the check that it is linearizable.
//
// C1  Linearizability with the log as the order (Herlihy and Wing 1990, §2): an operation that was answered before
//     another one was requested has an earlier place in the log. The observers check that each answer fits its place in
//     the log.

import { assert } from "../../../src/base/index.ts";
import type { CommandAnswer, Line } from "./lines.ts";
import type { Lineage } from "./shared-log.ts";
import type { Stage } from "./stage.ts";
import type { Wish, Workload } from "./workload.ts";

const CLIENTS = 4;
const TIMEOUT_STEPS = 25;

/** One finished operation: the numbers of the lines of its first request and of its answer, and its place in the log. */
interface Operation {
  readonly key: string;
  readonly wish: Wish;
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly place: Place;
}

/** A place in the log: a command of an entry, or the end of the entry. */
export interface Place {
  readonly seq: number;
  readonly index: number;
}

interface Waiting {
  readonly key: string;
  readonly wish: Wish;
  readonly askedAt: number;
  tries: number;
  retryAt: number;
  target: number;
}

interface Client {
  readonly id: string;
  asked: number;
  waiting: Waiting | null;
}

/** All clients of one run. */
export class Clients {
  readonly #stage: Stage;
  readonly #workload: Workload;
  readonly #nodes: number;
  readonly #clients: Client[];
  #operations: Operation[] = [];
  #answered = 0;

  constructor(stage: Stage, workload: Workload, nodes: number) {
    this.#stage = stage;
    this.#workload = workload;
    this.#nodes = nodes;
    this.#clients = Array.from({ length: CLIENTS }, (_, id) => ({ id: `c${id}`, asked: 0, waiting: null }));
  }

  /** The number of answered operations. */
  get answered(): number {
    return this.#answered;
  }

  /** The keys of waiting operations. */
  get waiting(): string[] {
    return this.#clients.flatMap(({ waiting }) => waiting?.key ?? []);
  }

  /** Runs one step: starts new operations and repeats timed-out ones. `ask` sends a line to a node. */
  drive(ask: (target: number, line: Line) => void): void {
    for (const client of this.#clients) this.#driveOne(client, ask);
    if (this.#operations.length > 0 && this.#stage.happens(0.05)) this.#repeatFinished(ask);
  }

  #driveOne(client: Client, ask: (target: number, line: Line) => void): void {
    const stage = this.#stage;
    if (client.waiting === null) {
      if (stage.isHealed || !stage.happens(0.4)) return;
      const key = `${client.id}:${++client.asked}`;
      const wish = this.#workload.wish(client.id);
      client.waiting = { key, wish, askedAt: stage.lines, tries: 0, retryAt: 0, target: this.#anyNode() };
    }
    const { waiting } = client;
    if (waiting.retryAt > stage.now) return;
    waiting.retryAt = stage.now + TIMEOUT_STEPS;
    waiting.tries++;
    const { target } = waiting;
    waiting.target = this.#anyNode();
    ask(target, toLine(waiting));
  }

  /** Repeats an answered command, as a client does that lost the answer. The observer compares both answers. */
  #repeatFinished(ask: (target: number, line: Line) => void): void {
    const { key, wish } = this.#stage.pick(this.#operations);
    if (wish.op === "read") return;
    this.#stage.count("command repeated after its answer");
    ask(this.#anyNode(), { op: "command", key, command: wish.command });
  }

  /** Takes the answer to a command. `place` is the place where its key was decided; null if the log has lost it since. */
  hear(answer: CommandAnswer, node: { index: number; leader: number }, place: Place | null): void {
    const client = this.#clients.find(({ waiting }) => waiting?.key === answer.key);
    if (client?.waiting == null) return;
    if (!answer.ok) {
      this.#tryAgain(client.waiting, node);
      return;
    }
    const { wish } = client.waiting;
    if (wish.op === "command") this.#workload.learn(client.id, wish.command, answer.value);
    this.#finish(client, place);
  }

  /** Takes the answer to a read. `place` is the place of the state that it shows. */
  hearRead(
    { ticket, ok }: { ticket: string; ok: boolean },
    node: { index: number; leader: number },
    place: Place | null,
  ): void {
    const client = this.#clients.find(({ waiting }) => waiting !== null && toTicket(waiting) === ticket);
    if (client?.waiting == null) return;
    if (ok) this.#finish(client, place);
    else this.#tryAgain(client.waiting, node);
  }

  #tryAgain(waiting: Waiting, node: { index: number; leader: number }): void {
    if (node.leader >= 0 && node.leader !== node.index) waiting.target = node.leader;
    waiting.retryAt = this.#stage.now + this.#stage.between(1, 4);
  }

  #finish(client: Client, place: Place | null): void {
    const { key, wish, askedAt } = client.waiting as Waiting;
    client.waiting = null;
    this.#answered++;
    if (place !== null) this.#operations.push({ key, wish, askedAt, answeredAt: this.#stage.lines, place });
  }

  #anyNode(): number {
    return this.#stage.between(0, this.#nodes - 1);
  }

  /** Drops the operations that a replaced log does not contain. Returns their number. */
  forget(before: Lineage, now: Lineage): number {
    const known = this.#operations.length;
    this.#operations = this.#operations.filter(({ place }) => now.keeps(place.seq, before));
    return known - this.#operations.length;
  }

  /** Checks the order of all answered operations (C1). */
  check(): void {
    const placed = [...this.#operations];
    placed.sort(({ place: a }, { place: b }) => a.seq - b.seq || a.index - b.index || 0);
    let earliest: Operation | undefined;
    for (const operation of placed.reverse()) {
      const isInOrder = earliest === undefined || operation.askedAt <= earliest.answeredAt;
      assert(
        isInOrder,
        `${operation.key} was requested after ${earliest?.key} was answered, but has an earlier place in the log`,
      );
      if (earliest === undefined || operation.answeredAt < earliest.answeredAt) earliest = operation;
    }
  }
}

function toLine(waiting: Waiting): Line {
  const { key, wish } = waiting;
  return wish.op === "command"
    ? { op: "command", key, command: wish.command }
    : { op: "read", ticket: toTicket(waiting) };
}

/** The ticket of a read. Every try has its own ticket. */
function toTicket({ key, tries }: Waiting): string {
  return `${key}/${tries}`;
}
