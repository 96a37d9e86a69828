import { expect, test } from "vitest";
import { PUBLISH_COUNTS_MS, permissionsCheck } from "../../../src/app/processes/permissions-check.ts";
import { ManualClock } from "../../../src/base/index.ts";
import type { ConnectionState, Violation } from "../../../src/transport/index.ts";

function setup() {
  const clock = new ManualClock();
  let onViolation: (violation: Violation) => void = () => undefined;
  let onState: (state: ConnectionState) => void = () => undefined;
  const close = () => undefined;
  const { check } = permissionsCheck(
    {
      onViolation: (listener) => {
        onViolation = listener;
        return { close };
      },
      onState: (listener) => {
        onState = listener;
        return { close };
      },
    },
    clock,
  );
  const look = () => ("look" in check ? check.look() : "no look");
  return {
    clock,
    look,
    violate: (violation: Violation) => onViolation(violation),
    enter: (state: ConnectionState) => onState(state),
  };
}

test("a forbidden publish is a problem for a minute", () => {
  const { clock, look, violate } = setup();
  expect(look()).toBeNull();
  violate({ operation: "publish", subject: "a" });
  clock.advance(PUBLISH_COUNTS_MS - 1);
  expect(look()).toMatch(/^NATS does not permit: publish a; give this user the permission/);
  clock.advance(1);
  expect(look()).toBeNull();
});

test("a forbidden subscription is a problem until the process connects anew", () => {
  const { clock, look, violate, enter } = setup();
  violate({ operation: "subscribe", subject: "b" });
  clock.advance(100 * PUBLISH_COUNTS_MS);
  expect(look()).toContain("subscribe b");
  enter("connected");
  expect(look()).toBeNull();
});

test("the problem names three subjects and counts the others", () => {
  const { look, violate } = setup();
  for (let index = 0; index < 150; index++) violate({ operation: "publish", subject: `s${index}` });
  expect(look()).toContain("publish s0, publish s1, publish s2 and 97 more;");
});

test("the problem has the advice of its violations, each once", () => {
  const { look, violate } = setup();
  for (const subject of ["a", "b"]) violate({ operation: "publish", subject, advice: "add pay" });
  expect(look()).toBe("NATS does not permit: publish a, publish b; add pay");
});
