import fc from "fast-check";
import { expect, it } from "vitest";
import { MAX_EXPRESSION_LENGTH, parseExpression } from "../../../src/workflow/expressions/index.ts";
import { scaled } from "../../support/scale.ts";

it.each([
  ["", 0, "expected a value, and the end came"],
  ["input.", 6, 'expected a name after ".", and the end came'],
  ["input..a", 6, 'expected a name after ".", and "." came'],
  ["a b", 2, 'expected an operator or the end, and "b" came'],
  ["a = b", 2, "write == instead of ="],
  ["a === b", 2, "write == instead of ==="],
  ["a !== b", 2, "write != instead of !=="],
  ["a & b", 2, "write && instead of &"],
  ["a | b", 2, "write || instead of |"],
  ["a + 1", 2, "there is no arithmetic: compute the value in a step or in TypeScript"],
  ["a ? b : c", 2, "there is no arithmetic: compute the value in a step or in TypeScript"],
  ["1 < a < 3", 6, "two comparisons in a row; join them with &&, or put one in parentheses"],
  ["(a", 2, 'expected ")", and the end came'],
  ["[1, 2", 5, 'expected "]", and the end came'],
  ["a[-1]", 2, 'expected a whole number or a quoted name after "[", and "-" came'],
  ['"abc', 0, 'the text that begins here has no closing "'],
  ['"\\q"', 0, "the text has an escape that JSON does not have"],
  ["matches(a, 'x')", 0, "there is no function matches(); there are size() and has()"],
  ["has(1)", 4, "has() takes a path, as in has(input.note)"],
  ["1e999", 0, "1e999 is too large for a number"],
  [`${"(".repeat(100)}1${")".repeat(100)}`, 65, "is nested deeper than 64 levels"],
  [`${"!".repeat(1_000)}true`, 65, "is nested deeper than 64 levels"],
])("%s is refused at its place", (text, at, message) => {
  expect(parseExpression(text)).toEqual({ ok: false, fault: { at, message } });
});

it("an expression longer than the limit is refused, and one of the limit is read", () => {
  const text = (length: number) => `"${"x".repeat(length - 2)}"`;
  expect(parseExpression(text(MAX_EXPRESSION_LENGTH))).toMatchObject({ ok: true });
  expect(parseExpression(text(MAX_EXPRESSION_LENGTH + 1))).toMatchObject({
    ok: false,
    fault: {
      message: expect.stringMatching(/^has 1025 characters; an expression has at most 1024/) as string,
    },
  });
});

it("the same operators bind in the order of JavaScript", () => {
  const shape = (text: string) => {
    const parsed = parseExpression(text);
    return parsed.ok ? parsed.expression.kind : parsed.fault.message;
  };
  expect(shape("a || b && c")).toBe("or");
  expect(shape("a && b || c")).toBe("or");
  expect(shape("!a == b")).toBe("compare");
  expect(shape("a in b && c")).toBe("and");
  expect(shape("inside")).toBe("path");
});

it("any text is read or refused, and a fault points into it", () => {
  const piece = fc.constantFrom(
    "a",
    ".",
    "[",
    "]",
    "(",
    ")",
    "!",
    "==",
    "<",
    "in",
    " ",
    '"',
    "'",
    "\\",
    "1",
    "-",
    "size",
    "has",
    ",",
    "&&",
    "||",
    "é",
    "}",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary" }),
        fc.array(piece).map((pieces) => pieces.join("")),
      ),
      (text) => {
        const parsed = parseExpression(text);
        if (!parsed.ok) expect(parsed.fault.at).toBeLessThanOrEqual(text.length);
        else expect(parsed.end).toBe(text.length);
      },
    ),
    { numRuns: scaled(500, 20_000) },
  );
});
