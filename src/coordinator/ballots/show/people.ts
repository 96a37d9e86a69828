// The office requests of people and autoscalers about ballots: show a ballot, count the seats that wait for agents, decide a ballot that waits for a person, and correct an
// ended ballot.
import { z } from "zod";
import type { Clock } from "../../../base/index.ts";
import { type BallotEvent, markOf, readTruth } from "../../../consensus/index.ts";
import { type Json, parse, SwarmError, tokenSchema } from "../../../protocol/index.ts";
import type { Office } from "../../office/office.ts";
import { type OfficeAnswers, unwrap } from "../../office/server.ts";
import type { LiveBallot } from "../ask/live-ballot.ts";
import { viewBallot } from "./view.ts";

/**
 * How long a decision waits for the control log, in ms; then the reply says that the outcome is unknown. Shorter than a try
 * of the client (3,000 ms), so that the client hears it.
 */
const DECISION_WAIT_MS = 2_500;

/** A person's decision: a candidate or a value. */
const decideSchema = z
  .strictObject({
    id: tokenSchema,
    by: z.string().min(1).max(128),
    choice: z.int().min(1).optional(),
    value: z.json().optional(),
  })
  .refine(
    ({ choice, value }) => (choice === undefined) !== (value === undefined),
    "must name either a candidate (choice) or a value",
  );
/** The right answer of an ended ballot. */
const correctSchema = z.strictObject({
  key: z.string().min(1).max(120),
  id: tokenSchema,
  value: z.json(),
});

/** Makes the answers to these requests. */
export function answerPeople({
  office,
  clock,
  findBallot,
  whyWaiting,
  countVacancies,
  step,
}: {
  office: Office;
  clock: Clock;
  findBallot(id: string): LiveBallot | undefined;
  /** The reason why a ballot waits for agents; undefined when it does not wait. */
  whyWaiting(id: string): string | undefined;
  /** The seats without an agent of the ballots that wait now, counted by capability. */
  countVacancies(): ReadonlyMap<string, number>;
  /** Feeds an event to the ballot's decider. @throws SwarmError when the decider refuses the event. */
  step(live: LiveBallot, event: BallotEvent): void;
}): Pick<OfficeAnswers, "ballot" | "ballot-decide" | "ballot-correct" | "vacancies"> {
  /** The decision that each ballot took, so that a repeat of it is no conflict while it is being stored. */
  const taken = new WeakMap<LiveBallot, string>();

  return {
    async ballot(body) {
      const { id } = parse(z.strictObject({ id: tokenSchema }), body, "ballot");
      await office.barrier();
      const why = whyWaiting(id);
      if (why !== undefined && findBallot(id) === undefined) {
        throw new SwarmError("not_found", `ballot ${id} is not open yet: ${why}`, { field: "id" });
      }
      return viewBallot(office.state, id, findBallot(id)?.core);
    },
    async vacancies(body) {
      parse(z.strictObject({}), body, "vacancies");
      return { vacancies: [...countVacancies()].map(([capability, seats]) => ({ capability, seats })) };
    },
    async "ballot-decide"(body) {
      const { id, by, choice, value } = parse(decideSchema, body, "ballot-decide");
      const live = findBallot(id);
      const decision = choice === undefined ? { value } : { choice };
      const own = JSON.stringify({ by, ...decision });
      const isRepeat = live?.stage === "ending" && taken.get(live) === own;
      if (live === undefined || (live.stage !== "open" && !isRepeat)) throw notWaiting(office, id, live);
      if (!isRepeat) {
        step(live, { type: "human", by, ...decision, atMs: clock.now() });
        taken.set(live, own);
      }
      await waitUntilDecided(live, clock);
      return { decided: true };
    },
    async "ballot-correct"(body): Promise<Json> {
      const { id, key, value } = parse(correctSchema, body, "ballot-correct");
      await office.barrier();
      const { outbox, ended } = office.state.ballots;
      // For an unknown ballot any spec will do: the reducer then rejects the command with `not_found`.
      const spec = outbox.get(id)?.ended ?? ended.get(id) ?? ({ strategy: "majority" } as const);
      const truth = readTruth(value, spec);
      if (!truth.ok) {
        throw new SwarmError(
          "invalid_input",
          `value: must be the right value, in the form of the value at the ballot's pointer: ${truth.reason}`,
          { field: "value" },
        );
      }
      const command = { type: "ballot-correct", id, truth: markOf(spec, truth.value) } as const;
      return unwrap(await office.submit(`c.${key}`, command));
    },
  };
}

/** @throws SwarmError `unavailable` when the control log does not confirm the decision in time. */
async function waitUntilDecided({ id, whenDecided }: LiveBallot, clock: Clock): Promise<void> {
  const late = Promise.withResolvers<never>();
  const cancel = clock.after(DECISION_WAIT_MS, () =>
    late.reject(
      new SwarmError("unavailable", `the decision of ballot ${id} is taken and not stored yet: repeat it`),
    ),
  );
  try {
    await Promise.race([whenDecided, late.promise]);
  } finally {
    cancel();
  }
}

function notWaiting(office: Office, id: string, live: LiveBallot | undefined): SwarmError {
  const { outbox, ended } = office.state.ballots;
  const isOver = live !== undefined || outbox.has(id) || ended.has(id);
  return isOver
    ? new SwarmError(
        "conflict",
        `ballot ${id} is decided already; murmur ballot show ${id} shows the outcome`,
      )
    : new SwarmError("not_found", `there is no ballot ${id}; murmur ballot ls lists all ballots`);
}
