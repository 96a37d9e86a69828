// Shared by the tests of this room: one node on a line, and a small swarm with a network and a log that follow a script.

import { createElectionNode } from "../../src/consensus/index.ts";

/** The fields of an entry that the tests read. */
export type StoredEntry = {
  readonly type: string;
  readonly term: number;
  readonly at: number;
  readonly chain: string;
} & {
  readonly [field: string]: unknown;
};

/** A reply of the node. */
export interface Reply {
  readonly id: unknown;
  readonly ok: boolean;
  readonly error?: string;
  readonly send: readonly { to: string; message: Message }[];
  readonly append: readonly { request: number; expectedLastSeq: number; entry: StoredEntry }[];
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

/** An election message. */
export type Message = { readonly type: string; readonly term: number } & {
  readonly [field: string]: unknown;
};

/** The election timeout of every node here, in ticks. */
export const ELECTION_TICKS = 10;

/** One node, and short functions for the common lines. */
export function createTalk() {
  const node = createElectionNode();
  let lines = 0;
  const say = (line: Record<string, unknown>) =>
    JSON.parse(node.handleLine(JSON.stringify({ id: ++lines, ...line }))) as Reply;
  return {
    node,
    say,
    init: (options: Record<string, unknown> = {}) =>
      say({
        op: "init",
        node: "1",
        peers: ["1", "2", "3"],
        electionTicks: ELECTION_TICKS,
        heartbeatTicks: 1,
        seed: 7,
        preVote: true,
        checkQuorum: true,
        swarm: "murmur",
        log: [],
        ...options,
      }),
    tick: (n = 1) => say({ op: "tick", n }),
    receive: (from: string, message: Record<string, unknown>) =>
      say({ op: "receive", from, message: { v: 1, swarm: "murmur", ...message } }),
    command: (key: string, command: Record<string, unknown>) => say({ op: "command", key, command }),
    stored: (seq: number, entry: unknown) => say({ op: "log", event: "stored", seq, entry }),
    accepted: (request: number, seq: number) => say({ op: "log", event: "accepted", request, seq }),
    refused: (request: number, lastSeq: number) => say({ op: "log", event: "refused", request, lastSeq }),
    unknown: (request: number) => say({ op: "log", event: "unknown", request }),
  };
}

/** One node's conversation. */
export type Talk = ReturnType<typeof createTalk>;

/** A cluster of one in office in term 1, with the last entry at sequence 1. */
export function createOffice(options: Record<string, unknown> = {}): Talk {
  const talk = createTalk();
  talk.init({ peers: ["1"], ...options });
  talk.say({ op: "campaign" });
  talk.accepted(1, 1);
  return talk;
}

/** Node 1 of three, elected in term 1 with the vote of 2. Its office-taken entry is in flight as request 1. */
export function createElected(options: Record<string, unknown> = {}): Talk {
  const talk = createTalk();
  talk.init({ preVote: false, ...options });
  talk.tick(2 * ELECTION_TICKS);
  const { state } = talk.say({ op: "campaign" });
  talk.receive("2", { type: "vote-reply", term: state.term, granted: true });
  return talk;
}

/** As createElected, but in office. */
export function createLeader(options: Record<string, unknown> = {}): Talk {
  const talk = createElected(options);
  talk.accepted(1, 1);
  return talk;
}

/** The state of a node; reading it changes nothing. */
export function look(talk: Talk): Reply["state"] {
  return talk.tick(0).state;
}

/** Several nodes. Messages and entries wait until the script delivers them. `run` returns the trace. */
export function createScript(ids: readonly string[]) {
  const talks = new Map(ids.map((id) => [id, createTalk()]));
  const entries: StoredEntry[] = [];
  const trace: string[] = [];
  let mail: { from: string; to: string; message: Message }[] = [];

  const note = (id: string, reply: Reply) => {
    const { role, inOffice, term, vote, leader, appliedSeq } = reply.state;
    const office = inOffice ? " in office" : "";
    trace.push(
      `  ${id} ${role}${office} term=${term} vote=${vote ?? "-"} leader=${leader ?? "-"} applied=${appliedSeq}` +
        (reply.ok ? "" : ` error=${reply.error}`),
    );
    for (const { to, message } of reply.send) {
      const { v: _, swarm: __, type, ...fields } = message;
      trace.push(`    to ${to}: ${type} ${JSON.stringify(fields)}`);
      mail.push({ from: id, to, message });
    }
    for (const answer of reply.answers) trace.push(`    answer ${JSON.stringify(answer)}`);
    for (const append of reply.append) {
      trace.push(`    append ${append.request} after ${append.expectedLastSeq}: ${append.entry.type}`);
      store(id, append);
    }
  };
  const store = (id: string, { request, expectedLastSeq, entry }: Reply["append"][number]) => {
    const isNext = expectedLastSeq === entries.length;
    if (isNext) entries.push(entry);
    const answer = isNext
      ? { event: "accepted", seq: entries.length }
      : { event: "refused", lastSeq: entries.length };
    trace.push(`    log ${answer.event} ${request}`);
    note(id, talk(id).say({ op: "log", request, ...answer }));
  };
  const talk = (id: string) => talks.get(id) as Talk;

  const actions: Record<string, (...words: string[]) => void> = {
    init: () => {
      for (const id of ids) note(id, talk(id).init({ node: id, peers: ids, heartbeatTicks: 3 }));
    },
    tick: (id = "", n = "1") => note(id, talk(id).tick(Number(n))),
    campaign: (id = "") => note(id, talk(id).say({ op: "campaign" })),
    transfer: (id = "", to) => note(id, talk(id).say({ op: "transfer", to })),
    restart: (id = "") => note(id, talk(id).say({ op: "restart" })),
    set: (id = "", key = "", name, value) => note(id, talk(id).command(key, { type: "set", name, value })),
    get: (id = "", key = "", name) => note(id, talk(id).command(key, { type: "get", name })),
    deliver: (...only) => {
      const now = mail;
      mail = [];
      for (const { from, to, message } of now) {
        if (only.length > 0 && !only.includes(to)) continue;
        note(to, talk(to).say({ op: "receive", from, message }));
      }
    },
    read: (id = "") => {
      for (let seq = look(talk(id)).appliedSeq + 1; seq <= entries.length; seq++) {
        note(id, talk(id).stored(seq, entries[seq - 1]));
      }
    },
  };

  return {
    /** Runs the script, one action a line, and returns the trace. `deliver` without names delivers to all nodes. */
    run(script: string): string {
      for (const line of script.trim().split("\n")) {
        const [action = "", ...words] = line.trim().split(" ");
        trace.push(`> ${line.trim()}`);
        (actions[action] as (...words: string[]) => void)(...words);
      }
      return `${trace.join("\n")}\n`;
    },
  };
}
