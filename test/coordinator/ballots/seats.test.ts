// The choice of agents for the seats of a ballot.
import { expect, it, vi } from "vitest";
import { openBallot } from "../../../src/consensus/index.ts";
import { findSubstitute } from "../../../src/coordinator/ballots/seats.ts";
import { profileOf } from "../../../src/coordinator/registry/profile.ts";
import { type OfficeCommand, officeCommands } from "../../../src/coordinator/state.ts";
import { ballotSchema, encode } from "../../../src/protocol/index.ts";
import { makeStatus, SOON } from "../support.ts";
import { setupBallots, type Voter } from "./swarm.ts";

it("a seat whose agent is gone goes to an agent of a model that no other seat has, even if another agent is better", () => {
  const models = { gone: "m1", stays: "m2", better: "m2", other: "m3", plain: undefined };
  const agents = Object.entries(models).flatMap(([id, model]) =>
    id === "gone" ? [] : [profileOf(makeStatus({ id, role: id, ...(model === undefined ? {} : { model }) }))],
  );
  const state = officeCommands.empty();
  officeCommands.decide(state, { type: "members-join", agents } as OfficeCommand, 0);
  const seats = ["gone", "stays"].map((agent, index) => {
    const model = models[agent as keyof typeof models];
    return { seat: index + 1, agent, weight: 1, ...(model === undefined ? {} : { model }) };
  });
  const spec = ballotSchema.parse({ seats: 2, strategy: "unanimous", diversity: "model" });
  const [core] = openBallot({ id: "b1", spec, seats, nonce: "n", atMs: 0 });
  const substitute = (...best: string[]) =>
    findSubstitute(
      state,
      ({ exclude, count }) =>
        best
          .filter((agent) => !exclude?.has(agent))
          .slice(0, count)
          .map((agent) => ({ host: "h1", agent, score: 0, reasons: [] })),
      { capability: "echo", core, seat: 1 },
    )?.agent;
  expect(substitute("better", "other")).toBe("other");
  expect(substitute("plain", "other")).toBe("plain");
  expect(substitute("better")).toBeUndefined();
});

it("the substitute of a seat is chosen by the task's labels, and with diversity `none` another seat's agent may be it", () => {
  const state = officeCommands.empty();
  const agents = ["gone", "stays", "other"].map((id) => profileOf(makeStatus({ id, role: id })));
  officeCommands.decide(state, { type: "members-join", agents } as OfficeCommand, 0);
  const seats = ["gone", "stays"].map((agent, index) => ({ seat: index + 1, agent, weight: 1 }));
  const asked = (diversity: "none" | "agent") => {
    const spec = ballotSchema.parse({ seats: 2, strategy: "unanimous", diversity });
    const [core] = openBallot({ id: "b1", spec, seats, nonce: "n", atMs: 0 });
    const seen: unknown[] = [];
    const pick: Parameters<typeof findSubstitute>[1] = ({ exclude, labels }) => {
      seen.push({ exclude: [...(exclude ?? [])], labels });
      return [];
    };
    findSubstitute(state, pick, { capability: "echo", core, seat: 1, labels: { language: "rust" } });
    return seen;
  };
  expect(asked("none")).toEqual([{ exclude: ["gone"], labels: { language: "rust" } }]);
  expect(asked("agent")).toEqual([{ exclude: ["gone", "stays"], labels: { language: "rust" } }]);
});

it("ballots that open at the same moment get different, free agents", async () => {
  const { promise: freed, resolve: free } = Promise.withResolvers<string>();
  const voters: Voter[] = [..."abcdefghijkl"].map((name) => ({ name, slots: 1, say: () => freed }));
  const { transport, subjects, show, tasks } = await setupBallots(voters);
  const ids = ["b1", "b2", "b3", "b4"];
  const open = (taskId: string) => ({
    ...{ taskId, scope: "-", capability: "classify", priority: "normal", encoding: "json", storedAtMs: 0 },
    ballot: ballotSchema.parse({ seats: 3, strategy: "majority" }),
    task: { timeoutMs: 10_000 },
  });
  // Hosts hand these over faster than heartbeats report the load.
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

it("an agent cannot hand off the question of its seat", async () => {
  const errors: unknown[] = [];
  const say: Voter["say"] = (_task, ctx) => {
    try {
      return ctx.handOff();
    } catch (error) {
      errors.push(error);
      return "cat";
    }
  };
  const { ask } = await setupBallots([{ name: "a", say }]);
  expect(await ask({}, { seats: 1, strategy: "majority" })).toMatchObject({
    status: "completed",
    output: "cat",
  });
  expect(errors).toMatchObject([
    { code: "not_permitted", message: expect.stringContaining("a ballot's question cannot be handed off") },
  ]);
});
