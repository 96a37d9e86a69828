import { expect, it } from "vitest";
import { ManualClock } from "../../../../src/base/index.ts";
import type { LiveBallot } from "../../../../src/coordinator/ballots/ask/live-ballot.ts";
import { answerPeople } from "../../../../src/coordinator/ballots/show/people.ts";
import type { Office } from "../../../../src/coordinator/index.ts";

it("a decision that the control log does not confirm in time gets the reply that its outcome is unknown", async () => {
  const clock = new ManualClock();
  let stage: LiveBallot["stage"] = "open";
  const live = {
    id: "b1",
    get stage() {
      return stage;
    },
    whenDecided: new Promise<void>(() => undefined),
  } as LiveBallot;
  const office = { state: { ballots: { outbox: new Map(), ended: new Map() } } } as unknown as Office;
  const answers = answerPeople({
    ...{
      office,
      clock,
      findBallot: () => live,
      whyWaiting: () => undefined,
      countVacancies: () => new Map(),
    },
    step: () => {
      stage = "ending";
    },
  });
  const decide = async (choice: number) => {
    const reply = answers["ballot-decide"]?.({ id: "b1", by: "ada", choice });
    await Promise.resolve();
    clock.advance(2_500);
    return reply;
  };
  const unknown = {
    code: "unavailable",
    message: "the decision of ballot b1 is taken and not stored yet: repeat it",
  };
  await expect(decide(1)).rejects.toMatchObject(unknown);
  await expect(decide(1)).rejects.toMatchObject(unknown);
  await expect(decide(2)).rejects.toMatchObject({ code: "conflict" });
});
