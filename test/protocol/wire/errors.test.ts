import { expect, test } from "vitest";
import {
  ERROR_CATALOGUE,
  ERROR_CODES,
  errorReplySchema,
  fromWire,
  SwarmError,
  TerminalError,
} from "../../../src/protocol/index.ts";

test.each(ERROR_CODES)("an error %s keeps on the wire whether a retry may help", (code) => {
  for (const retryable of [true, false]) {
    const wire = errorReplySchema.parse({
      error: JSON.parse(JSON.stringify(new SwarmError(code, "why", { retryable }).toWire())),
    }).error;
    expect(fromWire(wire)).toMatchObject({ code, message: "why", retryable });
  }
});

test("the default of a code does not travel, so that readers of before and now agree", () => {
  expect(new SwarmError("tool_failed", "why").toWire()).toEqual({ code: "tool_failed", message: "why" });
  expect(new TerminalError("why").toWire()).toEqual({
    code: "tool_failed",
    message: "why",
    retryable: false,
  });
});

test.each(ERROR_CODES)("an error %s of a writer without the field has the default of its code", (code) => {
  expect(fromWire({ code, message: "why" }).retryable).toBe(ERROR_CATALOGUE[code].retryable);
});
