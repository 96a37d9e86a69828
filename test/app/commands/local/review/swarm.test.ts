import { expect, test } from "vitest";
import { REVIEW_CAPABILITIES } from "../../../../../agents/lib/review/index.ts";
import { groupRoles, readOnlyOf } from "../../../../../src/app/commands/local/review/swarm.ts";

test.each([1, 2])("on %i cores the linters share one process and the other analysers another", (cores) => {
  expect(groupRoles(REVIEW_CAPABILITIES, cores)).toEqual({
    "review-linters": expect.toSatisfy((roles: string[]) => roles.length === 3),
    "review-analysers": expect.toSatisfy((roles: string[]) => roles.length === 5),
  });
});

test("with more cores two processes share the analysers, and each role is loaded once", () => {
  const groups = groupRoles(REVIEW_CAPABILITIES, 4);
  expect(groups["review-graph"]).toEqual(expect.arrayContaining(["review-architecture", "review-tests"]));
  expect(Object.values(groups).flat().sort()).toEqual([...REVIEW_CAPABILITIES].sort());
});

test.each([2, 4])("on %i cores every process that starts no linter may only read", (cores) => {
  const readOnly = readOnlyOf(groupRoles(REVIEW_CAPABILITIES, cores));
  expect([...readOnly].sort()).toEqual(
    cores > 2 ? ["review-analysers", "review-graph"] : ["review-analysers"],
  );
});

test("only the processes of the wanted roles start", () => {
  expect(groupRoles(["review-biome"], 4)).toEqual({ "review-linters": ["review-biome"] });
});
