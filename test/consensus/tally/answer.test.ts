import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashValue, readAnswer } from "../../../src/consensus/index.ts";
import { lookUp, valueBytesOf } from "../../../src/consensus/internal.ts";
import { type BallotInput, canonicalJson } from "../../../src/protocol/index.ts";
import { RUNS, specOf } from "../ballot/support.ts";

const read = (output: unknown, more: Partial<BallotInput> = {}) =>
  readAnswer(output, specOf({ seats: 5, strategy: "majority", ...more }));
const countedOf = (output: unknown, more: Partial<BallotInput> = {}) => {
  const reading = read(output, more);
  return reading.ok ? reading.value : undefined;
};
const reasonOf = (output: unknown, more: Partial<BallotInput> = {}) => {
  const reading = read(output, more);
  return reading.ok ? undefined : reading.reason;
};

describe("JSON pointers (RFC 6901 §5)", () => {
  const document = {
    foo: ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
  };
  it.each([
    ["", document],
    ["/foo", ["bar", "baz"]],
    ["/foo/0", "bar"],
    ["/", 0],
    ["/a~1b", 1],
    ["/c%d", 2],
    ["/e^f", 3],
    ["/g|h", 4],
    ["/i\\j", 5],
    ['/k"l', 6],
    ["/ ", 7],
    ["/m~0n", 8],
  ])("%s finds its value", (pointer, value) => {
    expect(lookUp(document, pointer)).toEqual(value);
  });

  it.each(["/foo/2", "/foo/-", "/foo/00", "/foo/length", "/toString", "/__proto__", "/foo/0/x", "/nothing"])(
    "%s finds nothing",
    (pointer) => {
      expect(lookUp(document, pointer)).toBeUndefined();
    },
  );

  it("reads ~01 as ~1", () => {
    expect(lookUp({ "~1": "tilde one" }, "/~01")).toBe("tilde one");
  });
});

describe("an answer", () => {
  it("is the value at the pointer", () => {
    expect(countedOf({ label: "cat", why: "whiskers" }, { pointer: "/label" })).toBe("cat");
  });

  it.each([
    [undefined, "no output"],
    [null, "answered null"],
    [Number.NaN, "expected a finite number, got NaN"],
    [{ a: [Number.POSITIVE_INFINITY] }, "expected a finite number, got Infinity"],
    [10n, "expected a JSON value, got bigint"],
    [new Date(0), "expected a JSON value, got Date"],
    [new Uint8Array(2), "expected a JSON value, got Uint8Array"],
    [{ a: undefined }, "expected a JSON value, got undefined"],
    ["\ud800", "expected well-formed Unicode, got half a surrogate pair"],
    [{ "\udfff": 1 }, "expected well-formed Unicode, got half a surrogate pair"],
    ["x".repeat(30_000), `the value is larger than ${valueBytesOf({ seats: 5 })} bytes`],
    ["ü".repeat(20_000), `the value is larger than ${valueBytesOf({ seats: 5 })} bytes`],
    [JSON.parse("[".repeat(600) + "]".repeat(600)), "expected nesting of at most 500 levels"],
  ])("%# is an abstention that says why", (output, reason) => {
    expect(reasonOf(output)).toContain(reason);
  });

  it("without a value at the pointer is an abstention", () => {
    expect(reasonOf({ other: 1 }, { pointer: "/label" })).toBe("nothing at the pointer /label");
    expect(reasonOf("text", { pointer: "/label" })).toBe("nothing at the pointer /label");
  });

  it("of another type is an abstention", () => {
    expect(reasonOf("7", { type: "number" })).toBe("expected a value of type number, got string");
    expect(reasonOf("7", { strategy: "mean" })).toBe("expected a value of type number, got string");
    expect(reasonOf({}, { strategy: "ranked" })).toBe("expected a value of type array, got object");
    expect(reasonOf(1e200, { strategy: "median" })).toContain("expected a number of at most 1e+150");
  });

  it("with an invalid ranking is an abstention", () => {
    const ranked: Partial<BallotInput> = {
      strategy: "ranked",
      candidates: ["A", "B"],
      normalise: { ignoreCase: true },
    };
    expect(countedOf(["b", "A"], ranked)).toEqual(["b", "a"]);
    expect(reasonOf(["b", "B"], ranked)).toBe("candidate 2 is ranked twice");
    expect(reasonOf(["b", "c"], ranked)).toBe("candidate 2 of the ranking is not a candidate of the ballot");
    expect(reasonOf([], ranked)).toContain("1 to 64 candidates");
    expect(reasonOf([["b"]], ranked)).toContain("strings, numbers or booleans");
  });

  it("with findings without their key is an abstention", () => {
    const merge: Partial<BallotInput> = { strategy: "merge", key: ["/file", "/line"] };
    expect(countedOf([], merge)).toEqual([]);
    expect(reasonOf([{ file: "a", line: 1 }, { file: "a" }], merge)).toContain(
      "finding 2 lacks a part of its key",
    );
    expect(reasonOf(new Array(1_001).fill({ file: "a", line: 1 }), merge)).toContain("at most 1000 findings");
  });

  it("keeps a name like __proto__ as a name", () => {
    const value = countedOf(JSON.parse('{"__proto__":{"admin":true}}'));
    expect(canonicalJson(value!)).toBe('{"__proto__":{"admin":true}}');
    expect((value as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe("the normaliser", () => {
  it("trims, ignores case and rounds to the tolerance, inside lists and objects too", () => {
    const normalise = { trim: true, ignoreCase: true, tolerance: 0.1 };
    expect(countedOf({ Name: [" YES ", 0.3000001, -0.01] }, { normalise })).toEqual({
      Name: ["yes", 0.3, 0],
    });
  });

  it("does not change numbers that are too large for rounding", () => {
    expect(countedOf(1e300, { normalise: { tolerance: 1e-9 } })).toBe(1e300);
  });

  it("rounds numbers to the nearest multiple of the tolerance, and changes none by more than half of it", () => {
    const near = fc.tuple(
      fc.integer({ min: -1_000_000, max: 1_000_000 }),
      fc.constantFrom(0.001, 0.1, 0.25, 1, 7),
      fc.double({ min: -0.49, max: 0.49, noNaN: true }),
    );
    fc.assert(
      fc.property(near, ([steps, tolerance, off]) => {
        const normalise = { tolerance };
        const rounded = countedOf((steps + off) * tolerance, { normalise });
        expect(rounded).toBe(countedOf(steps * tolerance, { normalise }));
        expect(countedOf(rounded, { normalise })).toBe(rounded);
      }),
      RUNS,
    );
  });

  it("changes nothing the second time, and hashes do not depend on the order of names", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (output) => {
        const normalise = { trim: true, ignoreCase: true, tolerance: 0.5 };
        const once = countedOf(output, { normalise });
        if (once === undefined) return;
        expect(countedOf(once, { normalise })).toEqual(once);
        expect(hashValue(JSON.parse(JSON.stringify(once)))).toBe(hashValue(once));
      }),
      RUNS,
    );
  });
});
