// What people ask of ballots and tell them: a look at one, a decision where a ballot waits for it, the right answer of one
// that ended.
import { z } from "zod";
import type { Clock } from "../../../base/index.ts";
import { type BallotEvent, markOf, readTruth } from "../../../consensus/index.ts";
import { type Json, parse, SwarmError, tokenSchema } from "../../../protocol/index.ts";
import type { Office } from "../../office/office.ts";
import { type OfficeAnswers, unwrap } from "../../office/server.ts";
import type { LiveBallot } from "../ask/live-ballot.ts";
import { viewBallot } from "./view.ts";

/** What a person decides. */
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
/** What the right answer was. */
const correctSchema = z.strictObject({
  key: z.string().min(1).max(120),
  id: tokenSchema,
  value: z.json(),
});

/** Answers people. */
export function answerPeople({
  office,
  clock,
  findRun,
  whyWaiting,
  step,
}: {
  office: Office;
  clock: Clock;
  findRun(id: string): LiveBallot | undefined;
  /** What a ballot waits for that is not open yet. */
  whyWaiting(id: string): string | undefined;
  /** @throws SwarmError when the ballot refuses the event. */
  step(run: LiveBallot, event: BallotEvent): void;
}): Pick<OfficeAnswers, "ballot" | "ballot-decide" | "ballot-correct"> {
  return {
    async ballot(body) {
      const { id } = parse(z.strictObject({ id: tokenSchema }), body, "ballot");
      await office.barrier();
      const why = whyWaiting(id);
      if (why !== undefined && findRun(id) === undefined) {
        throw new SwarmError("not_found", `ballot ${id} is not open yet: ${why}`, { field: "id" });
      }
      return viewBallot(office.state, id, findRun(id)?.core);
    },
    async "ballot-decide"(body) {
      const { id, by, choice, value } = parse(decideSchema, body, "ballot-decide");
      const run = findRun(id);
      if (run === undefined || run.stage !== "open") throw notWaiting(office, id, run);
      const said = choice === undefined ? { value } : { choice };
      step(run, { type: "human", by, ...said, atMs: clock.now() });
      await run.ended.promise;
      return { decided: true };
    },
    async "ballot-correct"(body): Promise<Json> {
      const { id, key, value } = parse(correctSchema, body, "ballot-correct");
      await office.barrier();
      const { outbox, ended } = office.state.ballots;
      // Of a ballot that is not remembered the office's own refusal tells.
      const spec = outbox.get(id)?.ended ?? ended.get(id) ?? ({ strategy: "majority" } as const);
      const truth = readTruth(value, spec);
      if (!truth.ok) {
        throw new SwarmError(
          "invalid_input",
          `value: must be the right value as it stands at the ballot's pointer: ${truth.reason}`,
          { field: "value" },
        );
      }
      const command = { type: "ballot-correct", id, truth: markOf(spec, truth.value) } as const;
      return unwrap(await office.submit(`c.${key}`, command));
    },
  };
}

function notWaiting(office: Office, id: string, run: LiveBallot | undefined): SwarmError {
  const { outbox, ended } = office.state.ballots;
  const isOver = run !== undefined || outbox.has(id) || ended.has(id);
  return isOver
    ? new SwarmError("conflict", `ballot ${id} is decided already; murmur ballot show ${id} tells how`)
    : new SwarmError("not_found", `there is no ballot ${id}; murmur ballot ls shows those that there are`);
}
