import { expect, it } from "vitest";
import { z } from "zod";
import { checkExpression, parseExpression, type Schema } from "../../../src/workflow/expressions/index.ts";

const SCOPE: Record<string, Schema> = {
  input: z.toJSONSchema(
    z.strictObject({
      id: z.string(),
      total: z.number(),
      note: z.string().nullable(),
      items: z.array(z.strictObject({ sku: z.string() })),
      pair: z.tuple([z.string(), z.number()]),
      labels: z.record(z.string(), z.string()),
    }),
  ) as Schema,
  risk: z.toJSONSchema(
    z.strictObject({
      level: z.enum(["low", "high"]),
      detail: z.union([z.string(), z.strictObject({ code: z.number() })]),
    }),
  ) as Schema,
  tree: {
    $ref: "#/$defs/node",
    $defs: {
      node: { type: "object", properties: { next: { $ref: "#/$defs/node" } }, additionalProperties: false },
    },
  },
  loose: { type: "object", properties: { known: { type: "boolean" } } },
  unknown: true,
};

function faults(text: string): string[] {
  const parsed = parseExpression(text);
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return checkExpression(parsed.expression, SCOPE).faults.map(({ at, message }) => `${at}: ${message}`);
}

it.each([
  "input.total > 1000 && risk.level == 'high'",
  "input.items[0].sku == input.pair[0]",
  "input.labels.anything == 'x'",
  "input.note == null || input.note == 'x'",
  "risk.detail.code == 1",
  "size(risk.detail) > 0",
  "tree.next.next.next == unknown",
  "loose.other.deep > 3",
  "unknown.a[3].b in unknown",
  "risk.level in ['low', 'other']",
  "has(input.note)",
  "unknown < 3 || 'a' < unknown",
])("%s has no certain fault", (text) => {
  expect(faults(text)).toEqual([]);
});

it.each([
  ["inputs.id", "0: there is no inputs; did you mean input?"],
  ["input.totl > 3", "6: input has no field totl; did you mean total?"],
  ["input.items.sku", "12: input.items is a list, and only an object has a field sku"],
  ["input.items[0].id", "15: input.items[0] has no field id; there are: sku"],
  ["input.total[0]", "12: input.total is a number, and only a list has [0]"],
  ["input.pair[2]", "11: input.pair never has an item [2]"],
  ["tree.next.nxt", "10: tree.next has no field nxt; did you mean next?"],
  ["input.total && true", "0: && takes a boolean, and this is a number"],
  ["!risk.level", "1: ! takes a boolean, and this is a text"],
  ["input.total > input.id", "0: > compares two numbers or two texts, and these are a number and a text"],
  ["loose.known < 3", "0: < takes a number or text, and this is a boolean"],
  ["input.total == 'x'", "0: == is never true: one side is a number, the other a text"],
  ["input.note != 3", "0: != is always true: one side is a text or null, the other a number"],
  ["risk.level == 'hihg'", '14: == is never true: "hihg" is not a possible value; did you mean "high"?'],
  ["risk.level == 'none'", '14: == is never true: "none" is not a possible value; possible: "low", "high"'],
  ["size(input.total)", "5: size() takes a list, object or text, and this is a number"],
  ["1 in input.total", "5: in takes a list, object or text, and this is a number"],
  ["has(input.nosuch)", "10: input has no field nosuch; there are: id, total, note, items, pair, labels"],
])("%s is refused before a run starts", (text, message) => {
  expect(faults(text)).toEqual([message]);
});

it("schemas that refer to themselves without an end are taken as unknown", () => {
  const parsed = parseExpression("a.b");
  const scope: Record<string, Schema> = { a: { $ref: "#" } };
  expect(parsed.ok && checkExpression(parsed.expression, scope)).toEqual({ shape: null, faults: [] });
});
