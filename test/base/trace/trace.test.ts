import { expect, it } from "vitest";
import { cutHead, cutMiddle, TRACE_LIMIT_BYTES, traceOf } from "../../../src/base/index.ts";

const facts = {
  root: "/srv/project",
  home: "/srv/ada",
  runtime: "/opt/murmur",
  secrets: ["hunter2-hunter2"],
};

/** An error with a given stack, as V8 writes it. */
function errorAt(message: string, place: string, options?: ErrorOptions): Error {
  const error = new Error(message, options);
  error.stack = `Error: ${message}\n    at run (${place})`;
  return error;
}

it("a trace has the stack with paths relative to the project and the home", () => {
  const error = errorAt("kaboom", "file:///srv/project/agents/greeter/agent.ts:3:9", {
    cause: errorAt("disk", "/srv/ada/lib/x.js:1:2"),
  });
  expect(traceOf(error, facts)).toBe(
    "Error: kaboom\n    at run (agents/greeter/agent.ts:3:9)\ncaused by: Error: disk\n    at run (~/lib/x.js:1:2)",
  );
});

it("frames of Murmur itself do not name the place where it is installed", () => {
  const error = errorAt("kaboom", "file:///opt/murmur/src/agent/agent.ts:3:9");
  expect(traceOf(error, facts)).toBe("Error: kaboom\n    at run (murmur/src/agent/agent.ts:3:9)");
});

it("a wrapper with the message of its cause leaves no line of its own", () => {
  const wrapper = errorAt("kaboom", "/srv/project/murmur.ts:1:1", {
    cause: errorAt("kaboom", "/srv/project/a.ts:2:2"),
  });
  expect(traceOf(wrapper, facts)).toBe("Error: kaboom\n    at run (a.ts:2:2)");
});

it("a circle of causes ends, and a long chain is cut with a count", () => {
  const error = errorAt("one", "a.ts:1:1");
  error.cause = error;
  expect(traceOf(error, facts)).toBe("Error: one\n    at run (a.ts:1:1)");
  const chain = Array.from({ length: 12 }, (_, each) => each).reduce<Error | undefined>(
    (cause, each) => errorAt(`error ${each}`, "a.ts:1:1", { cause }),
    undefined,
  );
  expect(traceOf(chain, facts)).toMatch(
    /^Error: error 11[\s\S]*caused by: Error: error 4[\s\S]*1 further errors are not shown$/,
  );
});

it("the errors of an AggregateError are shown", () => {
  const all = new AggregateError([errorAt("left", "a.ts:1:1"), errorAt("right", "b.ts:1:1")], "both failed");
  expect(traceOf(all, facts)).toMatch(
    /AggregateError: both failed[\s\S]*one of: Error: left[\s\S]*one of: Error: right/,
  );
});

it("secrets of patterns and of the environment are removed, also in causes", () => {
  const error = errorAt("nats://ada:secret@host", "a.ts:1:1", { cause: "sent hunter2-hunter2" });
  const trace = traceOf(error, facts);
  expect(trace).toContain("nats://[redacted]@host");
  expect(trace).toContain("caused by: a thrown value, not an Error: sent [redacted]");
});

it("a trace is at most 8 KiB of UTF-8, cut from the middle, and the mark says how much was cut", () => {
  const error = errorAt("é".repeat(40_000), "a.ts:1:1", { cause: errorAt("the inner cause", "b.ts:2:2") });
  const trace = traceOf(error, facts);
  expect(Buffer.byteLength(trace)).toBeLessThanOrEqual(TRACE_LIMIT_BYTES);
  expect(trace).toMatch(/^Error: é/);
  expect(trace).toMatch(/caused by: Error: the inner cause\n {4}at run \(b\.ts:2:2\)$/);
  expect(trace).not.toContain("\uFFFD");
  const cutBytes = Number(/… (\d+) bytes cut …/.exec(trace)?.[1]);
  const whole = Buffer.byteLength(`${error.stack}\ncaused by: ${(error.cause as Error).stack}`);
  expect(Math.abs(whole - cutBytes - Buffer.byteLength(trace))).toBeLessThan(100);
});

it("a secret that the first cut splits does not survive", () => {
  for (let shift = 0; shift < 60; shift++) {
    const message = `${"x".repeat(32_740 + shift)}hunter2-hunter2${"y".repeat(60_000)}`;
    expect(traceOf(errorAt(message, "a.ts:1:1"), facts)).not.toContain("hunter2");
  }
});

it.each<[string, unknown, string]>([
  ["text", "kaboom", "a thrown value, not an Error: kaboom"],
  ["an object", { code: 3 }, 'a thrown value, not an Error: {"code":3}'],
  ["nothing", undefined, "a thrown value, not an Error: undefined"],
  [
    "an error with a hostile getter",
    Object.defineProperty(new Error("x"), "stack", {
      get: () => {
        throw new Error("no");
      },
    }),
    "a thrown value whose properties cannot be read",
  ],
])("%s that is thrown has a trace", (_name, thrown, trace) => {
  expect(traceOf(thrown, facts)).toBe(trace);
});

it("the end of a program's output follows the stack", () => {
  const error = Object.assign(errorAt("eslint was killed", "a.ts:1:1"), { outputTail: "line 9\nline 10" });
  expect(traceOf(error, facts)).toMatch(/a\.ts:1:1\)\nthe end of the program's output:\nline 9\nline 10$/);
});

it("a text within its limit is not cut, and a cut keeps whole characters", () => {
  expect(cutMiddle("kaboom", 6)).toEqual({ text: "kaboom", cutBytes: 0 });
  for (let limit = 60; limit < 70; limit++) {
    const { text, cutBytes } = cutMiddle("😀".repeat(100), limit);
    expect(text).not.toContain("\uFFFD");
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(limit);
    expect(cutBytes).toBeGreaterThan(300);
  }
  expect(cutHead("ab😀", 3)).toBe("");
  expect(cutHead("ab😀cd", 2)).toBe("cd");
});
