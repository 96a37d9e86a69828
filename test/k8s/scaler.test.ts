import { expect, test } from "vitest";
import { wantedPods } from "../../tools/k8s/scaler.ts";

test.each([
  [0, 0],
  [1, 1],
  [4, 1],
  [5, 2],
  [100, 3],
])("work of %i with 4 slots in a pod wants %i pods of at most 3", (work, pods) => {
  expect(wantedPods({ work, slots: 4, min: 0, max: 3 })).toBe(pods);
  expect(wantedPods({ work, slots: 4, min: 1, max: 3 })).toBe(Math.max(1, pods));
});
