import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, type Json, MAX_JSON_DEPTH } from "../../src/consensus/index.ts";

describe("canonical JSON", () => {
  it("does not depend on the order of names", () => {
    expect(canonicalJson({ b: 1, a: [true, null, "ä"] })).toBe('{"a":[true,null,"ä"],"b":1}');
    expect(canonicalJson({ a: [true, null, "ä"], b: 1 })).toBe(canonicalJson({ b: 1, a: [true, null, "ä"] }));
  });

  it("means the same value when it is read again", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value as Json);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("refuses what JSON cannot say, and nesting beyond its bound", () => {
    expect(() => canonicalJson(Number.POSITIVE_INFINITY)).toThrow("finite");
    const nested = (depth: number) => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`) as Json;
    expect(canonicalJson(nested(MAX_JSON_DEPTH))).toHaveLength(2 * MAX_JSON_DEPTH);
    expect(() => canonicalJson(nested(MAX_JSON_DEPTH + 1))).toThrow("nesting");
  });
});
