// Deliberate bugs around snapshots, reads, time and lost logs, and in the office's own commands: what the election node
// cannot show. As in mutants.ts, the product has no switch for them.

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
 * The first seed that notices each bug. The short run of the tests starts with it; the full run starts with seed 1. To renew
 * the numbers: `npm run sim -- --mutants --seeds 250`.
 */
const KNOWN_SEEDS: Readonly<Record<string, number>> = {
  "begins with a snapshot without looking at its hash": 11,
  "begins with less than a snapshot has seen": 32,
  "forgets what it has read when it begins again": 1,
  "never looks whether the log is still its log": 1,
  "trims the log beyond its snapshots": 6,
  "goes on after a recovery with counters as they stood before": 7,
  "saves snapshots without the kept keys": 7,
  "saves its fold under the sequence before": 13,
  "takes the log's tip for a barrier": 2,
  "counts ticks that came late as log time": 7,
  "renews an expired lock": 6,
  "gives the token of a released lock again": 7,
  "serves the last waiter first": 7,
  "lets a write overlook the revision that it expects": 2,
};

/** The bugs of a coordinator's member. */
export const MEMBER_MUTANTS: readonly Mutant[] = withKnownSeeds(KNOWN_SEEDS, [
  habit("begins with a snapshot without looking at its hash", {
    snapshots: (store) => ({
      ...store.port,
      names: async () => [...renamed(store).keys()],
      get: async (name) => new TextEncoder().encode(renamed(store).get(name)),
    }),
  }),
  habit("begins with less than a snapshot has seen", {
    snapshots: (store, log) => ({
      ...store.port,
      names: async () =>
        [...store.texts.keys()].filter((name) => (readSnapshotName(name)?.seq ?? 0) <= log.lastSeq),
    }),
  }),
  habit("forgets what it has read when it begins again", { remembers: false }),
  habit("never looks whether the log is still its log", { watches: false }),
  habit("trims the log beyond its snapshots", {
    keepFrom: ({ keptFromSeq, coveredSeq }) => keptFromSeq && coveredSeq + 3,
  }),
  started("goes on after a recovery with counters as they stood before", ({ office: { fold } }) => {
    const { locks, config } = fold.state;
    locks.lastToken %= RECOVERY_SKIP;
    config.lastRevision %= RECOVERY_SKIP;
  }),
  replied("saves snapshots without the kept keys", (reply) => {
    if (reply.checkpoint == null) return reply;
    const text = JSON.stringify({ ...JSON.parse(reply.checkpoint.text), kept: [] });
    return { ...reply, checkpoint: { ...reply.checkpoint, text, hash: sha256(text) } };
  }),
  replied("saves its fold under the sequence before", (reply) => {
    if (reply.checkpoint == null) return reply;
    return { ...reply, checkpoint: { ...reply.checkpoint, seq: reply.checkpoint.seq - 1 } };
  }),
  replied("takes the log's tip for a barrier", (reply, { line, member }) => {
    if (line.op !== "read" || !reply.state.inOffice) return reply;
    return {
      ...reply,
      reads: [{ ticket: line.ticket as string, ok: true, value: show(member.office.fold) }],
    };
  }),
  heard("counts ticks that came late as log time", (line) =>
    line.op === "tick" ? { ...line, late: 0 } : line,
  ),
  ruled("renews an expired lock", ({ locks }, command, at) => {
    const lock = command.type === "lock-renew" ? locks.byName.get(command.name) : undefined;
    if (lock?.holder != null && lock.holder.expiresAt <= at)
      lock.holder = { ...lock.holder, expiresAt: at + 1 };
  }),
  ruled("gives the token of a released lock again", ({ locks }, command) => {
    const holder = command.type === "lock-release" ? locks.byName.get(command.name)?.holder : undefined;
    if (holder?.token === locks.lastToken) locks.lastToken--;
  }),
  ruled("serves the last waiter first", ({ locks }, command) => {
    if (command.type === "lock-release") locks.byName.get(command.name)?.waiters.reverse();
  }),
  ruled("lets a write overlook the revision that it expects", ({ config }, command) => {
    if (command.type !== "config-set" || command.expectedRevision === undefined) return;
    const value = config.byName.get(command.name);
    if (value !== undefined)
      config.byName.set(command.name, { ...value, revision: command.expectedRevision });
  }),
]);

/** A member whose memory is damaged when it starts. */
function started(name: string, onStart: (member: OfficeMember) => void): Omit<Mutant, "knownSeed"> {
  return { name, bench: memberBench(() => createMemberNode({ ...memberNodeParts, onStart })) };
}

function habit(name: string, habits: Partial<Habits>): Omit<Mutant, "knownSeed"> {
  return { name, bench: memberBench(createMemberNode, { ...GOOD_HABITS, ...habits }) };
}

/** The objects under the names that they would have had, had they been saved as they are. */
function renamed(store: ObjectStore): Map<string, string> {
  const named = new Map<string, string>();
  for (const [name, text] of store.texts) {
    const id = readSnapshotName(name);
    if (id !== null) named.set(nameSnapshot({ ...id, hash: sha256(text) }), text);
  }
  return named;
}

/** A mistake in the state before each command. */
function ruled(
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

function heard(name: string, mishear: (line: Line) => Line): Omit<Mutant, "knownSeed"> {
  return watched(name, mishear, (reply) => reply);
}

function replied(
  name: string,
  misspeak: (reply: Reply, has: { line: Line; member: OfficeMember }) => Reply,
): Omit<Mutant, "knownSeed"> {
  return watched(name, (line) => line, misspeak);
}

function watched(
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
