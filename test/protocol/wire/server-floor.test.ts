import { expect, test } from "vitest";
import { describeServerRisk, isServerSupported } from "../../../src/protocol/index.ts";

const OPEN = ["2.11.9", "2.12.0", "2.12.6", "2.12.7-RC.1", "2.13.0", "2.13.5", "2.14.0-RC.1", "dev", ""];
const TIGHT = ["2.12.7", "2.12.12", "2.14.0", "2.14.5", "2.14.1-RC.2", "2.15.0-dev", "3.0.0", "v2.14.5"];

test.each(OPEN)("nats-server %j is told to have the hole in deny lists of queues", (version) => {
  expect(describeServerRisk(version)).toMatch(/a queue subscription can pass a deny list; upgrade to/);
});

test.each(TIGHT)("nats-server %s has no such hole", (version) => {
  expect(describeServerRisk(version)).toBeNull();
});

test("a server with the hole still has everything that the streams need", () => {
  expect(isServerSupported(2, 12)).toBe(true);
  expect(isServerSupported(2, 11)).toBe(false);
});
