// What a coordinator says of itself to whoever asks all of them.
import { hostname } from "node:os";
import { type Genesis, hashFold, type Member } from "../../consensus/index.ts";
import type { CoordinatorStatus } from "../../protocol/index.ts";
import type { OfficeCommand, OfficeState } from "../state.ts";

/** The member as it sees itself, which may be old news. */
export function describeMember(
  { election, office }: Member<OfficeState, OfficeCommand>,
  own: { id: string; version: string; genesis: Genesis; refusedMessages: number },
): CoordinatorStatus {
  const { id, version, genesis, refusedMessages } = own;
  const { halted, inOffice, fold } = office;
  const role = election.role === "follower" ? "follower" : "candidate";
  return {
    id,
    host: hostname(),
    pid: process.pid,
    version,
    role: halted !== null ? "halted" : inOffice ? "leader" : role,
    term: election.term,
    leader: election.leader,
    logId: genesis.logId,
    epoch: genesis.epoch,
    appliedSeq: fold.seq,
    stateHash: hashFold(fold),
    halted,
    refusedMessages,
  };
}
