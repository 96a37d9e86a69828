// Publishes what happens in open ballots as events on `<p>.event.ballot.<id>.<event>` (best effort), and makes the reply to
// `where`. A refused vote also goes to the audit log, the log and a counter; the verdict keeps its evidence. The runner
// (driver.ts) calls it.
import { type Clock, type Logger, type Meter, toIsoTime } from "../../../base/index.ts";
import type { BallotEffect } from "../../../consensus/index.ts";
import {
  type Audit,
  type Evidence,
  encode,
  type Subjects,
  type WhereReply,
} from "../../../protocol/index.ts";
import type { Transport } from "../../../transport/index.ts";
import type { LiveBallot, Question } from "../ask/live-ballot.ts";

/** Publishes the events of the ballots that one coordinator runs. */
export class BallotReporter {
  readonly #parts: {
    readonly transport: Transport;
    readonly subjects: Subjects;
    readonly clock: Clock;
    readonly log: Logger;
    readonly meter: Meter;
    readonly audit?: Audit | undefined;
  };

  constructor(parts: {
    transport: Transport;
    subjects: Subjects;
    clock: Clock;
    log: Logger;
    meter: Meter;
    audit?: Audit | undefined;
  }) {
    this.#parts = parts;
  }

  /** Publishes that the ballot is open. */
  reportOpened({ id, core }: LiveBallot): void {
    this.#publish(id, "opened", { seats: core.seats.length, strategy: core.spec.strategy });
  }

  /** Publishes that the ballot asks a further wave or round. `asked`: the number of its questions. */
  reportRound({ id, core }: LiveBallot, asked: number): void {
    this.#publish(id, "round", { round: core.round, asked });
  }

  /** Publishes that the ballot waits for agents. */
  reportWaitForAgents(id: string, reason: string): void {
    this.#publish(id, "waits", { for: "agents", reason });
  }

  /** Publishes that the ballot waits for a person. */
  reportWaitForPerson(
    { id }: LiveBallot,
    { candidates, reason }: BallotEffect & { type: "ask-human" },
  ): void {
    this.#publish(id, "waits", { for: "person", candidates, reason });
  }

  /** Reports a refused vote. The audit log comes first, so that a reader of the other reports finds the vote there. */
  reportEvidence({ id, ballot: { capability } }: LiveBallot, evidence: Evidence): void {
    const { log, meter, audit } = this.#parts;
    const { kind, seat, agent, reason } = evidence;
    audit?.({ kind: "vote-refused", facts: { ballot: id, capability, evidence } });
    meter.votesRefused.inc({ fault: kind });
    const facts = { alert: "vote_refused", ballot: id, fault: kind, seat, agent, reason };
    log.warn(facts, "vote refused; the verdict keeps its evidence");
    this.#publish(id, "evidence", evidence);
  }

  /** Reports a result from an agent that did not get the question. */
  reportUnaskedAgent({ live, taskId }: Question, agent: string): void {
    const { log, meter, audit } = this.#parts;
    audit?.({
      kind: "answer-refused",
      facts: { ballot: live.id, capability: live.ballot.capability, taskId, agent },
    });
    meter.votesRefused.inc({ fault: "not_asked" });
    log.warn(
      { alert: "vote_refused", ballot: live.id, taskId, fault: "not_asked", agent },
      "ballot answer from an agent that was not asked; the seat abstains",
    );
  }

  #publish(id: string, event: string, more: object): void {
    const { transport, subjects, clock } = this.#parts;
    const body = encode({ at: toIsoTime(clock.now()), ...more });
    transport.bus.publish(subjects.event("ballot", id, event), body);
  }
}

/** The reply to `where`: the progress of an open ballot. */
export function whereReplyOf({ ballot, core }: LiveBallot): WhereReply {
  const { capability, scope, priority, openedAtMs } = ballot;
  const { seats, answers, abstentions, stage } = core;
  const answered = stage === "closed" ? seats.length : answers.length + abstentions.length;
  return {
    attempt: 1,
    progress: Math.round((100 * answered) / seats.length),
    agent: "-",
    startedAt: toIsoTime(openedAtMs),
    ballot: { capability, scope, priority, seats: seats.length, answered },
  };
}
