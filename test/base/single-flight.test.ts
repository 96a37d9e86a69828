import { expect, test } from "vitest";
import { singleFlight } from "../../src/base/index.ts";

test("calls during a run share its promise, and the next call starts a new run", async () => {
  const runs: PromiseWithResolvers<number>[] = [];
  const call = singleFlight(() => {
    const run = Promise.withResolvers<number>();
    runs.push(run);
    return run.promise;
  });
  const [first, second] = [call(), call()];
  expect(runs).toHaveLength(1);
  runs[0]?.resolve(1);
  expect(await Promise.all([first, second])).toEqual([1, 1]);
  const third = call();
  expect(runs).toHaveLength(2);
  runs[1]?.resolve(2);
  expect(await third).toBe(2);
});

test("a failed run rejects all its callers and does not prevent the next run", async () => {
  let calls = 0;
  const call = singleFlight(async () => {
    calls += 1;
    if (calls === 1) throw new Error("down");
    return "up";
  });
  const [first, second] = await Promise.allSettled([call(), call()]);
  expect([first.status, second.status]).toEqual(["rejected", "rejected"]);
  expect(await call()).toBe("up");
});
