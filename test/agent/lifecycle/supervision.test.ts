import { AssertionError as NodeAssertionError } from "node:assert";
import { expect, test } from "vitest";
import { attemptError, requiresRestart } from "../../../src/agent/internal.ts";
import { AssertionError } from "../../../src/base/index.ts";
import { CancelledError, RetryableError } from "../../../src/protocol/index.ts";

test("a failed assertion restarts the agent; any other error fails only the attempt", () => {
  expect(requiresRestart(new AssertionError("x"))).toBe(true);
  expect(requiresRestart(new NodeAssertionError({ message: "x" }))).toBe(true);
  expect(requiresRestart(new Error("x"))).toBe(false);
  expect(requiresRestart(new RetryableError("x"))).toBe(false);
  expect(requiresRestart("AssertionError")).toBe(false);
});

test("a foreign error becomes internal, with credentials in its text redacted", () => {
  const error = attemptError(new Error("connect to nats://bob:hunter2@host failed"), undefined);
  expect(error).toMatchObject({ code: "internal", retryable: true });
  expect(error.message).toBe("connect to nats://[redacted]@host failed");
});

test("an error thrown after an abort is reported as the abort's reason", () => {
  const reason = new CancelledError();
  expect(attemptError(new Error("AbortError"), reason)).toBe(reason);
});

test("a thrown value that is not an Error still gets a message", () => {
  expect(attemptError(undefined, undefined).message).toBe("undefined");
  expect(attemptError("", undefined).message).toBe("the agent threw an error without a message");
});
