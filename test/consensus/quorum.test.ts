import { describe, expect, it } from "vitest";
import { countOutcome, majorityOf, majorityOutcome } from "../../src/consensus/internal.ts";

describe("a majority", () => {
  it.each([
    [1, 1],
    [2, 2],
    [3, 2],
    [4, 3],
    [5, 3],
    [7, 4],
  ])("of %i is %i", (members, needed) => expect(majorityOf(members)).toBe(needed));

  it("is won, lost or pending", () => {
    expect(majorityOutcome({ yes: 2, no: 0, members: 3 })).toBe("won");
    expect(majorityOutcome({ yes: 1, no: 1, members: 3 })).toBe("pending");
    expect(majorityOutcome({ yes: 1, no: 2, members: 3 })).toBe("lost");
  });

  it("of an even number is lost by a tie", () => {
    expect(majorityOutcome({ yes: 2, no: 2, members: 4 })).toBe("lost");
  });
});

describe("a count", () => {
  it("is lost as soon as the open votes cannot reach the needed number", () => {
    expect(countOutcome({ yes: 0, no: 3, members: 10, needed: 7 })).toBe("pending");
    expect(countOutcome({ yes: 0, no: 4, members: 10, needed: 7 })).toBe("lost");
  });
});
