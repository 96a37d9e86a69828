import fc from "fast-check";
import { expect, test } from "vitest";
import { SlotCounts, type SlotState } from "../../../src/agent/internal.ts";
import { WAITING_REASONS } from "../../../src/protocol/index.ts";

const PLACES = ["free", "preparing", "working", "reporting", ...WAITING_REASONS] as const;

/** Makes the counts of an agent with slots in these states. */
function slotsAt(total: number, ...places: SlotState[]): SlotCounts {
  const slots = new SlotCounts(total);
  for (const place of places) slots.move("free", place);
  return slots;
}

test("the phase is that of the most advanced work: reporting, working, waiting, preparing, idle", () => {
  expect(slotsAt(4).phase()).toBe("idle");
  expect(slotsAt(4, "preparing").phase()).toBe("preparing");
  expect(slotsAt(4, "preparing", "model").phase()).toBe("waiting");
  expect(slotsAt(4, "preparing", "model", "working").phase()).toBe("working");
  expect(slotsAt(4, "preparing", "model", "working", "reporting").phase()).toBe("reporting");
});

test("the waiting reason is the reason of most waiting slots", () => {
  expect(slotsAt(4).waitingReason()).toBeNull();
  expect(slotsAt(4, "tool", "model", "tool").waitingReason()).toBe("tool");
  expect(slotsAt(4, "tool", "model").waitingReason()).toBe("model");
});

test("a move from a state that no slot has fails an assertion", () => {
  expect(() => new SlotCounts(1).move("working", "free")).toThrow(/no slot is working/);
});

test("any sequence of moves keeps every count between zero and the total (I1)", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.tuple(fc.constantFrom(...PLACES), fc.constantFrom(...PLACES)), { maxLength: 80 }),
      (total, moves) => {
        const slots = new SlotCounts(total);
        for (const [from, to] of moves) {
          try {
            slots.move(from, to);
          } catch {}
          expect(slots.free).toBeGreaterThanOrEqual(0);
          expect(slots.used).toBeGreaterThanOrEqual(0);
          expect(slots.free + slots.used).toBe(total);
          expect(slots.phase() === "idle").toBe(slots.used === 0);
        }
      },
    ),
  );
});
