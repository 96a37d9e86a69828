import fc from "fast-check";
import { expect, test } from "vitest";
import { createActor, initialTransition, transition } from "xstate";
import {
  ACCEPTING_STATES,
  FINAL_STATES,
  type LifecycleEvent,
  lifecycle,
} from "../../../src/agent/lifecycle/machine.ts";
import { AGENT_STATES } from "../../../src/protocol/index.ts";

const TYPES = [
  "idle",
  "preparing",
  "working",
  "waiting",
  "reporting",
  "started",
  "pause",
  "resume",
  "drain",
  "crash",
  "giveUp",
  "stop",
] as const satisfies LifecycleEvent["type"][];

/** The states that a new agent passes through. */
function walk(...types: LifecycleEvent["type"][]): string[] {
  let [snapshot] = initialTransition(lifecycle);
  const seen: string[] = [snapshot.value];
  for (const type of types) {
    [snapshot] = transition(lifecycle, snapshot, { type });
    seen.push(snapshot.value);
  }
  return seen;
}

test("the states are those of the protocol, no more and no fewer", () => {
  expect(Object.keys(lifecycle.states).sort()).toEqual([...AGENT_STATES].sort());
});

test("a task takes an agent from idle through the work phases and back", () => {
  expect(walk("started", "preparing", "working", "waiting", "working", "reporting", "idle")).toEqual([
    "starting",
    "idle",
    "preparing",
    "working",
    "waiting",
    "working",
    "reporting",
    "idle",
  ]);
});

test("a paused agent stays paused whatever its slots do, until it is resumed", () => {
  expect(walk("started", "working", "pause", "reporting", "idle", "resume").slice(3)).toEqual([
    "paused",
    "paused",
    "paused",
    "idle",
  ]);
});

test("an agent that was paused before a crash comes back paused (I3)", () => {
  expect(walk("started", "pause", "crash", "started").slice(2)).toEqual(["paused", "starting", "paused"]);
});

test("a draining agent stops when its work is done, and a crash stops it at once", () => {
  expect(walk("started", "working", "drain", "reporting", "idle").slice(3)).toEqual([
    "draining",
    "draining",
    "stopped",
  ]);
  expect(walk("started", "working", "drain", "crash").at(-1)).toBe("stopped");
});

test("no sequence of events reaches a state without a name, and final states are never left (I1, I2)", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...TYPES), { maxLength: 60 }), (types) => {
      let ended: string | undefined;
      for (const state of walk(...types)) {
        expect(AGENT_STATES).toContain(state);
        if (ended !== undefined) expect(state).toBe(ended);
        if (FINAL_STATES.has(state as never)) ended = state;
      }
    }),
    { numRuns: 500 },
  );
});

test("once an agent drains it never takes work again", () => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...TYPES), { maxLength: 20 }),
      fc.array(fc.constantFrom(...TYPES), { maxLength: 40 }),
      (before, after) => {
        const drained = walk(...before, "drain", ...after).slice(before.length + 1);
        for (const state of drained) expect(ACCEPTING_STATES).not.toContain(state);
      },
    ),
    { numRuns: 500 },
  );
});

test("one long-lived actor follows the same way as the pure transitions", () => {
  const actor = createActor(lifecycle).start();
  actor.send({ type: "started" });
  actor.send({ type: "working" });
  expect(actor.getSnapshot().value).toBe("working");
  actor.send({ type: "stop" });
  expect(actor.getSnapshot()).toMatchObject({ value: "stopped", status: "done" });
});
