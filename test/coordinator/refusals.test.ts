// The text of a refusal is part of the state that all coordinators hash (R4 of reducer.ts): two versions of the program must
// refuse a command with the same words. So the texts are a golden file. An author who has to change one needs a new version
// of the command.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { expectGolden } from "../support/golden.ts";

const COORDINATOR = join(import.meta.dirname, "../../src/coordinator");
/** The files with reducers: the only callers of `refuse`. */
const REDUCERS = [
  "ballots/state/ballots.ts",
  "budgets/budgets.ts",
  "config/config.ts",
  "locks/locks.ts",
  "pauses/pauses.ts",
  "registry/registry.ts",
  "schedules/schedules.ts",
];

test("the texts of refusals are those of earlier versions", () => {
  const texts = REDUCERS.flatMap((file) =>
    [
      ...readFileSync(join(COORDINATOR, file), "utf8").matchAll(/refuse\(\s*"(\w+)",\s*("[^"]*"|`[^`]*`)/g),
    ].map(([, code, text]) => `${file} ${code} ${text}\n`),
  );
  expectGolden(join(import.meta.dirname, "refusals.golden"), texts.join(""));
});
