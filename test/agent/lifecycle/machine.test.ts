import fc from "fast-check";
import { expect, test } from "vitest";
import { createActor, initialTransition, transition } from "xstate";
import {
  ACCEPTING_STATES,
  FINAL_STATES,
  type LifecycleEvent,
  lifecycle,
} from "../../../src/agent/internal.ts";
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

/** Sends these events to a new agent and returns its states. */
function walk(...types: LifecycleEvent["type"][]): string[] {
  let [snapshot] = initialTransition(lifecycle);
  const seen: string[] = [snapshot.value];
  for (const type of types) {
    [snapshot] = transition(lifecycle, snapshot, { type });
    seen.push(snapshot.value);
  }
  return seen;
}

test("the machine has exactly the states of the protocol", () => {
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

test("a paused agent stays paused until it is resumed, even when its slots change", () => {
  expect(walk("started", "working", "pause", "reporting", "idle", "resume").slice(3)).toEqual([
    "paused",
    "paused",
    "paused",
    "idle",
  ]);
});

test("an agent that was paused before a crash is paused after its restart (I3)", () => {
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

test("every sequence of events leads to known states, and an agent never leaves a final state (I1, I2)", () => {
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

test("an agent that drains never takes work again", () => {
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

test("a long-lived actor goes through the same states as the pure transitions", () => {
  const actor = createActor(lifecycle).start();
  actor.send({ type: "started" });
  actor.send({ type: "working" });
  expect(actor.getSnapshot().value).toBe("working");
  actor.send({ type: "stop" });
  expect(actor.getSnapshot()).toMatchObject({ value: "stopped", status: "done" });
});
