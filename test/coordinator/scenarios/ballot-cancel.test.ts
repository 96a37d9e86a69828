// Ballots that are cancelled while the leader changes, or while no coordinator is in office.
import { expect, it, vi } from "vitest";
import { decode, type Result } from "../../../src/protocol/index.ts";
import { resultOf, setupBallots, store, type Voter } from "../ballots/swarm.ts";
import { SOON } from "../support.ts";

/** A ballot whose three agents work until the test gives them an answer, or the ballot stops them. */
async function setup() {
  const { promise: answer, resolve: say } = Promise.withResolvers<string>();
  const stopped: string[] = [];
  const voters = ["a", "b", "c"].map((name): Voter => {
    const stop = (signal: AbortSignal) =>
      new Promise((_, reject) =>
        signal.addEventListener("abort", () => {
          stopped.push(name);
          reject(signal.reason as Error);
        }),
      );
    return { name, say: (_task, { signal }) => Promise.race([answer, stop(signal)]) };
  });
  const swarm = await setupBallots(voters);
  const { tasks, show, transport, subjects } = swarm;
  await tasks.submit({ id: "b1", capability: "classify", ballot: { seats: 3, strategy: "majority" } });
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "asking" }), SOON);
  const results = async () => {
    const stored: Result[] = [];
    for await (const { data } of transport.log("results").read({ filter: subjects.filters.resultById("b1") }))
      stored.push(decode(data).value as Result);
    return stored;
  };
  return { ...swarm, say, stopped, results };
}

it("a cancellation waits for the next coordinator in office, which cancels the ballot", async () => {
  const { tasks, leader, start, show, stopped, say, results } = await setup();
  await leader.stop();
  const cancelling = tasks.cancel("b1", { timeoutMs: 60_000 });
  await expect(tasks.status("b1")).rejects.toMatchObject({ code: "unavailable", retryable: true });
  const next = await start("c1", ["c1"]);
  await cancelling;
  expect(await tasks.status("b1")).toMatchObject({ state: "cancelled" });
  await vi.waitFor(() => expect(stopped.sort()).toEqual(["a", "b", "c"]), SOON);
  say("cat"); // too late
  await vi.waitFor(async () => expect(await show("b1")).toMatchObject({ state: "cancelled" }), SOON);
  const { open, outbox } = next.office.state.ballots;
  await vi.waitFor(() => expect(open.size + outbox.size).toBe(0), SOON);
  expect(await results()).toMatchObject([{ status: "cancelled" }]);
});

it("a cancelled ballot publishes the event `cancelled` and no event `decided`", async () => {
  const { tasks, transport, subjects } = await setup();
  const events: string[] = [];
  const tap = transport.bus.subscribe(subjects.filters.ballotEvents("b1"), ({ subject }) => {
    events.push(subject.slice(subject.lastIndexOf(".") + 1));
  });
  await transport.bus.flush();
  await tasks.cancel("b1");
  await vi.waitFor(() => expect(events).toContain("cancelled"), SOON);
  expect(events).not.toContain("decided");
  tap.close();
});

it("a ballot is cancelled if the cancelled result is stored before its verdict, even when the office had decided", async () => {
  const { transport, subjects, say, show, results } = await setup();
  const cancelled = { ...resultOf("b1", "-", undefined), status: "cancelled" } as const;
  await store(transport, subjects.result("classify", "-", "b1"), cancelled);
  say("cat");
  await vi.waitFor(
    async () => expect(await show("b1")).toMatchObject({ state: "cancelled", endedAt: expect.any(String) }),
    SOON,
  );
  expect(await results()).toMatchObject([{ status: "cancelled" }]);
});

it("a cancellation fails, and the ballot continues, when no coordinator takes office in time", async () => {
  const { tasks, leader, start, say, results } = await setup();
  await leader.stop();
  await expect(tasks.cancel("b1", { timeoutMs: 300 })).rejects.toMatchObject({
    code: "unavailable",
    message: expect.stringContaining("the office is vacant at the moment"),
  });
  await start("c1", ["c1"]);
  say("cat");
  await vi.waitFor(async () => expect(await tasks.status("b1")).toMatchObject({ state: "completed" }), SOON);
  await expect(tasks.cancel("b1")).rejects.toMatchObject({ code: "conflict" });
  await expect(tasks.cancel("b2")).rejects.toMatchObject({ code: "not_found" });
  expect(await results()).toMatchObject([{ status: "completed" }]);
});
