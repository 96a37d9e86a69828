import { expect, test } from "vitest";
import { noteLook, QUIET_MS, type Watch } from "../../../../src/app/supervisor/sources/settle.ts";

function run(looks: readonly (readonly [signature: string, nowMs: number])[]) {
  let watch: Watch = { known: "a", pending: null };
  const settled: string[] = [];
  for (const [signature, nowMs] of looks) {
    const decided = noteLook(watch, signature, nowMs);
    watch = decided.watch;
    if (decided.isSettled) settled.push(`${signature}@${nowMs}`);
  }
  return settled;
}

test("a change counts once, after it has been quiet", () => {
  const looks = [0, 100, QUIET_MS, 2 * QUIET_MS].map((nowMs) => ["b", nowMs] as const);
  expect(run(looks)).toEqual([`b@${QUIET_MS}`]);
});

test("each further write starts the wait again", () => {
  expect(
    run([
      ["b", 0],
      ["c", 200],
      ["c", 400],
      ["c", 500],
    ]),
  ).toEqual(["c@500"]);
});

test("a change that is taken back while it is young does not count", () => {
  expect(
    run([
      ["b", 0],
      ["a", 200],
      ["a", 1_000],
    ]),
  ).toEqual([]);
});
