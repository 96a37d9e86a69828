// The workflows of the tests that kill engines.
import { all, defineWorkflow, map, step } from "../../src/workflow/index.ts";
import { definitionsOf } from "./support.ts";

/** A run of six steps with compensations; the input says whether its last step fails. */
export const trip = defineWorkflow({
  name: "trip",
  version: 1,
  *run(input) {
    const { fails } = input as { fails: boolean };
    yield* all([
      step("flight", "book", "flight", { undo: { call: "unbook" } }),
      step("hotel", "book", "hotel", { undo: { call: "unbook" } }),
    ]);
    const seats = yield* map("seat", [1, 2], {}, (seat) =>
      step("hold", "hold", seat, { undo: { call: "unbook" } }),
    );
    yield* step("pay", fails ? "refuse" : "book", seats);
    return "booked";
  },
});

export const definitions = definitionsOf(trip);

/** The effects of a run by key, sorted. */
export function effectsOfTrip(id: string, fails: boolean): string[] {
  const booked = [
    `book ${id}/flight`,
    `book ${id}/hotel`,
    `hold ${id}/seat/0/hold`,
    `hold ${id}/seat/1/hold`,
  ];
  if (!fails) return [...booked, `book ${id}/pay`].sort();
  const undone = booked.map((effect) => `unbook ${effect.split(" ")[1]}~undo`);
  return [...booked, ...undone, `refuse ${id}/pay`].sort();
}
