import { expect, test } from "vitest";
import { integerBetween, seededChance } from "../../../src/base/index.ts";
import { Deadlines } from "../../../src/workflow/internal.ts";

test("deadlines come out in the order of their times, equal ones in their own order", () => {
  const chance = seededChance(3);
  const all = Array.from({ length: 500 }, (_, order) => ({
    atMs: integerBetween(chance, 0, 50),
    order,
    path: `${order}`,
  }));
  const deadlines = new Deadlines();
  for (const deadline of all) deadlines.add(deadline);
  const out = [];
  for (let next = deadlines.remove(); next !== undefined; next = deadlines.remove()) out.push(next);
  expect(out).toEqual(all.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order));
  expect(deadlines.size).toBe(0);
});
