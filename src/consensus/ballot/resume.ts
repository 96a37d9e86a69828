// For a driver that takes over a ballot from another driver: the effects that the ballot still waits for. Pure.
import { refer } from "../tally/advice.ts";
import { askHumanOf, consultOf } from "./advice.ts";
import type { Ballot, BallotEffect } from "./state.ts";
import { wavesOf } from "./topology.ts";
import { pollOf } from "./turn.ts";
import { askOf } from "./waves.ts";

/** The effects that the ballot still waits for: its questions without an answer. They equal the questions that it asked before. */
export function effectsOf(ballot: Ballot): BallotEffect[] {
  const { stage, spec, round, wave, open, referral } = ballot;
  switch (stage) {
    case "asking": {
      const asks = wavesOf(spec, round)[wave]!;
      return asks.filter(({ seat }) => open.includes(seat)).map((ask) => askOf(ballot, ask));
    }
    case "consulting": {
      const role = referral!.role;
      return role === "human" ? [] : [consultOf(ballot, refer(pollOf(ballot), role))];
    }
    case "human":
      return [askHumanOf(ballot)];
    case "closed":
      return [];
    default:
      return stage satisfies never;
  }
}
