import fc from "fast-check";
import { expect, it } from "vitest";
import { InFlight, MAX_IN_FLIGHT } from "../../../src/coordinator/placement/in-flight.ts";

const place = (outstanding: InFlight, taskId: string, placedMs = 0, agent = "a") =>
  outstanding.add({
    taskId,
    capability: "echo",
    choice: { host: "h1", agent, score: 0, reasons: [] },
    placedMs,
  });

it("a placed task counts at once, until its result comes", () => {
  const outstanding = new InFlight();
  place(outstanding, "t1");
  place(outstanding, "t2");
  expect(outstanding.loadOf("a", 3)).toBe(5);
  outstanding.remove("t1");
  expect(outstanding.loadOf("a", 3)).toBe(4);
  expect(outstanding.loadOf("other", 3)).toBe(3);
});

it("a heartbeat includes tasks that were placed long enough before it; later ends are subtracted", () => {
  const outstanding = new InFlight();
  place(outstanding, "t1", 0);
  place(outstanding, "t2", 9_900);
  outstanding.hear("a", 10_000);
  expect(outstanding.loadOf("a", 1)).toBe(2); // t1 is in the 1, t2 may not be
  outstanding.remove("t1");
  expect(outstanding.loadOf("a", 1)).toBe(1);
});

it("a task that waits for its agent counts for a minute, though the agent does not run it yet", () => {
  const outstanding = new InFlight();
  for (const taskId of ["t1", "t2", "t3"]) place(outstanding, taskId);
  outstanding.hear("a", 5_000);
  expect(outstanding.loadOf("a", 1)).toBe(3);
  outstanding.hear("a", 61_000);
  expect(outstanding.loadOf("a", 1)).toBe(1);
  expect(outstanding.get("t1")?.choice.agent).toBe("a");
});

it("a seat counts as load until its answer comes, but not toward the limit of further tasks", () => {
  const outstanding = new InFlight();
  place(outstanding, "t1");
  outstanding.seat("b1-r1s1", "a", 0);
  outstanding.seat("b1-r1s1", "a", 1); // repeated when the agent is asked
  outstanding.seat("b2-r1s1", "a", 0);
  expect([outstanding.loadOf("a", 3), outstanding.tasksOf("a", 3)]).toEqual([6, 4]);
  outstanding.seat("b1-r1s1", "b", 2); // another agent takes it over
  expect([outstanding.loadOf("a", 3), outstanding.loadOf("b", 0)]).toEqual([5, 1]);
  outstanding.unseat("b2-r1s1");
  outstanding.unseat("b2-r1s1");
  expect(outstanding.loadOf("a", 3)).toBe(4);
  outstanding.hear("b", 600);
  expect(outstanding.loadOf("b", 1)).toBe(1); // by now its heartbeat includes it
  outstanding.clear();
  expect([outstanding.loadOf("a", 0), outstanding.loadOf("b", 0)]).toEqual([0, 0]);
});

it("a task that is placed again counts on its new agent", () => {
  const outstanding = new InFlight();
  place(outstanding, "t1", 0, "a");
  expect(place(outstanding, "t1", 1, "b").map(({ choice }) => choice.agent)).toEqual(["a"]);
  expect([outstanding.loadOf("a", 0), outstanding.loadOf("b", 0), outstanding.size]).toEqual([0, 1, 1]);
});

it("the oldest placement makes room", () => {
  const outstanding = new InFlight();
  for (let n = 0; n < MAX_IN_FLIGHT; n++) place(outstanding, `t${n}`);
  expect(place(outstanding, "one-more").map(({ taskId }) => taskId)).toEqual(["t0"]);
  expect(outstanding.size).toBe(MAX_IN_FLIGHT);
});

it("no load is ever negative or below the open placements, in any order of events", () => {
  const taskId = fc.constantFrom("t1", "t2", "t3", "t4");
  const agent = fc.constantFrom("a", "b");
  const step = fc.oneof(
    fc.tuple(fc.constant("place" as const), taskId, agent),
    fc.tuple(fc.constant("end" as const), taskId, agent),
    fc.tuple(fc.constant("hear" as const), taskId, agent),
  );
  fc.assert(
    fc.property(fc.array(step), fc.nat(5), (steps, used) => {
      const outstanding = new InFlight();
      const where = new Map<string, string>();
      for (const [index, [what, task, who]] of steps.entries()) {
        if (what === "place") {
          place(outstanding, task, index * 400, who);
          where.set(task, who);
        } else if (what === "end") {
          outstanding.remove(task);
          where.delete(task);
        } else outstanding.hear(who, index * 400);
        expect(outstanding.loadOf(who, used)).toBeGreaterThanOrEqual(0);
        expect(outstanding.size).toBe(where.size);
      }
    }),
  );
});
