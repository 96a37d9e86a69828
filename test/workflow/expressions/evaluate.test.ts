import fc from "fast-check";
import { expect, it } from "vitest";
import type { Json } from "../../../src/protocol/index.ts";
import { EvaluationError, evaluate, parseExpression } from "../../../src/workflow/expressions/index.ts";
import { scaled } from "../../support/scale.ts";

const SCOPE = {
  input: {
    total: 1200,
    items: [{ id: "a" }, { id: "b" }],
    customer: { name: "Zoë", vip: false },
    note: null,
  },
  steps: { risk: { level: "high", score: 0.5 }, "stock-reserve": { ok: true } },
};

function value(text: string, scope: Readonly<Record<string, Json>> = SCOPE): Json {
  const parsed = parseExpression(text);
  if (!parsed.ok) throw new Error(`${text} at ${parsed.fault.at}: ${parsed.fault.message}`);
  return evaluate(parsed.expression, scope);
}

it.each<[string, Json]>([
  ["null", null],
  ["true", true],
  ["-12.5e1", -125],
  ['"a\\u00e9\\"b"', 'aé"b'],
  ["'it\\'s \"so\"'", 'it\'s "so"'],
  ["'a\\\\'", "a\\"],
  ["input.total", 1200],
  ["input.items[1].id", "b"],
  ['input["customer"].name', "Zoë"],
  ["steps.stock-reserve.ok", true],
  ["input.note", null],
  ["[1, 'x', input.total]", [1, "x", 1200]],
  ["input.total > 1000 && steps.risk.level == 'high'", true],
  ["false && nosuch.name", false],
  ["true || nosuch.name", true],
  ["!input.customer.vip", true],
  ["!(1 == 1 || false) || true && 2 >= 2", true],
  ["steps.risk.level in ['low', 'high']", true],
  ["'vip' in input.customer", true],
  ["'oë' in input.customer.name", true],
  ["'x' in 'abc'", false],
  ["size(input.items) == 2 && size(input.customer) == 2 && size(input.customer.name) == 3", true],
  [
    "has(input.note) && !has(input.nosuch) && !has(input.items[2]) && !has(nosuch) && !has(input.total.x)",
    true,
  ],
  ["input.items == [input.items[0], input.items[1]]", true],
  ["input.total == '1200'", false],
  ["input.total != null", true],
  ["'Zo' < 'Zz' && 2 < 10 && '2' > '10'", true],
])("%s is %j", (text, expected) => {
  expect(value(text)).toEqual(expected);
});

it.each([
  ["input.totl", 6, "input has no field totl; did you mean total?"],
  ["steps.risk.nothing", 11, "steps.risk has no field nothing; there are: level, score"],
  ["inputs.total", 0, "there is no inputs; did you mean input?"],
  ["input.items[2]", 12, "input.items has 2 items, and so no [2]"],
  ["input.items.id", 12, "input.items is a list, and only an object has a field id"],
  ["input.total[0]", 12, "input.total is a number, and only a list has [0]"],
  ["input.total && true", 0, "&& takes true or false, and a number came"],
  ["!input.note", 1, "! takes true or false, and null came"],
  ["input.total < 'x'", 0, "< compares two numbers or two texts, and a number and a text came"],
  ["size(input.total)", 5, "size() takes a list, an object or a text, and a number came"],
  [
    "1 in input.customer",
    5,
    "in takes a value and a list, a name and an object, or two texts; a number and an object came",
  ],
  ["input.__proto__", 6, "input has no field __proto__; there are: total, items, customer, note"],
  ["input.constructor", 6, "input has no field constructor; there are: total, items, customer, note"],
])("%s has no value and says why", (text, at, message) => {
  try {
    value(text);
  } catch (error) {
    expect(error).toBeInstanceOf(EvaluationError);
    expect({ at: (error as EvaluationError).at, message: (error as Error).message }).toEqual({ at, message });
    return;
  }
  expect.unreachable();
});

it("values that nest deeper than a comparison reaches are an error, and not the end of the process", () => {
  const deep = (depth: number) => JSON.parse(`${"[".repeat(depth)}${"]".repeat(depth)}`) as Json;
  expect(() => value("a == b", { a: deep(100_000), b: deep(100_000) })).toThrow(
    /nested deeper than 500 levels/,
  );
});

const json = fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>;
const name = fc.constantFrom("a", "b", "__proto__", "x-1");

/** A random expression's text, and the value that plain JavaScript gives it. */
const booleans = fc.letrec<{ test: [string, boolean]; number: [string, number] }>((tie) => ({
  number: fc.integer({ min: -50, max: 50 }).map((n) => [`${n}`, n]),
  test: fc.oneof(
    { maxDepth: 4 },
    fc.boolean().map((b): [string, boolean] => [`${b}`, b]),
    fc
      .tuple(tie("number"), fc.constantFrom("<", "<=", ">", ">=", "==", "!="), tie("number"))
      .map(([[a, x], operator, [b, y]]): [string, boolean] => [
        `${a} ${operator} ${b}`,
        { "<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y, "==": x === y, "!=": x !== y }[operator]!,
      ]),
    tie("test").map(([text, b]): [string, boolean] => [`!(${text})`, !b]),
    fc
      .tuple(tie("test"), fc.constantFrom("&&", "||"), tie("test"))
      .map(([[a, x], operator, [b, y]]): [string, boolean] => [
        `(${a}) ${operator} (${b})`,
        operator === "&&" ? x && y : x || y,
      ]),
  ),
})).test;

it("boolean expressions have the value that plain JavaScript gives them", () => {
  fc.assert(
    fc.property(
      booleans.filter(([text]) => text.length <= 1_024),
      ([text, expected]) => {
        expect(value(text)).toBe(expected);
      },
    ),
    { numRuns: scaled(200, 5_000) },
  );
});

it("a path gives a value that JSON has, or an error, for all values and names", () => {
  fc.assert(
    fc.property(json, fc.array(fc.oneof(name, fc.nat(3)), { maxLength: 3 }), (input, keys) => {
      const path = keys.reduce(
        (text: string, key) => text + (typeof key === "number" ? `[${key}]` : `.${key}`),
        "input",
      );
      const expected = keys.reduce(
        (found: unknown, key) =>
          found !== null && typeof found === "object" && Object.hasOwn(found, key)
            ? Reflect.get(found, key)
            : undefined,
        input as unknown,
      );
      const isListName = keys.some((key) => typeof key === "string" && expected !== undefined);
      expect(value(`has(${path})`, { input })).toBe(expected !== undefined);
      if (expected !== undefined || isListName) expect(value(path, { input })).toEqual(expected);
      else expect(() => value(path, { input })).toThrow(EvaluationError);
    }),
    { numRuns: scaled(200, 5_000) },
  );
});
