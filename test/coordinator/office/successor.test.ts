// The member that takes the office over.
import { expect, test } from "vitest";
import { chooseSuccessor } from "../../../src/coordinator/office/successor.ts";

const members = ["a", "b", "c"];

/** The choice of the leader `a` at tick 100, which knows the given members. */
function choose(
  contacts: Record<string, { seq: number; abstains?: boolean; heardAtTick?: number }>,
  to?: string,
): string {
  const known = Object.entries(contacts).map(
    ([id, contact]) => [id, { heardAtTick: 99, abstains: false, ...contact }] as const,
  );
  const election = { nowTick: 100, contacts: new Map(known) } as unknown as Parameters<
    typeof chooseSuccessor
  >[0];
  return chooseSuccessor(election, { id: "a", members, to });
}

test("the member that has read furthest takes the office over, if it was heard lately", () => {
  expect(choose({ b: { seq: 7 }, c: { seq: 8 } })).toBe("c");
  expect(choose({ b: { seq: 7 }, c: { seq: 8, heardAtTick: 80 } })).toBe("b");
});

test("a member that has just started is not chosen, because it would ignore the transfer", () => {
  expect(choose({ b: { seq: 7 }, c: { seq: 8, abstains: true } })).toBe("b");
});

test("without another member the caller asks again in a moment, also when it names the member", () => {
  const again = expect.objectContaining({ code: "unavailable", retryAfterMs: 50 });
  const contacts = { b: { seq: 7, abstains: true } };
  for (const to of [undefined, "b"]) expect(() => choose(contacts, to)).toThrow(again);
  expect(() => choose({})).toThrow(expect.objectContaining({ code: "unavailable", retryAfterMs: undefined }));
});
