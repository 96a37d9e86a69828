// What ballots tell whoever watches: events on `<p>.event.ballot.<id>.<event>`, best effort, and an answer to `where`. Of
// refused votes the audit log, the log and a counter tell too; what they leave behind stands in the verdict as well.
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

/** Tells of the ballots of one coordinator. */
export class News {
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

  opened({ id, core }: LiveBallot): void {
    this.#tell(id, "opened", { seats: core.seats.length, strategy: core.spec.strategy });
  }

  round({ id, core }: LiveBallot, asked: number): void {
    this.#tell(id, "round", { round: core.round, asked });
  }

  waitsForAgents(id: string, reason: string): void {
    this.#tell(id, "waits", { for: "agents", reason });
  }

  waitsForPerson({ id }: LiveBallot, { candidates, reason }: BallotEffect & { type: "ask-human" }): void {
    this.#tell(id, "waits", { for: "person", candidates, reason });
  }

  /** A vote was refused. The audit log comes first: whoever hears of it otherwise may look there. */
  evidence({ id, ballot: { capability } }: LiveBallot, evidence: Evidence): void {
    const { log, meter, audit } = this.#parts;
    const { kind, seat, agent, reason } = evidence;
    audit?.({ kind: "vote-refused", facts: { ballot: id, capability, evidence } });
    meter.votesRefused.inc({ fault: kind });
    const facts = { alert: "vote_refused", ballot: id, fault: kind, seat, agent, reason };
    log.warn(facts, "a vote was refused; its evidence is kept in the verdict");
    this.#tell(id, "evidence", evidence);
  }

  /** Somebody who was not asked answered. */
  stranger({ run, taskId }: Question, agent: string): void {
    const { log, meter, audit } = this.#parts;
    audit?.({
      kind: "answer-refused",
      facts: { ballot: run.id, capability: run.ballot.capability, taskId, agent },
    });
    meter.votesRefused.inc({ fault: "not_asked" });
    log.warn(
      { alert: "vote_refused", ballot: run.id, taskId, fault: "not_asked", agent },
      "a question was answered by somebody who was not asked",
    );
  }

  #tell(id: string, event: string, more: object): void {
    const { transport, subjects, clock } = this.#parts;
    const body = encode({ at: toIsoTime(clock.now()), ...more });
    transport.bus.publish(subjects.event("ballot", id, event), body);
  }
}

/** How far an open ballot is. */
export function whereIs({ ballot, core }: LiveBallot): WhereReply {
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
