// One production member behind a pipe: the decider with the commands, snapshots and log time of the coordinators. Lines
// drive it here; in production coordinator/office/driver.ts drives it with events. It has no state except its member.

import { AssertionError, assert } from "../../../src/base/index.ts";
import {
  type CommandSet,
  createMember,
  type Fold,
  loadFold,
  loadLog,
  type Member,
  type MemberEffects,
  type MemberInput,
  saveFold,
  stepMember,
} from "../../../src/consensus/index.ts";
import {
  type ElectionConfig,
  type MemberParts,
  stepElection,
  viewMember,
} from "../../../src/consensus/internal.ts";
import {
  type OfficeCommand,
  type OfficeState,
  officeCommands,
  viewConfig,
  viewLocks,
} from "../../../src/coordinator/internal.ts";
import { type JsonObject, sha256 } from "../../../src/protocol/index.ts";
import type { Line, LineNode } from "./lines.ts";

/** A member with the commands of the office. */
export type OfficeMember = Member<OfficeState, OfficeCommand>;

/** The parts of a member-node. Mutants replace some of them. */
export interface MemberNodeParts extends MemberParts {
  readonly commandSet: CommandSet<OfficeState, OfficeCommand>;
  readonly countsTicksOfAppends: boolean;
  /** Called with each new member. */
  readonly onStart?: (member: OfficeMember) => void;
}

/** The parts that production uses. */
export const memberNodeParts: MemberNodeParts = {
  stepElection,
  commandSet: officeCommands,
  countsTicksOfAppends: true,
};

type Effects = MemberEffects<OfficeCommand>;

/** Creates a member that is not started yet. */
export function createMemberNode(parts: MemberNodeParts = memberNodeParts): LineNode {
  let member: OfficeMember | null = null;

  function take(line: Line): Effects {
    if (line.op === "init") {
      member = start(line, parts);
      parts.onStart?.(member);
      const error = loadLog(member, line.log as JsonObject[]);
      return error === undefined ? NO_EFFECTS : { ...NO_EFFECTS, error };
    }
    assert(member !== null, "the member is not started");
    if (line.op !== "tick") return stepMember(member, toInput(line));
    const [late, all] = [(line.late ?? 0) as number, line.n as number];
    let effects = NO_EFFECTS;
    for (let count = 0; count < all; count++) {
      effects = join(effects, stepMember(member, { type: "tick", isLate: count < late }));
    }
    return effects;
  }

  return {
    handleLine(text) {
      const line = JSON.parse(text) as Line;
      const { error, send, appends, answers, reads, checkpoint, snapshot } = take(line);
      const { fold } = (member as OfficeMember).office;
      const saved = checkpoint === null ? null : saveFold(fold);
      return JSON.stringify({
        id: line.id,
        ok: error === undefined,
        error,
        send,
        append: appends,
        answers,
        reads: reads.map((read) => (read.ok ? { ...read, value: show(fold) } : read)),
        checkpoint: saved === null ? null : { ...checkpoint, text: saved, hash: sha256(saved) },
        snapshot,
        state: viewMember(member as OfficeMember),
      });
    },
  };
}

const NO_EFFECTS: Effects = {
  send: [],
  appends: [],
  answers: [],
  reads: [],
  checkpoint: null,
  snapshot: null,
};

/** The joined effects of several ticks. A tick never applies an entry. */
function join(one: Effects, next: Effects): Effects {
  assert(next.checkpoint === null && next.snapshot === null, "a tick applies no entry");
  return {
    ...next,
    send: [...one.send, ...next.send],
    appends: [...one.appends, ...next.appends],
    answers: [...one.answers, ...next.answers],
    reads: [...one.reads, ...next.reads],
  };
}

function start(
  line: Line,
  { commandSet, countsTicksOfAppends, stepElection }: MemberNodeParts,
): OfficeMember {
  const { node, peers, swarm, electionTicks, heartbeatTicks, preVote, checkQuorum } = line;
  const config = {
    ...{ node, members: peers, swarm, electionTicks, heartbeatTicks, preVote, checkQuorum },
  } as ElectionConfig;
  const { snapshot, genesis, seed } = line as unknown as {
    snapshot: { text: string; hash: string } | null;
    genesis: { epoch: number; seq: number };
    seed: number;
  };
  return createMember(
    {
      config,
      seed,
      commandSet,
      genesis,
      snapshot:
        snapshot === null ? undefined : { fold: load(commandSet, snapshot.text), hash: snapshot.hash },
      countsTicksOfAppends,
    },
    { stepElection },
  );
}

function load(
  commandSet: CommandSet<OfficeState, OfficeCommand>,
  text: string,
): Fold<OfficeState, OfficeCommand> {
  const loaded = loadFold(commandSet, text);
  if (!loaded.ok) throw new AssertionError(`a saved snapshot cannot be read: ${loaded.fault}`);
  return loaded.fold;
}

function toInput(line: Line): MemberInput<OfficeCommand> {
  const { op, event, ...rest } = line;
  return { ...rest, type: op === "log" ? event : op } as unknown as MemberInput<OfficeCommand>;
}

/** The value of a read: shared values and held locks. */
export function show({ state, at }: Fold<OfficeState, OfficeCommand>): string {
  const locks = viewLocks(state.locks, at).map(({ name, owner, token }) => ({ name, owner, token }));
  return JSON.stringify({ config: viewConfig(state.config), locks });
}
