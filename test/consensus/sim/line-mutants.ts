// Deliberate bugs in the election node. Each is one mistake that an engineer could make in the core. The simulator must
// notice every one; otherwise its silence about the real core proves nothing. The bugs use the room's internal.ts and
// change lines and memory from outside, so production code has no switch for them.

import { createElectionNode, type Member, sealEntry } from "../../../src/consensus/index.ts";
import {
  type ElectionContext,
  type EntryBody,
  type NodeParts,
  productionParts,
  type RegisterCommand,
  type Registers,
} from "../../../src/consensus/internal.ts";
import { lineBench } from "./line-driver.ts";
import type { Line, Reply, SealedEntry } from "./lines.ts";
import type { Bench } from "./world.ts";

type NodeMember = Member<Registers, RegisterCommand>;
type Step = NodeParts["stepElection"];

/** A bug: its name, a bench that has it, and the first seed that notices it. */
export interface Mutant {
  readonly name: string;
  readonly bench: Bench;
  readonly knownSeed: number;
}

/** Adds the known seed of each bug; 1 for a bug that has none yet. */
export function withKnownSeeds(
  seeds: Readonly<Record<string, number>>,
  mutants: readonly Omit<Mutant, "knownSeed">[],
): Mutant[] {
  return mutants.map((mutant) => ({ ...mutant, knownSeed: seeds[mutant.name] ?? 1 }));
}

/**
 * The first seed that notices each bug. The short run of the tests starts with it; the full run starts with seed 1. To
 * renew the numbers: `npm run sim -- --mutants --seeds 250`.
 */
const KNOWN_SEEDS: Readonly<Record<string, number>> = {
  "votes twice in a term": 1,
  "ignores a newer term": 1,
  "skips check-quorum": 3,
  "does not abstain after a start": 1,
  "counts a refused vote as given": 1,
  "stays elected without office": 19,
  "loses the ticks of a pause": 2,
  "treats an unknown append as stored": 4,
  "treats an unknown append as not stored": 4,
  "applies entries out of order": 3,
  "appends without an expectation": 4,
  "repeats an unknown append after the newest entry": 4,
  "answers when an append is requested, not when it is stored": 1,
  "reads without a barrier": 1,
  "takes the office before it has caught up": 4,
  "serves before it is in office": 1,
  "forgets idempotency keys": 3,
  "says not_leader while an append is open": 3,
  "stamps entries with a falling time": 1,
  "renews an expired lock": 4,
  "restarts tokens after an unlock": 4,
};

/** The bugs of the election node. */
export const LINE_MUTANTS: readonly Mutant[] = withKnownSeeds(KNOWN_SEEDS, [
  bendElection("votes twice in a term", (step) => (state, input, context) => {
    const isVote = input.type === "receive" && input.message.type === "vote";
    return step(
      isVote && state.role === "follower" ? { ...state, vote: null, leader: null } : state,
      input,
      context,
    );
  }),
  bendElection("ignores a newer term", (step) => (state, input, context) => {
    const isNewer = input.type === "receive" && input.message.term > state.term;
    return isNewer && input.message.type.startsWith("heartbeat") ? [state, []] : step(state, input, context);
  }),
  bendElection("skips check-quorum", (step) => (state, input, context) => {
    const config: ElectionContext["config"] = { ...context.config, checkQuorum: false };
    return step(state, input, { ...context, config });
  }),
  bendElection("does not abstain after a start", (step) => (state, input, context) => {
    return step({ ...state, abstainTicks: 0 }, input, context);
  }),
  bendElection("counts a refused vote as given", (step) => (state, input, context) => {
    if (input.type !== "receive" || input.message.type !== "vote-reply") return step(state, input, context);
    return step(state, { ...input, message: { ...input.message, granted: true } }, context);
  }),
  bendElection("stays elected without office", (step) => (state, input, context) => {
    return input.type === "yield" ? [state, []] : step(state, input, context);
  }),
  changeLine("loses the ticks of a pause", (line) => (line.op === "tick" ? { ...line, n: 1 } : line)),
  changeLine("treats an unknown append as stored", (line, { member }) => {
    const open = member?.office.open;
    if (line.event !== "unknown" || open?.request !== line.request) return line;
    return { op: "log", event: "accepted", request: open?.request, seq: (open?.expectedLastSeq ?? 0) + 1 };
  }),
  changeLine("treats an unknown append as not stored", (line, { member }) =>
    line.event === "unknown"
      ? { op: "log", event: "refused", request: line.request, lastSeq: member?.office.fold.seq }
      : line,
  ),
  changeLine("applies entries out of order", (line, { member }) => {
    if (line.event === "stored" && member !== null && (line.seq as number) > member.office.fold.seq) {
      member.office.fold.seq = (line.seq as number) - 1;
    }
    return line;
  }),
  changeReply("appends without an expectation", (reply) => ({
    ...reply,
    append: reply.append.map((append) => ({ ...append, expectedLastSeq: null })),
  })),
  changeReply("repeats an unknown append after the newest entry", (reply, { member, line }) =>
    line.event === "unknown"
      ? {
          ...reply,
          append: reply.append.map((append) => ({ ...append, expectedLastSeq: member.office.fold.seq + 1 })),
        }
      : reply,
  ),
  changeReply("answers when an append is requested, not when it is stored", (reply, { member }) => ({
    ...reply,
    answers: [
      ...reply.answers,
      ...reply.append.flatMap(({ entry }) =>
        (entry.commands ?? []).map(({ key }) => ({
          key,
          ok: true,
          value: member.office.fold.results.get(key) ?? true,
        })),
      ),
    ],
  })),
  changeReply("reads without a barrier", (reply, { member, line }) => {
    const command = line.command as { type: string; name: string } | undefined;
    if (command?.type !== "get" || !reply.state.inOffice) return reply;
    const value = member.office.fold.state.values.get(command.name)?.value ?? null;
    return { ...reply, answers: [...reply.answers, { key: line.key as string, ok: true, value }] };
  }),
  changeReply("takes the office before it has caught up", (reply, { member, line }) => {
    const { catchUpSeq } = member.office;
    if (line.event !== "refused" || catchUpSeq === null || catchUpSeq <= member.office.fold.seq) return reply;
    const { node, logId } = member.office.config;
    const head = { v: 1, logId, term: member.election.term, at: member.office.fold.at } as const;
    const entry = sealEntry<RegisterCommand>(
      { ...head, type: "office-taken", leader: node },
      member.office.fold.chain,
    ) as SealedEntry;
    const append = { request: 1_000_000 + (line.request as number), expectedLastSeq: catchUpSeq, entry };
    return { ...reply, append: [append] };
  }),
  damageMemory("serves before it is in office", ({ office }) => {
    if (office.electedTerm !== null) office.inOffice = true;
  }),
  damageMemory("forgets idempotency keys", ({ office }) => office.fold.results.clear()),
  damageMemory("says not_leader while an append is open", ({ office }) => office.orphans.splice(0)),
  changeReply("stamps entries with a falling time", (reply, { member: { office } }) => ({
    ...reply,
    append: reply.append.map((append) => {
      if (append.expectedLastSeq !== office.fold.seq) return append;
      const { chain: _, ...entry } = append.entry;
      return {
        ...append,
        entry: sealEntry(
          { ...entry, at: Math.max(0, entry.at - 3) } as EntryBody<unknown>,
          office.fold.chain,
        ) as SealedEntry,
      };
    }),
  })),
  spoilCommand("renews an expired lock", (state, command, at) => {
    for (const [name, lock] of state.locks) {
      const expiresAt = lock.holder?.expiresAt ?? null;
      if (command.name !== name || lock.holder === null || expiresAt === null || at < expiresAt) continue;
      state.locks.set(name, { ...lock, holder: { ...lock.holder, expiresAt: at + 1 } });
    }
  }),
  spoilCommand("restarts tokens after an unlock", (state, command) => {
    const lock = state.locks.get(command.name);
    if (command.type === "lock" && lock?.holder === null) state.locks.delete(command.name);
  }),
]);

