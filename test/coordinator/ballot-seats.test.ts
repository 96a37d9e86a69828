// Who is seated while others are seated too.
import { expect, it, vi } from "vitest";
import { ballotSchema, encode } from "../../src/protocol/index.ts";
import { setupBallots, type Voter } from "./ballot-swarm.ts";
import { SOON } from "./support.ts";

it("seats agents that are free, of ballots that open at the same moment too", async () => {
  const { promise: freed, resolve: free } = Promise.withResolvers<string>();
  const voters: Voter[] = [..."abcdefghijkl"].map((name) => ({ name, slots: 1, say: () => freed }));
  const { transport, subjects, show, tasks } = await setupBallots(voters);
  const ids = ["b1", "b2", "b3", "b4"];
  const open = (taskId: string) => ({
    ...{ taskId, scope: "-", capability: "classify", priority: "normal", encoding: "json", storedAtMs: 0 },
    ballot: ballotSchema.parse({ seats: 3, strategy: "majority" }),
    task: { timeoutMs: 10_000 },
  });
  // As hosts hand them over, faster than any heartbeat.
  await Promise.all(
    ids.map((id) =>
      transport.bus.request(subjects.office("ballot-open"), encode(open(id)), { timeoutMs: 5_000 }),
    ),
  );
  const pages = await Promise.all(ids.map((id) => show(id)));
  expect(new Set(pages.flatMap(({ votes }) => votes.map(({ agent }) => agent))).size).toBe(12);
  free("cat");
  for (const id of ids) {
    await vi.waitFor(async () => expect(await tasks.status(id)).toMatchObject({ state: "completed" }), SOON);
  }
});
