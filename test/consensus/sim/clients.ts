// The clients of the simulated swarm: each wants one thing at a time, asks again until it is answered, and now and then
// asks again long after. Owns their history, and whether it is linearizable.
//
// C1  Linearizability with the log as witness (Herlihy and Wing 1990, §2): what was answered before something else was
//     asked stands before it. That each answer is the one that its place in the log gives, the observers see.

import { assert } from "../../../src/base/index.ts";
import type { CommandAnswer, Line } from "./lines.ts";
import type { Lineage } from "./shared-log.ts";
import type { Stage } from "./stage.ts";
import type { Wish, Workload } from "./workload.ts";

const CLIENTS = 4;
const TIMEOUT_STEPS = 25;

/** One finished operation: when it was first asked and when it was answered, in lines, and where it stands in the log. */
interface Operation {
  readonly key: string;
  readonly wish: Wish;
  readonly askedAt: number;
  readonly answeredAt: number;
  readonly place: Place;
}

/** A place in the log: a command of an entry, or behind all of them. */
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

  /** How many operations were answered. */
  get answered(): number {
    return this.#answered;
  }

  /** Keys of those that still wait. */
  get waiting(): string[] {
    return this.#clients.flatMap(({ waiting }) => waiting?.key ?? []);
  }

  /** One step: new wishes, and those whose time is over again. `ask` says a line to the node that is most likely. */
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

  /** A client that lost its answer asks again long after; the observer compares the answer with the first one. */
  #repeatFinished(ask: (target: number, line: Line) => void): void {
    const { key, wish } = this.#stage.pick(this.#operations);
    if (wish.op === "read") return;
    this.#stage.count("command repeated after its answer");
    ask(this.#anyNode(), { op: "command", key, command: wish.command });
  }

  /** An answer to a command. `place` says where its key was decided; null where the log has lost that since. */
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

  /** An answer to a read; `place` is that of the state that it shows. */
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

  /** The log has become another one: what it does not hold nobody can hold to. Gives how many answers are lost. */
  forget(before: Lineage, now: Lineage): number {
    const known = this.#operations.length;
    this.#operations = this.#operations.filter(({ place }) => now.keeps(place.seq, before));
    return known - this.#operations.length;
  }

  /** Checks the order of all that was answered (C1). */
  check(): void {
    const placed = [...this.#operations];
    placed.sort(({ place: a }, { place: b }) => a.seq - b.seq || a.index - b.index || 0);
    let earliest: Operation | undefined;
    for (const operation of placed.reverse()) {
      const isInOrder = earliest === undefined || operation.askedAt <= earliest.answeredAt;
      assert(
        isInOrder,
        `${operation.key} was asked after ${earliest?.key} was answered, but stands before it`,
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

/** Every try of a read is a read of its own. */
function toTicket({ key, tries }: Waiting): string {
  return `${key}/${tries}`;
}
