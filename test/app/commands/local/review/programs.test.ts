import { join } from "node:path";
import { expect, test } from "vitest";
import { linterPrograms, REVIEW_CAPABILITIES } from "../../../../../agents/lib/review/index.ts";
import { loadRoles } from "../../../../../src/agent/index.ts";

test("a review allows the programs of its own agents without loading them", async () => {
  const agents = join(import.meta.dirname, "../../../../../agents");
  const definitions = await loadRoles([agents], REVIEW_CAPABILITIES);
  const allowed = definitions.flatMap(({ exec }) => exec?.allow ?? []);
  expect(new Set(linterPrograms())).toEqual(new Set(allowed));
});
