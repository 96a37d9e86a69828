// Deliberate bugs in snapshots, reads, log time and lost logs, and in the office's own commands. The election node
// cannot show these. As in line-mutants.ts, production code has no switch for them.

import {
  nameSnapshot,
  type OfficeCommand,
  type OfficeState,
  readSnapshotName,
} from "../../../src/coordinator/internal.ts";
import { sha256 } from "../../../src/protocol/index.ts";
import { type Mutant, withKnownSeeds } from "./line-mutants.ts";
import type { Line, Reply } from "./lines.ts";
import { GOOD_HABITS, type Habits, memberBench, RECOVERY_SKIP } from "./member-driver.ts";
import { createMemberNode, memberNodeParts, type OfficeMember, show } from "./member-node.ts";
import type { ObjectStore } from "./ports.ts";

/**
 * The first seed that notices each bug. The short run of the tests starts with it; the full run starts with seed 1. To
 * renew the numbers: `npm run sim -- --mutants --seeds 250`.
 */
const KNOWN_SEEDS: Readonly<Record<string, number>> = {
  "starts from a snapshot without checking its hash": 11,
  "starts from a log shorter than a snapshot has seen": 32,
  "forgets its position in the log when it starts again": 1,
  "never checks whether the log is still its log": 1,
  "trims the log beyond its snapshots": 6,
  "continues with the old counters after a recovery": 7,
  "saves snapshots without the kept keys": 7,
  "saves its fold under the previous sequence": 13,
  "answers a read without a barrier": 2,
  "counts late ticks as log time": 7,
  "renews an expired lock": 6,
  "grants the token of a released lock again": 7,
  "serves the last waiter first": 7,
  "ignores the expected revision of a write": 2,
};

/** The bugs of a coordinator's member. */
export const MEMBER_MUTANTS: readonly Mutant[] = withKnownSeeds(KNOWN_SEEDS, [
  changeHabit("starts from a snapshot without checking its hash", {
    snapshots: (store) => ({
      ...store.port,
      names: async () => [...renamed(store).keys()],
      get: async (name) => new TextEncoder().encode(renamed(store).get(name)),
    }),
  }),
  changeHabit("starts from a log shorter than a snapshot has seen", {
    snapshots: (store, log) => ({
      ...store.port,
      names: async () =>
        [...store.texts.keys()].filter((name) => (readSnapshotName(name)?.seq ?? 0) <= log.lastSeq),
    }),
  }),
  changeHabit("forgets its position in the log when it starts again", { remembers: false }),
  changeHabit("never checks whether the log is still its log", { watches: false }),
  changeHabit("trims the log beyond its snapshots", {
    keepFrom: ({ keptFromSeq, coveredSeq }) => keptFromSeq && coveredSeq + 3,
  }),
  damageStart("continues with the old counters after a recovery", ({ office: { fold } }) => {
    const { locks, config } = fold.state;
    locks.lastToken %= RECOVERY_SKIP;
    config.lastRevision %= RECOVERY_SKIP;
  }),
  changeReply("saves snapshots without the kept keys", (reply) => {
    if (reply.checkpoint == null) return reply;
    const text = JSON.stringify({ ...JSON.parse(reply.checkpoint.text), kept: [] });
    return { ...reply, checkpoint: { ...reply.checkpoint, text, hash: sha256(text) } };
  }),
  changeReply("saves its fold under the previous sequence", (reply) => {
    if (reply.checkpoint == null) return reply;
    return { ...reply, checkpoint: { ...reply.checkpoint, seq: reply.checkpoint.seq - 1 } };
  }),
  changeReply("answers a read without a barrier", (reply, { line, member }) => {
    if (line.op !== "read" || !reply.state.inOffice) return reply;
    return {
      ...reply,
      reads: [{ ticket: line.ticket as string, ok: true, value: show(member.office.fold) }],
    };
  }),
  changeLine("counts late ticks as log time", (line) => (line.op === "tick" ? { ...line, late: 0 } : line)),
  spoilCommand("renews an expired lock", ({ locks }, command, at) => {
    const lock = command.type === "lock-renew" ? locks.byName.get(command.name) : undefined;
    if (lock?.holder != null && lock.holder.expiresAt <= at)
      lock.holder = { ...lock.holder, expiresAt: at + 1 };
  }),
  spoilCommand("grants the token of a released lock again", ({ locks }, command) => {
    const holder = command.type === "lock-release" ? locks.byName.get(command.name)?.holder : undefined;
    if (holder?.token === locks.lastToken) locks.lastToken--;
  }),
  spoilCommand("serves the last waiter first", ({ locks }, command) => {
    if (command.type === "lock-release") locks.byName.get(command.name)?.waiters.reverse();
  }),
  spoilCommand("ignores the expected revision of a write", ({ config }, command) => {
    if (command.type !== "config-set" || command.expectedRevision === undefined) return;
    const value = config.byName.get(command.name);
    if (value !== undefined)
      config.byName.set(command.name, { ...value, revision: command.expectedRevision });
  }),
]);

/** A member with its memory damaged at its start. */
function damageStart(name: string, onStart: (member: OfficeMember) => void): Omit<Mutant, "knownSeed"> {
  return { name, bench: memberBench(() => createMemberNode({ ...memberNodeParts, onStart })) };
}

function changeHabit(name: string, habits: Partial<Habits>): Omit<Mutant, "knownSeed"> {
  return { name, bench: memberBench(createMemberNode, { ...GOOD_HABITS, ...habits }) };
}

/** The objects under names that fit their present content, as if they had been saved like this. */
function renamed(store: ObjectStore): Map<string, string> {
  const named = new Map<string, string>();
  for (const [name, text] of store.texts) {
    const id = readSnapshotName(name);
    if (id !== null) named.set(nameSnapshot({ ...id, hash: sha256(text) }), text);
  }
  return named;
}

/** A member that spoils the state before each command. */
function spoilCommand(
  name: string,
  spoil: (state: OfficeState, command: OfficeCommand, at: number) => void,
): Omit<Mutant, "knownSeed"> {
  const { commandSet } = memberNodeParts;
  const decide: typeof commandSet.decide = (state, command, at) => {
    spoil(state, command, at);
    return commandSet.decide(state, command, at);
  };
  const parts = { ...memberNodeParts, commandSet: { ...commandSet, decide } };
  return { name, bench: memberBench(() => createMemberNode(parts)) };
}

function changeLine(name: string, change: (line: Line) => Line): Omit<Mutant, "knownSeed"> {
  return wrapNode(name, change, (reply) => reply);
}

function changeReply(
  name: string,
  change: (reply: Reply, has: { line: Line; member: OfficeMember }) => Reply,
): Omit<Mutant, "knownSeed"> {
  return wrapNode(name, (line) => line, change);
}

function wrapNode(
  name: string,
  hear: (line: Line) => Line,
  say: (reply: Reply, has: { line: Line; member: OfficeMember }) => Reply,
): Omit<Mutant, "knownSeed"> {
  const createNode = () => {
    let member: OfficeMember | null = null;
    const node = createMemberNode({
      ...memberNodeParts,
      onStart: (started) => {
        member = started;
      },
    });
    return {
      handleLine(text: string) {
        const line = JSON.parse(text) as Line;
        const reply = JSON.parse(node.handleLine(JSON.stringify(hear(line)))) as Reply;
        return JSON.stringify(say(reply, { line, member: member as unknown as OfficeMember }));
      },
    };
  };
  return { name, bench: memberBench(createNode) };
}
