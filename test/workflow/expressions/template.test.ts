import fc from "fast-check";
import { expect, it } from "vitest";
import type { Json } from "../../../src/protocol/index.ts";
import {
  fillTemplate,
  MAX_MADE_LENGTH,
  parseTemplate,
  TemplateError,
} from "../../../src/workflow/expressions/index.ts";

const SCOPE = { input: { id: "o1", total: 1200, items: ["a", "b"], "x y": 1 } };

function fill(value: Json): Json {
  const { template, faults } = parseTemplate(value);
  expect(faults).toEqual([]);
  return fillTemplate(template, SCOPE);
}

it("a text that is one expression keeps the type of its value", () => {
  expect(fill({ items: "${input.items}", total: "${ input.total }", big: "${input.total > 1000}" })).toEqual({
    items: ["a", "b"],
    total: 1200,
    big: true,
  });
});

it("expressions inside a text become text: other values as JSON", () => {
  expect(fill("order ${input.id}: ${input.items}, ${input.total}")).toBe('order o1: ["a","b"], 1200');
});

it("$${ stands for the characters ${, and a dollar sign or brace alone for itself", () => {
  expect(fill(["$${input.id}", "$5 {x}", "a$", "${'}'}", "$${a}${input.id}"])).toEqual([
    "${input.id}",
    "$5 {x}",
    "a$",
    "}",
    "${a}o1",
  ]);
});

it("all faults of a value are told, each with its place", () => {
  const { faults } = parseTemplate({
    a: ["ok", "${input.}"],
    b: { c: "x ${1 +} y" },
    "${not an expression}": 1,
  });
  expect(faults).toEqual([
    { place: ["a", 1], at: 8, text: "${input.}", message: 'expected a name after ".", and "}" came' },
    {
      place: ["b", "c"],
      at: 6,
      text: "x ${1 +} y",
      message: "there is no arithmetic: compute the value in a step or in TypeScript",
    },
  ]);
});

it("an expression without an end is a fault", () => {
  expect(parseTemplate("a ${input.id").faults).toEqual([
    { place: [], at: 12, text: "a ${input.id", message: 'expected an operator or "}", and the end came' },
  ]);
});

it("an expression without a value is an error that shows the text", () => {
  const { template } = parseTemplate("order ${input.nosuch}");
  const failing = () => fillTemplate(template, SCOPE);
  expect(failing).toThrow(TemplateError);
  expect(failing).toThrow(
    "order ${input.nosuch}: input has no field nosuch; there are: id, total, items, x y",
  );
});

it("a value nested too deeply and a text made too long are errors", () => {
  let deep: Json = "x";
  for (let depth = 0; depth < 70; depth++) deep = [deep];
  expect(parseTemplate(deep).faults).toMatchObject([{ message: "is nested deeper than 64 levels" }]);
  const { template } = parseTemplate("${a}${a}${a}");
  expect(() => fillTemplate(template, { a: "x".repeat(MAX_MADE_LENGTH / 2) })).toThrow(
    /makes a text of more than 4194304/,
  );
});

it("a value without expressions comes back as it is, also with names of the prototype", () => {
  const plain = (fc.jsonValue() as fc.Arbitrary<Json>).filter(
    (value) => !JSON.stringify(value).includes("${"),
  );
  fc.assert(
    fc.property(plain, (value) => {
      expect(fill(value)).toEqual(value);
    }),
  );
  const hostile = JSON.parse('{"__proto__": {"polluted": "${input.id}"}}') as Json;
  const filled = fill(hostile);
  expect(JSON.stringify(filled)).toBe('{"__proto__":{"polluted":"o1"}}');
  expect(({} as { polluted?: string }).polluted).toBeUndefined();
});