/** A node with a changed election core. */
function bendElection(name: string, bend: (step: Step) => Step): Omit<Mutant, "knownSeed"> {
  const parts = { ...productionParts, stepElection: bend(productionParts.stepElection) };
  return { name, bench: lineBench(() => createElectionNode(parts)) };
}

/** A node that spoils the state before each command. */
function spoilCommand(
  name: string,
  spoil: (state: Registers, command: RegisterCommand, at: number) => void,
): Omit<Mutant, "knownSeed"> {
  const { registers } = productionParts;
  const decide: typeof registers.decide = (state, command, at) => {
    spoil(state, command, at);
    return registers.decide(state, command, at);
  };
  const parts = { ...productionParts, registers: { ...registers, decide } };
  return { name, bench: lineBench(() => createElectionNode(parts)) };
}

/** A node that receives some lines changed. */
function changeLine(
  name: string,
  change: (line: Line, has: { member: NodeMember | null }) => Line,
): Omit<Mutant, "knownSeed"> {
  return wrapNode(
    name,
    (line, memory) => change(line, memory),
    (reply) => reply,
  );
}

/** A node that sends some replies changed. */
function changeReply(
  name: string,
  change: (reply: Reply, has: { member: NodeMember; line: Line }) => Reply,
): Omit<Mutant, "knownSeed"> {
  return wrapNode(
    name,
    (line) => line,
    (reply, line, { member }) => (member === null ? reply : change(reply, { member, line })),
  );
}

/** A node with its memory damaged before every line. */
function damageMemory(name: string, damage: (member: NodeMember) => void): Omit<Mutant, "knownSeed"> {
  return wrapNode(
    name,
    (line, { member }) => {
      if (member !== null) damage(member);
      return line;
    },
    (reply) => reply,
  );
}

function wrapNode(
  name: string,
  hear: (line: Line, memory: { member: NodeMember | null }) => Line,
  say: (reply: Reply, line: Line, memory: { member: NodeMember | null }) => Reply,
): Omit<Mutant, "knownSeed"> {
  return {
    name,
    bench: lineBench(() => {
      const memory: { member: NodeMember | null } = { member: null };
      const node = createElectionNode({
        ...productionParts,
        onStart: (member) => {
          memory.member = member;
        },
      });
      return {
        handleLine(text) {
          const line = JSON.parse(text) as Line;
          const heard = { id: line.id, ...hear(line, memory) };
          const reply = JSON.parse(node.handleLine(JSON.stringify(heard))) as Reply;
          return JSON.stringify(say(reply, line, memory));
        },
      };
    }),
  };
}
