// The waves of a ballot: the seats to ask now, the end of the wave, and the check of the budget. Owns starting a wave
// or a round; topology.ts declares the waves. Pure.
//
// B2  A ballot never asks more questions, or builds longer chains, than its budget allows.

import { roundsOf } from "../../protocol/index.ts";
import type { Ballot, BallotEffect } from "./state.ts";
import { type Ask, type Wave, wavesOf } from "./topology.ts";
import { type Turn, update } from "./turn.ts";
import { nonceOf } from "./votes.ts";

/** Asks the seats of the wave. The wave gets an equal share of the time left, so that later waves have time too. */
export function startWave(turn: Turn, round: number, wave: number): void {
  const { ballot, atMs } = turn;
  const { spec } = ballot;
  const asks = wavesOf(spec, round)[wave]!;
  const share = (ballot.deadlineAtMs - atMs) / wavesLeft(ballot, round, wave);
  const isNewRound = round !== ballot.round;
  update(turn, {
    stage: "asking",
    round,
    wave,
    endsAtMs: Math.min(ballot.deadlineAtMs, Math.ceil(atMs + share)),
    open: asks.map(({ seat }) => seat),
    messages: ballot.messages + asks.length,
    hops: ballot.hops + 1,
    shown: asks.some(({ sees }) => sees.length > 0)
      ? ballot.answers.map(({ seat, value }) => ({ seat, value }))
      : [],
    ...(isNewRound ? { changed: false, timedOut: false } : {}),
    // A signed vote is valid for one round only.
    ...(isNewRound && spec.strategy === "bft" ? { answers: [], abstentions: [], equivocators: [] } : {}),
  });
  for (const ask of asks) turn.effects.push(askOf(turn.ballot, ask));
}

/** The question to one seat of the current wave. It shows the answers from before the wave started. */
export function askOf(ballot: Ballot, { seat, role, sees, most }: Ask): BallotEffect {
  const { id, spec, round, endsAtMs, seats } = ballot;
  const answers = sees.flatMap((other) => ballot.shown.find((answer) => answer.seat === other) ?? []);
  return {
    type: "ask",
    seat,
    agent: seats[seat - 1]!.agent,
    round,
    endsAtMs,
    question: {
      ballot: id,
      seat,
      round,
      rounds: roundsOf(spec),
      pointer: spec.pointer,
      ...(spec.normalise === undefined ? {} : { normalise: spec.normalise }),
      role,
      answers: answers.slice(0, most),
      ...(spec.strategy === "bft" ? { nonce: nonceOf(ballot.nonce, round) } : {}),
    },
  };
}

/** Starts the round and returns true, if the ballot has such a round and the budget allows it. */
export function startRound(turn: Turn, round: number): boolean {
  if (round > roundsOf(turn.ballot.spec)) return false;
  if (!mayAsk(turn, wavesOf(turn.ballot.spec, round)[0]!)) return false;
  startWave(turn, round, 0);
  return true;
}

/** Whether time and budget allow the wave. If a budget forbids it, the state names that budget for the verdict (B2). */
export function mayAsk(turn: Turn, wave: Wave | undefined): boolean {
  const { ballot, atMs } = turn;
  const { maxMessages, maxHops, maxUsd } = ballot.spec.budget ?? {};
  if (atMs >= ballot.deadlineAtMs) return false;
  const stoppedBy =
    ballot.messages + (wave?.length ?? 1) > (maxMessages ?? Number.POSITIVE_INFINITY)
      ? "messages"
      : wave !== undefined && ballot.hops + 1 > (maxHops ?? Number.POSITIVE_INFINITY)
        ? "hops"
        : maxUsd !== undefined && (ballot.usage.costUsd === null || ballot.usage.costUsd >= maxUsd)
          ? "money"
          : undefined;
  if (stoppedBy !== undefined) update(turn, { stoppedBy });
  return stoppedBy === undefined;
}

/** The number of waves left, this one included, plus one each for a judge or verifier and for a person. */
function wavesLeft({ spec }: Ballot, round: number, wave: number): number {
  let waves = wavesOf(spec, round).length - wave;
  for (let later = round + 1; later <= roundsOf(spec); later += 1) waves += wavesOf(spec, later).length;
  const { strategy, onDisagreement } = spec;
  const asksOthers = strategy === "judge" || strategy === "verifier" || onDisagreement === "judge";
  return waves + (asksOthers ? 1 : 0) + (onDisagreement === "human" ? 1 : 0);
}
